"""Invented families. The same seed gives the same people; telephone numbers come from the ranges
kept for fiction, e-mail from example domains."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

from school.search.words import fold

GRADES = range(7, 13)
FORMS = "ABCD"
STUDENTS = 600
# Name worlds: girls, boys, women, men, families. A family stays in one.
WORLDS: dict[str, tuple[str, str, str, str, str]] = {
    "british": (
        "Amelia Isla Freya Poppy Ruby Evie Grace Daisy Niamh Aoife Eilidh Bethan Hannah Lucy",
        "Oliver Harry Noah Jack Callum Finley Rhys Declan Ewan Toby Samuel Theo Owen Lewis",
        "Fiona Rachel Claire Siân Helen Nicola Ciara Joanne Kate Morag Lorna Alison",
        "Andrew Gareth Stuart Ciarán Mark Simon Alasdair Peter Ian Huw Martin Neil",
        (
            "Bell Brooks Fletcher MacLeod Fitzgerald O'Neill Pritchard Hughes Marsh Whitfield "
            "Sutherland Carter Dixon Ellis Grant Price Doyle Kerr"
        ),
    ),
    "polish": (
        "Zofia Maja Hanna Oliwia Łucja Zuzanna",
        "Jan Antoni Szymon Łukasz Mikołaj Kacper",
        "Katarzyna Agnieszka Małgorzata Ewa",
        "Marek Paweł Tomasz Grzegorz",
        "Dąbrowski Wiśniewski Kowalczyk Zieliński Wójcik Król Nowak",
    ),
    "south_asian": (
        "Ananya Aisha Harleen Meera Sana Priya",
        "Rohan Arjun Zain Gurpreet Dev Imran",
        "Sudeshna Farah Manpreet Lakshmi Nasreen",
        "Ravi Tariq Jaspal Suresh Kamran",
        "Banerjee Khan Singh Patel Chaudhry Iyer Begum Sharma",
    ),
    "african": (
        "Selam Wanjiru Abena Folake Amara Zainab",
        "Tobi Kwame Kofi Chidi Jomo Musa",
        "Almaz Grace Ngozi Marcia Efua",
        "Emeka Yaw Samuel Daniel Tesfaye",
        "Adeyemi Mensah Okafor Kamau Demissie Diallo Achebe",
    ),
    "european": (
        "Chloé Lucía Inês Freja Elif Réka Sofia",
        "Andrei Tiago Daan Emre Yannis Adam Léo",
        "Maja Sofie Carmen Dorka Hélène Eva",
        "Nikos Jens Paulo Mehmet Bence Luc",
        "Bakke Esteves Galanis Ionescu Jacobs Koç Lukács Rossi Lefèvre Çelik Cárdenas",
    ),
    "east_asian": (
        "Ji-woo Wei-Lin Hana Mei Yuna",
        "Hyun-woo Haruto Jun Wei Minh",
        "Seo-yeon Yuki Guanyu Linh",
        "Sung-ho Kenji Hao Hùng",
        "Kim Chen Yamamoto Park Nguyễn Tanaka Lin",
    ),
    "arabic": (
        "Layla Leila Nour Yasmin Mariam",
        "Youssef Omar Karim Samir Idris",
        "Nadia Huda Rania Salma",
        "Reza Khalid Mahmoud Hassan",
        "Haddad El-Masry Amini Rahman Nasser Aziz",
    ),
}
WEIGHTS = {"british": 9, "polish": 2, "south_asian": 3, "african": 2, "european": 3,
           "east_asian": 1, "arabic": 1}  # fmt: skip
STREETS = ("Mill Lane", "Elm Row", "Harbour View", "Bridge Street", "North Parade", "Canal Walk",
           "Dovecote Close", "Church Hill", "Station Road", "Orchard Way")  # fmt: skip
TOWNS = ("Northfield", "Ashcombe", "Millbrook Vale", "Kelby", "Thornley Cross")


@dataclass(slots=True)
class DemoGuardian:
    name: str
    relationship: str
    phone: str
    email: str


@dataclass(slots=True)
class DemoStudent:
    number: str
    family_name: str
    given_name: str
    born_on: date
    gender: str
    grade: int
    class_name: str
    address: str
    town: str
    postcode: str
    guardians: list[DemoGuardian] = field(default_factory=list)


def invent_students(*, today: date, seed: int = 20) -> list[DemoStudent]:
    """Families until the school is full; brothers and sisters share guardians and address."""
    chance = random.Random(seed)  # noqa: S311 - invention, not secrecy
    seats = _seats(chance)
    students: list[DemoStudent] = []
    while len(students) < STUDENTS:
        students.extend(_family(chance, seats, today, len(students)))
    return students[:STUDENTS]


def _seats(chance: random.Random) -> Iterator[tuple[int, str]]:
    """Grade and class, in an order that fills all classes evenly."""
    places = [(grade, f"{grade}{form}") for grade in GRADES for form in FORMS]
    while True:
        chance.shuffle(places)
        yield from places


def _family(
    chance: random.Random, seats: Iterator[tuple[int, str]], today: date, made: int
) -> list[DemoStudent]:
    girls, boys, women, men, families = (
        names.split() for names in WORLDS[chance.choices(list(WEIGHTS), [*WEIGHTS.values()])[0]]
    )
    name = chance.choice(families)
    guardians = _guardians(chance, name, women, men, families)
    home = (
        f"{chance.randint(1, 140)} {chance.choice(STREETS)}",
        chance.choice(TOWNS),
        f"NF{chance.randint(1, 9)} {chance.randint(1, 9)}"
        + "".join(chance.choices("ABDLNPQT", k=2)),
    )
    children: list[DemoStudent] = []
    for place in range(chance.choices([1, 2, 3], [62, 31, 7])[0]):
        grade, class_name = next(seats)
        gender = chance.choices("FMX", [49, 49, 2])[0]
        given = chance.choice(girls if gender == "F" else boys)
        children.append(
            DemoStudent(
                f"{20001 + made + place:05}",
                _for_her(name) if gender == "F" else name,
                given,
                _birthday(chance, grade, today),
                gender,
                grade,
                class_name,
                *home,
                guardians=guardians,
            )
        )
    return children


def _guardians(
    chance: random.Random, name: str, women: list[str], men: list[str], families: list[str]
) -> list[DemoGuardian]:
    # Four families in ten do not share one name: a guardian's is never derived from a child's.
    own = [name if chance.random() < 0.6 else chance.choice(families) for _ in range(2)]
    pair = [("Mother", chance.choice(women), own[0]), ("Father", chance.choice(men), own[1])]
    chance.shuffle(pair)
    if chance.random() < 0.06:
        pair[0] = ("Grandmother", chance.choice(women), own[0])
    return [
        DemoGuardian(
            f"{given} {_for_her(family) if given in women else family}",
            relationship,
            _phone(chance),
            f"{_plain(given)}.{_plain(family)}{chance.randint(1, 99)}@example.org",
        )
        for relationship, given, family in pair[: chance.choices([1, 2], [3, 7])[0]]
    ]


def _for_her(name: str) -> str:
    """Polish names in -ski agree with the person."""
    return name[:-1] + "a" if name.endswith("ski") else name


def _phone(chance: random.Random) -> str:
    if chance.random() < 0.7:
        return f"+44 7700 900{chance.randint(0, 999):03}"
    return f"0114 496 0{chance.randint(0, 999):03}"


def _plain(name: str) -> str:
    return "".join(char for char in fold(name) if char.isalpha())


def _birthday(chance: random.Random, grade: int, today: date) -> date:
    """Eleven or twelve in grade 7 on the first of September."""
    autumn = date(today.year if today.month >= 9 else today.year - 1, 9, 1)
    return autumn.replace(year=autumn.year - grade - 5) + timedelta(days=chance.randint(0, 364))
