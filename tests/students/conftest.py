"""People who ask about students."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from school.permissions import Person, Role
from school.tenancy.models import School


@pytest.fixture
def person_as(school: School) -> Callable[..., Person]:
    """Somebody with these roles in the school, as a policy sees them."""

    def make(*roles: Role, user_id: UUID | None = None, **more: Any) -> Person:
        return Person(
            user_id=user_id or uuid4(),
            display_name="Somebody",
            email="somebody@example.org",
            school_id=school.id,
            roles=frozenset(roles),
            **more,
        )

    return make
