"""Every route × every role × own and other school's object, walked from the URL map itself.

A new route is in the matrix the moment it is registered; a new kind of object in an address makes
`test_every_object_in_an_address_is_known` fail until `OBJECTS` can make one.
"""

from __future__ import annotations

import io
import re
import tempfile
import uuid
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from school import clock
from school.academics.service import create_class
from school.accounts.models import ApiToken
from school.audit import log
from school.db import db, transaction
from school.files.models import File, Folder, HoldTarget, Share, Upload
from school.files.queries import Spot
from school.files.service import folders, holding, keeping, sharing, trashing
from school.mail.models import MailMessage
from school.permissions import ROLE_PERMISSIONS, Permission, Role
from school.roster.models import RosterImport
from school.students import service as students
from school.students.models import CustomField, Gender, Guardian, StudentGuardian
from school.tenancy.models import School
from school.tenancy.scope import school_scope
from school.web.access import access_of
from tests.conftest import make_member
from tests.roster.conftest import HEADINGS, stage_file

OPEN = {"static", "health.healthz", "health.readyz"}
# Answers that show or change nothing of the object asked for.
CLOSED = {302, 303, 400, 401, 403, 404, 405, 409, 410, 412, 415, 422, 428, 429}


FAMILY = {"student_id", "guardian_id", "file_id", "folder_id", "share_id"}
"""Things of a family that another family never sees."""


def furnish(school: School) -> dict[str, Any]:
    """One of everything an address can name, in this school."""
    canary = f"canary{school.slug.replace('-', '')}"
    with school_scope(school.id):
        with transaction():
            school_class = create_class(f"{canary[:20]} 7A")
            student = students.admit_student(
                family_name=canary,
                admission_number=canary[:40],
                school_class=school_class,
                birth_date=date(2013, 3, 4),
            )
            guardian = Guardian(name=canary, sort_name=canary)
            field = CustomField(label=canary)
            db.session.add_all([guardian, field])
            db.session.flush()
            link = StudentGuardian(student_id=student.id, guardian_id=guardian.id)
            owner = make_member(school, Role.ADMINISTRATOR)
            token = ApiToken(user_id=owner.id, name=canary, secret_hash="0" * 64, scopes=[])
            change_set = log.open_change_set("student.archive", canary)
            letter = MailMessage(to_address=owner.email, subject=canary, body=canary)
            upload = _begun_upload(owner.id, student.id, canary)
            db.session.add_all([link, token, letter, upload])
            db.session.flush()
            event = log.record(
                "student.changed",
                "student",
                student.id,
                before={"phone": None},
                after={"phone": canary},
            )
        file = keeping.store_upload(
            io.BytesIO(canary.encode()),
            owner_kind="student",
            owner_id=student.id,
            filename=f"{canary}.txt",
        )
        trashed = _thrown_away(student.id, f"{canary}-gone.txt")
        with transaction():
            trashing.trash_file(trashed)
            hold = holding.place_hold(HoldTarget.FILE, trashed.id, canary)
            holding.lift_hold(holding.place_hold(HoldTarget.STUDENT, student.id, canary).id)
        folder, share = shared_folder(student.id, canary, owner.id)
        roster = staged_import(canary)
        assert db.session.query(Gender).count() == 3
    return {
        "student_id": student.id,
        "guardian_id": guardian.id,
        "class_id": school_class.id,
        "file_id": file.id,
        "folder_id": folder.id,
        "share_id": share.id,
        "upload_id": upload.id,
        "hold_id": hold.id,
        "link_id": link.id,
        "field_id": field.id,
        "import_id": roster.id,
        "change_set_id": change_set.id,
        "event_id": event.id,
        "user_id": owner.id,
        "token_id": token.id,
        "school_id": school.id,
        "job_id": uuid.uuid4(),
        "number": 1,
        "line": 2,
        "token": "x" * 40,
        "secret": "y" * 40,
        "filename": "app.css",
        "message_id": letter.id,
        "canary": canary,
    }


def _begun_upload(user_id: uuid.UUID, student_id: uuid.UUID, name: str) -> Upload:
    return Upload(
        id=uuid.uuid4(),
        user_id=user_id,
        owner_kind="student",
        owner_id=student_id,
        purpose="document",
        filename=name,
        length_bytes=5,
        expires_at=clock.now() + timedelta(days=1),
    )


def _thrown_away(student_id: uuid.UUID, name: str) -> File:
    return keeping.store_upload(
        io.BytesIO(b"gone"), owner_kind="student", owner_id=student_id, filename=name
    )


def shared_folder(student_id: uuid.UUID, name: str, user_id: uuid.UUID) -> tuple[Folder, Share]:
    """A folder of the student's, shared with this person."""
    with transaction():
        folder = folders.make_folder(Spot("student", student_id), name)
        share = sharing.share(folder, sharing.Grant(user_id=user_id))
    return folder, share


def staged_import(canary: str, rows: int = 1) -> RosterImport:
    """An import in its preview, in the school in scope."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{canary}.csv")
        lines = [f"{place},{canary},Ann,2015-03-01,,,," for place in range(rows)]
        path.write_text("\n".join([HEADINGS, *lines]), encoding="utf-8")
        return stage_file(path)


def rules(app: Flask) -> list[Rule]:
    return [rule for rule in app.url_map.iter_rules() if rule.endpoint not in OPEN]


def is_our_page(rule: Rule) -> bool:
    """Neither the API nor a step of signing in or out, which may end the session."""
    return not rule.rule.startswith("/api/") and not rule.endpoint.startswith("security.")


def address(rule: Rule, objects: dict[str, Any]) -> str:
    """The rule's address with these objects; the first choice of an `any(...)`."""
    path = rule.rule
    for name in rule.arguments:
        choice = re.search(rf"<any\(([^)]*)\):{name}>", path)
        value = choice.group(1).split(",")[0].strip(" \"'") if choice else objects[name]
        path = re.sub(rf"<[^>]*\b{name}>", str(value), path)
    return path


def ask(client: FlaskClient, rule: Rule, method: str, objects: dict[str, Any]) -> Any:
    return client.open(address(rule, objects), method=method)


def methods(rule: Rule) -> list[str]:
    return sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})


def test_every_route_declares_who_may_open_it(app: Flask) -> None:
    silent = [
        f"{rule} ({rule.endpoint})" for rule in rules(app) if access_of(app, rule.endpoint) is None
    ]
    # Flask-Security's own that stay shut: what is not declared is refused.
    assert [name for name in silent if "security." not in name] == []


def test_every_object_in_an_address_is_known(app: Flask, school: School) -> None:
    known = set(furnish(school))
    unknown = {
        (name, rule.rule)
        for rule in rules(app)
        for name in rule.arguments
        if name not in known and f"):{name}>" not in rule.rule
    }
    assert unknown == set()


def test_what_is_not_declared_is_refused(app: Flask, school: School, client_for: Any) -> None:
    objects = furnish(school)
    client = client_for(Role.ADMINISTRATOR)
    for rule in rules(app):
        if access_of(app, rule.endpoint) is None:
            for method in methods(rule):
                assert ask(client, rule, method, objects).status_code == 403, rule


def test_a_stranger_opens_nothing_that_is_not_public(app: Flask, school: School) -> None:
    objects = furnish(school)
    for rule in rules(app):
        access = access_of(app, rule.endpoint)
        if access is None or access.kind == "public":
            continue
        for method in methods(rule):
            answer = ask(app.test_client(), rule, method, objects)
            assert answer.status_code in {302, 401, 403}, f"{method} {rule}: {answer.status_code}"
            assert objects["canary"] not in answer.text


@pytest.mark.parametrize("role", list(Role))
def test_a_role_without_the_permission_is_refused(
    app: Flask, school: School, client_for: Any, role: Role
) -> None:
    objects = furnish(school)
    client = client_for(role)
    for rule in rules(app):
        access = access_of(app, rule.endpoint)
        if access is None or access.kind != "permission" or rule.rule.startswith("/api/"):
            continue
        if set(access.permissions) <= ROLE_PERMISSIONS[role]:
            continue
        for method in methods(rule):
            answer = ask(client, rule, method, objects)
            assert answer.status_code == 403, f"{role} {method} {rule}: {answer.status_code}"
            assert objects["canary"] not in answer.text


@pytest.mark.parametrize("role", list(Role))
def test_another_schools_object_is_not_there(
    app: Flask, school: School, other_school: School, client_for: Any, role: Role
) -> None:
    """Whatever the role: no success, no redirect into it, not a letter of it."""
    furnish(school)
    theirs = furnish(other_school)
    client = client_for(role)
    ids = {
        "student_id",
        "guardian_id",
        "class_id",
        "file_id",
        "folder_id",
        "share_id",
        "link_id",
        "field_id",
        "import_id",
        "change_set_id",
        "event_id",
        "token_id",
        "upload_id",
        "hold_id",
    }
    for rule in rules(app):
        if not ids & set(rule.arguments) or rule.rule.startswith("/api/"):
            continue
        for method in methods(rule):
            answer = ask(client, rule, method, theirs)
            assert answer.status_code in CLOSED - {302, 303}, (
                f"{role} {method} {rule}: {answer.status_code}"
            )
            assert theirs["canary"] not in answer.text, f"{role} {method} {rule}"


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.REGISTRAR])
def test_the_office_opens_every_page_it_may(
    app: Flask, school: School, client_for: Any, role: Role
) -> None:
    """GET of everything permitted: a page, a redirect or a plain 'not there', never an error."""
    objects = furnish(school)
    client = client_for(role)
    for rule in rules(app):
        access = access_of(app, rule.endpoint)
        if access is None or "GET" not in methods(rule) or not is_our_page(rule):
            continue
        if access.kind == "permission" and not set(access.permissions) <= ROLE_PERMISSIONS[role]:
            continue
        answer = ask(client, rule, "GET", objects)
        assert answer.status_code < 500, f"{rule}: {answer.status_code}"
        assert "/login" not in answer.headers.get("Location", ""), rule


@pytest.mark.parametrize("role", [Role.GUARDIAN, Role.STUDENT])
def test_a_family_sees_nobody_elses_child(
    app: Flask, school: School, client_for: Any, role: Role
) -> None:
    """Another family's child of the same school is not there either."""
    objects = furnish(school)
    client = client_for(role)
    for rule in rules(app):
        if rule.rule.startswith("/api/") or not FAMILY & set(rule.arguments):
            continue
        for method in methods(rule):
            answer = ask(client, rule, method, objects)
            assert answer.status_code in {403, 404, 405}, (
                f"{role} {method} {rule}: {answer.status_code}"
            )
            assert objects["canary"] not in answer.text


def test_no_get_changes_anything(app: Flask, school: School, client_for: Any) -> None:
    """Crawl all GETs as the administrator; only traces of reading may be written."""
    objects = furnish(school)
    client = client_for(Role.ADMINISTRATOR)
    before = _fingerprint(app, school)
    for rule in rules(app):
        if "GET" in methods(rule) and is_our_page(rule):
            answer = ask(client, rule, "GET", objects)
            assert "/login" not in answer.headers.get("Location", ""), rule
    assert _fingerprint(app, school) == before


def _fingerprint(app: Flask, school: School) -> dict[str, int]:
    from school.db import Base
    from school.tenancy.models import tenant_tables

    traces = {"audit_event"}  # downloads are recorded
    with school_scope(school.id):
        return {
            table.name: db.session.connection()
            .exec_driver_sql(f'SELECT count(*) FROM "{table.name}"')
            .scalar()
            for table in tenant_tables(Base.metadata)
            if table.name not in traces
        }


def test_permissions_are_all_used(app: Flask) -> None:
    """A permission that opens nothing is a promise nobody keeps."""
    asked = {
        p for rule in rules(app) for p in getattr(access_of(app, rule.endpoint), "permissions", ())
    }
    checked_in_services = {
        Permission.PLATFORM_OPERATE,
        Permission.API_TOKEN,
        Permission.MEMBER_EDIT,
        Permission.MEMBER_INVITE,
        Permission.MEMBER_VIEW,
        Permission.PLATFORM_SCHOOLS,
        Permission.PLATFORM_USERS,
    }
    assert set(Permission) - asked - checked_in_services == set()
