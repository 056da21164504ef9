"""Whom the school has already: looked up chunk by chunk, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from school.academics.models import AcademicYear, SchoolClass
from school.enrollment.models import Enrollment
from school.roster.models import RosterRecord
from school.roster.sheet.own import OwnField, OwnFields
from school.search.words import fold
from school.students.models import (
    CustomField,
    Guardian,
    Student,
    StudentGuardian,
    StudentStatus,
)

CUSTOM = "custom:"
_FLAGS = ("has_custody", "may_be_contacted", "lives_with")
COMPARED = (
    "admission_number",
    "family_name",
    "given_name",
    "preferred_name",
    "birth_date",
    "gender_code",
    "grade_level",
    "address",
    "town",
    "postcode",
    "email",
    "phone",
    "medical_note",
)


@dataclass(slots=True)
class KnownGuardian:
    """A guardian of a student, as the school has them now. Ids are hex."""

    id: str
    link_id: str
    name: str
    relationship: str | None
    phone: str | None
    email: str | None
    order: int
    flags: dict[str, bool] = field(default_factory=dict)

    def facts(self, student_id: str) -> dict[str, Any]:
        """The link, as the audit keeps it."""
        return {
            "student_id": str(UUID(student_id)),
            "guardian_id": str(UUID(self.id)),
            "relationship": self.relationship,
            "emergency_order": self.order,
            **self.flags,
        }


@dataclass(slots=True)
class Known:
    """A student as the school has them now, and what the last import said about them."""

    id: str
    fields: dict[str, Any]
    custom_ids: dict[str, Any]
    said: dict[str, Any] | None
    enrollment_id: str | None = None
    placed_on: date | None = None
    is_archived: bool = False
    guardians: list[KnownGuardian] = field(default_factory=list)


class Namesake(NamedTuple):
    """Somebody of a name, as far as it takes to tell them from others."""

    id: UUID
    number: str
    born: str | None


class Directory:
    """Looks students up by number, by id, or by name."""

    def __init__(self, session: Session, school_id: UUID) -> None:
        self.session = session
        self.school_id = school_id
        self.year_id = session.scalar(
            sa.select(AcademicYear.id).where(AcademicYear.is_current.is_(True))
        )
        self.own = own_fields(session)
        self.own_ids = {field.id for field in self.own}
        self._spelled: dict[str, str] = {}
        self.is_empty = session.scalar(sa.select(Student.id).limit(1)) is None

    def class_names(self) -> set[str]:
        """Of the current academic year."""
        return set(
            self.session.scalars(
                sa.select(SchoolClass.name).where(SchoolClass.academic_year_id == self.year_id)
            )
        )

    def spell_class(self, name: str) -> str:
        """As the school writes it, or the file wrote it first: "7a", "7 A" and "7A" are one."""
        if not self._spelled:
            self._spelled = {_class_key(known): known for known in sorted(self.class_names())}
            self._spelled |= {known: known for known in self._spelled.values()}
        if name in self._spelled:
            return self._spelled[name]
        spelled = self._spelled.setdefault(_class_key(name), name)
        self._spelled[name] = spelled
        return spelled

    def by_number(self, numbers: Iterable[str | None]) -> dict[str, Known]:
        """{admission number: student} for those the school has."""
        wanted = {number for number in numbers if number}
        if self.is_empty or not wanted:
            return {}
        found = self._load(Student.admission_number.in_(wanted))
        return {known.fields["admission_number"]: known for known in found}

    def by_id(self, ids: Iterable[UUID]) -> dict[str, Known]:
        """{id: student}."""
        wanted = set(ids)
        if self.is_empty or not wanted:
            return {}
        return {known.id: known for known in self._load(Student.id.in_(wanted))}

    def namesakes(self, sort_names: Iterable[str]) -> dict[str, list[Namesake]]:
        """{sort name: the school's students of that name}."""
        wanted = set(sort_names)
        if self.is_empty or not wanted:
            return {}
        rows = self.session.execute(
            sa.select(
                Student.sort_name, Student.id, Student.admission_number, Student.birth_date
            ).where(Student.sort_name.in_(wanted))
        )
        found: dict[str, list[Namesake]] = {}
        for name, student_id, number, born in rows:
            one = Namesake(student_id, number, born.isoformat() if born else None)
            found.setdefault(name, []).append(one)
        return found

    def _load(self, which: sa.ColumnElement[bool]) -> list[Known]:
        columns = [getattr(Student, name) for name in COMPARED]
        rows = self.session.execute(
            sa.select(
                Student.id,
                Student.custom,
                Student.status,
                RosterRecord.said,
                Enrollment.id,
                Enrollment.begins_on,
                SchoolClass.name,
                SchoolClass.academic_year_id,
                *columns,
            )
            .outerjoin(RosterRecord, RosterRecord.student_id == Student.id)
            .outerjoin(
                Enrollment,
                sa.and_(Enrollment.student_id == Student.id, Enrollment.ends_on.is_(None)),
            )
            .outerjoin(SchoolClass, SchoolClass.id == Enrollment.class_id)
            .where(which)
        )
        found = {}
        for row in rows:
            student_id, custom, status, said, open_id, placed_on, class_name, year_id, *values = row
            found[student_id] = self._known(
                student_id, dict(zip(COMPARED, values, strict=True)), custom, said
            )
            found[student_id].is_archived = status == StudentStatus.ARCHIVED
            if open_id:
                found[student_id].enrollment_id = open_id.hex
                found[student_id].placed_on = placed_on
            self._set_class(found[student_id], class_name, is_current=year_id == self.year_id)
        self._load_guardians(found)
        return list(found.values())

    def _known(
        self,
        student_id: UUID,
        fields: dict[str, Any],
        custom: dict[str, Any],
        said: dict[str, Any] | None,
    ) -> Known:
        born = fields["birth_date"]
        fields["birth_date"] = born.isoformat() if born else None
        for key, value in custom.items():
            if key in self.own_ids:
                fields[CUSTOM + key] = value
        return Known(student_id.hex, fields, dict(custom), self._by_id(said) if said else None)

    def _by_id(self, said: dict[str, Any]) -> dict[str, Any]:
        """A value said of a field that was made only afterwards is remembered by its name."""
        return {
            (self.own.resolved(name) or name) if name.startswith(CUSTOM) else name: value
            for name, value in said.items()
        }

    @staticmethod
    def _set_class(known: Known, name: str | None, *, is_current: bool) -> None:
        known.fields["class_name"] = name if is_current else None
        if not is_current and known.said:
            # Last year's class says nothing about this year: whoever is in the file is placed.
            known.said["class_name"] = None

    def _load_guardians(self, found: dict[UUID, Known]) -> None:
        rows = self.session.execute(
            sa.select(
                StudentGuardian.student_id,
                StudentGuardian.id,
                StudentGuardian.relationship,
                StudentGuardian.emergency_order,
                Guardian.id,
                Guardian.name,
                Guardian.phone,
                Guardian.email,
                *[getattr(StudentGuardian, name) for name in _FLAGS],
            )
            .join(Guardian, Guardian.id == StudentGuardian.guardian_id)
            .where(StudentGuardian.student_id.in_(found))
            .order_by(StudentGuardian.student_id, StudentGuardian.emergency_order)
        )
        for student_id, link_id, relation, order, guardian_id, name, phone, email, *flags in rows:
            found[student_id].guardians.append(
                KnownGuardian(
                    guardian_id.hex,
                    link_id.hex,
                    name,
                    relation,
                    phone,
                    email,
                    order,
                    dict(zip(_FLAGS, flags, strict=True)),
                )
            )


def own_fields(session: Session) -> OwnFields:
    """The fields the school added, archived ones too, in its order."""
    rows = session.execute(
        sa.select(
            CustomField.id, CustomField.label, CustomField.kind, CustomField.choices
        ).order_by(CustomField.position, CustomField.id)
    )
    return OwnFields(
        OwnField(str(field_id), label, kind, tuple(map(str, choices)))
        for field_id, label, kind, choices in rows
    )


def _class_key(name: str) -> str:
    return "class " + fold(name).replace(" ", "")


GuardianKey = tuple[str, str]


def guardian_key(name: str, phone: str | None, email: str | None) -> GuardianKey | None:
    """Two entries with the same key are one person; None: never the same as anybody.

    Name and phone together; without a phone, name and e-mail. Equal names alone prove nothing.
    """
    reach = phone or (email.casefold() if email else "")
    return (name, reach) if reach else None


class GuardianBook:
    """Every guardian the school has, and those this import adds, by who they are."""

    def __init__(self, session: Session, *, is_empty: bool) -> None:
        self.ids: dict[GuardianKey, str] = {}
        if is_empty:
            return
        rows = session.execute(
            sa.select(Guardian.id, Guardian.name, Guardian.phone, Guardian.email)
            .order_by(Guardian.id)
            .execution_options(yield_per=5000)
        )
        for guardian_id, name, phone, email in rows:
            key = guardian_key(name, phone, email)
            if key:
                self.ids.setdefault(key, guardian_id.hex)

    def find(self, name: str, phone: str | None, email: str | None) -> str | None:
        key = guardian_key(name, phone, email)
        return self.ids.get(key) if key else None

    def add(self, guardian_id: str, name: str, phone: str | None, email: str | None) -> None:
        key = guardian_key(name, phone, email)
        if key:
            self.ids[key] = guardian_id
