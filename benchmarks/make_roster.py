"""Writes a large, believable roster as CSV (or XLSX): the same file for the same arguments.

    python benchmarks/make_roster.py --rows 100000 --out roster.csv

About one row in a hundred has a fault (a bad date, e-mail, telephone or gender; no class; a
number used twice), as real exports do. `write_roster` returns how many of each there are.
"""

from __future__ import annotations

import argparse
import csv
import random
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

HEADINGS = (
    "Admission No", "Surname", "Forename", "Date of Birth", "Gender", "Year", "Class", "Address",
    "Town", "Postcode", "Guardian 1 Name", "Guardian 1 Relationship", "Guardian 1 Phone",
    "Guardian 1 Email", "Guardian 2 Name", "Guardian 2 Relationship", "Guardian 2 Phone",
    "Guardian 2 Email",
)
_FAMILIES = (
    "Adams", "Baker", "Byrne", "Carter", "Chauhan", "Clarke", "Dixon", "Dvořák", "Ellis",
    "Evans", "Fitzgerald", "Fletcher", "García", "Hughes", "Hérault", "Ibáñez", "Iyer", "Joshi",
    "Kaur", "Kelly", "Kowalczyk", "Lemaître", "Lewis", "Müller", "Nash", "Nguyễn", "O'Brien",
    "O'Neill", "Okonkwo", "Owen", "Patel", "Reddy", "Rhodes", "Sharma", "Smith-Jones",
    "Sørensen", "Turner", "Walker", "Weiß", "Wiśniewski", "Young", "Łukasik", "Żukowski",
)
_GIVEN = (
    "Adam", "Aisha", "Amelia", "Ananya", "Anne-Marie", "Ben", "Chloé", "Cian", "Daisy",
    "Declan", "Divya", "Eleanor", "Emma", "Finley", "Freya", "George", "Grace", "Hannah",
    "Harry", "Inés", "Isaac", "Jack", "Jasmine", "José", "Jürgen", "Katie", "Kekoa", "Kieran",
    "Liam", "Lily", "Lucía", "Marlene", "Meera", "Mohit", "Niamh", "Noah", "Olivia", "Orla",
    "Oscar", "Poppy", "Priya", "Quốc", "Ravi", "Rohan", "Ruby", "Samuel", "Siobhán", "Sophie",
    "Tilly", "Violet", "William", "Zara", "Zoë", "Łukasz",
)
_STREETS = (
    "Alder Lane", "Bridge Street", "Canal Walk", "Dovecote Close", "Elm Row", "Foundry Road",
    "Glebe Field", "Harbour View", "Ivy Bank", "Jubilee Terrace", "Kiln Hill", "Long Acre",
    "Mill Race", "North Parade",
)
_TOWNS = (
    "Ashcombe", "Kelby", "Marston Quay", "Millbrook Vale", "Thornley Cross", "Upper Welling",
)
_RELATIONSHIPS = (("Mother", "Father"), ("Mother", "Stepfather"), ("Grandmother", ""),
                  ("Father", ""), ("Mother", ""))
_LETTERS = "ABCDEFGHJKLMNPRSTUWYZ"
_FIRST_BIRTH = date(2008, 9, 1)
_FAULT_EVERY = 101


def roster_rows(rows: int, *, seed: int, faults: Counter[str]) -> Iterator[list[str]]:
    dice = random.Random(seed)
    before: list[str] = []
    for number in range(1, rows + 1):
        row = _student(dice, number, rows, before)
        if number % _FAULT_EVERY == 0:
            # A copy, so that a sibling in the next row doesn't inherit the fault.
            spoilt = list(row)
            faults[_spoil(spoilt, before, number // _FAULT_EVERY)] += 1
            yield spoilt
        else:
            yield row
        before = row


def _student(dice: random.Random, number: int, rows: int, before: list[str]) -> list[str]:
    age_days = dice.randrange(12 * 365)
    born = _FIRST_BIRTH + timedelta(days=age_days)
    year = 12 - age_days // 365
    # A class of about 25 in a school of `rows`.
    school_class = f"{year}{_LETTERS[number % 20]}-{number % max(rows // 6000, 1) + 1}"
    is_sibling = bool(before) and dice.random() < 0.3
    family = before[1] if is_sibling else dice.choice(_FAMILIES)
    home = before[7:18] if is_sibling else _home(dice, family, number)
    return [
        f"{number:06d}", family, dice.choice(_GIVEN), born.isoformat(), dice.choice("FFFMMMX"),
        str(year), school_class, *home,
    ]


def _home(dice: random.Random, family: str, number: int) -> list[str]:
    area, inward = dice.choice(_LETTERS), "".join(dice.choices(_LETTERS, k=2))
    postcode = f"Z{area}{dice.randrange(1, 30)} {dice.randrange(1, 9)}{inward}"
    first, second = dice.choice(_RELATIONSHIPS)
    guardians = _guardian(dice, family, first, f"{number}a")
    guardians += _guardian(dice, family, second, f"{number}b") if second else [""] * 4
    return [
        f"{dice.randrange(1, 190)} {dice.choice(_STREETS)}", dice.choice(_TOWNS), postcode,
        *guardians,
    ]


def _guardian(dice: random.Random, family: str, relationship: str, key: str) -> list[str]:
    given = dice.choice(_GIVEN)
    phone = f"07700 900{dice.randrange(1000):03d}" if dice.random() < 0.5 \
        else f"+44 {dice.randrange(113, 119)} 496 {dice.randrange(10000):04d}"
    return [f"{given} {family}", relationship, phone, f"guardian{key}@example.org"]


def _spoil(row: list[str], before: list[str], turn: int) -> str:
    spoilt = (
        ("impossible_date", 3, "2014-02-30"), ("email_malformed", 13, "kim@"),
        ("phone_malformed", 12, "ask mum"), ("unknown_gender_code", 4, "7"),
        ("missing_class", 6, ""), ("missing_surname", 1, ""),
        ("duplicate_admission_number", 0, before[0]),
    )
    code, place, value = spoilt[turn % len(spoilt)]
    row[place] = value
    return code


def write_roster(path: Path, *, rows: int, seed: int = 1) -> Counter[str]:
    """Writes the file; answers with the number of faults of each kind in it."""
    faults: Counter[str] = Counter()
    if path.suffix == ".xlsx":
        _write_xlsx(path, roster_rows(rows, seed=seed, faults=faults))
        return faults
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(HEADINGS)
        writer.writerows(roster_rows(rows, seed=seed, faults=faults))
    return faults


def _write_xlsx(path: Path, rows: Iterator[list[str]]) -> None:
    from school.spreadsheets.writing import write_xlsx  # noqa: PLC0415  only for workbooks

    with path.open("wb") as stream:
        write_xlsx(rows, stream, columns=HEADINGS)


def main() -> None:
    wanted = argparse.ArgumentParser(description="Write a large roster.")
    wanted.add_argument("--rows", type=int, default=100_000)
    wanted.add_argument("--seed", type=int, default=1)
    wanted.add_argument("--out", type=Path, default=Path("roster.csv"))
    options = wanted.parse_args()
    faults = write_roster(options.out, rows=options.rows, seed=options.seed)
    print(f"{options.out}: {options.rows} rows, {sum(faults.values())} faults")
    for code, count in sorted(faults.items()):
        print(f"  {code}: {count}")


if __name__ == "__main__":
    main()
