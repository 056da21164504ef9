"""How fast rosters are imported: staged, matched, committed and audited, with search words.

    python benchmarks/roster_import.py [--rows 6344 100000] [--database URL]

For each size it prints rows/s end to end and the peak memory of the process, and in the same run
two named alternatives: reading the same rows with openpyxl (reading only) and inserting the same
students and guardians one by one through the ORM (inserting only: no reading, matching, audit or
search words). SQLite in a temporary folder unless `--database` names an empty PostgreSQL database
that may be written to.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

# ruff: noqa: E402 - run as a script, it must find the house first
import openpyxl
import sqlalchemy as sa
import xlsxwriter

from benchmarks.make_roster import write_roster
from benchmarks.settings import settings_for
from school.academics.models import AcademicYear
from school.app import create_app
from school.db import Base, db, transaction
from school.roster.service.committing import commit
from school.roster.service.staging import stage
from school.roster.service.uploads import new_import
from school.roster.sheet.rows import read_roster
from school.students.models import Gender, Guardian, Student, StudentGuardian
from school.tenancy import row_security
from school.tenancy.models import School
from school.tenancy.scope import school_scope

DISTRICT = ROOT / "tests" / "data" / "rosters" / "district-6344.csv"


def peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def make_school() -> School:
    school_id = uuid.uuid4()
    with school_scope(school_id), transaction() as session:
        school = School(id=school_id, name="Bench", slug=f"bench-{school_id.hex[:8]}")
        session.add(school)
        session.flush()
        session.add_all(Gender(code=code, label=code) for code in "FMX")
        session.add(AcademicYear(
            name="2026–27", begins_on=date(2026, 9, 1), ends_on=date(2027, 7, 31), is_current=True,
        ))
    return school


def ours(path: Path) -> None:
    with school_scope(make_school().id):
        with transaction():
            imported = new_import(path.name, size_bytes=path.stat().st_size, sha256="")
        imported = stage(imported.id, path)
        assert imported.refusal is None, imported.refusal
        with transaction():
            commit(imported.id)


def row_by_row(path: Path) -> None:
    """The same people, one ORM insert after another."""
    rows = list(read_roster(path, filename=path.name))
    with school_scope(make_school().id), transaction() as session:
        for row in rows:
            if row.is_blocked:
                continue
            values = row.values
            student = Student(
                admission_number=values.admission_number, family_name=values.family_name,
                given_name=values.given_name, birth_date=values.birth_date,
                sort_name=values.family_name or "", town=values.town, address=values.address,
            )
            session.add(student)
            session.flush()
            for order, one in enumerate(row.guardians, start=1):
                guardian = Guardian(
                    name=one.name, phone=one.phone, email=one.email, sort_name=one.name
                )
                session.add(guardian)
                session.flush()
                session.add(StudentGuardian(
                    student_id=student.id, guardian_id=guardian.id, emergency_order=order
                ))
                session.flush()


def with_openpyxl(path: Path) -> None:
    """Read the same rows from a workbook; nothing else."""
    book = openpyxl.load_workbook(path, read_only=True)
    for _row in book.active.iter_rows(values_only=True):
        pass


def as_workbook(path: Path, target: Path) -> Path:
    book = xlsxwriter.Workbook(str(target), {"constant_memory": True})
    sheet = book.add_worksheet()
    for number, row in enumerate(read_roster(path, filename=path.name)):
        for index, text in row.raw.items():
            sheet.write_string(number, index, text)
    book.close()
    return target


def seconds(act: Callable[[Path], None], path: Path) -> tuple[float, float]:
    """(by the clock, of this process's own processor time): they differ on a busy machine."""
    began, cpu = time.perf_counter(), time.process_time()
    act(path)
    return time.perf_counter() - began, time.process_time() - cpu


def one_size(rows: int, url: str) -> None:
    """In a process of its own, so that the peak memory is this size's."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        path = DISTRICT
        if rows != 6344:
            path = folder / "roster.csv"
            write_roster(path, rows=rows)
        app = create_app(
        settings_for(
            folder,
            url,
            testing=True,
            public_url="http://localhost",
            db_statement_timeout_ms=600_000,
        )
    )
        with app.app_context():
            if not sa.inspect(db.engine).has_table("school"):
                with db.engine.begin() as connection:
                    Base.metadata.create_all(connection)
                    row_security.secure(connection, Base.metadata)
            taken, cpu = seconds(ours, path)
            memory = peak_mib()
            name = db.engine.dialect.name
            print(f"{name} {rows:>7,} rows  import   {rows / taken:>8,.0f} rows/s  "
                  f"{taken:6.2f} s  (processor {cpu:.2f} s)  peak {memory} MiB", flush=True)
            if rows <= 20_000:
                other, _ = seconds(row_by_row, path)
                print(f"{name} {rows:>7,} rows  ORM      {rows / other:>8,.0f} rows/s  "
                      f"{other:6.2f} s  (inserting only) → ours ×{other / taken:.1f}", flush=True)
            book = as_workbook(path, folder / "roster.xlsx")
            reading, _ = seconds(with_openpyxl, book)
            print(f"{name} {rows:>7,} rows  openpyxl {rows / reading:>8,.0f} rows/s  "
                  f"{reading:6.2f} s  (reading only) → our whole import takes "
                  f"×{taken / reading:.1f} of that", flush=True)
            db.engine.dispose()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[6344, 100_000])
    parser.add_argument("--database", default="")
    chosen = parser.parse_args()
    if len(chosen.rows) == 1:
        one_size(chosen.rows[0], chosen.database)
    else:
        for size in chosen.rows:
            subprocess.run(
                [sys.executable, __file__, "--rows", str(size), "--database", chosen.database],
                check=True,
            )
