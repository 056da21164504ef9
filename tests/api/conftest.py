"""Programs that call the API with a token, and the records they ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from school.accounts import service as accounts
from school.accounts.models import User
from school.db import transaction
from school.permissions import Permission, Person, Role, permissions_of
from school.students import service
from school.students.models import Guardian, Student, StudentGuardian
from school.tenancy.models import School
from school.tenancy.scope import school_scope
from tests.conftest import make_member

__all__ = ["family", "family_at", "program"]


@dataclass
class Program:
    """Calls `/api/v1` as one person, with a token and nothing else: no cookie, no form token."""

    client: FlaskClient
    token: str
    user: User

    def __call__(self, method: str, path: str, **more: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.token}", **more.pop("headers", {})}
        if "version" in more:
            headers["If-Match"] = f'"{more.pop("version")}"'
        if "key" in more:
            headers["Idempotency-Key"] = more.pop("key")
        return self.client.open(f"/api/v1{path}", method=method, headers=headers, **more)

    def get(self, path: str, **more: Any) -> TestResponse:
        return self("GET", path, **more)

    def post(self, path: str, **more: Any) -> TestResponse:
        return self("POST", path, **more)

    def patch(self, path: str, **more: Any) -> TestResponse:
        return self("PATCH", path, **more)

    def delete(self, path: str, **more: Any) -> TestResponse:
        return self("DELETE", path, **more)


Make = Callable[..., Program]


@pytest.fixture
def program(app: Flask, school: School) -> Make:
    """A program acting for somebody with this role; `scopes` narrow its token."""

    def make(
        role: Role = Role.ADMINISTRATOR,
        *,
        at: School | None = None,
        user: User | None = None,
        scopes: Iterable[Permission] | None = None,
    ) -> Program:
        place = at or school
        owner = user or make_member(place, role)
        held = permissions_of(frozenset({role}))
        person = Person(
            owner.id, owner.display_name, owner.email, school_id=place.id, roles=frozenset({role})
        )
        with school_scope(place.id), transaction():
            _, token = accounts.create_token(
                "Test", scopes=held if scopes is None else scopes, days=30, by=person
            )
        return Program(FlaskClient(app, use_cookies=True), token, owner)

    return make


@dataclass(frozen=True)
class Family:
    """A student with a guardian; ids only, because sessions end with their scope."""

    student_id: str
    version: int
    guardian_id: str
    link_id: str


def make_student(**facts: Any) -> Student:
    with transaction():
        return service.admit_student(**{"family_name": "Dąbrowska", "given_name": "Zofia", **facts})


@pytest.fixture
def family_at(app: Flask) -> Callable[..., Family]:
    """A family in this school; `user` signs in as the guardian, `student_user` as the student."""

    def make(
        place: School, *, user: User | None = None, student_user: User | None = None
    ) -> Family:
        with school_scope(place.id):
            student = make_student(medical_note="Nuts")
            with transaction() as session:
                guardian = service.add_guardian("Katarzyna Dąbrowska", phone="+48 601 234 567")
                guardian.user_id = user.id if user else None
                student.user_id = student_user.id if student_user else None
                link = service.link_guardian(student, guardian, relationship="mother")
                session.flush()
                found: tuple[Student, Guardian, StudentGuardian] = (student, guardian, link)
            return Family(str(found[0].id), found[0].version, str(found[1].id), str(found[2].id))

    return make


@pytest.fixture
def family(family_at: Callable[..., Family], school: School) -> Family:
    return family_at(school)
