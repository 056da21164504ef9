"""Verbs: what the school does with its students, their guardians and its own fields."""

from school.students.service.classes import archive_class as archive_class
from school.students.service.classes import move_to_class as move_to_class
from school.students.service.fields import add_field as add_field
from school.students.service.fields import archive_field as archive_field
from school.students.service.fields import edit_field as edit_field
from school.students.service.fields import genders_text as genders_text
from school.students.service.fields import genders_version as genders_version
from school.students.service.fields import move_field as move_field
from school.students.service.fields import restore_field as restore_field
from school.students.service.fields import save_genders as save_genders
from school.students.service.fields import seed_school as seed_school
from school.students.service.guardians import GuardianFacts as GuardianFacts
from school.students.service.guardians import LinkFacts as LinkFacts
from school.students.service.guardians import add_guardian as add_guardian
from school.students.service.guardians import edit_guardian as edit_guardian
from school.students.service.guardians import edit_link as edit_link
from school.students.service.guardians import link_guardian as link_guardian
from school.students.service.guardians import move_link as move_link
from school.students.service.guardians import unlink_guardian as unlink_guardian
from school.students.service.people import StudentFacts as StudentFacts
from school.students.service.people import admit_student as admit_student
from school.students.service.people import archive_student as archive_student
from school.students.service.people import archive_students as archive_students
from school.students.service.people import edit_student as edit_student
from school.students.service.people import find_just_admitted as find_just_admitted
from school.students.service.people import restore_student as restore_student
