"""Names are kept as people wrote them, minus what could hurt."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from school.files.service.names import clean_name, extension_of, with_extension


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        ("Report.pdf", "Report.pdf"),
        ("成績表.pdf", "成績表.pdf"),
        ("Zażółć gęślą jaźń.docx", "Zażółć gęślą jaźń.docx"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\Report.pdf", "Report.pdf"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("/", "file"),
        ("", "file"),
        (None, "file"),
        (".", "file"),
        ("..", "file"),
        ("...", "file"),
        ("CON.txt", "_CON.txt"),
        ("com1", "_com1"),
        ("COM¹.txt", "_COM¹.txt"),
        ("nul.tar.gz", "_nul.tar.gz"),
        ("Console.txt", "Console.txt"),
        ("trailing. . .", "trailing"),
        ("  two   spaces .pdf", "two spaces .pdf"),
        ("photo\u202egpj.exe", "photogpj.exe"),
        ("zero\u200bwidth.pdf", "zerowidth.pdf"),
        ("line\nbreak\x00.pdf", "linebreak.pdf"),
        ("<script>alert(1)<\\script>.pdf", "script>.pdf"),
        ('quote".pdf', 'quote".pdf'),
        ("e\u0301.pdf", "\u00e9.pdf"),
        ("LPT⁹.log", "_LPT⁹.log"),
        ("ＡＵＸ.txt", "_ＡＵＸ.txt"),
        ("con .txt", "_con .txt"),
        ("CONIN$.txt", "_CONIN$.txt"),
        ("nul:stream.txt", "_nul:stream.txt"),
        ("hangul\u3164filler.pdf", "hangulfiller.pdf"),
        ("joined\u034ftwo\ufe0f.pdf", "joinedtwo.pdf"),
        ("isolated\u2067\u2069.pdf", "isolated.pdf"),
        ("line\u2028two.pdf", "linetwo.pdf"),
    ],
)
def test_a_name_is_kept_as_data(given_name: str | None, kept: str) -> None:
    assert clean_name(given_name) == kept


@given(st.text(max_size=400))
def test_whatever_is_sent_the_kept_name_is_safe(given_name: str) -> None:
    name = clean_name(given_name)

    assert 1 <= len(name) <= 150
    assert len(name.encode()) <= 240
    assert "/" not in name and "\\" not in name and name not in {".", ".."}
    assert not any(unicodedata.category(c).startswith("C") for c in name)
    assert clean_name(name) == name


def test_a_long_name_keeps_its_extension() -> None:
    name = clean_name("ж" * 300 + ".pdf")

    assert name.endswith("ж.pdf")
    assert len(name.encode()) <= 240


@pytest.mark.parametrize("length", [149, 150, 151])
def test_a_name_may_be_150_characters_long_and_no_longer(length: int) -> None:
    kept = clean_name("n" * (length - 4) + ".PDF")

    assert len(kept) == min(length, 150)
    assert kept.endswith("n.PDF")


def test_an_extension_is_cut_off_as_it_is_written() -> None:
    # Folded to small letters, this extension is longer than it is written.
    assert with_extension("Report.ẞ", "pdf") == "Report.pdf"
    assert clean_name("n" * 200 + ".ẞ") == "n" * 148 + ".ẞ"


def test_extensions_are_read_and_replaced() -> None:
    assert extension_of("Report.PDF") == "pdf"
    assert extension_of("Report") == ""
    assert extension_of(".hidden") == ""
    assert with_extension("Report.pdf", "docx") == "Report.docx"
    assert with_extension("Report", "pdf") == "Report.pdf"
