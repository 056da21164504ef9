"""The student list and its search with 100,000 students, measured at the server.

    python benchmarks/students_list.py [--students 100000] [--rounds 40] [--plans]

SQLite by default; PostgreSQL under row-level security with a throwaway server: --postgres.
Each request goes through the whole application (session, access, queries, template), not through
a socket. Prints p50 and p95 in milliseconds, the number of statements and the size of the page,
beside a plain 404 page of the same run, and the ratio to it.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

sys.path.insert(0, str(Path(__file__).parent.parent))

import tests.conftest as testing
from benchmarks.requests import measure, sign_in
from school.academics.models import AcademicYear, SchoolClass
from school.academics.service import sort_name as class_sort_name
from school.db import db, new_id
from school.enrollment.models import Enrollment
from school.permissions import Role
from school.search.index import joined_words
from school.search.models import SearchEntry, SearchWord
from school.search.words import words_of
from school.students.models import Guardian, Student, StudentGuardian
from school.students.service.words import guardian_sort_name, student_sort_name
from school.tenancy.scope import school_scope
from tests.servers.postgres import throwaway_postgres

GOAL_MS = 50
CLASS_SIZE = 28
CHUNK = 2_000
# First letters as common as in a large British and European register; then free syllables.
_STARTS = "aaaabbbbbcccccdddeeeffgghhhhhiijjjjkkkklllllmmmmmmmnnnoopppppqrrrrrsssssssttttuvvwwwxyzz"
_SYLLABLES = (
    *("an", "bel", "car", "do", "el", "fin", "gra", "ha", "is", "jo", "ka", "li", "mar", "ni"),
    *("ol", "pe", "ro", "sa", "ta", "ul", "vi", "wen", "ye", "zo", "ström", "ska"),
)


def _name(dice: random.Random) -> str:
    parts = dice.choices(_SYLLABLES, k=dice.choice((1, 2, 2)))
    return (dice.choice(_STARTS) + "".join(parts)).capitalize()


def seed(app: Flask, school_id: UUID, students: int) -> None:
    """Rows straight into the tables, as the import does."""
    dice = random.Random(7)
    engine = sa.create_engine(app.config["OWNER_URL"])
    models = (Student, Guardian, StudentGuardian, Enrollment, SearchEntry, SearchWord)
    tables = [model.__table__ for model in models]
    with engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        classes = _seed_classes(connection, school_id, students)
        families: list[tuple[UUID, str]] = []
        for start in range(0, students, CHUNK):
            many = min(CHUNK, students - start)
            rows = _rows(dice, school_id, start, many, classes, families)
            for table, values in zip(tables, rows, strict=True):
                if values:
                    connection.execute(sa.insert(table), values)
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql("SELECT count_roster()")
                connection.exec_driver_sql("DISCARD PLANS")
    # What PostgreSQL's own autovacuum has done a minute after an import.
    tidy = "VACUUM ANALYZE" if engine.dialect.name == "postgresql" else "ANALYZE"
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(tidy)
    engine.dispose()


def _seed_classes(connection: sa.Connection, school_id: UUID, students: int) -> list[UUID]:
    year = connection.scalar(
        sa.select(AcademicYear.__table__.c.id).where(
            AcademicYear.__table__.c.school_id == school_id
        )
    )
    names = [f"{n // 26 + 1}{chr(65 + n % 26)}" for n in range(students // CLASS_SIZE + 1)]
    rows = [
        {"school_id": school_id, "id": new_id(), "academic_year_id": year, "name": name,
         "sort_name": class_sort_name(name)}
        for name in names
    ]  # fmt: skip
    connection.execute(sa.insert(SchoolClass.__table__), rows)
    return [row["id"] for row in rows]


def _rows(
    dice: random.Random,
    school_id: UUID,
    start: int,
    many: int,
    classes: list[UUID],
    families: list[tuple[UUID, str]],
) -> tuple[list[dict[str, Any]], ...]:
    students, guardians, links, enrollments, found_by = [], [], [], [], []
    at = datetime(2026, 9, 1, tzinfo=UTC)
    stamp = {"school_id": school_id, "created_at": at, "updated_at": at}
    for n in range(start, start + many):
        student_id, family, given = new_id(), _name(dice), _name(dice)
        number = str(200_000 + n)
        students.append(
            {**stamp, "id": student_id, "admission_number": number, "family_name": family,
             "given_name": given, "sort_name": student_sort_name(family, given), "custom": {},
             "birth_date": date(2008 + n % 12, 1 + n % 12, 1 + n % 28), "version": 1,
             "gender_code": dice.choice("FMX"), "grade_level": str(1 + n % 13),
             "status": "enrolled" if n % 40 else "left", "family_name_first": False}
        )  # fmt: skip
        found = {number, *words_of(family), *words_of(given)}
        for order in (1, 2)[: dice.choice((1, 2, 2))]:
            if families and dice.random() < 0.25:
                guardian_id, name = dice.choice(families[-400:])
                if any(l["guardian_id"] == guardian_id for l in links[-2:]):  # noqa: E741
                    continue
            else:
                guardian_id, name = new_id(), f"{_name(dice)} {family}"
                families.append((guardian_id, name))
                guardians.append(
                    {**stamp, "id": guardian_id, "name": name, "version": 1,
                     "sort_name": guardian_sort_name(name), "phone": f"+44 7700 {n:06}"}
                )  # fmt: skip
                found_by.append(("guardian", guardian_id, set(words_of(name))))
            links.append(
                {**stamp, "id": new_id(), "student_id": student_id, "guardian_id": guardian_id,
                 "emergency_order": order, "version": 1, "has_custody": True,
                 "may_be_contacted": True, "lives_with": True}
            )  # fmt: skip
            found |= set(words_of(name))
        if n % 100:
            enrollments.append(
                {**stamp, "id": new_id(), "student_id": student_id,
                 "class_id": classes[n // CLASS_SIZE], "begins_on": at.date()}
            )  # fmt: skip
        found_by.append(("student", student_id, found))
    return students, guardians, links, enrollments, *_search_rows(school_id, found_by)


def _search_rows(
    school_id: UUID, found_by: list[tuple[str, UUID, set[str]]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(an entry for each person, a row for each word)."""
    entries, rows = [], []
    for kind, entity_id, words in found_by:
        own = {"school_id": school_id, "kind": kind, "entity_id": entity_id}
        entries.append({**own, "words": joined_words(words)})
        rows += [{**own, "word": word} for word in words]
    return entries, rows


def addresses(client: FlaskClient, pages: int, word: str) -> Iterator[tuple[str, list[str]]]:
    """What is measured: (title, addresses asked in turn)."""
    yield "first page, nothing kept", ["/students"]
    yield "first page", ["/students"]
    yield "deep page (by key)", [_deep(client, "/students", pages)]
    yield "by class", ["/students?sort=class"]
    yield "by class, deep", [_deep(client, "/students?sort=class", pages)]
    yield "by number, downwards", ["/students?sort=-number"]
    yield "grade level and gender", ["/students?grade=7&gender=F"]
    yield "search, 1 letter", [f"/students?q={letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
    yield "search, 2 letters", [f"/students?q={text}" for text in ("an", "ma", "xz", "sk", "qu")]
    yield "search, 8 letters", [f"/students?q={word[:8]}"]
    yield "search, two words", ["/students?q=ma+s", "/students?q=an+be", "/students?q=zo+qu"]
    yield "search everything", ["/search?q=a", "/search?q=mar", "/search?q=zo+an"]


def _deep(client: FlaskClient, address: str, pages: int) -> str:
    for _ in range(pages):
        html = client.get(address).get_data(as_text=True)
        address = html.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    return address


def _word() -> str:
    names = db.session.scalars(
        sa.select(Student.family_name).where(sa.func.length(Student.family_name) >= 8).limit(1)
    )
    return words_of(names.one())[0]


def run(app: Flask, *, students: int, rounds: int, plans: bool) -> bool:
    """Seed, measure, print; whether every line keeps the goal."""
    with app.app_context():
        school = testing.make_school()
        user = testing.make_member(school, Role.REGISTRAR)
        began = time.perf_counter()
        seed(app, school.id, students)
        print(f"{students:,} students seeded in {time.perf_counter() - began:.0f} s")
    client = sign_in(app, user, school.id)
    plain = statistics.median(measure(client, ["/students/nowhere"], rounds)[0])
    print(f"a 404 page of the same run: {plain:.1f} ms\n")
    print(f"{'':26}{'p50 ms':>8}{'p95 ms':>8}{'cpu p95':>8}{'queries':>8}{'kB':>6}{'× 404':>7}")
    kept = True
    with app.app_context(), school_scope(school.id):
        word = _word()
    for title, paths in addresses(client, 40, word):
        cold = title.endswith("nothing kept")
        taken, spent, most, largest = measure(client, paths, 2 if cold else rounds)
        if cold:
            print(f"{title:26}{taken[0]:8.1f}{'':8}{spent[0]:8.1f}{most:8}{largest // 1000:6}")
            continue
        p50, p95 = statistics.median(taken), statistics.quantiles(taken, n=20)[18]
        cpu = statistics.quantiles(spent, n=20)[18]
        kept = kept and p95 <= GOAL_MS
        mark = "" if p95 <= GOAL_MS else "  over the goal"
        figures = f"{p50:8.1f}{p95:8.1f}{cpu:8.1f}{most:8}{largest // 1000:6}{p50 / plain:7.1f}"
        print(f"{title:26}{figures}{mark}")
    if plans:
        _show_plans(client, school.id)
    return kept


def _show_plans(client: FlaskClient, school_id: UUID) -> None:
    """What the database does for the statements of some lists."""
    shown: list[tuple[str, Any]] = []
    with client.application.app_context():
        engine = db.engine

    def note(_c: Any, _cur: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if "FROM student" in statement or "FROM search_word" in statement:
            shown.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    for path in ("/students?q=ma+s", "/students?q=zo+qu", "/students?q=an+be"):
        client.get(path)
    event.remove(engine, "before_cursor_execute", note)
    explain = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN ANALYZE"
    with client.application.app_context(), school_scope(school_id):
        for statement, parameters in shown:
            print("\n" + " ".join(statement.split())[-400:])
            cursor = db.session.connection().connection.cursor()
            cursor.execute(f"{explain} {statement}", parameters)
            for row in cursor.fetchall():
                print("   ", row[-1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--students", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--plans", action="store_true")
    options = parser.parse_args()
    with ExitStack() as stack:
        if options.postgres:
            testing.POSTGRES_URL = stack.enter_context(throwaway_postgres()).admin_url
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        app = stack.enter_context(testing.make_app(folder))
        kept = run(app, students=options.students, rounds=options.rounds, plans=options.plans)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
