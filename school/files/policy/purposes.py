"""Purposes whose files are narrowed further."""

from __future__ import annotations

from school.errors import Invalid
from school.files.models import OwnerKind
from school.permissions import Permission, Person

PURPOSE_PERMISSIONS: dict[str, Permission] = {"medical": Permission.MEDICAL_VIEW}
"""What more it takes to see files of this purpose."""


def may_view_purpose(person: Person, purpose: str) -> bool:
    needed = PURPOSE_PERMISSIONS.get(purpose)
    return needed is None or person.may(needed)


def may_view_archived(person: Person) -> bool:
    """What was put away is the school's own: families do not see it any more."""
    return person.is_staff


def closed_to(person: Person) -> list[str]:
    """The purposes whose files this person does not see."""
    return [purpose for purpose in PURPOSE_PERMISSIONS if not may_view_purpose(person, purpose)]


def check_purpose(kind: str, purpose: str) -> None:
    """Elsewhere a medical document would be read by more people than its student's."""
    if purpose in PURPOSE_PERMISSIONS and kind != OwnerKind.STUDENT:
        raise Invalid("Medical documents are kept with the student only.", field="purpose")
