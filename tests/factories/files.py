"""Files on a student, and things that can own them."""

from __future__ import annotations

import io
import uuid
from typing import Any

from school.audit.actor import Actor, acting_as
from school.db import db, transaction
from school.files.models import File
from school.files.service import keeping
from school.students.models import Student
from tests.files.samples import PDF


def make_owner(**overrides: Any) -> Student:
    """A student who can have files."""
    number = f"F-{uuid.uuid4().hex[:10]}"
    given, family = overrides.pop("given_name", "Zofia"), overrides.pop("family_name", "Dąbrowska")
    with transaction():
        student = Student(
            admission_number=number,
            given_name=given,
            family_name=family,
            sort_name=f"{family} {given}".lower(),
            **overrides,
        )
        db.session.add(student)
    return student


def make_file(
    student: Student,
    data: bytes = PDF,
    *,
    filename: str = "Report.pdf",
    purpose: str = "document",
    by: str = "Amara Okafor",
) -> File:
    """A file of this student, taken in as an upload would be."""
    with acting_as(Actor(name=by)):
        return keeping.store_upload(
            io.BytesIO(data),
            owner_kind="student",
            owner_id=student.id,
            filename=filename,
            purpose=purpose,
        )
