"""Students and guardians, made by the verbs a school uses."""

from __future__ import annotations

import uuid
from typing import Any

from school.db import transaction
from school.students import service
from school.students.models import Guardian, Student, StudentGuardian


def make_student(**overrides: Any) -> Student:
    """Zofia Dąbrowska with a number of her own, unless said otherwise."""
    facts = {
        "given_name": "Zofia",
        "family_name": "Dąbrowska",
        "admission_number": f"N-{uuid.uuid4().hex[:10]}",
        **overrides,
    }
    with transaction():
        return service.admit_student(**facts)


def make_guardian(*students: Student, name: str = "Katarzyna Dąbrowska", **facts: Any) -> Guardian:
    """A guardian of these students; `user_id` lets them sign in."""
    user_id = facts.pop("user_id", None)
    with transaction():
        guardian = service.add_guardian(name, **facts)
        guardian.user_id = user_id
        for student in students:
            service.link_guardian(student, guardian, relationship="Mother")
    return guardian


def link(student: Student, guardian: Guardian, **facts: Any) -> StudentGuardian:
    with transaction():
        return service.link_guardian(student, guardian, **facts)
