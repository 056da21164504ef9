"""What is written opens everywhere, runs nothing, and comes back as it was."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from school.errors import TooLarge
from school.spreadsheets.formulas import mark, unmark
from school.spreadsheets.reading import open_workbook
from school.spreadsheets.writing import write_csv, write_xlsx

DANGEROUS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1+1", "＋1", "－1", "＠x", " =1",
             "=cmd|' /C calc'!A0", "-", "+44 7700 900123"]


def csv_of(rows):
    stream = io.BytesIO()
    write_csv(rows, stream)
    return stream.getvalue()


@pytest.mark.parametrize("text", DANGEROUS)
def test_a_cell_that_could_run_is_marked_as_text_and_read_back(text):
    assert mark(text) == f"'{text}"
    assert unmark(mark(text)) == text


@pytest.mark.parametrize("text", ["O'Hara", "'tis", "'", "''", "Lee", "1-2", "a=b", "", "'quoted'"])
def test_other_cells_are_left_alone(text):
    assert mark(text) == text
    assert unmark(text) == text


@given(st.text())
def test_marking_loses_nothing(text):
    assert unmark(mark(text)) == text


@given(st.text(alphabet="'=+-@\t\r\n ＝a", max_size=8))
def test_marking_loses_nothing_with_many_marks(text):
    assert unmark(mark(text)) == text
    assert mark(text).lstrip()[:1] not in {"=", "+", "-", "@", "＝"}


def test_csv_has_a_byte_order_mark_and_windows_line_ends():
    assert csv_of([["Näme", "x"], [1.0, None]]) == b"\xef\xbb\xbfN\xc3\xa4me,x\r\n1,\r\n"


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(
    st.one_of(st.sampled_from(DANGEROUS), st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)),
    min_size=3, max_size=3), min_size=1, max_size=6))
def test_csv_comes_back_exactly(tmp_path, rows):
    table = [["first", "second", "third"], *rows, ["last", "row", "here"]]
    path = tmp_path / "a.csv"
    path.write_bytes(csv_of(table))
    assert [row.cells for row in open_workbook(path, filename="a.csv").sheets[0].rows()] == table


def test_a_cell_may_end_with_line_breaks(tmp_path):
    table = [["first", "second"], ["x", "one\n\ntwo\n"], ["last", "row"]]
    path = tmp_path / "a.csv"
    path.write_bytes(csv_of(table))
    assert [row.cells for row in open_workbook(path, filename="a.csv").sheets[0].rows()] == table


def test_a_cell_that_is_too_long_is_called_so(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"first,second\nx," + b"y" * 200_000 + b"\n")
    with pytest.raises(TooLarge, match="A cell in line 2 is longer"):
        list(open_workbook(path, filename="a.csv").sheets[0].rows())


def test_many_rows_are_written_in_pieces():
    class Counting(io.BytesIO):
        writes = 0

        def write(self, chunk):
            self.writes += 1
            return super().write(chunk)

    stream = Counting()
    write_csv((["Lee", str(number)] for number in range(5000)), stream)
    assert stream.writes > 5
    assert stream.getvalue().count(b"\r\n") == 5000


def test_xlsx_holds_no_formula_and_no_link(tmp_path):
    path = tmp_path / "a.xlsx"
    with path.open("wb") as stream:
        write_xlsx([[text, "https://example.org"] for text in DANGEROUS], stream,
                   columns=["=Name", "Link"])
    with zipfile.ZipFile(path) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml")
    assert b"<f>" not in sheet
    assert b"hyperlink" not in sheet
    cells = [row.cells for row in open_workbook(path, filename="a.xlsx").sheets[0].rows()]
    assert cells[0] == ["=Name", "Link"]
    assert [row[0] for row in cells[1:]] == DANGEROUS
