"""The school's own fields in an import: read by their kind, known by their id, never by chance."""

from __future__ import annotations

import io

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from school.db import db, transaction
from school.errors import Conflict, Invalid
from school.permissions import Role
from school.roster.models import ColumnMemory, RosterImport, RosterRecord, RosterRow
from school.roster.service import repairing, staging
from school.roster.service.committing import commit
from school.roster.service.undoing import undo
from school.roster.service.uploads import choose_columns
from school.roster.sheet.mapping import Column
from school.roster.sheet.own import (
    Choices,
    NumberFault,
    OwnField,
    OwnFields,
    read_number,
    read_yes_no,
)
from school.roster.sheet.readers import Findings, reader_for
from school.roster.sheet.values import SchoolHints
from school.students import service as students_service
from school.students.models import CustomField, Student
from school.tenancy.scope import school_scope
from tests.roster.conftest import import_file, stage_file, told

NAMES = "Admission No,Surname,Forename"
COLOURS = ["Red", "Crème", "A+", "A-"]


def add_field(label: str, kind: str, choices=()) -> str:
    with transaction():
        return str(students_service.fields.add_field(label, kind, choices=choices).id)


def own(number: str = "1") -> dict:
    return db.session.scalars(
        sa.select(Student.custom).where(Student.admission_number == number)
        .execution_options(populate_existing=True)
    ).one()


def row_of(imported: RosterImport) -> RosterRow:
    rows = sa.select(RosterRow).where(RosterRow.import_id == imported.id)
    return db.session.scalars(rows.execution_options(populate_existing=True)).first()


def remarks_of(imported: RosterImport) -> list[str]:
    return [one["message"] % one["params"] for one in imported.counts["remarks"]]


@pytest.mark.parametrize(("text", "number"), [
    ("12", 12), ("12,5", 12.5), ("12.50", 12.5), ("-3", -3), ("1 234,5", 1234.5), ("1.234,5", 1234.5),
    ("1,234.5", 1234.5), ("1,234,567", 1234567), ("1.234.567", 1234567), ("1.234", 1.234), ("0,125", 0.125),
    ("१२", 12), ("1’000", 1000),
])
def test_numbers_are_read_as_offices_write_them(text, number):
    assert read_number(text) == number
    assert type(read_number(text)) is type(number)


@pytest.mark.parametrize(("text", "code"), [
    ("twelve", "unreadable_number"), ("1,234", "unclear_number"), ("1,2,3", "unreadable_number"),
    ("12%", "unreadable_number"), ("9007199254740993", "number_too_long"), ("nan", "unreadable_number"),
    ("1e5", "unreadable_number"), ("9" * 5000, "unreadable_number"), ("", "unreadable_number"),
    (".", "unreadable_number"), ("1..2", "unreadable_number"),
])
def test_what_is_no_plain_number_is_never_guessed(text, code):
    assert isinstance(read_number(text), NumberFault)
    assert read_number(text).code == code


@pytest.mark.parametrize(("words", "answer"), [
    ("yes Y JA oui O true 1 x Sí tak evet ✓", True), ("no N nein NON false 0 não hayır ✗", False),
    ("maybe 2 xx", None),
])
def test_yes_and_no_are_known_in_many_languages(words, answer):
    assert {read_yes_no(word) for word in words.split()} == {answer}


def test_choices_are_found_whatever_their_capitals_and_accents():
    choices = Choices(COLOURS)
    found = [choices.find(text) for text in ("red", "CREME", "a+", "A-", "A", "green")]
    assert found == ["Red", "Crème", "A+", "A-", None, None]
    assert [Choices(["Ab", "AB"]).find(text) for text in ("AB", "Ab", "ab")] == ["AB", "Ab", None]


@pytest.mark.parametrize(("kind", "text", "stored"), [
    ("date", "31/12/2030", "2030-12-31"), ("date", "01/09/30", "2030-09-01"), ("number", "12,5", 12.5),
    ("number", "0", 0), ("yes_no", "nein", False), ("yes_no", "X", True), ("choice", "creme", "Crème"),
    ("text", "31/12/2030", "31/12/2030"),
])
def test_a_cell_is_stored_as_the_form_would_store_it(in_school, roster, kind, text, stored):
    key = add_field("Extra", kind, COLOURS)
    path = roster(f'1,Smith,Ann,"{text}"', headings=f"{NAMES},Extra")
    import_file(path)
    assert own() == {key: stored}
    assert type(own()[key]) is type(stored)
    counts = told(stage_file(path))["students"]
    assert (counts["changed"], counts["unchanged"]) == (0, 1)


@pytest.mark.parametrize(("kind", "text", "code"), [
    ("date", "31/02/2020", "impossible_date"), ("date", "soon", "unreadable_date"),
    ("number", "twelve", "unreadable_number"), ("number", "1,234", "unclear_number"),
    ("number", "1.2E+15", "number_rounded"), ("yes_no", "maybe", "unreadable_yes_no"),
    ("choice", "green", "unknown_choice"), ("text", "x" * 2001, "too_long"),
])
def test_a_cell_of_another_kind_is_a_problem_there_and_changes_nothing(in_school, roster, kind, text, code):
    key = add_field("Extra", kind, COLOURS)
    good = {"date": "2020-12-31", "number": 7, "yes_no": True, "choice": "Red", "text": "t"}[kind]
    import_file(roster(f"1,Smith,Ann,{good if kind != 'yes_no' else 'yes'}", headings=f"{NAMES},Extra"))
    imported = import_file(roster(f'1,Smith,Ann,"{text}"', f'2,Lee,Bo,"{text}"', headings=f"{NAMES},Extra"))
    problems = told(imported)["problems"]
    assert [(one["row"], one["column"], one["code"]) for one in problems] == [
        (2, "Extra", code), (3, "Extra", code)]
    assert told(imported)["students"]["problem"] == 0
    assert (own(), own("2")) == ({key: good}, {})


def test_dates_stand_in_the_order_the_file_shows_elsewhere(in_school, roster):
    key = add_field("Leaves on", "date")
    path = roster("1,Smith,Ann,03/14/2015,04/05/2027", headings=f"{NAMES},Date of Birth,Leaves on")
    import_file(path)
    assert own() == {key: "2027-04-05"}


def test_a_repaired_cell_is_read_by_the_same_rule(in_school, roster):
    key = add_field("Extra", "number")
    imported = stage_file(roster("1,Smith,Ann,twelve", headings=f"{NAMES},Extra"))
    with transaction():
        repairing.repair(imported.id, 2, {3: "12,5"})
    row = row_of(imported)
    assert (row.problems, row.values["student"][f"custom:{key}"]) == ([], 12.5)
    with transaction():
        repairing.repair(imported.id, 2, {3: "twelve"})
    assert [one["code"] for one in row_of(imported).problems] == ["unreadable_number"]


def test_judging_more_rows_asks_the_database_no_more_often(in_school, roster, count_queries):
    add_field("Extra", "choice", COLOURS)
    few = roster(*(f"{n},Smith,Ann{n},red" for n in range(3)), headings=f"{NAMES},Extra", name="few.csv")
    many = roster(*(f"{n},Smith,Ann{n},red" for n in range(300)), headings=f"{NAMES},Extra", name="many.csv")
    with count_queries() as with_few:
        stage_file(few)
    with count_queries() as with_many:
        stage_file(many)
    assert with_many.count <= with_few.count


def test_a_renamed_field_keeps_its_column_and_its_past(in_school, roster):
    headings = f"{NAMES},Bus"
    import_file(roster("1,Smith,Ann,Blue", "2,Lee,Bo,", headings=headings))
    field = db.session.scalars(sa.select(CustomField)).one()
    target = f"custom:{field.id}"
    memory = db.session.scalars(sa.select(ColumnMemory.target).where(ColumnMemory.header == "bus"))
    assert memory.one() == target
    with transaction():
        students_service.fields.edit_field(field, version=field.version, label="School bus")
    imported = stage_file(roster("1,Smith,Ann,Green", "2,Lee,Bo,Red", headings=headings))
    assert row_of(imported).changes == {target: ["Blue", "Green"]}
    with transaction():
        commit(imported.id)
    assert [own(one) for one in "12"] == [{str(field.id): "Green"}, {str(field.id): "Red"}]
    assert db.session.scalar(sa.select(sa.func.count()).select_from(CustomField)) == 1
    said = db.session.scalars(sa.select(RosterRecord.said)).all()
    assert all(target in one and "custom:Bus" not in one for one in said)


def test_a_field_that_was_undone_is_made_anew(in_school, roster):
    path = roster("1,Smith,Ann,Blue", headings=f"{NAMES},Bus")
    done = import_file(path)
    with transaction():
        undo(done.id)
    assert db.session.scalar(sa.select(CustomField)) is None
    import_file(path)
    assert list(own().values()) == ["Blue"]


def test_two_files_checked_at_once_make_one_field(in_school, roster):
    headings = f"{NAMES},Bus"
    first = stage_file(roster("1,Smith,Ann,Blue", headings=headings))
    second = stage_file(roster("2,Lee,Bo,Red", headings=headings, name="b.csv"))
    for one in (first, second):
        with transaction():
            commit(one.id)
    field = db.session.scalars(sa.select(CustomField)).one()
    assert [own(one) for one in "12"] == [{str(field.id): "Blue"}, {str(field.id): "Red"}]


def test_texts_are_not_written_into_a_field_that_became_something_else(in_school, roster):
    imported = stage_file(roster("1,Smith,Ann,Blue", headings=f"{NAMES},Bus"))
    add_field("Bus", "number")
    with pytest.raises(Conflict, match="own fields have changed"), transaction():
        commit(imported.id)


def test_a_heading_in_other_capitals_means_the_field_there_is(in_school, roster):
    key = add_field("Bus route", "text")
    import_file(roster("1,Smith,Ann,Blue", headings=f"{NAMES},BUS ROUTE"))
    assert own() == {key: "Blue"}


def test_what_becomes_a_field_is_said_once_and_only_if_anything_is_in_it(in_school, roster):
    path = roster("1,Smith,Ann,Blue,,Tall", headings=f"{NAMES},Bus,Empty,Size")
    imported = stage_file(path)
    assert remarks_of(imported) == [
        "These columns become fields of their own for all students: “Bus”, “Size”. Those you don't need, leave out under “Columns”."
    ]
    with transaction():
        commit(imported.id)
    assert remarks_of(stage_file(path)) == []


@pytest.mark.parametrize(("again", "remarks"), [("Ann", 0), ("", 0), ("Anna", 1)])
def test_a_repeated_heading_never_becomes_a_field_by_itself(in_school, roster, again, remarks):
    path = roster(f"1,Smith,Ann,{again}", headings=f"{NAMES},Forename")
    imported = stage_file(path)
    assert imported.mapping["columns"][3]["target"] == "ignore"
    assert [one.startswith("“Forename (2)” has the same heading") for one in remarks_of(imported)] == [True] * remarks
    with transaction():
        commit(imported.id)
    assert db.session.scalar(sa.select(CustomField)) is None
    assert remarks_of(stage_file(roster("1,Smith,Ann,Zoe", headings=f"{NAMES},Forename")))


@pytest.mark.parametrize("label", ["x" * 5000, "x" * 121, '=HYPERLINK("https://example.org")', "a\x00b", "a\u202eb", " ", ""])
def test_a_name_no_field_can_have_is_refused_at_its_column(in_school, roster, label):
    imported = stage_file(roster("1,Smith,Ann,Blue", headings=f"{NAMES},Bus"))
    with pytest.raises(Invalid) as refused:
        choose_columns(imported.id, {3: f"custom:{label}"})
    assert refused.value.field == "column-3"
    assert len(str(refused.value)) < 300
    path = roster("1,Smith,Ann,Blue", headings=f"{NAMES},Bus")
    assert staging.stage(imported.id, path, targets={"Bus": f"custom:{label}"}).refusal


def test_settings_take_no_name_that_is_a_formula(in_school):
    with pytest.raises(Invalid, match="can't begin"):
        add_field("=1+1", "text")


def test_a_heading_that_is_a_formula_becomes_a_plain_name(in_school, roster):
    import_file(roster("1,Smith,Ann,Blue", headings=f"{NAMES},=Bus"))
    assert db.session.scalars(sa.select(CustomField.label)).one() == "Bus"


@pytest.fixture
def send(client_for, run_jobs):
    office = client_for(Role.REGISTRAR)

    def upload(path) -> tuple:
        answer = office.post(
            "/imports", data={"file": (io.BytesIO(path.read_bytes()), path.name)},
            content_type="multipart/form-data",
        )
        run_jobs()
        return office, answer.headers["Location"]

    return upload


def test_the_pages_say_what_becomes_a_field_and_refuse_a_bad_name(page, send, roster):
    office, place = send(roster("1,Smith,Ann,Blue", headings=f"{NAMES},Bus"))
    assert "“Bus” becomes a field of its own for all students" in page(office, f"{place}/preview").text
    shown = page(office, f"{place}/columns")
    assert "becomes a field of its own for all students" in shown.text
    assert "New field for all students: Bus" in shown.text
    answer = office.post(f"{place}/columns", data={"column-3": "custom:" + "x" * 5000})
    assert answer.status_code == 422
    assert "“Bus”: a field needs a name of up to 120 letters" in answer.text


def test_the_preview_shows_own_values_of_new_rows_readably(page, send, roster, school):
    with school_scope(school.id):
        add_field("Leaves on", "date")
        add_field("Lunch", "yes_no")
    office, place = send(roster("1,Smith,Ann,2027-12-31,no", headings=f"{NAMES},Leaves on,Lunch"))
    shown = page(office, f"{place}/preview").text
    assert "Leaves on 31 Dec 2027" in shown
    assert "Lunch No" in shown


def test_using_the_columns_as_shown_changes_nothing(page, send, roster, school):
    with school_scope(school.id):
        key = add_field("Bus", "text")
    office, place = send(roster("1,Smith,Ann,Blue", headings=f"{NAMES},Bus"))
    shown = office.get(f"{place}/columns").text
    assert f'<option value="custom:{key}" selected>Bus</option>' in shown
    assert "New field for all students: Bus" not in shown
    with school_scope(school.id):
        before = db.session.scalars(sa.select(RosterImport.job_id)).one()
    columns = [f"admission_number family_name given_name custom:{key}".split()[n] for n in range(4)]
    office.post(f"{place}/columns", data={f"column-{n}": target for n, target in enumerate(columns)})
    with school_scope(school.id):
        assert db.session.scalars(sa.select(RosterImport.job_id)).one() == before


@pytest.mark.parametrize("kind", ["date", "number", "yes_no", "choice", "text"])
@given(text=st.one_of(st.text(min_size=1), st.text("0123456789.,-+' /", min_size=1)))
def test_any_text_in_any_kind_of_field_gives_a_value_or_a_sentence(kind, text):
    field = OwnField("1", "Extra", kind, tuple(COLOURS))
    column = Column(index=0, header="Extra", group="", label="Extra", key="extra", target="custom:1")
    found = Findings()
    value = reader_for(column, SchoolHints(own=OwnFields([field]))).read(text, found)
    assert value is None or isinstance(value, str | int | float | bool)
    assert all(fault.sentence and not fault.blocking for fault in found.problems)
