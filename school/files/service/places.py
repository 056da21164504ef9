"""The top places of files that hang on no record: a person's, the school's, a role's."""

from __future__ import annotations

from uuid import UUID, uuid5

from school.files.models import OwnerKind
from school.files.queries import Spot
from school.permissions import Role
from school.tenancy.scope import current_school_id

_ROLES = UUID("5b1f0c52-6f0e-5d7b-9d0c-8a1f2f3c4d5e")
ROLE_IDS: dict[Role, UUID] = {
    role: uuid5(_ROLES, role.value) for role in (Role.TEACHER, Role.REGISTRAR, Role.ADMINISTRATOR)
}
"""The roles that keep files together, those who work here; and the id each has as an owner."""


def spot_of_person(user_id: UUID) -> Spot:
    """Where a person's own files begin."""
    return Spot(OwnerKind.PERSON, user_id)


def spot_of_school() -> Spot:
    """Where the files of the school in scope begin."""
    return Spot(OwnerKind.SCHOOL, current_school_id())


def spot_of_role(role: Role) -> Spot:
    """Where the files of everybody with this role begin."""
    return Spot(OwnerKind.ROLE, ROLE_IDS[role])
