"""Every sample roster comes out exactly as a careful person would count it."""

from __future__ import annotations

import csv
import json
from datetime import date
from functools import cache
from pathlib import Path
from unicodedata import normalize

import pytest

from school.roster.sheet.rows import Roster, RosterRow, SchoolHints, read_roster

ROSTERS = Path(__file__).parents[2] / "data" / "rosters"
EXPECTED = json.loads((ROSTERS / "expected.json").read_text(encoding="utf-8"))["files"]
FILES = sorted(EXPECTED)
# The files were made on this day; a birth in 2031 lies in its future.
TODAY = date(2025, 9, 20)


@cache
def read(name: str) -> tuple[Roster, list[RosterRow]]:
    roster = read_roster(ROSTERS / name, filename=name, school=SchoolHints(today=TODAY))
    return roster, list(roster)


@pytest.fixture(params=FILES)
def name(request):
    return request.param


def kept_rows(rows):
    return [row for row in rows if all(fault.code != "repeated_row" for fault in row.problems)]


def test_encoding_separator_and_heading_line_are_found(name):
    roster, _ = read(name)
    expected = EXPECTED[name]
    assert roster.encoding == expected.get("encoding")
    separator = {"tab": "\t"}.get(expected.get("delimiter"), expected.get("delimiter"))
    assert roster.delimiter == separator
    assert roster.header_line == expected["header_line"]
    assert roster.sheet == expected.get("sheet", "")
    assert roster.other_sheets == expected.get("other_sheets", [])


def test_every_problem_is_found_and_no_other(name):
    _, rows = read(name)
    found = [
        (row.line, row.values.admission_number or "", fault.column, fault.code, fault.value,
         fault.blocking, fault.other_line)
        for row in rows for fault in row.problems
    ]
    assert found == [
        (entry["line"], entry["admission_no"], entry["column"], entry["kind"], entry["value"],
         entry["blocking"], entry.get("same_number_as_line", entry.get("same_student_as_line")))
        for entry in EXPECTED[name]["problems"]
    ]


def test_counts_are_those_of_a_careful_person(name):
    roster, rows = read(name)
    expected = EXPECTED[name]
    guardians = [(one.name, one.phone) for row in kept_rows(rows) for one in row.guardians]
    counts = {
        "student_rows": len(rows),
        "students": len(kept_rows(rows)),
        "guardians": len(guardians),
        "distinct_guardians": len(set(guardians)),
        "classes": len({row.values.class_name for row in rows} - {None}),
        "problem_rows": sum(bool(row.problems) for row in rows),
        "blocking_rows": sum(row.is_blocked for row in rows),
        "clean_rows": sum(not row.problems for row in rows),
    }
    assert counts == {key: expected[key] for key in counts}
    assert roster.student_rows == expected["student_rows"]


def test_every_row_has_the_true_values(name):
    _, rows = read(name)
    with (ROSTERS / EXPECTED[name]["truth"]).open(encoding="utf-8-sig", newline="") as stream:
        truth = [{key: normalize("NFC", text) for key, text in entry.items()}
                 for entry in csv.DictReader(stream)]
    found = [
        {
            "line": str(row.line),
            "admission_no": row.values.admission_number or "",
            "surname": row.values.family_name or "",
            "forename": row.values.given_name or "",
            "date_of_birth": row.values.birth_date.isoformat() if row.values.birth_date else "",
            "gender": row.values.gender_code or "",
            "class": row.values.class_name or "",
            "guardians": str(len(row.guardians)),
            "problems": " ".join(fault.code for fault in row.problems),
        }
        for row in rows
    ]
    assert len(found) == len(truth)
    assert [pair for pair in zip(found, truth, strict=True) if pair[0] != pair[1]] == []


def test_tricky_values_come_through_exactly(name):
    roster, rows = read(name)
    by_line = {row.line: row for row in rows}
    for entry in EXPECTED[name]["tricky"]:
        row = by_line[entry["line"]]
        assert value_of(roster, row, entry["column"]) == normalize("NFC", entry["exact"]), entry


def value_of(roster, row, label):
    """What the row keeps of the column, put together again where it was cut in two."""
    column = next(one for one in roster.mapping.columns if one.label == label)
    values = row.values
    if column.target == "full_name":
        if column.name_order == "given_family":
            return " ".join(filter(None, (values.given_name, values.family_name)))
        return ", ".join(filter(None, (values.family_name, values.given_name)))
    if column.target.startswith("guardian["):
        return getattr(row.guardians[int(column.target[9]) - 1], column.target.split(".")[1])
    if column.target.startswith("custom:"):
        return values.custom[label]
    return getattr(values, column.target)


def test_lines_that_are_no_students_are_named(name):
    roster, _ = read(name)
    expected = {(entry["line"], entry["what"]) for entry in EXPECTED[name]["not_students"]}
    skipped = set(roster.skipped)
    assert expected <= skipped
    assert {what for _, what in skipped - expected} <= {"blank line"}


def test_a_hidden_column_is_left_out_and_a_group_heading_is_used():
    roster, _ = read("us-two-guardians.xlsx")
    hidden = [column for column in roster.mapping.columns if column.is_hidden]
    assert [(one.label, one.target, one.how) for one in hidden] == [
        ("Lunch Status", "ignore", "hidden")
    ]
    assert roster.mapping.column("guardian[2].phone").label == "Guardian 2: Phone"


def test_lost_zeros_are_put_back_and_mentioned():
    roster, _ = read("us-two-guardians.xlsx")
    assert [remark.code for remark in roster.remarks] == ["leading_zeros_restored", "new_field"]
    assert "263 numbers in “Student ID”" in roster.remarks[0].sentence


@pytest.mark.parametrize("case", EXPECTED["formula-injection.csv"]["cases"],
                         ids=lambda case: f"line {case['line']}")
def test_dangerous_cells_are_kept_as_what_a_person_sees(case):
    roster, rows = read("formula-injection.csv")
    row = next(row for row in rows if row.line == case["line"])
    assert row.values.admission_number == case["student_id"]
    notices = [(notice.code, notice.column) for notice in row.notices]
    if case["must"] == "a person reads: no phone":
        assert row.guardians[0].phone is None
    else:
        assert value_of(roster, row, case["column"]) == normalize("NFC", case["visible"])
    says_so = case["must"] == "refuse or remove the hidden character, and say so"
    assert notices == ([("hidden_characters_removed", case["column"])] if says_so else [])


def test_the_second_file_differs_exactly_where_it_says():
    old, new = (
        {row.values.admission_number: row for row in read(name)[1] if row.values.admission_number}
        for name in ("district-6344.csv", "second-run-changes.csv")
    )
    facts = EXPECTED["second-run-changes.csv"]["second_run"]
    assert set(new) - set(old) == set(facts["new_admission_nos"])
    assert set(old) - set(new) == set(facts["gone_admission_nos"])
    clean = {number for number in set(old) & set(new)
             if not old[number].problems and not new[number].problems}
    changed = {number for number in clean
               if (old[number].values, old[number].guardians)
               != (new[number].values, new[number].guardians)}
    assert changed == {entry["admission_no"] for entry in facts["changes"]}
    for entry in facts["looks_different_but_is_unchanged"]:
        assert entry["admission_no"] not in changed
