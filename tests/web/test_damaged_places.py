"""No address of a page, however damaged, breaks a list."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from school.db import transaction
from school.permissions import Role
from school.roster.models import ImportState, RosterImport
from school.tenancy.scope import school_scope

ID = "01980000-0000-7000-8000-000000000000"
DAMAGED = [
    [False, 0, None, "a", ID],
    [False, 0, "\ud800", "a", ID],
    [False, 0, 5, "a", ID],
    [False, 1, "", 7, ID],
    [False, 5, ID],
    [False, "\ud800", ID],
    [False, "a\0", ID],
    [False, 10**400, ID],
    [False, None],
    [False, 10**400],
    [True, 40_000, 1],
    [True, 1, 2**31],
    [False, True, 1],
    [False, "a", "no id"],
    [False, "a"],
]
LISTS = [
    *(f"/students?sort={sort}&" for sort in ("name", "-name", "number", "-number")),
    *(f"/students?sort={sort}&" for sort in ("class", "-class")),
    "/guardians?",
    "/people?",
    "/imports/{preview}/preview?",
    "/imports/{preview}/preview?show=gone&",
]
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, 1, 2**15, 2**31, 2**63, 10**400, ID, "\0", "\ud800"]),
    st.floats(),
    st.text(max_size=5),
)


def address(parts: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


@pytest.fixture
def ask(client_for: Callable[..., FlaskClient], school: Any) -> Callable[[str, Any], int]:
    client = client_for(Role.ADMINISTRATOR)
    with school_scope(school.id), transaction() as session:
        imported = RosterImport(
            filename="roster.csv",
            size_bytes=1,
            sha256="0" * 64,
            created_by_name="Ann",
            state=ImportState.PREVIEW,
            counts={
                "guardians": {"new": 0, "merged": 0},
                "classes": {"new": 0, "existing": 0},
            },
        )
        session.add(imported)
        session.flush()
        preview = str(imported.id)

    def status(of: str, parts: Any) -> int:
        path = of.format(preview=preview)
        return client.get(f"{path}place={address(parts)}").status_code

    return status


@pytest.mark.parametrize("of", LISTS)
def test_a_damaged_place_is_refused_in_words(ask: Callable[[str, Any], int], of: str) -> None:
    answers = {ask(of, parts) for parts in DAMAGED}
    assert answers <= {200, 422}
    assert 422 in answers


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(parts=st.tuples(st.booleans(), st.lists(VALUES, max_size=4)), end=st.booleans())
def test_no_place_whatsoever_breaks_a_list(
    ask: Callable[[str, Any], int], parts: tuple[bool, list[Any]], end: bool
) -> None:
    backwards, values = parts
    place = [backwards, *values, *([ID] if end else [])]
    assert {ask(of, place) for of in LISTS} <= {200, 422}


def test_a_nest_without_end_is_damaged(client_for: Callable[..., FlaskClient]) -> None:
    nest = base64.urlsafe_b64encode(b"[" * 20_000).decode().rstrip("=")
    assert client_for(Role.ADMINISTRATOR).get(f"/students?place={nest}").status_code == 422
