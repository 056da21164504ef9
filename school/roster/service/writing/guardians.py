"""Guardians and their ties to students."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from school.roster.service import bulk
from school.roster.service.directory import GuardianBook, Known
from school.roster.service.verdict import GuardianChange, GuardianSaid, Verdict
from school.roster.service.writing.batch import KEY, STAMPS, Batch, dashed
from school.search.models import Kind
from school.students.models import Guardian, StudentGuardian
from school.students.service.words import guardian_sort_name, guardian_words

_GUARDIAN = (*KEY, "name", "sort_name", "phone", "email", *STAMPS)
_LINK = (
    *KEY,
    "student_id",
    "guardian_id",
    "relationship",
    "emergency_order",
    "has_custody",
    "may_be_contacted",
    "lives_with",
    *STAMPS,
)


class GuardianWriter:
    def __init__(self, batch: Batch, book: GuardianBook) -> None:
        self._batch = batch
        self._book = book
        self.added = self.merged = 0
        # Whose search words must be written afresh at the end.
        self.renamed: set[UUID] = set()
        self.renamed_students: set[UUID] = set()
        self._changed: dict[str, dict[str, list[Any]]] = {}

    def tie_all(self, student_id: str, entries: Iterable[GuardianSaid]) -> list[GuardianSaid]:
        """Tie a new student to the guardians of the row; one named twice is tied once."""
        said: list[GuardianSaid] = []
        tied: set[str] = set()
        for place, entry in enumerate(entries, start=1):
            known = self._find(entry)
            if known in tied:
                self.merged += 1
                said.append({"id": known, **entry})
                continue
            guardian_id, _ = self._tie(student_id, entry, place)
            said.append({"id": guardian_id, **entry})
            tied.add(guardian_id)
        return said

    def change(self, known: Known, verdict: Verdict) -> None:
        """What the file says anew of the guardians of a student the school has."""
        for change in verdict.guardian_changes:
            self._change_tie(change, about=known.id)
            self._change_person(change)
        self._tie_more(known, verdict)
        for gone in verdict.guardians_gone:
            self._batch.untie(gone.link_id)
            self.renamed_students.add(UUID(known.id))
            self._note_tie("unlinked", gone.link_id, gone.facts(known.id), None, about=known.id)

    def _find(self, entry: GuardianSaid) -> str | None:
        return self._book.find(entry["name"], entry["phone"], entry["email"])

    def _tie_more(self, known: Known, verdict: Verdict) -> None:
        said = verdict.said.get("guardians", [])
        tied = {one.id for one in known.guardians}
        order = max((one.order for one in known.guardians), default=0)
        for place, entry in verdict.guardians_added:
            guardian_id = self._find(entry)
            if guardian_id in tied:
                self.merged += 1
            else:
                order += 1
                guardian_id = self._tie_and_tell(known.id, entry, order)
                tied.add(guardian_id)
            said[place - 1] = {"id": guardian_id, **entry}

    def _tie_and_tell(self, student_id: str, entry: GuardianSaid, order: int) -> str:
        guardian_id, link_id = self._tie(student_id, entry, order)
        self.renamed_students.add(UUID(student_id))
        facts = {
            "student_id": dashed(student_id),
            "guardian_id": dashed(guardian_id),
            "relationship": entry["relationship"],
            "emergency_order": order,
        }
        self._note_tie("linked", link_id, None, facts, about=student_id)
        return guardian_id

    def _tie(self, student_id: str, entry: GuardianSaid, order: int) -> tuple[str, str]:
        """(id of the guardian, found or made; id of the tie)."""
        guardian_id = self._find(entry)
        if guardian_id is None:
            guardian_id = self._add(entry)
        else:
            self.merged += 1
        batch, link_id = self._batch, bulk.new_hex()
        batch.add(
            StudentGuardian,
            _LINK,
            (
                *(batch.school_id, link_id, student_id, guardian_id, entry["relationship"]),
                *(order, True, True, True, 1, batch.at, batch.at),
            ),
        )
        return guardian_id, link_id

    def _add(self, entry: GuardianSaid) -> str:
        batch, guardian_id = self._batch, bulk.new_hex()
        name, phone, email = entry["name"], entry["phone"], entry["email"]
        batch.add(
            Guardian,
            _GUARDIAN,
            (
                *(batch.school_id, guardian_id, name, guardian_sort_name(name), phone, email),
                *(1, batch.at, batch.at),
            ),
        )
        self.added += 1
        self._book.add(guardian_id, name, phone, email)
        batch.index(Kind.GUARDIAN, guardian_id, guardian_words(name, phone, email))
        facts = {"name": name, "phone": phone, "email": email}
        batch.note("guardian.added", "guardian", guardian_id, None, facts)
        return guardian_id

    def _change_tie(self, change: GuardianChange, *, about: str) -> None:
        if not change.relationship:
            return
        link_id = change.known.link_id
        was, now = ({"relationship": value} for value in change.relationship)
        self._batch.update(StudentGuardian, link_id, now)
        self._note_tie("edited", link_id, was, now, about=about)

    def _note_tie(
        self,
        what: str,
        link_id: str,
        before: dict[str, Any] | None,
        after: dict[str, Any] | None,
        *,
        about: str,
    ) -> None:
        action = f"student_guardian.{what}"
        self._batch.note(action, "student_guardian", link_id, before, after, about=about)

    def _change_person(self, change: GuardianChange) -> None:
        guardian_id = change.known.id
        told = self._changed.setdefault(guardian_id, {})
        new = {name: pair for name, pair in change.fields.items() if name not in told}
        if not new:
            return  # a brother's or sister's row spoke of it first
        told.update(new)
        was = {name: pair[0] for name, pair in new.items()}
        now = {name: pair[1] for name, pair in new.items()}
        self.renamed.add(UUID(guardian_id))
        self._batch.note("guardian.edited", "guardian", guardian_id, was, now)
        if "name" in now:
            now = {**now, "sort_name": guardian_sort_name(now["name"])}
        self._batch.update(Guardian, guardian_id, now)
