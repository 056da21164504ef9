"""Reads: one student, lists of them, guardians, the school's own fields."""

from school.students.queries.families import (
    children_of_user as children_of_user,
)
from school.students.queries.families import (
    get_guardian as get_guardian,
)
from school.students.queries.families import (
    get_link as get_link,
)
from school.students.queries.families import (
    guardian_links as guardian_links,
)
from school.students.queries.families import (
    list_siblings as list_siblings,
)
from school.students.queries.families import (
    suggest_guardians as suggest_guardians,
)
from school.students.queries.fields import count_with_value as count_with_value
from school.students.queries.fields import get_field as get_field
from school.students.queries.fields import list_fields as list_fields
from school.students.queries.fields import list_genders as list_genders
from school.students.queries.people import (
    count_by_class as count_by_class,
)
from school.students.queries.people import (
    find_by_number as find_by_number,
)
from school.students.queries.people import (
    find_with_class as find_with_class,
)
from school.students.queries.people import (
    get_student as get_student,
)
from school.students.queries.people import (
    get_students as get_students,
)
from school.students.queries.people import (
    next_admission_number as next_admission_number,
)
from school.students.queries.people import (
    was_admitted_by as was_admitted_by,
)
