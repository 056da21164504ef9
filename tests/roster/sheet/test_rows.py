"""Rows put together: guardians, repeats, footers, repairs, and the judgement of one row again."""

from __future__ import annotations

import io
import json
import time
from datetime import date

import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.make_roster import write_roster
from school.errors import DomainError, Invalid
from school.roster.sheet.mapping import Mapping
from school.roster.sheet.problems import Problem
from school.roster.sheet.rows import RowContext, SchoolHints, SeenRows, evaluate_row, read_roster
from school.roster.sheet.values import GuardianValues, StudentValues
from school.spreadsheets.writing import write_csv, write_xlsx

SCHOOL = SchoolHints(today=date(2025, 9, 20))


@pytest.fixture
def roster(tmp_path):
    def read(text, name="list.csv", **options):
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return read_roster(path, filename=name, school=SCHOOL, **options)
    return read


HEAD = "Admission No,Surname,Forename,DOB,Class,Guardian 1 Name,Guardian 1 Phone\n"


def codes(row):
    return [(fault.code, fault.column, fault.other_line) for fault in row.problems]


def test_the_same_number_for_another_person_names_both_lines(roster):
    rows = list(roster(HEAD + "007,Lee,Ann,2012-03-04,7A,,\n007,Low,Ben,2012-05-06,7A,,\n"))
    assert codes(rows[0]) == []
    assert codes(rows[1]) == [("duplicate_admission_number", "Admission No", 2)]
    assert rows[1].is_blocked
    assert rows[1].problems[0].sentence == (
        "Row 2 has the number 007 too, for another student. Type the right number on one of them.")


def test_the_same_person_again_is_a_repeated_row(roster):
    rows = list(roster(HEAD + "007,Lee,Ann,2012-03-04,7A,,\n007,LEE ,Ann,04.03.2012,7B,,\n"))
    assert codes(rows[1]) == [("repeated_row", "Admission No", 2)]


def test_without_numbers_the_same_name_and_birth_date_is_a_repeated_row(roster):
    rows = list(roster("Surname,Forename,DOB\nLee,Ann,2012-03-04\nLee,Ann,2012-03-05\nLee,Ann,2012-03-04\n"))
    assert [codes(row) for row in rows] == [[], [], [("repeated_row", "Surname", 2)]]


def test_several_problems_of_a_row_stand_in_the_order_of_its_columns(roster):
    row = next(iter(roster(HEAD + ",,Ann,2012-02-31,,Eve Lee,123\n")))
    assert [fault.code for fault in row.problems] == [
        "missing_admission_number", "missing_surname", "impossible_date", "missing_class",
        "phone_malformed",
    ]


def test_a_guardian_without_a_name_is_reported_and_left_out(roster):
    row = next(iter(roster(HEAD + "007,Lee,Ann,2012-03-04,7A,,07700 900100\n")))
    assert row.guardians == []
    assert codes(row) == [("missing_guardian_name", "Guardian 1 Name", None)]


def test_titles_headings_and_footers_are_no_students(roster):
    found = roster(
        "Green School,,,,,,\n,,,,,,\n" + HEAD
        + "Class 7A,,,,,,\n007,Lee,Ann,2012-03-04,7A,,\n" + HEAD
        + "Class 7B,,,,,,\n008,Low,Ben,2012-03-04,7B,,\n,,,,,,\nTotal,2,,,,,\nPrinted by the office,,,,,,\n")
    assert [row.values.family_name for row in found] == ["Lee", "Low"]
    assert found.skipped == [
        (1, "title"), (2, "blank line"), (4, "heading"), (6, "headings again"), (7, "heading"),
        (9, "blank line"), (10, "total row"), (11, "footer"),
    ]


def test_a_row_with_little_more_than_a_number_is_still_a_student(roster):
    rows = list(roster(HEAD + "007,,,,,,\n008,Lee,,,,,\n"))
    assert [row.line for row in rows] == [2, 3]
    assert "missing_surname" in [fault.code for fault in rows[0].problems]


def test_lines_are_those_a_person_sees_also_with_line_breaks_in_cells(roster):
    rows = list(roster('Surname,Forename,Notes\r\nLee,Ann,"one\rtwo"\r\nLow,Ben,"a\r\nb\nc"\r\nMay,Eve,\r\n'))
    assert [row.line for row in rows] == [2, 4, 7]
    assert rows[1].values.custom == {"Notes": "a\nb\nc"}


def test_a_repaired_row_is_judged_again_by_itself(roster):
    found = roster(HEAD + "007,Lee,Ann,31/02/2012,7A,,\n007,Low,Ben,13/05/2012,7A,,\n")
    rows = list(found)
    seen = SeenRows()
    seen.add(rows[0].line, rows[0].values)
    context = RowContext(school=SCHOOL, seen=seen)
    raw = json.loads(json.dumps(rows[1].raw))
    assert evaluate_row(3, raw, found.mapping, context).problems == rows[1].problems
    repaired = evaluate_row(3, {**raw, "0": "008"}, found.mapping, context)
    assert repaired.problems == []
    assert repaired.values.admission_number == "008"
    first = evaluate_row(2, {**rows[0].raw, 3: "28/02/2012"}, found.mapping, RowContext(SCHOOL))
    assert first.values.birth_date == date(2012, 2, 28)


def test_every_row_judged_alone_says_what_it_said_in_the_file(roster, tmp_path):
    write_roster(tmp_path / "big.csv", rows=600)
    found = read_roster(tmp_path / "big.csv", filename="big.csv", school=SCHOOL)
    seen = SeenRows()
    for row in found:
        assert evaluate_row(row.line, row.raw, found.mapping, RowContext(SCHOOL, seen)) == row


def test_values_guardians_and_problems_survive_json(roster):
    row = next(iter(roster(HEAD + "007,Lee,Ann,2012-03-04,7A,Eve Lee,123\n")))
    assert StudentValues.from_json(json.loads(json.dumps(row.values.to_json()))) == row.values
    assert [GuardianValues.from_json(one.to_json()) for one in row.guardians] == row.guardians
    assert [Problem.from_json(json.loads(json.dumps(one.to_json()))) for one in row.problems] \
        == row.problems


def test_the_fields_a_file_speaks_of_are_known(roster):
    mapping = roster("Pupil Name,Gender,Notes,Mother\nAnn Lee,F,x,Eve Lee\n").mapping
    assert mapping.fields() == {"family_name", "given_name", "gender_code", "custom:Notes"}
    assert mapping.guardian_numbers() == (1,)
    assert mapping.own_keys() == ("Notes",)


def test_an_unusable_mapping_stops_before_the_first_row(roster):
    found = roster(HEAD + "007,Lee,Ann,2012-03-04,7A,,\n")
    found.mapping = found.mapping.corrected({1: "ignore"})
    with pytest.raises(Invalid, match="No column is chosen for the students' names"):
        next(iter(found))


def test_dates_that_can_be_read_both_ways_are_mentioned(roster):
    found = roster("Surname,Forename,DOB\nLee,Ann,04/03/2012\n")
    assert [remark.code for remark in found.remarks] == ["date_order_unclear"]
    assert "“DOB”" in found.remarks[0].sentence
    assert next(iter(found)).values.birth_date == date(2012, 3, 4)


def test_address_columns_are_joined(roster):
    row = next(iter(roster("Surname,Forename,Address 1,Address 2\nLee,Ann,1 Elm Row,Kelby\n")))
    assert row.values.address == "1 Elm Row, Kelby"


def workbook(write):
    stream = io.BytesIO()
    book = xlsxwriter.Workbook(stream, {"in_memory": True})
    write(book)
    book.close()
    return stream.getvalue()


def test_the_sheet_that_reads_like_a_roster_is_chosen(roster):
    def write(book):
        notes = book.add_worksheet("Notes")
        notes.write_row(0, 0, ["Please ask the office"])
        students = book.add_worksheet("Pupils")
        students.write_row(0, 0, ["Surname", "Forename", "Class"])
        students.write_row(1, 0, ["Lee", "Ann", "7A"])
    found = roster(workbook(write), "list.xlsx")
    assert (found.sheet, found.other_sheets) == ("Pupils", ["Notes"])
    with pytest.raises(Invalid, match="No row of column headings"):
        roster(workbook(write), "list.xlsx", sheet="Notes")


def test_a_table_that_begins_in_the_middle_of_a_sheet_is_found(roster):
    def write(book):
        sheet = book.add_worksheet()
        sheet.write_row(6, 3, ["Surname", "Forename", "Class"])
        sheet.write_row(7, 3, ["Lee", "Ann", "7A"])
        sheet.merge_range(8, 5, 9, 5, "7B")
        sheet.write_row(8, 3, ["Low", "Ben"])
        sheet.write_row(9, 3, ["May", "Eve"])
    rows = list(roster(workbook(write), "list.xlsx"))
    assert [(row.line, row.values.family_name, row.values.class_name) for row in rows] == [
        (8, "Lee", "7A"), (9, "Low", "7B"), (10, "May", "7B")]
    assert rows[0].raw == {3: "Lee", 4: "Ann", 5: "7A"}


def test_dates_of_a_workbook_that_counts_from_1904_are_right(roster):
    def write(book):
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["Surname", "Forename", "DOB"])
        sheet.write_row(1, 0, ["Lee", "Ann", "39510"])
        sheet.write_row(2, 0, ["Low", "Ben"])
        sheet.write_datetime(2, 2, date(2012, 3, 4), book.add_format({"num_format": "dd/mm/yyyy"}))
    stream = io.BytesIO()
    book = xlsxwriter.Workbook(stream, {"date_1904": True})
    write(book)
    book.close()
    rows = list(roster(stream.getvalue(), "list.xlsx"))
    assert [row.values.birth_date for row in rows] == [date(2012, 3, 4)] * 2


cells = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf"]), min_size=1, max_size=12).filter(
    lambda text: text.strip() and "?" not in text and "\ufffd" not in text)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(cells, cells, cells), min_size=2, max_size=8))
def test_what_is_written_is_read_back_from_csv_and_xlsx_alike(tmp_path, rows):
    heading = ("Admission No", "Surname", "Forename", "Notes", "DOB")
    table = [(f"N{number}", *row, "2012-03-04") for number, row in enumerate(rows)]
    with (tmp_path / "a.csv").open("wb") as stream:
        write_csv([heading, *table], stream)
    with (tmp_path / "a.xlsx").open("wb") as stream:
        write_xlsx(table, stream, columns=heading)
    read_back = [list(read_roster(tmp_path / name, filename=name, school=SCHOOL))
                 for name in ("a.csv", "a.xlsx")]
    assert [row.values for row in read_back[0]] == [row.values for row in read_back[1]]
    assert [row.values.admission_number for row in read_back[0]] == [row[0] for row in table]
    for row, source in zip(read_back[0], table, strict=True):
        # The short way of reading and the long one agree with what was written.
        assert row.raw == dict(enumerate(source))


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(
    st.binary(max_size=300),
    st.binary(max_size=200).map(lambda tail: b"Surname,Forename,DOB,Phone\n" + tail),
    st.text(max_size=200).map(lambda tail: ("Surname;Forename;DOB\n" + tail).encode("utf-16")),
    st.binary(max_size=100).map(lambda tail: b"PK\x03\x04" + tail),
))
def test_no_bytes_at_all_give_anything_but_a_roster_or_a_sentence(tmp_path, content):
    path = tmp_path / "any.csv"
    path.write_bytes(content)
    sentence = ""
    try:
        found = read_roster(path, filename="any.csv", school=SCHOOL)
        assert len(list(found)) == found.student_rows
    except DomainError as refused:
        sentence = str(refused)
    assert sentence == "" or sentence.endswith(".")


def test_a_generated_roster_has_exactly_the_faults_its_maker_counts(tmp_path):
    faults = write_roster(tmp_path / "big.csv", rows=3000)
    found = read_roster(tmp_path / "big.csv", filename="big.csv", school=SCHOOL)
    counted = {}
    for row in found:
        for fault in row.problems:
            counted[fault.code] = counted.get(fault.code, 0) + 1
    assert counted == dict(faults)
    assert len(faults) == 7


def test_mapping_kept_from_an_earlier_version_of_a_file_still_fits(roster):
    old = roster(HEAD + "007,Lee,Ann,2012-03-04,7A,,\n").mapping.corrected({4: "grade_level"})
    new = roster("Title,,,,,,\n" + HEAD + "007,Lee,Ann,2012-03-04,7A,,\n",
                 mapping=Mapping.from_json(old.to_json()))
    assert new.header_line == 2
    assert next(iter(new)).values.grade_level == "7A"


@pytest.mark.parametrize("cell", [
    "1" + " " * 60_000 + "2", "T" * 60_000, "1-" * 30_000, "@." * 30_000, "?" * 60_000,
    "a@" + "a." * 30_000, ", " * 30_000, "'" * 60_000, "\u200c" * 60_000,
])
def test_a_very_long_cell_costs_little_time(roster, cell):
    started = time.process_time()
    rows = list(roster("Surname,Forename,DOB,Phone,Email,Odd\n" + ",".join([f'"{cell}"'] * 6) + "\n"))
    assert len(rows) <= 1
    # Reading it all takes some milliseconds; a pattern that runs away takes minutes.
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("heading", "target"),
    [
        ("Guardian e-mail", "family_email"),
        ("Parent(s) e-mail", "family_email"),
        ("Family e-mail", "family_email"),
        ("Familien-E-Mail", "family_email"),
        ("Eltern E-Mail", "family_email"),
        ("Parent phone", "family_phone"),
        ("Student e-mail", "email"),
    ],
)
def test_a_guardians_address_is_never_taken_for_the_students(tmp_path, heading, target):
    reach = "0113 496 0000" if "phone" in heading else "jane@example.org"
    path = tmp_path / "roster.csv"
    path.write_text(
        "Admission No,Surname,Forename,Guardian 1 Name,Guardian 1 Phone,Guardian 2 Name,"
        f"Guardian 2 Phone,{heading}\n"
        + "".join(
            f"{number},Smith,Ann,Jo Smith,0113 496 0001,Al Smith,0113 496 0002,{reach}\n"
            for number in (1, 2)
        )
    )
    assert read_roster(path, filename="roster.csv").mapping.columns[-1].target == target
