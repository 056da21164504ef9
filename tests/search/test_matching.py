"""Every word typed is the beginning of some word, accents and case aside."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import uuid4

import pytest
import sqlalchemy as sa

from school.db import db, transaction
from school.permissions import Person, Role
from school.search import matching
from school.search.index import having_word
from school.search.models import Kind, SearchEntry, SearchWord
from school.students.models import Guardian
from school.students.queries.families import list_guardians
from school.students.queries.listing import StudentFilter, list_students
from school.students.service.guardians import edit_guardian
from school.tenancy.scope import school_scope
from tests.conftest import make_member
from tests.factories.students import make_guardian, make_student


@pytest.fixture
def office(in_school, school) -> Person:
    return Person(
        user_id=uuid4(),
        display_name="Office",
        email="office@example.org",
        school_id=school.id,
        roles=frozenset({Role.REGISTRAR}),
    )


def found(person: Person, q: str) -> set[str]:
    rows = list_students(person, StudentFilter(q=q)).page.rows
    return {row.name for row in rows}


@pytest.fixture(params=[2_000, 0], ids=["gathered", "read in order"])
def _both_ways(request, monkeypatch):
    monkeypatch.setattr(matching, "BROAD", request.param)


@pytest.mark.usefixtures("_both_ways")
@pytest.mark.parametrize(
    "q", ["dabrow", "DĄBROWSKA", "zof dab", "zosia", "4711", "katarz", "kata zofia", "obrien"]
)
def test_a_student_is_found_by_name_number_and_guardian(office, q):
    zofia = make_student(preferred_name="Zosia", admission_number="4711")
    make_guardian(zofia, name="Katarzyna O'Brien")
    make_student(given_name="Long", family_name="Nguyễn", family_name_first=True)
    assert found(office, q) == {"Zofia Dąbrowska"}


@pytest.mark.usefixtures("_both_ways")
@pytest.mark.parametrize("q", ["browska", "zofia nguyen", "!!", "zofiaa"])
def test_what_is_no_beginning_of_every_word_finds_nobody(office, q):
    make_student()
    assert found(office, q) == set()


def test_a_name_given_up_is_not_found_any_more(office):
    from school.db import transaction
    from school.students import service

    student = make_student()
    with transaction():
        service.edit_student(student, version=student.version, family_name="Kowalska")
    assert found(office, "dabrowska") == set()
    assert found(office, "kowal") == {"Zofia Kowalska"}


def test_a_guardian_who_changes_name_is_found_by_the_new_one(office):
    from school.db import transaction
    from school.students import service

    student = make_student()
    guardian = make_guardian(student, name="Anna Wójcik")
    with transaction():
        service.edit_guardian(guardian, version=guardian.version, name="Anna Lis")
    assert found(office, "wojcik") == set()
    assert found(office, "lis") == {"Zofia Dąbrowska"}


@pytest.mark.usefixtures("_both_ways")
@pytest.mark.parametrize(
    "q",
    ["0113 496", "(0113) 496-0000", "01134960000", "496 00", "jo.ev", "evans", "jo.evans@exam",
     "smith 0113", "0113 496 0000 smith", "SMITH jo.evans@example.org"],
)  # fmt: skip
def test_a_guardian_is_found_by_telephone_and_address_however_they_are_typed(office, q):
    make_guardian(name="Ann Smith", phone="0113 496 0000", email="jo.evans@example.org")
    make_guardian(name="Ben Smithers", phone="0114 497 0000", email="ben@example.org")
    assert [row.name for row in list_guardians(office, q, None).rows] == ["Ann Smith"]


@pytest.mark.parametrize("q", ["0113 497", "example", "@", "jo@example.org"])
def test_another_number_or_address_finds_no_guardian(office, q):
    make_guardian(name="Ann Smith", phone="0113 496 0000", email="jo.evans@example.org")
    assert list_guardians(office, q, None).rows == []


def test_two_who_edit_two_guardians_of_a_student_at_once_are_both_found(app, school):
    """Each writes the student's words from both names: whoever comes second must see the first."""
    with school_scope(school.id):
        student = make_student()
        ids = [make_guardian(student, name=name).id for name in ("Ann One", "Bob Two")]
        db.session.remove()
    start = Barrier(2)

    def rename(guardian_id, name) -> None:
        with app.app_context(), school_scope(school.id):
            guardian = db.session.scalars(sa.select(Guardian).where(Guardian.id == guardian_id)).one()
            start.wait()
            with transaction():
                edit_guardian(guardian, version=guardian.version, name=name)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(rename, ids, ("Ann Quark", "Bob Boson")))
    with school_scope(school.id):
        for word in ("quark", "boson"):
            assert db.session.scalars(having_word(Kind.STUDENT, word)).all() == [student.id]
        assert db.session.scalars(having_word(Kind.STUDENT, "one")).all() == []
        entry = sa.select(SearchEntry.words).where(SearchEntry.entity_id == student.id)
        word = sa.select(SearchWord.word).where(SearchWord.entity_id == student.id)
        assert set(db.session.scalar(entry).split()) == set(db.session.scalars(word))


@pytest.mark.parametrize(
    "q", ["07700 900581", "+44 7700 900581", "00447700900581", "900581", "7700 900581", "07700/900-581"]
)
@pytest.mark.parametrize("kept", ["+44 7700 900581", "07700 900581", "(07700) 900-581"])
def test_a_number_is_found_however_it_is_written(office, kept, q):
    make_guardian(make_student(), phone=kept)
    make_guardian(make_student(given_name="Jan"), phone="+44 7700 900582", name="Marek Lis")
    assert [row.phone for row in list_guardians(office, q, None).rows] == [kept]
    assert found(office, q) == {"Zofia Dąbrowska"}


def test_a_student_is_found_by_a_guardian_s_address_and_still_by_the_own_number(office):
    make_guardian(make_student(), email="Kat.Dab@example.org")
    make_student(given_name="Jan", admission_number="00900581")
    assert found(office, "kat.dab@ex") == {"Zofia Dąbrowska"}
    assert found(office, "00900581") == {"Jan Dąbrowska"}


def test_nobody_learns_a_number_by_searching_who_may_not_see_it(school, office):
    child = make_student()
    make_guardian(child, phone="07700 900581")
    own = Person(
        user_id=(account := make_member(school, Role.STUDENT)).id, display_name="", email="",
        school_id=school.id, roles=frozenset({Role.STUDENT}),
    )  # fmt: skip
    with transaction():
        child.user_id = account.id
    assert found(own, "zofia") == {"Zofia Dąbrowska"}
    assert found(own, "900581") == set()
