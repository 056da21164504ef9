"""A database as an older and simpler school program left it: integer ids, moments as text, booleans
as 0 and 1, money as floats, JSON as text, a table that refers to itself, reserved names, a view.

The same sizes give the same content.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import random
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

Rows = Iterable[tuple[Any, ...]]

SCHEMA = """
CREATE TABLE user (id INTEGER NOT NULL PRIMARY KEY, username VARCHAR(80) NOT NULL UNIQUE, email VARCHAR(120),
  password_hash VARCHAR(255), role VARCHAR(20) NOT NULL DEFAULT 'student', is_active BOOLEAN NOT NULL DEFAULT 1,
  created_at DATETIME, last_login DATETIME, preferences JSON);
CREATE TABLE department (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(80) NOT NULL, parent_id INTEGER REFERENCES department (id));
CREATE TABLE teacher (id INTEGER NOT NULL PRIMARY KEY, user_id INTEGER NOT NULL UNIQUE REFERENCES user (id),
  first_name VARCHAR(60), last_name VARCHAR(60) NOT NULL, department_id INTEGER REFERENCES department (id),
  mentor_id INTEGER REFERENCES teacher (id), salary FLOAT, hired_on DATE, is_active BOOLEAN);
CREATE TABLE school_class (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(20) NOT NULL, year INTEGER,
  teacher_id INTEGER REFERENCES teacher (id), UNIQUE (name, year));
CREATE TABLE subject (id INTEGER NOT NULL PRIMARY KEY, code VARCHAR(10) UNIQUE, title VARCHAR(100), credits FLOAT);
CREATE TABLE class_subject (class_id INTEGER NOT NULL REFERENCES school_class (id),
  subject_id INTEGER NOT NULL REFERENCES subject (id), teacher_id INTEGER REFERENCES teacher (id), hours INTEGER,
  PRIMARY KEY (class_id, subject_id));
CREATE TABLE student (id INTEGER NOT NULL PRIMARY KEY, user_id INTEGER UNIQUE REFERENCES user (id),
  admission_no VARCHAR(12) NOT NULL UNIQUE, first_name VARCHAR(60), last_name VARCHAR(60) NOT NULL, date_of_birth DATE,
  gender VARCHAR(1), class_id INTEGER REFERENCES school_class (id), fee_balance FLOAT DEFAULT 0,
  is_boarder BOOLEAN DEFAULT 0, medical JSON, enrolled_at DATETIME);
CREATE TABLE attendance (id INTEGER NOT NULL PRIMARY KEY, student_id INTEGER NOT NULL REFERENCES student (id),
  class_id INTEGER REFERENCES school_class (id), date DATE NOT NULL, present BOOLEAN NOT NULL, minutes_late INTEGER,
  UNIQUE (student_id, date));
CREATE TABLE grade (id INTEGER PRIMARY KEY AUTOINCREMENT, student_id INTEGER NOT NULL REFERENCES student (id),
  subject_id INTEGER NOT NULL REFERENCES subject (id), term VARCHAR(10), score FLOAT, comment TEXT, graded_at DATETIME);
CREATE TABLE uploaded_file (id INTEGER NOT NULL PRIMARY KEY, owner_id INTEGER REFERENCES user (id), name VARCHAR(255),
  mime VARCHAR(80), size INTEGER, content BLOB, uploaded_at DATETIME);
CREATE TABLE "order" (id INTEGER NOT NULL PRIMARY KEY, student_id INTEGER REFERENCES student (id), "group" VARCHAR(20),
  "desc" TEXT, amount FLOAT, paid BOOLEAN, created_at DATETIME);
CREATE TABLE audit_log (id INTEGER NOT NULL PRIMARY KEY, user_id INTEGER REFERENCES user (id), action VARCHAR(30),
  "table" VARCHAR(30), row_id INTEGER, details JSON, at DATETIME);
CREATE TABLE event (id INTEGER NOT NULL PRIMARY KEY, title VARCHAR(100), starts_at DATETIME, all_day BOOLEAN);
CREATE TABLE timetable_slot (class_id INTEGER NOT NULL, weekday INTEGER NOT NULL, period INTEGER NOT NULL, room VARCHAR(10),
  PRIMARY KEY (class_id, weekday, period));
CREATE INDEX ix_attendance_date ON attendance (date);
CREATE INDEX ix_grade_student ON grade (student_id, term);
CREATE VIEW class_size AS SELECT class_id, count(*) AS students FROM student GROUP BY class_id;
"""
SIZES = {
    "tiny": {"students": 60, "teachers": 8, "attendance": 900, "grades": 500, "audit": 200,
             "orders": 50, "files": 5},
    "million": {"students": 6344, "teachers": 424, "attendance": 1_000_000, "grades": 510_269,
                "audit": 300_000, "orders": 70_000, "files": 1200},
}  # fmt: skip
DIRT = {
    "grade_of_missing_student": "UPDATE grade SET student_id = 9000000 + id WHERE id <= 5",
    "empty_text_as_date": "UPDATE student SET date_of_birth = '' WHERE id <= 5",
    "zero_date": "UPDATE teacher SET hired_on = '0000-00-00' WHERE id <= 5",
    "word_as_number": "UPDATE attendance SET minutes_late = 'ten' WHERE id <= 5",
    "longer_than_column": """UPDATE "order" SET "group" = 'far beyond twenty characters' WHERE id <= 5""",
    "word_as_boolean": "UPDATE user SET is_active = 'maybe' WHERE id <= 5",
}
"""What SQLite lets through and PostgreSQL does not, five rows of each."""

FIRST = [
    "Amara",
    "Björk",
    "Chloé",
    "Dmitri",
    "Élodie",
    "Fatima",
    "George",
    "Hồng",
    "Işıl",
    "Jürgen",
    "Kofi",
    "Łukasz",
    "María",
    "Niamh",
    "Olu",
    "Priya",
    "Quentin",
    "Ravi",
    "Siobhán",
    "Tomás",
    "Uma",
    "Violet",
    "Wei",
    "Xochitl",
    "Yara",
    "Zoë",
    "小明",
    "Νίκος",
    "Ольга",
    "محمد",
]
LAST = [
    "Adeyemi",
    "Byrne",
    "Çelik",
    "Díaz",
    "Evans",
    "Fernández",
    "García",
    "Hughes",
    "Ivanova",
    "Jones",
    "Kowalczyk",
    "Lê",
    "Müller",
    "Nguyễn",
    "O'Brien",
    "Peña",
    "Quinn",
    "Řezník",
    "Smith",
    "Þórsdóttir",
    "Underwood",
    "Vogel",
    "Weiß",
    "Xu",
    "Young",
    "Zieliński",
    "王",
    "Παππά",
]
WORDS = [
    "good",
    "steady",
    "late",
    "improving",
    "excellent",
    "–",
    "über",
    "100%",
    "“nice”",
    "naïve",
    "优",
    "tidy\nsecond",
    "line",
]


def make_old_school(path: Path, preset: str = "tiny", *, dirty: bool = False, **sizes: int) -> Path:
    """Write the file anew; `sizes` stand in for those of the preset."""
    path.unlink(missing_ok=True)
    file = sqlite3.connect(path)
    file.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + SCHEMA)
    _Filler(file, {**SIZES[preset], **sizes}).fill()
    # Leaves a gap before the last id.
    file.execute("DELETE FROM grade WHERE id = (SELECT max(id) FROM grade)")
    file.execute(
        "INSERT INTO grade (student_id, subject_id, term, score) VALUES (1, 1, '2024-T1', 100)"
    )
    for statement in DIRT.values() if dirty else ():
        file.execute(statement)
    file.commit()
    file.close()
    return path


class _Filler:
    def __init__(self, file: sqlite3.Connection, sizes: dict[str, int]) -> None:
        self.file = file
        self.sizes = sizes
        self.random = random.Random("school")
        self.people = sizes["students"] + sizes["teachers"] + 8
        self.classes = max(3, sizes["students"] // 26)

    def fill(self) -> None:
        tables = (
            "user", "department", "teacher", "school_class", "subject", "class_subject", "student",
            "attendance", "grade", "uploaded_file", "order", "audit_log",
        )  # fmt: skip
        for table in tables:
            rows: Rows = getattr(self, f"_{table}")()
            width = len(self.file.execute(f'PRAGMA table_info("{table}")').fetchall())
            places = ", ".join("?" * width)
            self.file.executemany(f'INSERT INTO "{table}" VALUES ({places})', rows)

    def _moment(self, year: int) -> str:
        pick = self.random.randint
        return (
            f"{year}-{pick(1, 12):02d}-{pick(1, 28):02d} {pick(7, 18):02d}:{pick(0, 59):02d}:"
            f"{pick(0, 59):02d}.{pick(0, 999999):06d}"
        )

    def _money(self, most: int) -> float:
        """With the noise that additions leave in a float."""
        return self.random.randint(0, most) / 10 + self.random.randint(0, 9) / 100

    def _user(self) -> Rows:
        pick, teachers = self.random.choice, self.sizes["teachers"]
        for i in range(1, self.people + 1):
            role = "admin" if i <= 8 else "teacher" if i <= 8 + teachers else "student"
            likes = {"lang": pick(("en", "fr")), "theme": {"dark": i % 2 == 0}, "name": pick(FIRST)}
            yield (
                i, f"{role}{i}", f"u{i}@example.org" if i % 9 else None,
                "pbkdf2:" + hashlib.sha256(str(i).encode()).hexdigest(), role, int(i % 50 != 0),
                self._moment(2021), self._moment(2024) if i % 3 else None,
                json.dumps(likes, ensure_ascii=i % 2 == 0),
            )  # fmt: skip

    def _department(self) -> Rows:
        return ((i, f"Department {i}", None if i == 1 else i // 2) for i in range(1, 16))

    def _teacher(self) -> Rows:
        """Some name a colleague further down: the order of rows matters."""
        last = self.sizes["teachers"]
        for i in range(1, last + 1):
            mentor = self.random.randint(i + 1, last) if i < last and i % 4 == 0 else None
            yield (
                i, 8 + i, self.random.choice(FIRST), self.random.choice(LAST),
                self.random.randint(1, 15), mentor, self._money(90000),
                f"{self.random.randint(1995, 2024)}-09-01", int(i % 40 != 0),
            )  # fmt: skip

    def _school_class(self) -> Rows:
        for i in range(1, self.classes + 1):
            letter = "ABCDEFGHJKLMNPQRSTUV"[i // 12 % 20]
            yield i, f"{1 + i % 12}{letter}", 2024 + i // 240, 1 + i % self.sizes["teachers"]

    def _subject(self) -> Rows:
        pick = self.random.choice
        return (
            (i, f"SUB{i:03d}", f"Subject {i} – {pick(WORDS)}", pick((1.0, 1.5)))
            for i in range(1, 61)
        )

    def _class_subject(self) -> Rows:
        pick, teachers = self.random.randint, self.sizes["teachers"]
        for school_class in range(1, self.classes + 1):
            for subject in sorted(self.random.sample(range(1, 61), 10)):
                yield school_class, subject, pick(1, teachers), pick(1, 6)

    def _student(self) -> Rows:
        pick, teachers = self.random.randint, self.sizes["teachers"]
        for i in range(1, self.sizes["students"] + 1):
            yield (
                i, 8 + teachers + i, f"{7300 + i:06d}",
                self.random.choice(FIRST) if i % 97 else None, self.random.choice(LAST),
                f"{pick(2006, 2018)}-{pick(1, 12):02d}-{pick(1, 28):02d}", "FMX"[i % 3],
                1 + i % self.classes, self._money(20000), int(i % 6 == 0),
                self.random.choice((None, "{}", '{"allergies": ["nuts", "Äpfel"], "asthma": true}')),
                self._moment(2022),
            )  # fmt: skip

    def _attendance(self) -> Rows:
        days, day, students = _school_days(), "", self.sizes["students"]
        for i in range(self.sizes["attendance"]):
            student = i % students
            if student == 0:
                day = next(days)
            here = self.random.random() < 0.93
            late = self.random.randint(1, 40) if here and self.random.random() < 0.05 else None
            yield i + 1, student + 1, 1 + (student + 1) % self.classes, day, int(here), late

    def _grade(self) -> Rows:
        pick, chance = self.random.randint, self.random.random
        for i in range(1, self.sizes["grades"] + 1):
            yield (
                i, pick(1, self.sizes["students"]), pick(1, 60), f"202{pick(2, 4)}-T{pick(1, 2)}",
                None if chance() < 0.05 else pick(0, 1000) / 10,
                self.random.choice(WORDS) if chance() < 0.1 else None, self._moment(2023),
            )  # fmt: skip

    def _uploaded_file(self) -> Rows:
        for i in range(1, self.sizes["files"] + 1):
            size = 64 + i % 900
            yield (
                i, self.random.randint(1, self.people), f"rapport_{i}_é.pdf", "application/pdf",
                size, self.random.randbytes(size), self._moment(2024),
            )  # fmt: skip

    def _order(self) -> Rows:
        pick = self.random.choice
        for i in range(1, self.sizes["orders"] + 1):
            yield (
                i, self.random.randint(1, self.sizes["students"]), pick(("lunch", "books", "trip")),
                pick(WORDS), self._money(900), int(self.random.random() < 0.8), self._moment(2024),
            )  # fmt: skip

    def _audit_log(self) -> Rows:
        pick = self.random.choice
        for i in range(1, self.sizes["audit"] + 1):
            yield (
                i, self.random.randint(1, self.people) if i % 11 else None,
                pick(("insert", "update", "login")), pick(("student", "grade")),
                self.random.randint(1, 500_000),
                f'{{"ip": "192.0.2.{i % 250}", "ok": {("true", "false")[i % 7 == 0]}}}',
                self._moment(2024),
            )  # fmt: skip


def _school_days() -> Iterator[str]:
    day = dt.date(2022, 9, 1)
    while True:
        if day.weekday() < 5 and day.month not in {7, 8}:
            yield day.isoformat()
        day += dt.timedelta(1)
