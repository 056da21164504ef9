"""Every operation of the API, asked with thousands of made-up requests (schemathesis)."""

from __future__ import annotations

import io
from collections import Counter
from typing import Any
from uuid import UUID

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.checks import (
    negative_data_rejection,
    positive_data_acceptance,
)
from schemathesis.config import SchemathesisConfig

from school.db import transaction
from school.files import queries
from school.files.service import folders, keeping, trashing
from school.students.queries import get_student
from school.tenancy.models import School
from school.tenancy.scope import school_scope
from tests.api.conftest import Family, Make, Program
from tests.factories.files import make_file

OPERATIONS = 38
# Asked after the operation that ends their record, or never at the right moment.
TOO_LATE = {
    "GET /api/v1/students/{student_id}/guardians/{link_id}",
    "PATCH /api/v1/students/{student_id}/guardians/{link_id}",
    "POST /api/v1/imports/{import_id}/undo",
}
EXAMPLES = 15
REFUSALS = ["400", "401", "403", "404", "405", "409", "412", "413", "415", "422", "428"]
ROSTER = b"Admission number,Surname\nR-1,Ito\nR-2,\n"


@pytest.fixture
def things(app: Flask, family: Family, school: School, program: Make, run_jobs: Any) -> Any:
    """Real ids for the places of every path, so that requests reach the work behind."""
    with school_scope(school.id):
        file_id = str(make_file(get_student(UUID(family.student_id))).id)
        with transaction():
            spot = queries.Spot("student", UUID(family.student_id))
            folder_id = str(folders.make_folder(spot, "Reports").id)
    sent = {"file": (io.BytesIO(ROSTER), "roster.csv")}
    import_id = program().post("/imports", data=sent).json["id"]
    run_jobs()
    return {
        "student_id": family.student_id,
        "guardian_id": family.guardian_id,
        "link_id": family.link_id,
        "file_id": file_id,
        "folder_id": folder_id,
        "import_id": import_id,
    }


def load(app: Flask) -> Any:
    refusing = {"expected-statuses": REFUSALS}
    checks = {"negative_data_rejection": refusing, "missing_required_header": refusing}
    config = SchemathesisConfig.from_dict({"seed": 1, "checks": checks})
    return schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app, config=config)


def point_at(case: Any, things: dict[str, str], call: Program) -> None:
    """Put the real ids into the path, and the version that holds now into If-Match."""
    for name in case.path_parameters or {}:
        case.path_parameters[name] = things[name]
    if "If-Match" in (case.headers or {}):
        read = call.get(case.formatted_path.removeprefix("/api/v1"))
        case.headers["If-Match"] = read.headers.get("ETag", '"1"')


def ask_often(operation: Any, mode: GenerationMode, prepare: Any, **how: Any) -> Counter[int]:
    """Send made-up requests; raises what schemathesis finds. How often each status came back."""
    statuses: Counter[int] = Counter()

    @seed(1)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        prepare(case)
        statuses[case.call_and_validate(**how).status_code] += 1

    ask()
    return statuses


def ask_all(app: Flask, call: Program, mode: GenerationMode, prepare: Any, skip: Any) -> Any:
    """{operation: statuses}, after every operation kept its promises."""
    broken, seen = [], {}
    how = {"headers": {"Authorization": f"Bearer {call.token}"}, "excluded_checks": skip}
    for found in load(app).get_all_operations():
        operation = found.ok()
        try:
            seen[operation.label] = ask_often(operation, mode, prepare, **how)
        except (Exception, BaseExceptionGroup) as error:
            broken.append(f"{operation.label}\n{error}")
    assert not broken, "\n\n".join(broken)
    assert len(seen) == OPERATIONS
    return seen


def take_out(school: School, things: dict[str, str]) -> None:
    """The file, should an earlier request have put it away or deleted it: then it cannot be
    changed."""
    with school_scope(school.id), transaction():
        file = trashing.take_out(queries.get_file(UUID(things["file_id"])))
        keeping.restore_file(file)


def test_requests_as_described_are_answered_as_described(
    app: Flask, program: Make, school: School, things: dict[str, str]
) -> None:
    call = program()

    def prepare(case: Any) -> None:
        if "file_id" in (case.path_parameters or {}):
            take_out(school, things)
        point_at(case, things, call)

    # Rules of the school (this gender is not on your list) refuse what a schema allows.
    skip = [positive_data_acceptance, negative_data_rejection]
    seen = ask_all(app, call, GenerationMode.POSITIVE, prepare, skip)
    done = {name for name, statuses in seen.items() if {200, 201, 202, 204} & statuses.keys()}
    assert seen.keys() - done == TOO_LATE


def test_requests_that_break_the_description_are_refused(
    app: Flask, program: Make, things: dict[str, str]
) -> None:
    seen = ask_all(
        app, program(), GenerationMode.NEGATIVE, lambda _case: None, [positive_data_acceptance]
    )
    assert sum(statuses.total() for statuses in seen.values()) > 100
