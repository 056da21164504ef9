"""What saving an import takes besides the right to import: the rights to what it writes."""

from __future__ import annotations

from school.errors import Forbidden
from school.permissions import Permission, Person
from school.roster.models import RosterImport
from school.roster.sheet.mapping import Mapping
from school.roster.sheet.targets import Target


def check_commit(person: Person, imported: RosterImport, *, archive_gone: bool) -> None:
    """Raises Forbidden for a person, or a program's key, that may not do by hand what it does."""
    needed = {Permission.STUDENT_ADMIT, Permission.STUDENT_EDIT, Permission.GUARDIAN_EDIT}
    if Target.MEDICAL_NOTE in Mapping.from_json(imported.mapping).fields():
        needed.add(Permission.MEDICAL_EDIT)
    if archive_gone:
        needed.add(Permission.STUDENT_ARCHIVE)
    if not all(person.may(one) for one in needed):
        raise Forbidden("You may look at this import, but not save all that it would write.")
