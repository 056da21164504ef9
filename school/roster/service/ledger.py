"""What an import writes, gathered by table and sent in bulk: students, guardians, links, classes,
enrollments, own fields, words to find them by, the new base, and one audit event for each person.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from school import clock
from school.academics.models import SchoolClass
from school.academics.service import sort_name as class_sort_name
from school.audit.actor import current_actor
from school.audit.models import AuditEvent, ChangeSet
from school.db import Base
from school.enrollment.models import Enrollment
from school.errors import Invalid
from school.roster.models import RosterImport, RosterRecord
from school.roster.service import bulk
from school.roster.service.directory import COMPARED, CUSTOM, Directory, GuardianBook, Known
from school.roster.service.numbers import NumberGiver
from school.roster.service.rows import Staged
from school.roster.service.verdict import GuardianChange, GuardianSaid
from school.search.models import Kind, SearchWord
from school.search.words import words_of
from school.students.models import CustomField, Guardian, Student, StudentGuardian, StudentStatus
from school.students.service.words import (
    guardian_sort_name,
    guardian_words,
    index_guardians,
    index_students,
    name_words,
    student_sort_name,
)

_STUDENT = (
    "school_id",
    "id",
    *COMPARED,
    "family_name_first",
    "sort_name",
    "status",
    "custom",
    "version",
    "created_at",
    "updated_at",
)
_GUARDIAN = (
    "school_id",
    "id",
    "name",
    "sort_name",
    "phone",
    "email",
    "version",
    "created_at",
    "updated_at",
)
_LINK = (
    "school_id",
    "id",
    "student_id",
    "guardian_id",
    "relationship",
    "emergency_order",
    "has_custody",
    "may_be_contacted",
    "lives_with",
    "version",
    "created_at",
    "updated_at",
)
_ENROLLMENT = ("school_id", "id", "student_id", "class_id", "begins_on", "created_at", "updated_at")
_CLASS = (
    "school_id",
    "id",
    "academic_year_id",
    "name",
    "sort_name",
    "is_archived",
    "version",
    "created_at",
    "updated_at",
)
_FIELD = (
    "school_id",
    "id",
    "label",
    "kind",
    "choices",
    "position",
    "is_archived",
    "version",
    "created_at",
    "updated_at",
)
_WORD = ("school_id", "kind", "word", "entity_id")
_RECORD = ("school_id", "student_id", "import_id", "said")
_EVENT = (
    "school_id",
    "id",
    "happened_on",
    "at",
    "action",
    "entity",
    "entity_id",
    "actor_id",
    "actor_name",
    "request_id",
    "change_set_id",
    "about_id",
    "before",
    "after",
)
KEY = ("school_id", "id")
_FOUND_BY = ("family_name", "given_name", "preferred_name", "admission_number")


Rows = dict[type[Base], tuple[tuple[str, ...], list[Any]]]
Updates = defaultdict[tuple[str, tuple[str, ...]], list[Any]]


class Ledger:
    """Rows waiting to be sent. `flush` sends them in an order that foreign keys allow."""

    def __init__(
        self,
        session: Session,
        imported: RosterImport,
        change_set: ChangeSet,
        directory: Directory,
        book: GuardianBook,
        *,
        at: datetime,
        wait: Callable[[], None],
    ) -> None:
        self.session = session
        self.directory = directory
        self.book = book
        self.school_id = imported.school_id.hex
        self.import_id = imported.id.hex
        self.at = bulk.instant(session, at)
        self.today = clock.today().isoformat()
        self.rows: Rows = {}
        self.updates: Updates = defaultdict(list)
        # Whose search words must be written afresh at the end.
        self.renamed_students: set[UUID] = set()
        self.renamed_guardians: set[UUID] = set()
        self.unlinked: list[Any] = []
        self.guardians_changed: dict[str, dict[str, list[Any]]] = {}
        self.new_guardians = self.merged_guardians = 0
        self._event_tail = self._who(change_set)
        self._load_classes()
        self._load_fields()
        self._numbers = NumberGiver(session, wait)

    def _who(self, change_set: ChangeSet) -> tuple[Any, ...]:
        actor = current_actor()
        user = actor.user_id.hex if actor.user_id else None
        return (user, actor.name, actor.request_id, change_set.id.hex)

    def _load_classes(self) -> None:
        rows = self.session.execute(
            sa.select(SchoolClass.name, SchoolClass.id).where(
                SchoolClass.academic_year_id == self.directory.year_id
            )
        )
        self.classes = {name: class_id.hex for name, class_id in rows}
        self.classes_before = set(self.classes)

    def _load_fields(self) -> None:
        self.fields = {
            label: str(field_id)
            for field_id, label in self.session.execute(
                sa.select(CustomField.id, CustomField.label)
            )
        }

    def add(self, table: type[Base], columns: tuple[str, ...], row: tuple[Any, ...]) -> None:
        if table not in self.rows:
            self.rows[table] = (columns, [])
        self.rows[table][1].append(row)

    def admit(self, row: Staged) -> None:
        """A new student."""
        student, student_id = row.student, bulk.new_hex()
        if "admission_number" not in student:
            student["admission_number"] = self._numbers.next()
        custom = self._custom({}, {k: v for k, v in student.items() if k.startswith(CUSTOM)})
        sort_name = student_sort_name(student["family_name"], student.get("given_name"))
        self.add(
            Student,
            _STUDENT,
            (
                self.school_id,
                student_id,
                *[student.get(name) for name in COMPARED],
                False,
                sort_name,
                StudentStatus.ENROLLED.value,
                bulk.as_json(custom),
                1,
                self.at,
                self.at,
            ),
        )
        guardians = self._link_guardians(student_id, row.guardians)
        if "class_name" in student:
            self._enroll(student_id, student["class_name"])
        self._index(
            Kind.STUDENT,
            student_id,
            name_words(
                [student.get(name) for name in _FOUND_BY] + [one["name"] for one in row.guardians]
            ),
        )
        said = {name: student.get(name) for name in row.verdict.said if name != "guardians"}
        self._add_record(student_id, {**said, "guardians": guardians})
        after = {name: value for name, value in student.items() if not name.startswith(CUSTOM)}
        if custom:
            after["custom"] = custom
        self.note("student.admitted", "student", student_id, None, after)

    def _link_guardians(
        self, student_id: str, entries: Iterable[GuardianSaid]
    ) -> list[GuardianSaid]:
        """Tie a new student to the guardians of the row; one named twice is tied once."""
        said: list[GuardianSaid] = []
        linked: set[str] = set()
        for place, entry in enumerate(entries, start=1):
            known = self.book.find(entry["name"], entry["phone"], entry["email"])
            if known in linked:
                self.merged_guardians += 1
                said.append({"id": known, **entry})
                continue
            said.append(self._link_guardian(student_id, entry, place))
            linked.add(said[-1]["id"])
        return said

    def _link_guardian(
        self, student_id: str, entry: GuardianSaid, place: int, *, is_told: bool = False
    ) -> GuardianSaid:
        guardian_id = self.book.find(entry["name"], entry["phone"], entry["email"])
        if guardian_id is None:
            guardian_id = self._add_guardian(entry)
            self.new_guardians += 1
        else:
            self.merged_guardians += 1
        link_id = bulk.new_hex()
        self.add(
            StudentGuardian,
            _LINK,
            (
                self.school_id,
                link_id,
                student_id,
                guardian_id,
                entry["relationship"],
                place,
                True,
                True,
                True,
                1,
                self.at,
                self.at,
            ),
        )
        if is_told:
            self.renamed_students.add(UUID(student_id))
            self.note(
                "student_guardian.linked",
                "student_guardian",
                link_id,
                None,
                {
                    "student_id": dashed(student_id),
                    "guardian_id": dashed(guardian_id),
                    "relationship": entry["relationship"],
                    "emergency_order": place,
                },
                about=student_id,
            )
        return {"id": guardian_id, **entry}

    def _add_guardian(self, entry: GuardianSaid) -> str:
        guardian_id = bulk.new_hex()
        name, phone, email = entry["name"], entry["phone"], entry["email"]
        self.add(
            Guardian,
            _GUARDIAN,
            (
                self.school_id,
                guardian_id,
                name,
                guardian_sort_name(name),
                phone,
                email,
                1,
                self.at,
                self.at,
            ),
        )
        self.book.add(guardian_id, name, phone, email)
        self._index(Kind.GUARDIAN, guardian_id, guardian_words(name, phone, email))
        self.note(
            "guardian.added",
            "guardian",
            guardian_id,
            None,
            {"name": name, "phone": phone, "email": email},
        )
        return guardian_id

    def _enroll(self, student_id: str, class_name: str) -> dict[str, Any]:
        """Into the class, from today on. Returns the facts of the enrollment, with its id."""
        enrollment_id, class_id = bulk.new_hex(), self.class_id(class_name)
        self.add(
            Enrollment,
            _ENROLLMENT,
            (
                self.school_id,
                enrollment_id,
                student_id,
                class_id,
                self.today,
                self.at,
                self.at,
            ),
        )
        return {"id": enrollment_id, "class_id": dashed(class_id), "begins_on": self.today}

    def class_id(self, name: str) -> str:
        """The class of this year with this name; made if there is none."""
        found = self.classes.get(name)
        if found is None:
            if self.directory.year_id is None:
                raise Invalid("There is no current academic year to put classes in. Add one first.")
            found = self.classes[name] = bulk.new_hex()
            self.add(
                SchoolClass,
                _CLASS,
                (
                    self.school_id,
                    found,
                    self.directory.year_id.hex,
                    name,
                    class_sort_name(name),
                    False,
                    1,
                    self.at,
                    self.at,
                ),
            )
            self._index(Kind.CLASS, found, words_of(name))
            # Not of the change set: a class goes with the import only if nobody else is in it.
            self.note(
                "school_class.created",
                "school_class",
                found,
                None,
                {"name": name},
                in_change_set=False,
            )
        return found

    def _custom(self, now: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        """The own fields with these values laid over them; a field is made when first needed."""
        custom = dict(now)
        for key, value in new.items():
            label = key.removeprefix(CUSTOM)
            if label not in self.fields:
                self._add_field(label)
            custom[self.fields[label]] = value
            if value is None:
                del custom[self.fields[label]]
        return custom

    def _add_field(self, label: str) -> None:
        field_id = bulk.new_hex()
        position = len(self.fields)
        self.fields[label] = dashed(field_id)
        self.directory.labels[dashed(field_id)] = label
        self.add(
            CustomField,
            _FIELD,
            (
                self.school_id,
                field_id,
                label,
                "text",
                "[]",
                position,
                False,
                1,
                self.at,
                self.at,
            ),
        )
        self.note(
            "custom_field.added",
            "custom_field",
            field_id,
            None,
            {"label": label},
            in_change_set=False,
        )

    def _index(self, kind: Kind, entity_id: str, words: Iterable[str]) -> None:
        school_id, name = self.school_id, kind.value
        rows = self.rows.setdefault(SearchWord, (_WORD, []))[1]
        rows.extend([(school_id, name, word, entity_id) for word in words])

    def note(
        self,
        action: str,
        entity: str,
        entity_id: str,
        before: dict[str, Any] | None,
        after: dict[str, Any] | None,
        *,
        about: str | None = None,
        in_change_set: bool = True,
    ) -> None:
        """One audit event. `about` is the student on whose page it is told too."""
        self.add(
            AuditEvent,
            _EVENT,
            (
                self.school_id,
                bulk.new_hex(),
                self.today,
                self.at,
                action,
                entity,
                entity_id,
                *self._event_tail[:3],
                self._event_tail[3] if in_change_set else None,
                about,
                None if before is None else bulk.as_json(before),
                None if after is None else bulk.as_json(after),
            ),
        )

    def _add_record(self, student_id: str, said: dict[str, Any]) -> None:
        self.add(
            RosterRecord,
            _RECORD,
            (
                self.school_id,
                student_id,
                self.import_id,
                bulk.as_json(said),
            ),
        )

    def remember(self, student_id: str, said: dict[str, Any]) -> None:
        """A new base for a student the school had already."""
        self.updates["record", ("said",)].append((student_id, bulk.as_json(said)))

    def change(self, row: Staged, known: Known) -> None:
        """A student the school has, changed by the file."""
        changes = row.verdict.changes
        plain = {name: pair[1] for name, pair in changes.items() if name in COMPARED}
        was = {name: changes[name][0] for name in plain}
        now = dict(plain)
        own = {name: pair for name, pair in changes.items() if name.startswith(CUSTOM)}
        if own:
            custom = self._custom(known.custom_ids, {name: pair[1] for name, pair in own.items()})
            plain["custom"] = bulk.as_json(custom)
            for name, pair in own.items():
                key = f"custom.{self.fields[name.removeprefix(CUSTOM)]}"
                was[key], now[key] = pair
        if now:
            self.note("student.edited", "student", known.id, was, now)
            self._rename(known, plain)
            self._update("student", known.id, plain)
        if "class_name" in changes:
            self._move(known, changes["class_name"][1])
        self._change_guardians(row, known)
        self.remember(known.id, row.verdict.said)

    def _rename(self, known: Known, plain: dict[str, Any]) -> None:
        """What follows from another name or number."""
        now = {**known.fields, **plain}
        if {"family_name", "given_name"} & plain.keys():
            plain["sort_name"] = student_sort_name(now["family_name"], now["given_name"])
        if {"family_name", "given_name", "preferred_name", "admission_number"} & plain.keys():
            self.renamed_students.add(UUID(known.id))

    def _update(self, kind: str, entity_id: str, values: dict[str, Any]) -> None:
        columns = (*values, "updated_at")
        self.updates[kind, columns].append((*values.values(), self.at, self.school_id, entity_id))

    def _move(self, known: Known, class_name: str | None) -> None:
        """The old enrollment ended yesterday, a new one begins."""
        if known.enrollment_id:
            yesterday = clock.today() - timedelta(days=1)
            ends_on = max(yesterday, known.placed_on or yesterday).isoformat()
            self._update("enrollment", known.enrollment_id, {"ends_on": ends_on})
            self.note(
                "enrollment.closed",
                "enrollment",
                known.enrollment_id,
                {"ends_on": None},
                {"ends_on": ends_on},
                about=known.id,
            )
        if class_name:
            opened = self._enroll(known.id, class_name)
            enrollment_id = opened.pop("id")
            self.note(
                "enrollment.opened",
                "enrollment",
                enrollment_id,
                None,
                {"student_id": dashed(known.id), **opened},
                about=known.id,
            )

    def _change_guardians(self, row: Staged, known: Known) -> None:
        for change in row.verdict.guardian_changes:
            self._change_guardian(change, about=known.id)
        said = row.verdict.said.get("guardians", [])
        linked = {one.id for one in known.guardians}
        order = max((one.order for one in known.guardians), default=0)
        for place, entry in row.verdict.guardians_added:
            guardian_id = self.book.find(entry["name"], entry["phone"], entry["email"])
            if guardian_id in linked:
                self.merged_guardians += 1
                said[place - 1] = {"id": guardian_id, **entry}
                continue
            order += 1
            said[place - 1] = self._link_guardian(known.id, entry, order, is_told=True)
            linked.add(said[place - 1]["id"])
        for gone in row.verdict.guardians_gone:
            self.unlinked.append((self.school_id, gone.link_id))
            self.renamed_students.add(UUID(known.id))
            self.note(
                "student_guardian.unlinked",
                "student_guardian",
                gone.link_id,
                gone.facts(known.id),
                None,
                about=known.id,
            )

    def _change_guardian(self, change: GuardianChange, *, about: str) -> None:
        guardian = change.known
        if change.relationship:
            was, now = change.relationship
            self._update("link", guardian.link_id, {"relationship": now})
            self.note(
                "student_guardian.edited",
                "student_guardian",
                guardian.link_id,
                {"relationship": was},
                {"relationship": now},
                about=about,
            )
        new = {
            name: pair
            for name, pair in change.fields.items()
            if self.guardians_changed.get(guardian.id, {}).get(name) != pair
        }
        if not new:
            return  # a brother's or sister's row said so already
        self.guardians_changed.setdefault(guardian.id, {}).update(new)
        values = {name: pair[1] for name, pair in new.items()}
        if "name" in values:
            values["sort_name"] = guardian_sort_name(values["name"])
        self.renamed_guardians.add(UUID(guardian.id))
        self._update("guardian", guardian.id, values)
        self.note(
            "guardian.edited",
            "guardian",
            guardian.id,
            {name: pair[0] for name, pair in new.items()},
            {name: pair[1] for name, pair in new.items()},
        )

    def flush(self) -> None:
        """Send everything gathered since the last time."""
        self.take()()

    def take(self) -> Callable[[], None]:
        """What was gathered since the last time, as an act that sends it; gathering begins anew."""
        unlinked, updates, rows = self.unlinked, self.updates, self.rows
        self.unlinked, self.updates, self.rows = [], defaultdict(list), {}
        return partial(self._send, unlinked, updates, rows)

    def _send(self, unlinked: list[Any], updates: Updates, rows: Rows) -> None:
        bulk.delete(self.session, StudentGuardian, keys=KEY, rows=unlinked)
        self._send_updates(updates)
        for table in _ORDER:
            columns, values = rows.pop(table, ((), []))
            if table is SearchWord:
                values.sort()  # in the order of the index: neighbours land on the same page
            bulk.insert(self.session, table, columns, values)

    def index_renamed(self) -> None:
        """Write the search words of changed people afresh, once all rows are sent."""
        if self.renamed_guardians:
            index_guardians(self.renamed_guardians)
        if self.renamed_students:
            index_students(self.renamed_students)

    def _send_updates(self, updates: Updates) -> None:
        for (kind, columns), rows in updates.items():
            if kind == "record":
                self._send_records(rows)
            else:
                bulk.update(self.session, _TABLES[kind], keys=KEY, columns=columns, rows=rows)

    def _send_records(self, rows: list[tuple[str, str]]) -> None:
        """The new base, with the old one put aside for undoing."""
        record = RosterRecord
        ids = [UUID(student_id) for student_id, _ in rows]
        found = self.session.execute(
            sa.select(RosterRecord.student_id, RosterRecord.import_id, RosterRecord.said).where(
                RosterRecord.student_id.in_(ids)
            )
        )
        old = {student_id.hex: (import_id.hex, said) for student_id, import_id, said in found}
        bulk.update(
            self.session,
            record,
            keys=("school_id", "student_id"),
            columns=("import_id", "said", "previous_import_id", "previous"),
            rows=[
                (
                    self.import_id,
                    said,
                    old[student_id][0],
                    bulk.as_json(old[student_id][1]),
                    self.school_id,
                    student_id,
                )
                for student_id, said in rows
                if student_id in old
            ],
        )
        bulk.insert(
            self.session,
            record,
            _RECORD,
            [
                (self.school_id, student_id, self.import_id, said)
                for student_id, said in rows
                if student_id not in old
            ],
        )

    def counts(self, class_names: set[str]) -> dict[str, Any]:
        """Guardians and classes, as written; `class_names` are those the rows name."""
        existing = len(class_names & self.classes_before)
        return {
            "guardians": {"new": self.new_guardians, "merged": self.merged_guardians},
            "classes": {"new": len(self.classes) - len(self.classes_before), "existing": existing},
        }


_ORDER: tuple[type[Base], ...] = (
    CustomField,
    SchoolClass,
    Student,
    Guardian,
    StudentGuardian,
    Enrollment,
    SearchWord,
    RosterRecord,
    AuditEvent,
)
_TABLES: dict[str, type[Base]] = {
    "student": Student,
    "guardian": Guardian,
    "link": StudentGuardian,
    "enrollment": Enrollment,
}


def dashed(hexadecimal: str) -> str:
    """An id as JSON holds it."""
    return str(UUID(hexadecimal))
