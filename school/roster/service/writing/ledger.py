"""What each row of an import writes: the student, and through the others what hangs on it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from school.audit.models import ChangeSet
from school.db import as_json
from school.roster.models import RosterImport
from school.roster.service import bulk
from school.roster.service.directory import COMPARED, CUSTOM, Directory, GuardianBook, Known
from school.roster.service.numbers import NumberGiver
from school.roster.service.rows import Staged
from school.roster.service.writing.batch import KEY, STAMPS, Batch
from school.roster.service.writing.classes import ClassWriter
from school.roster.service.writing.fields import FieldWriter
from school.roster.service.writing.guardians import GuardianWriter
from school.roster.service.writing.records import RecordWriter
from school.roster.sheet.mapping import Mapping
from school.search.models import Kind
from school.search.words import words_of_all
from school.students.models import Student, StudentStatus
from school.students.service.words import (
    index_guardians,
    index_students,
    student_sort_name,
)

_STUDENT = (*KEY, *COMPARED, "family_name_first", "sort_name", "status", "custom", *STAMPS)
_FOUND_BY = ("family_name", "given_name", "preferred_name", "admission_number")


class Ledger:
    """Takes the judged rows one by one; `take` sends what they come to."""

    def __init__(
        self,
        session: Session,
        imported: RosterImport,
        change_set: ChangeSet,
        directory: Directory,
        *,
        wait: Callable[[], None],
    ) -> None:
        self._imported = imported
        self.batch = Batch(session, change_set)
        book = GuardianBook(session, is_empty=directory.is_empty)
        self._guardians = GuardianWriter(self.batch, book)
        self._classes = ClassWriter(self.batch, directory.year_id)
        self._fields = FieldWriter(self.batch, directory)
        self._records = RecordWriter(self.batch, imported.id)
        self._numbers = NumberGiver(session, wait)
        self._renamed: set[UUID] = set()

    def admit(self, row: Staged) -> None:
        """A new student."""
        student, student_id = row.student, bulk.new_hex()
        if "admission_number" not in student:
            student["admission_number"] = self._numbers.next()
        own = {key: value for key, value in student.items() if key.startswith(CUSTOM)}
        custom = self._fields.lay_over({}, own)
        self._add_student(student_id, student, custom)
        guardians = self._guardians.tie_all(student_id, row.guardians)
        if "class_name" in student:
            self._classes.enroll(student_id, student["class_name"])
        names = [*map(student.get, _FOUND_BY), *[one["name"] for one in row.guardians]]
        self.batch.index(Kind.STUDENT, student_id, words_of_all(names))
        said = {name: student.get(name) for name in row.verdict.said}
        self._records.add(student_id, self._fields.by_id(said) | {"guardians": guardians})
        facts = {key: value for key, value in student.items() if key not in own}
        if custom:
            facts["custom"] = custom
        self.batch.note("student.admitted", "student", student_id, None, facts)

    def _add_student(self, student_id: str, student: dict[str, Any], custom: Any) -> None:
        batch = self.batch
        sort_name = student_sort_name(student["family_name"], student.get("given_name"))
        status = StudentStatus.ENROLLED.value
        batch.add(
            Student,
            _STUDENT,
            (
                *(batch.school_id, student_id, *map(student.get, COMPARED), False, sort_name),
                *(status, as_json(custom), 1, batch.at, batch.at),
            ),
        )

    def change(self, row: Staged, known: Known) -> None:
        """A student the school has, changed by the file."""
        changes = row.verdict.changes
        plain = {name: pair[1] for name, pair in changes.items() if name in COMPARED}
        was = {name: changes[name][0] for name in plain}
        now = dict(plain)
        own = {name: pair for name, pair in changes.items() if name.startswith(CUSTOM)}
        if own:
            new = {name: pair[1] for name, pair in own.items()}
            plain["custom"] = as_json(self._fields.lay_over(known.custom_ids, new))
        for name, pair in own.items():
            key = f"custom.{self._fields.id_of(name)}"
            was[key], now[key] = pair
        if now:
            self.batch.note("student.edited", "student", known.id, was, now)
            self._rename(known, plain)
            self.batch.update(Student, known.id, plain)
        if "class_name" in changes:
            self._classes.move(known, changes["class_name"][1])
        self._guardians.change(known, row.verdict)
        self.remember(row, known)

    def remember(self, row: Staged, known: Known) -> None:
        """What the file says is the base of the next one."""
        self._records.replace(known.id, self._fields.by_id(row.verdict.said))

    def _rename(self, known: Known, plain: dict[str, Any]) -> None:
        """What follows from another name or number."""
        now = {**known.fields, **plain}
        if {"family_name", "given_name"} & plain.keys():
            plain["sort_name"] = student_sort_name(now["family_name"], now["given_name"])
        if set(_FOUND_BY) & plain.keys():
            self._renamed.add(UUID(known.id))

    def take(self) -> Callable[[], None]:
        """An act that sends what the rows since the last time come to."""
        return partial(_both, self.batch.take(), self._records.take())

    def finish(self) -> None:
        """Send the rest, and write the search words of changed people afresh."""
        self.take()()
        self._name_columns()
        self.batch.flush_words()
        index_guardians(self._guardians.renamed)
        index_students(self._renamed | self._guardians.renamed_students)

    def _name_columns(self) -> None:
        """A column whose field was made now means that field, whatever it is called later."""
        if self._fields.made:
            mapping = Mapping.from_json(self._imported.mapping)
            self._imported.mapping = mapping.renamed(self._fields.made).to_json()

    def counts(self, class_names: set[str]) -> dict[str, Any]:
        """Guardians and classes, as written; `class_names` are those the rows name."""
        return {
            "guardians": {"new": self._guardians.added, "merged": self._guardians.merged},
            "classes": self._classes.counts(class_names),
        }


def _both(send: Callable[[], None], then: Callable[[], None]) -> None:
    send()
    then()
