"""Classes of the current year."""

from __future__ import annotations

import uuid

from school.academics import service
from school.academics.models import SchoolClass
from school.db import transaction


def make_class(name: str | None = None, *, grade_level: str | None = None) -> SchoolClass:
    """A class; its name is its own unless given."""
    with transaction():
        return service.create_class(name or f"C{uuid.uuid4().hex[:6]}", grade_level=grade_level)
