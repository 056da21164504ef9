"""How often each page asks the database: few times, and no oftener for fifty than for one."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from school import clock
from school.academics.service import create_class
from school.accounts.models import ApiToken, Membership
from school.audit import log
from school.db import db, transaction
from school.files.models import File, LegalHold
from school.files.queries import Spot
from school.files.service import folders, keeping, sharing
from school.mail.models import MailMessage
from school.permissions import Role
from school.students import service as students
from school.students.models import CustomField, Guardian, StudentGuardian
from school.tenancy.models import School
from school.tenancy.scope import school_scope
from tests.api.conftest import program
from tests.architecture.test_access_matrix import (
    address,
    furnish,
    is_our_page,
    methods,
    rules,
    staged_import,
)
from tests.conftest import make_member

__all__ = ["program"]

FEW = 6
ALLOWED = {
    "/students/<uuid:student_id>": 10,
    "/students/<uuid:student_id>/history": 7,
    "/students/export.<any(csv, xlsx):kind>": 8,
}
"""Pages of many kinds of things at once, and how often each may ask."""

Ask = Callable[[str], TestResponse]
Count = Callable[[], AbstractContextManager[Any]]


def multiply(school: School, objects: dict[str, Any], number: int = 49) -> None:
    """So many more of everything a page may list, hung on the objects that pages are of."""
    for place in range(number):
        make_member(school, Role.TEACHER)
        with school_scope(school.id):
            with transaction():
                _add_one(objects, place)
            keeping.store_upload(
                io.BytesIO(b"many"),
                owner_kind="student",
                owner_id=objects["student_id"],
                filename=f"{place}.txt",
            )
            with transaction():
                _throw_away(place)
    with school_scope(school.id):
        objects["import_id"] = staged_import("Many", rows=number + 1).id


def _throw_away(place: int) -> None:
    """A file of another student in the trash, and a hold on it."""
    owner = students.admit_student(family_name=f"Gone {place}", birth_date=date(2013, 3, 4))
    whose = {"owner_kind": "student", "owner_id": owner.id}
    file = File(**whose, name="a.txt", trashed_at=clock.now(), trashed_by_name="Amara")
    hold = LegalHold(
        target_kind="student", target_id=owner.id, reason="Many", placed_by_name="Amara"
    )
    db.session.add_all([file, hold])


def _add_one(objects: dict[str, Any], place: int) -> None:
    name = f"Many {place}"
    create_class(name)
    sibling = students.admit_student(family_name=name, birth_date=date(2013, 3, 4))
    guardian = Guardian(name=name, sort_name=name.lower())
    db.session.add_all(
        [
            guardian,
            ApiToken(user_id=objects["user_id"], name=name, secret_hash=f"{place:064}", scopes=[]),
            CustomField(label=name),
            MailMessage(to_address=f"{place}@example.org", subject=name, body=name),
        ]
    )
    db.session.flush()
    links = [(objects["student_id"], guardian.id), (sibling.id, objects["guardian_id"])]
    db.session.add_all([StudentGuardian(student_id=s, guardian_id=g) for s, g in links])
    for folder_id in (None, objects["folder_id"]):
        folder = folders.make_folder(Spot("student", objects["student_id"], folder_id), name)
        sharing.share(folder, sharing.Grant(role=Role.ADMINISTRATOR))
    log.record(
        "student.changed",
        "student",
        objects["student_id"],
        before={"phone": None},
        after={"phone": str(place)},
    )


def counted(app: Flask, ask: Ask, api: Ask, objects: dict[str, Any], count: Count) -> Any:
    """{address pattern: number of queries} of every page that shows something."""
    found = {}
    for rule in rules(app):
        is_api = rule.rule.startswith("/api/v1/")
        if "GET" not in methods(rule) or not (is_api or is_our_page(rule)):
            continue
        place = address(rule, objects)
        get = api if is_api else ask
        get(place)  # what the cache may keep, it keeps now
        with count() as queries:
            answer = get(place)
        if answer.status_code == 200:
            found[rule.rule] = len(queries.statements)
    return found


def test_no_page_asks_oftener_for_fifty_than_for_one(
    app: Flask, school: School, client_for: Any, program: Any, count_queries: Count
) -> None:
    objects = furnish(school)
    user = make_member(None, None, is_platform_admin=True)
    with transaction() as session:
        session.add(Membership(school_id=school.id, user_id=user.id, role=Role.ADMINISTRATOR))
    client, api = client_for(Role.ADMINISTRATOR, user=user), program()
    asks = client.get, lambda place: api.get(place.removeprefix("/api/v1"))
    one = counted(app, *asks, objects, count_queries)
    multiply(school, objects)
    fifty = counted(app, *asks, objects, count_queries)
    assert set(one) == set(fifty)
    assert len(one) >= 59
    assert {rule: n for rule, n in fifty.items() if n > one[rule]} == {}
    assert {rule: n for rule, n in one.items() if n > ALLOWED.get(rule, FEW)} == {}
