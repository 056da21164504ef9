"""One cell becomes one value, or a plain sentence says why not."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from school.roster.sheet.dates import DateFault, DateOrder, decide_order, read_date
from school.roster.sheet.mapping import Column
from school.roster.sheet.names import NameOrder, decide_name_order, split_name
from school.roster.sheet.problems import MESSAGES
from school.roster.sheet.readers import Findings, reader_for
from school.roster.sheet.text import clean_line, folded
from school.roster.sheet.values import SchoolHints

TODAY = date(2025, 9, 20)
SCHOOL = SchoolHints(today=TODAY)


def column(target, **more):
    return Column(index=0, header="H", group="", label="H", key="h", target=target, **more)


def read(target, text, *, school=SCHOOL, **more):
    found = Findings()
    value = reader_for(column(target, **more), school).read(text, found)
    return value, [fault.code for fault in found.problems], found


@pytest.mark.parametrize(("text", "expected"), [
    ("2012-03-04", date(2012, 3, 4)), ("2012-03-04 00:00:00", date(2012, 3, 4)),
    ("2012-03-04T00:00:00Z", date(2012, 3, 4)), ("04/03/2012", date(2012, 3, 4)),
    ("4.3.2012", date(2012, 3, 4)), ("04-03-12", date(2012, 3, 4)), ("4 3 2012", date(2012, 3, 4)),
    ("20120304", date(2012, 3, 4)), ("40972", date(2012, 3, 4)), ("40972.0", date(2012, 3, 4)),
    ("12-Mar-2006", date(2006, 3, 12)), ("March 12, 2006", date(2006, 3, 12)),
    ("12 mars 2006", date(2006, 3, 12)), ("12. März 2006", date(2006, 3, 12)),
    ("12 de marzo de 2006", date(2006, 3, 12)), ("12 marca 2006", date(2006, 3, 12)),
    ("12 de março de 2006", date(2006, 3, 12)), ("12 marzo 2006", date(2006, 3, 12)),
    ("12 maart 2006", date(2006, 3, 12)), ("12 Mart 2006", date(2006, 3, 12)),
    ("१२ मार्च २००६", date(2006, 3, 12)), ("1er août 2009", date(2009, 8, 1)),
    ("2006年3月12日", date(2006, 3, 12)), ("12/31/12", None), ("1/2/98", date(1998, 2, 1)),
])
def test_dates_are_read_as_offices_write_them(text, expected):
    reading = read_date(text, order=DateOrder.DAY_FIRST, this_year=2025)
    assert (None if isinstance(reading, DateFault) else reading) == expected


@pytest.mark.parametrize(("texts", "order"), [
    (["01/02/2012", "13/02/2012"], DateOrder.DAY_FIRST),
    (["01/02/2012", "02/13/2012"], DateOrder.MONTH_FIRST),
    (["01/02/2012", "2012-12-31", "12-Mar-2006"], None),
    (["45/01/2013", "01/45/2013", "00/00/0000"], None),
    (["13/02/2012", "14/02/2012", "02/13/2012"], DateOrder.DAY_FIRST),
])
def test_the_whole_column_decides_between_day_and_month_first(texts, order):
    assert decide_order(texts) == order


@pytest.mark.parametrize(("text", "code", "sentence"), [
    ("31-Feb-2012", "impossible_date",
     "“31-Feb-2012” is not in the calendar: that month has 29 days. Type the right date."),
    ("45/01/2013", "impossible_date", "“45/01/2013” is not a date in the calendar. Type the right date."),
    ("0000-00-00", "impossible_date", "“0000-00-00” is not a date in the calendar. Type the right date."),
    ("29/02/2013", "impossible_date",
     "“29/02/2013” is not in the calendar: that month has 28 days. Type the right date."),
    ("in spring", "unreadable_date", "“in spring” can't be read as a date. Type it as day, month and year."),
    ("2031-05-24", "future_date_of_birth",
     "“2031-05-24” is in the future. Type the right date of birth."),
    ("1899-05-24", "early_date_of_birth",
     "“1899-05-24” is more than 100 years ago. Type the right date."),
])
def test_a_wrong_date_is_left_out_and_explained(text, code, sentence):
    value, codes, found = read("birth_date", text)
    assert (value, codes) == (None, [code])
    assert found.problems[0].sentence == sentence
    assert not found.problems[0].blocking


@given(st.dates(date(1930, 1, 1), TODAY), st.sampled_from(
    ["%Y-%m-%d", "%d/%m/%Y", "%d.%m.%Y", "%d-%b-%Y", "%d %B %Y", "%Y%m%d"]))
def test_any_date_of_birth_comes_back_from_any_format(on, form):
    assert read("birth_date", on.strftime(form), date_order="day_first")[:2] == (on, [])


@given(st.dates(date(1930, 1, 1), TODAY))
def test_excel_serial_numbers_are_dates(on):
    serial = (on - date(1899, 12, 30)).days
    assert read("birth_date", str(serial))[:2] == (on, [])
    in_1904 = serial - 1462
    if in_1904 >= 10000:
        assert read("birth_date", str(in_1904), counts_from_1904=True)[:2] == (on, [])


@pytest.mark.parametrize(("text", "code"), [
    ("F", "F"), ("f", "F"), ("Female", "F"), ("girl", "F"), ("weiblich", "F"), ("Fille", "F"),
    ("mujer", "F"), ("kobieta", "F"), ("Kadın", "F"), ("महिला", "F"), ("M", "M"), ("Männlich", "M"),
    ("garçon", "M"), ("mężczyzna", "M"), ("Erkek", "M"), ("पुरुष", "M"), ("X", "X"),
    ("divers", "X"), ("Q", None), ("7", None), ("W/M", None),
])
def test_gender_words_become_the_schools_codes(text, code):
    value, codes, _ = read("gender", text)
    assert value == code
    assert codes == ([] if code else ["unknown_gender_code"])


def test_gender_follows_the_schools_own_list():
    school = SchoolHints(genders={"1": "Girl", "2": "Boy", "9": "Not said"}, today=TODAY)
    assert [read("gender", text, school=school)[0] for text in ("F", "boy", "Not said", "1", "X")] \
        == ["1", "2", "9", "1", None]
    assert read("gender", "X", school=school)[2].problems[0].sentence == (
        "“X” is not in the school's list of genders. Type one of: 1, 2, 9.")


@pytest.mark.parametrize("text", [
    "+44 7700 900123", "00447700900124", "(402) 555-0118", "402-555-0118", "555 010 ext. 12",
    "+91 55501 00196", "022 5555 (home)",
])
def test_telephone_numbers_are_kept_as_written(text):
    assert read("phone", text)[:2] == (text, [])


@pytest.mark.parametrize("text", ["-", "–", "n/a", "None"])
def test_a_dash_means_no_telephone(text):
    assert read("phone", text)[:2] == (None, [])


@pytest.mark.parametrize(("text", "code"), [
    ("123", "phone_malformed"), ("ask mum", "phone_malformed"), ("ex-directory?", "phone_malformed"),
    ("4.47701E+11", "number_rounded"),
])
def test_what_is_no_telephone_number_is_kept_and_reported(text, code):
    assert read("phone", text)[:2] == (text, [code])


@pytest.mark.parametrize("text", ["a@example.org", "o'brien+x@mail.example.co.uk", "jörg@exämple.de"])
def test_email_addresses_are_kept(text):
    assert read("email", text)[:2] == (text, [])


@pytest.mark.parametrize("text", [
    "@example.net", "kim@", "lee smith@example.com", "sara.example.com", "joe@@example.org",
    "pat@example,com", "a@b", "a..b@example.org", ".a@example.org", "a@example.org; b@example.org",
])
def test_malformed_email_addresses_are_left_out_and_reported(text):
    assert read("email", text)[:2] == (None, ["email_malformed"])


@pytest.mark.parametrize("text", ["Null", "None", "Na", "Nan", "True", "N/A", "O", "王", "=1+1", "-"])
def test_any_name_is_a_name(text):
    assert read("family_name", text)[:2] == (text, [])


@pytest.mark.parametrize(("text", "kept", "removed"), [
    ("Ann\x07a", "Anna", 1), ("Bell\x1b[31m", "Bell[31m", 1), ("Ev\u202eil", "Evil", 1),
    ("Zero\u200bWidth", "ZeroWidth", 1), ("\ufeffBom\ufeffy", "Bomy", 2),
    ("علی\u200cرضا", "علی\u200cرضا", 0), ("रक्\u200dषा", "रक्\u200dषा", 0),
    ("Ann\u200dLee", "AnnLee", 1), ("An\u200c", "An", 1), ("\tTabson ", "Tabson", 0),
    ("\xa0Ann\xa0 Lee\xa0", "Ann Lee", 0), ("Noe\u0308l", "Noël", 0), ("Two\nlines", "Two lines", 0),
])
def test_hidden_characters_go_and_needed_joiners_stay(text, kept, removed):
    assert clean_line(text) == (kept, removed)


@given(st.text())
def test_cleaning_twice_changes_nothing_more(text):
    once, _ = clean_line(text)
    assert clean_line(once) == (once, 0)
    assert once == once.strip()


@pytest.mark.parametrize(("text", "mark"), [("?ukasz", "?"), ("Luk?sz", "?"), ("Luk\ufffdsz", "\ufffd")])
def test_a_lost_letter_in_a_name_is_reported(text, mark):
    value, codes, found = read("given_name", text)
    assert (value, codes) == (text, ["character_lost"])
    assert mark in found.problems[0].sentence


def test_a_name_over_the_limit_is_refused_never_cut():
    school = SchoolHints(today=TODAY, name_limit=200)
    value, codes, found = read("family_name", "x" * 201, school=school)
    assert (value, codes) == (None, ["name_too_long"])
    assert found.problems[0].blocking
    assert found.problems[0].value == "x" * 201
    assert read("family_name", "x" * 300)[:2] == ("x" * 300, [])


def test_admission_numbers_are_text():
    assert [read("admission_number", text)[0] for text in ("007312", "1E0042", "12-1", " A 1 ")] \
        == ["007312", "1E0042", "12-1", "A 1"]
    assert read("admission_number", "14410", id_width=6)[0] == "014410"
    assert read("admission_number", "1E+05")[1] == ["number_rounded"]


def test_own_fields_keep_their_line_breaks():
    assert read("custom:Notes", "\rline one\r\nline two ")[0] == "line one\nline two"


@pytest.mark.parametrize(("name", "order", "expected"), [
    ("Byrne, Declan", "family_comma_given", ("Byrne", "Declan")),
    ("Suharto", "family_comma_given", ("Suharto", "")),
    (", Tilly", "family_comma_given", ("", "Tilly")),
    ("de la Cruz, María José", "family_comma_given", ("de la Cruz", "María José")),
    ("Davis, Jr., Sammy", "family_comma_given", ("Davis, Jr.", "Sammy")),
    ("Mohit Chauhan", "given_family", ("Chauhan", "Mohit")),
    ("Jan van der Berg", "given_family", ("van der Berg", "Jan")),
    ("Anne Marie Low", "given_family", ("Low", "Anne Marie")),
    ("Sammy Davis Jr.", "given_family", ("Davis Jr.", "Sammy")),
    ("Savitri", "given_family", ("Savitri", "")),
    ("Lakshmi Devi", "given_family", ("Lakshmi Devi", "")),
    ("王小明", "given_family", ("王小明", "")),
    ("DUPONT Jean Luc", "family_given", ("DUPONT", "Jean Luc")),
    ("DE LA TOUR Anne", "family_given", ("DE LA TOUR", "Anne")),
    ("Nguyễn Hoàng Long", "family_given", ("Nguyễn", "Hoàng Long")),
])
def test_whole_names_are_cut_in_two(name, order, expected):
    assert split_name(name, order) == expected


def test_a_relatives_name_shows_that_devi_is_a_surname():
    assert split_name("Lakshmi Devi", "given_family", relatives=["Om Devi"]) == ("Devi", "Lakshmi")


@pytest.mark.parametrize(("names", "order"), [
    (["Byrne, Declan", "Suharto", "Low, Ann"], NameOrder.FAMILY_COMMA_GIVEN),
    (["Declan Byrne", "Ann Low"], NameOrder.GIVEN_FAMILY),
    (["BYRNE Declan", "LOW Ann"], NameOrder.FAMILY_GIVEN),
    ([], NameOrder.GIVEN_FAMILY),
])
def test_the_whole_column_decides_which_name_comes_first(names, order):
    assert decide_name_order(names) == order


@pytest.mark.parametrize("target", [
    "admission_number", "family_name", "full_name", "birth_date", "gender", "class_name", "address",
    "email", "phone", "medical_note", "custom:Notes", "guardian[1].name", "guardian[1].phone",
    "guardian[1].relationship", "family_phone",
])
@given(text=st.text(min_size=1))
def test_any_text_in_any_column_gives_a_value_or_a_sentence(target, text):
    value, codes, found = read(target, text)
    assert value is None or isinstance(value, str | date)
    assert all(fault.sentence for fault in found.problems + found.notices)
    assert set(codes) <= set(MESSAGES)


@pytest.mark.parametrize(("heading", "expected"), [
    ("Father's Name", "father name"), ("Prénom de l’élève", "prenom de l eleve"),
    ("dateOfBirth", "date of birth"), ("Section/Batch", "section batch"),
    ("Guardian1_Phone", "guardian 1 phone"), ("Geschlecht (m/w)", "geschlecht m w"),
    ("Imię", "imie"), ("ADI SOYADI", "adi soyadi"), ("Straße", "strasse"),
    ("छात्र का नाम", "छात्र का नाम"), ("№", "no"),
])
def test_headings_are_compared_by_their_plain_words(heading, expected):
    assert folded(heading) == expected


def test_a_birth_date_of_tomorrow_is_in_the_future():
    assert read("birth_date", (TODAY + timedelta(days=1)).isoformat())[1] == ["future_date_of_birth"]
    assert read("birth_date", TODAY.isoformat())[:2] == (TODAY, [])
