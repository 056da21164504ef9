"""Any spreadsheet opens; a broken or hostile one is refused with a plain sentence."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile

import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from school.errors import DomainError, Invalid, TooLarge
from school.spreadsheets.reading import Merge, cell_text, open_workbook


@pytest.fixture
def opened(tmp_path):
    def open_bytes(content, name="list.csv"):
        path = tmp_path / name
        path.write_bytes(content)
        return open_workbook(path, filename=name)
    return open_bytes


def rows(workbook, **options):
    return [(row.line, row.cells) for row in workbook.sheets[0].rows(**options)]


TEXT = "Name;Stadt\r\nMüller;Köln\r\nGroß;Fürth\r\n"


@pytest.mark.parametrize(("content", "label"), [
    (TEXT.encode("utf-8"), "utf-8"),
    (TEXT.encode("utf-8-sig"), "utf-8 with BOM"),
    (TEXT.encode("utf-16"), "utf-16-le with BOM"),
    (b"\xfe\xff" + TEXT.encode("utf-16-be"), "utf-16-be with BOM"),
    (TEXT.encode("utf-16-le"), "utf-16-le"),
    (TEXT.encode("utf-16-be"), "utf-16-be"),
    (TEXT.encode("utf-32"), "utf-32-le with BOM"),
    (TEXT.encode("cp1252"), "cp1252"),
    (TEXT.encode("mac_roman"), "mac_roman"),
])
def test_every_encoding_of_a_text_reads_alike(opened, content, label):
    workbook = opened(content)
    assert workbook.encoding == label
    assert rows(workbook) == [(1, ["Name", "Stadt"]), (2, ["Müller", "Köln"]), (3, ["Groß", "Fürth"])]


@pytest.mark.parametrize(("codec", "text"), [
    ("cp1250", "Dvořák, Jan;Kučera, Šimon;Němec, Žofie"),
    ("cp1250", "Wiśniewski, Łukasz;Żukowski;Kwaśniewska, Małgorzata"),
    ("cp1250", "Kovács;Szőke, Gergő;Nagy, Erzsébet"),
    ("cp1250", "Ionescu, Ştefan"),
    ("cp1252", "Hérault, François;Lefèvre, Zoë"), ("cp1252", "Niccolò;Però;Libertà"),
    ("cp1252", "José García;Begoña Ibáñez"), ("cp1252", "João;Conceição;Simões"),
    ("cp1252", "Þórsdóttir, Björk"), ("cp1252", "Åse Sørensen;Ødegård"), ("cp1252", "O’Brien"),
    ("cp1252", "Prénom;Élève;Nº"),
    ("cp1251", "Журавлёв, Алёна;Иванов, Пётр"), ("koi8-r", "Журавлёв, Алёна;Иванов, Пётр"),
    ("cp1253", "Μακρής, Ελένη;Παπαδόπουλος"), ("cp1254", "Işıl İnanç;Şahin;Yıldız, Çağla"),
    ("cp1255", "כהן-לוי נועה"), ("cp1256", "محمد بن سعيد;أحمد الحسن"),
    ("cp1257", "Šarūnas Jasikevičius;Žydrūnas"), ("cp1257", "Jānis Bērziņš"),
    ("shift_jis", "田中 太郎;佐藤 花子;すずき"), ("gb18030", "王小明;李雨桐;学号,姓名,班级"),
    ("big5", "陳大文;王小明;學號,姓名"), ("euc_kr", "김철수;이영희;학번"),
])
def test_the_guess_keeps_the_names_of_many_languages(opened, codec, text):
    workbook = opened(f"id\n{text}\n".encode(codec))
    content = [cell for _, cells in rows(workbook) for cell in cells]
    assert workbook.delimiter.join(content) == f"id{workbook.delimiter}{text}"


def test_bytes_that_fit_no_encoding_are_shown_as_lost(opened):
    workbook = opened(b"\xef\xbb\xbfName\nMax\xff\n")
    assert rows(workbook)[1] == (2, ["Max\ufffd"])


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_separators_and_line_ends_are_found(opened, mark, end):
    lines = [["Name", "Address", "Class"], ["Lee", '"1 Elm Row, Kelby; top"', "7A"], ["Low", "", "7B"]]
    workbook = opened(end.join(mark.join(line) for line in lines).encode())
    assert workbook.delimiter == mark
    assert rows(workbook)[1:] == [(2, ["Lee", "1 Elm Row, Kelby; top", "7A"]), (3, ["Low", "", "7B"])]


def test_excels_own_separator_line_is_obeyed(opened):
    workbook = opened(b"sep=|\nName|Class\nLee, Ann|7A\n")
    assert rows(workbook) == [(2, ["Name", "Class"]), (3, ["Lee, Ann", "7A"])]


def test_rows_count_from_their_first_physical_line(opened):
    workbook = opened(b'a,b\r\n1,"x\ry\r\nz"\r\n\r\n2,w\r\n')
    assert rows(workbook) == [(1, ["a", "b"]), (2, ["1", "x\ry\r\nz"]), (5, []), (6, ["2", "w"])]


@pytest.mark.parametrize(("content", "sentence"), [
    (b"", "This file is empty."),
    (b"\xef\xbb\xbf \r\n\r\n", "This file is empty."),
    (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", "This file is a PDF, not a spreadsheet."),
    (b"\x89PNG\r\n\x1a\n\0\0\0", "This file is a picture, not a spreadsheet."),
    (b"\x1f\x8b\x08\0abc", "This file is a compressed file, not a spreadsheet."),
    (b"\xef\xbb\xbf<!DOCTYPE html><table>", "This file is a web page, not a spreadsheet."),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "the old Excel format (.xls)"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
     "protected by a password"),
    (b"Name,Class\nLee\0,7A\n", "This file"),
    (bytes(range(32)) * 40, "This file isn't a list we can read."),
    (b'Name,Class\n"Lee,7A\nLow,7B\nMay,7C\n', "The row in line 2 doesn't end"),
    (b'Id,Name,Class\n1,"Lee,7A\n2,Low,7B\n3,May,7C\n', "The row in line 2 doesn't end"),
    (b'Id,Name,Class\n1,"Lee,7A\n2,"Low",7B\n3,May,7C\n', "The row in line 2 doesn't end"),
    (b'Name\n"' + b"x\n" * 900, "The row in line 2 doesn't end"),
    (b'Name\n"' + b"x" * 200_000, "A cell in line 2 is longer than any cell of a list."),
    (b"a," * 600 + b"\n", "Line 1 has 601 columns; 500 is the most we can read."),
    (b"," * 2_000_000, "Line 1 is too long to be a row of a list."),
    (b"PK\x03\x04" + bytes(100), "damaged or was not saved completely"),
])
def test_what_is_no_spreadsheet_is_refused_with_a_sentence(opened, content, sentence):
    with pytest.raises(DomainError) as refused:
        rows(opened(content))
    assert sentence in str(refused.value)


def test_fifty_megabytes_of_commas_are_refused_quickly_and_in_little_memory(tmp_path):
    path = tmp_path / "commas.csv"
    path.write_bytes(b"," * (50 * 1024 * 1024))
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge, match="too long"):
            list(open_workbook(path, filename="commas.csv").sheets[0].rows())
        assert tracemalloc.get_traced_memory()[1] < 40 * 1024 * 1024
    finally:
        tracemalloc.stop()


def test_a_file_over_the_limit_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "big.csv"
    with path.open("wb") as stream:
        stream.truncate(51 * 1024 * 1024)
    with pytest.raises(TooLarge, match="larger than 50 MB"):
        open_workbook(path, filename="big.csv")


def test_too_many_rows_are_refused(opened):
    with pytest.raises(TooLarge, match="more than 200000 rows"):
        rows(opened(b"a,b\n" * 200_001))


# ── Workbooks ────────────────────────────────────────────────────────────────────────────────


def xlsx(write):
    stream = io.BytesIO()
    book = xlsxwriter.Workbook(stream, {"in_memory": True})
    write(book)
    book.close()
    return stream.getvalue()


def simple(book):
    sheet = book.add_worksheet("Pupils")
    sheet.write_row(0, 0, ["Name", "Class", "Secret"])
    sheet.merge_range(1, 1, 3, 1, "7A")
    for line, name in enumerate(["Lee", "Low", "May"], start=1):
        sheet.write(line, 0, name)
    sheet.write(4, 0, 12.0)
    sheet.write(4, 1, True)
    sheet.set_column(2, 2, None, None, {"hidden": True})
    book.add_worksheet("Old").hide()


def repacked(content, **changed):
    """The workbook with parts replaced: name with / as __ → bytes."""
    parts = {name.replace("__", "/"): part for name, part in changed.items()}
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, \
            zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, parts.pop(name, None) or old.read(name))
        for name, part in parts.items():
            new.writestr(name, part)
    return stream.getvalue()


def test_hidden_columns_hidden_sheets_and_merges_are_known(opened):
    workbook = opened(xlsx(simple), "a.xlsx")
    assert [(sheet.name, sheet.is_visible) for sheet in workbook.sheets] == [
        ("Pupils", True), ("Old", False)]
    assert workbook.sheets[0].hidden_columns == {2}
    assert workbook.sheets[0].merges == (Merge(2, 1, 4, 1),)
    assert [cells[1] for _, cells in rows(workbook)] == ["Class", "7A", "", "", True]
    assert [cells[1] for _, cells in rows(workbook, fill_down=True)] == [
        "Class", "7A", "7A", "7A", True]
    assert [cell_text(cell) for cell in rows(workbook)[4][1]] == ["12", "TRUE", ""]


def test_a_workbook_cut_anywhere_is_refused_with_a_sentence(opened):
    content = xlsx(simple)
    for length in range(4, len(content), 97):
        with pytest.raises(Invalid, match="damaged or was not saved completely"):
            opened(content[:length], "a.xlsx")


def test_an_empty_workbook_has_no_rows(opened):
    assert rows(opened(xlsx(lambda book: book.add_worksheet()), "a.xlsx")) == []


def test_an_archive_that_is_no_workbook_is_refused(opened):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(Invalid, match="an archive, but not an Excel workbook"):
        opened(stream.getvalue(), "a.xlsx")


def test_a_zip_bomb_is_refused(opened):
    bomb = repacked(xlsx(simple), xl__worksheets__sheet1=bytes(120 * 1024 * 1024))
    assert len(bomb) < 1024 * 1024
    with pytest.raises(TooLarge, match="unpacks to far more than a list needs"):
        opened(bomb, "a.xlsx")


def test_a_zip_bomb_that_lies_about_its_size_is_refused(opened):
    size = 120 * 1024 * 1024
    bomb = bytearray(repacked(xlsx(simple), xl__huge=bytes(size)))
    honest = struct.pack("<I", size)
    assert bomb.count(honest) >= 1
    small = bytes(bomb).replace(honest, struct.pack("<I", 10))
    with pytest.raises(TooLarge, match="unpacks to far more than a list needs"):
        opened(small, "a.xlsx")


@pytest.mark.parametrize("encoding", [b"U-F-8", b"utf-7", b"shift_jis"])
def test_a_workbook_in_an_encoding_xml_does_not_have_is_refused(opened, encoding):
    with zipfile.ZipFile(io.BytesIO(xlsx(simple))) as archive:
        part = archive.read("xl/workbook.xml").replace(b"UTF-8", encoding)
    with pytest.raises(Invalid, match="damaged"):
        opened(repacked(xlsx(simple), **{"xl__workbook.xml": part}), "a.xlsx")


def test_a_workbook_with_entities_is_refused(opened):
    evil = (b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]>'
            b'<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">&a;</workbook>')
    with pytest.raises(Invalid, match="damaged"):
        opened(repacked(xlsx(simple), **{"xl__workbook.xml": evil}), "a.xlsx")


@pytest.mark.parametrize(("cell", "sentence"), [
    ("A1048576", "more than 200000 rows"), ("XFD3", "more than 500 columns"),
    ("SG3", "more than 500 columns"),
])
def test_one_cell_far_away_is_refused_before_it_fills_the_memory(opened, cell, sentence):
    sheet = (b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
             b'<row r="1"><c r="A1"><v>1</v></c></row><row><c s="1" r="' + cell.encode()
             + b'"><v>1</v></c></row></sheetData></worksheet>')
    content = repacked(xlsx(simple), **{"xl__worksheets__sheet1.xml": sheet})
    with pytest.raises(TooLarge, match=sentence):
        rows(opened(content, "a.xlsx"))


def test_formatted_but_empty_cells_far_away_are_no_matter(opened):
    def write(book):
        sheet = book.add_worksheet()
        sheet.write(0, 0, "Name")
        sheet.write_blank(1_048_575, 0, None, book.add_format({"bold": True}))
    assert rows(opened(xlsx(write), "a.xlsx")) == [(1, ["Name"])]


@settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10**6), change=st.binary(min_size=1, max_size=6))
def test_a_workbook_with_any_bytes_changed_gives_rows_or_a_sentence(opened, place, change):
    content = bytearray(xlsx(simple))
    place %= len(content)
    content[place : place + len(change)] = change
    try:
        workbook = opened(bytes(content), "a.xlsx")
        for sheet in workbook.sheets:
            list(sheet.rows(fill_down=True))
    except DomainError as refused:
        assert str(refused).endswith((".", "more."))  # noqa: PT017


@settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(part=st.sampled_from(["xl/workbook.xml", "xl/_rels/workbook.xml.rels",
                             "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"]),
       place=st.integers(0, 10**6), change=st.binary(min_size=1, max_size=8))
def test_a_workbook_with_any_broken_part_gives_rows_or_a_sentence(opened, part, place, change):
    content = xlsx(simple)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        spoilt = bytearray(archive.read(part))
    spoilt[place % len(spoilt) : place % len(spoilt) + len(change)] = change
    try:
        workbook = opened(repacked(content, **{part.replace("/", "__"): bytes(spoilt)}), "a.xlsx")
        for sheet in workbook.sheets:
            list(sheet.rows(fill_down=True))
    except DomainError as refused:
        assert str(refused).endswith((".", "more."))  # noqa: PT017


def test_a_long_shared_text_in_very_many_cells_is_refused(opened):
    texts = (b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si><t>'
             + b"x" * 30_000 + b"</t></si></sst>")
    cells = b"".join(b'<row r="%d"><c r="A%d" t="s"><v>0</v></c></row>' % (line, line)
                     for line in range(1, 20_001))
    sheet = (b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
             b"<sheetData>" + cells + b"</sheetData></worksheet>")
    with pytest.raises(TooLarge, match="unpacks to far more"):
        opened(repacked(xlsx(simple), **{"xl__sharedStrings.xml": texts,
                                         "xl__worksheets__sheet1.xml": sheet}), "a.xlsx")


def test_one_long_note_among_many_cells_is_no_matter(opened):
    def write(book):
        sheet = book.add_worksheet()
        sheet.write(0, 0, "x" * 32_000)
        for line in range(1, 12_000):
            sheet.write(line, 0, "short")
    assert len(rows(opened(xlsx(write), "a.xlsx"))) == 12_000


def test_a_sheet_both_wide_and_tall_is_sent_to_csv(opened):
    def write(book):
        sheet = book.add_worksheet()
        sheet.write(0, 80, "wide")
        sheet.write(30_000, 0, "tall")
    with pytest.raises(TooLarge, match="Save it as CSV"):
        opened(xlsx(write), "a.xlsx")
