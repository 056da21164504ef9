"""Headings in many languages and layouts are understood; what isn't is kept as own field."""

from __future__ import annotations

import json

import pytest

from school.errors import Invalid
from school.roster.sheet.mapping import Mapping
from school.roster.sheet.rows import read_roster


@pytest.fixture
def roster(tmp_path):
    def read(text, **options):
        path = tmp_path / "list.csv"
        path.write_text(text, encoding="utf-8")
        return read_roster(path, filename="list.csv", **options)
    return read


def targets(found):
    return [column.target for column in found.mapping.columns]


@pytest.mark.parametrize(("headings", "row"), [
    ("Student ID,Last name,First name,DOB,Sex,Grade,Homeroom,Parent 1 Name,Parent 1 Phone",
     "1,Smith,Ann,2012-03-04,F,7,7A,Bo Smith,07700 900100"),
    ("Matricule;Nom de famille;Prénom;Date de naissance;Sexe;Niveau;Classe;Responsable;Téléphone responsable",
     "A7;Dupont;Zoé;04/03/2012;F;5e;5e B;Luc Dupont;01 99 00 12 34"),
    ("Schülernummer;Nachname;Vorname;Geburtsdatum;Geschlecht;Jahrgangsstufe;Klasse;Erziehungsberechtigter;Erziehungsberechtigter Telefon",
     "A7;Müller;Jürgen;04.03.2012;m;5;5b;Eva Müller;030 23125 000"),
    ("Matrícula,Apellidos,Nombres,Fecha de nacimiento,Sexo,Grado,Grupo,Tutor,Teléfono del tutor",
     "A7,García Ibáñez,Lucía,04/03/2012,F,5,5B,Ana Ibáñez,91 000 1234"),
    ("Numer ucznia;Nazwisko;Imię;Data urodzenia;Płeć;Poziom;Klasa;Opiekun;Opiekun telefon",
     "A7;Kowalska;Łucja;04.03.2012;K;5;5b;Jan Kowalski;22 555 01 23"),
    ("Nº do aluno,Apelido,Primeiro nome,Data de nascimento,Género,Ano,Turma,Encarregado de educação,Telefone do encarregado de educação",
     "A7,Simões,João,04/03/2012,M,5,5B,Rui Simões,210 000 123"),
    ("Matricola;Cognome;Nome;Data di nascita;Sesso;Anno;Sezione;Genitore;Telefono genitore",
     "A7;Rossi;Nicolò;04/03/2012;M;2;2B;Ugo Rossi;06 5555 0123"),
    ("Leerlingnummer;Achternaam;Voornaam;Geboortedatum;Geslacht;Leerjaar;Klas;Ouder;Ouder telefoon",
     "A7;van den Berg;Jan;04-03-2012;M;2;2B;Piet van den Berg;020 555 0123"),
    ("Öğrenci No;Soyadı;Adı;Doğum Tarihi;Cinsiyeti;Seviye;Şube;Veli;Veli Telefonu",
     "A7;Yıldız;Işıl;04.03.2012;K;5;5B;Çağla Yıldız;0212 555 0123"),
    ("अनुक्रमांक,उपनाम,प्रथम नाम,जन्म तिथि,लिंग,कक्षा स्तर,वर्ग,अभिभावक,अभिभावक फोन",
     "A7,शर्मा,अनन्या,04-03-2012,महिला,5,5B,रवि शर्मा,+91 55501 00123"),
])
def test_headings_are_understood_in_ten_languages(roster, headings, row):
    found = roster(f"{headings}\n{row}\n")
    expected = ["admission_number", "family_name", "given_name", "birth_date", "gender",
                "grade_level", "class_name", "guardian[1].name", "guardian[1].phone"]
    assert targets(found) == expected
    assert next(iter(found)).values.birth_date.isoformat() == "2012-03-04"


@pytest.mark.parametrize(("headings", "row", "expected"), [
    ("Name,Vorname,Klasse", "Weiß,Otto,5b", ["family_name", "given_name", "class_name"]),
    ("Name,Surname,Student full name", "Ann,Lee,Ann Lee",
     ["given_name", "family_name", "custom:Student full name"]),
    ("Name,Class,DOB", "Ann Lee,5b,2012-03-04", ["full_name", "class_name", "birth_date"]),
    ("Pupil Name,Mother,Mother phone,Father,Father phone,Form",
     "Ann Lee,Eve Lee,07700 900100,Bo Lee,07700 900101,5b",
     ["full_name", "guardian[1].name", "guardian[1].phone", "guardian[2].name",
      "guardian[2].phone", "class_name"]),
    ("Surname,Forename,Guardian Name,Guardian Phone,Guardian Name,Guardian Phone",
     "Lee,Ann,Eve Lee,07700 900100,Bo Lee,07700 900101",
     ["family_name", "given_name", "guardian[1].name", "guardian[1].phone", "guardian[2].name",
      "guardian[2].phone"]),
    ("Surname,Forename,Parent 1 First Name,Parent 1 Last Name,Parent 1 Email,Email",
     "Lee,Ann,Eve,Lee,eve@example.org,ann@example.org",
     ["family_name", "given_name", "guardian[1].given_name", "guardian[1].family_name",
      "guardian[1].email", "email"]),
    ("Surname,Forename,Phone,Email", "Lee,Ann,07700 900100,ann@example.org",
     ["family_name", "given_name", "phone", "email"]),
    ("Student Name,Father's Name,Mother's Name,Mobile", "Ann Lee,Bo Lee,Eve Lee,07700 900100",
     ["full_name", "guardian[1].name", "guardian[2].name", "family_phone"]),
    ("Surname,Forename,Emergency Contact Name,Emergency Contact Number,Address 1,Address 2",
     "Lee,Ann,Eve Lee,07700 900100,1 Elm Row,Kelby",
     ["family_name", "given_name", "guardian[1].name", "guardian[1].phone", "address", "address"]),
    ("first_name,lastName,dateOfBirth,GuardianName1,guardianPhone1",
     "Ann,Lee,2012-03-04,Eve Lee,07700 900100",
     ["given_name", "family_name", "birth_date", "guardian[1].name", "guardian[1].phone"]),
    ("Surname,Forename,Date of admission,House", "Lee,Ann,2020-09-01,Red",
     ["family_name", "given_name", "custom:Date of admission", "custom:House"]),
])
def test_layouts_of_offices_are_understood(roster, headings, row, expected):
    assert targets(roster(f"{headings}\n{row}\n")) == expected


def test_two_line_headings_name_whose_columns_they_are(roster):
    found = roster(
        "Green School,,,,,\n"
        "Student,,Guardian 1,,Guardian 2,\n"
        "Surname,Forename,Name,Phone,Name,Phone\n"
        "Lee,Ann,Eve Lee,07700 900100,Bo Lee,07700 900101\n"
    )
    assert found.header_line == 3
    assert [column.label for column in found.mapping.columns] == [
        "Surname", "Forename", "Guardian 1: Name", "Guardian 1: Phone", "Guardian 2: Name",
        "Guardian 2: Phone",
    ]
    assert targets(found)[2:] == ["guardian[1].name", "guardian[1].phone", "guardian[2].name",
                                  "guardian[2].phone"]
    assert [one.name for one in next(iter(found)).guardians] == ["Eve Lee", "Bo Lee"]


def test_fathers_and_mothers_are_guardians_with_that_relationship(roster):
    row = next(iter(roster("Student Name,Father's Name,Mother's Name,Mobile\n"
                           "Ann Lee,Bo Lee,Eve Lee,07700 900100\n")))
    assert [(one.name, one.relationship, one.phone) for one in row.guardians] == [
        ("Bo Lee", "Father", "07700 900100"), ("Eve Lee", "Mother", "07700 900100"),
    ]


def test_a_column_of_birth_dates_under_an_odd_heading_is_found(roster):
    lines = "".join(f"Lee,Ann{day},5b,{day:02}/0{day % 9 + 1}/201{day % 7}\n" for day in range(1, 20))
    assert targets(roster(f"Surname,Forename,Class,Came to us\n{lines}"))[3] == "birth_date"


def test_row_numbers_are_ignored_and_real_numbers_are_kept(roster):
    lines = "".join(f"{row},Lee,Ann\n" for row in range(1, 9))
    assert targets(roster(f"No,Surname,Forename\n{lines}"))[0] == "ignore"
    lines = "".join(f"{row * 37},Lee,Ann\n" for row in range(1, 9))
    assert targets(roster(f"No,Surname,Forename\n{lines}"))[0] == "admission_number"


def test_a_correction_is_remembered_for_the_next_file(roster):
    first = roster("Surname,Forename,Tutor\nLee,Ann,Mr Low\n")
    corrected = first.mapping.corrected({2: "class_name"})
    assert corrected.columns[2].how == "person"
    again = roster("Forename,TUTOR ,Surname\nAnn,Mr Low,Lee\n", remembered=corrected.memory())
    assert targets(again) == ["given_name", "class_name", "family_name"]
    assert again.mapping.columns[1].how == "remembered"


def test_a_mapping_of_plain_headings_from_a_person_counts(roster):
    found = roster("Surname,Forename,X1\nLee,Ann,7A\n", remembered={"x1": "class_name"})
    assert next(iter(found)).values.class_name == "7A"


def test_a_corrected_mapping_reads_the_same_file(roster):
    text = "Surname,Forename,Born\nLee,Ann,04/13/2012\nLow,Ben,05/06/2012\n"
    mapping = roster(text).mapping.corrected({0: "given_name", 1: "family_name"})
    found = roster(text, mapping=Mapping.from_json(json.loads(json.dumps(mapping.to_json()))))
    assert next(iter(found)).values.family_name == "Ann"
    assert [column.how for column in found.mapping.columns] == ["person", "person", "header"]


def test_a_mapping_survives_json(roster):
    mapping = roster("Surname,Forename,Born\nLee,Ann,04/13/2012\n").mapping
    assert Mapping.from_json(json.loads(json.dumps(mapping.to_json()))) == mapping


def test_a_mapping_without_names_or_with_a_meaning_twice_is_refused_with_a_sentence(roster):
    mapping = roster("Surname,Forename,Class\nLee,Ann,7A\n").mapping
    assert [str(one) for one in mapping.corrected({0: "ignore"}).faults()] == [
        "No column is chosen for the students' names. Choose one."]
    assert "“Surname”, “Forename”" in str(mapping.corrected({1: "family_name"}).faults()[0])
    with pytest.raises(Invalid, match="is not something a column can mean"):
        mapping.corrected({1: "shoe_size"})


def test_headings_in_an_unknown_language_can_be_mapped_by_a_person(roster):
    found = roster("Perekonnanimi,Eesnimi,Sünniaeg\nTamm,Mari,2012-03-04\nKask,Jüri,2010-05-06\n",
                   remembered=None)
    assert targets(found) == ["custom:Perekonnanimi", "custom:Eesnimi", "birth_date"]
    assert found.mapping.faults()


def test_a_file_without_headings_is_refused_with_a_sentence(roster):
    with pytest.raises(Invalid, match="No row of column headings was found"):
        roster("1,Lee,Ann,2012-03-04\n2,Low,Ben,2012-05-06\n")


def test_headings_without_students_are_refused_with_a_sentence(roster):
    with pytest.raises(Invalid, match="no student below the headings in line 1"):
        roster("Surname,Forename,Class\n\n,,\n")
