"""What one row means for the student it speaks of: the three-way merge.

Three sides for each field: what the last import said (base), what the school has now, what this
file says. The file changed a field if it differs from the base; a person did if the school's
value differs from the base. Only the file's changes are taken; where both changed, the person's
value stays unless somebody asks for the file's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from school.roster.models import RowOutcome
from school.roster.service.directory import Known, KnownGuardian
from school.search.words import fold

GuardianSaid = dict[str, Any]
"""{"id", "name", "relationship", "phone", "email"}"""
GUARDIAN_FIELDS = ("name", "phone", "email")


@dataclass(slots=True)
class GuardianChange:
    """One of a student's guardians, changed by the file. `place` counts from 1."""

    place: int
    said: GuardianSaid
    known: KnownGuardian
    # {field: [old, new]} of the person; the relationship belongs to the link.
    fields: dict[str, list[Any]]
    relationship: list[Any] | None = None


@dataclass(slots=True)
class Verdict:
    outcome: RowOutcome
    student_id: str | None = None
    changes: dict[str, list[Any]] = field(default_factory=dict)
    kept: dict[str, list[Any]] = field(default_factory=dict)
    guardian_changes: list[GuardianChange] = field(default_factory=list)
    guardians_added: list[tuple[int, GuardianSaid]] = field(default_factory=list)
    guardians_gone: list[KnownGuardian] = field(default_factory=list)
    # What to remember as the new base; `has_news`: it differs though nothing changes.
    said: dict[str, Any] = field(default_factory=dict)
    has_news: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """How to compare: the fields this file speaks of, and whose word counts."""

    fields: tuple[str, ...]
    has_guardians: bool
    overwrite_edited: bool = False


def judge(
    student: dict[str, Any],
    guardians: list[GuardianSaid],
    known: Known | None,
    rules: Rules,
    *,
    unread: Collection[str] = (),
    take: Collection[str] = (),
) -> Verdict:
    """Compare one row. `unread`: fields whose cell could not be read; `take`: fields for which
    the file's value was asked for."""
    if known is None:
        said = {name: student.get(name) for name in rules.fields}
        return Verdict(RowOutcome.NEW, said={**said, "guardians": guardians})
    verdict = Verdict(RowOutcome.UNCHANGED, student_id=known.id, said=dict(known.said or {}))
    if known.is_archived:
        # Whoever was archived comes back by a person's decision, not by standing in a file.
        unread = {*unread, "class_name"}
    for name in rules.fields:
        if name not in unread:
            _compare(
                verdict,
                name,
                student.get(name),
                known,
                is_asked=rules.overwrite_edited or name in take,
            )
    if rules.has_guardians:
        _compare_guardians(verdict, guardians, known, unread)
    if verdict.changes:
        verdict.outcome = RowOutcome.CHANGED
    else:
        verdict.has_news = verdict.said != known.said
    return verdict


def _compare(verdict: Verdict, name: str, new: Any, known: Known, *, is_asked: bool) -> None:
    now = known.fields.get(name)
    has_base = known.said is not None and name in known.said
    base = known.said[name] if has_base and known.said else now
    verdict.said[name] = new
    if new == now or (new is None and not has_base):
        return
    if new == base and not (is_asked and has_base):
        return
    if base == now or is_asked:
        verdict.changes[name] = [now, new]
    else:
        verdict.kept[name] = [now, new]


def _compare_guardians(
    verdict: Verdict, guardians: list[GuardianSaid], known: Known, unread: Collection[str]
) -> None:
    has_base = known.said is not None and "guardians" in known.said
    base: list[GuardianSaid] = (
        known.said["guardians"]
        if has_base and known.said
        else [_as_said(one) for one in known.guardians]
    )
    current = {one.id: one for one in known.guardians}
    pairs, left = _pair(guardians, base)
    now_said: list[GuardianSaid] = []
    for place, (entry, was) in enumerate(pairs, start=1):
        if was is None:
            verdict.guardians_added.append((place, entry))
            verdict.changes[f"guardian[{place}]"] = [None, entry["name"]]
            now_said.append(entry)
            continue
        said = {
            **was,
            **{
                key: value
                for key, value in entry.items()
                if f"guardian[{place}].{key}" not in unread
            },
        }
        now_said.append(said)
        if said != was and was["id"] in current:
            _change_guardian(verdict, place, was, said, current[was["id"]])
    for was in left if has_base else ():
        if was["id"] in current:
            gone = current[was["id"]]
            verdict.guardians_gone.append(gone)
            verdict.changes[f"guardian[{gone.order}] gone"] = [gone.name, None]
    if has_base or guardians:
        verdict.said["guardians"] = now_said


def _as_said(one: KnownGuardian) -> GuardianSaid:
    return {
        "id": one.id,
        "name": one.name,
        "relationship": one.relationship,
        "phone": one.phone,
        "email": one.email,
    }


def _change_guardian(
    verdict: Verdict, place: int, was: GuardianSaid, said: GuardianSaid, now: KnownGuardian
) -> None:
    change = GuardianChange(place, said, now, {})
    for name in (*GUARDIAN_FIELDS, "relationship"):
        old, new, current = was.get(name), said.get(name), getattr(now, name)
        if new in (old, current):
            continue
        if current != old:
            verdict.kept[f"guardian[{place}].{name}"] = [current, new]
            continue
        verdict.changes[f"guardian[{place}].{name}"] = [current, new]
        if name == "relationship":
            change.relationship = [current, new]
        else:
            change.fields[name] = [current, new]
    if change.fields or change.relationship:
        verdict.guardian_changes.append(change)


def _pair(
    guardians: list[GuardianSaid], base: list[GuardianSaid]
) -> tuple[list[tuple[GuardianSaid, GuardianSaid | None]], list[GuardianSaid]]:
    """Each entry of the file with the one it was before; and those the file no longer has.

    Surest first: name and phone, then the name, then the e-mail. Within one student an equal
    name is enough: a guardian with a new telephone is the same guardian.
    """
    left = list(base)
    partner: dict[int, GuardianSaid] = {}
    for proof in (_name_and_phone, _name, _email):
        for place, entry in enumerate(guardians):
            if place not in partner and proof(entry):
                was = _first(left, proof, proof(entry))
                if was:
                    left.remove(was)
                    partner[place] = was
    return [(entry, partner.get(place)) for place, entry in enumerate(guardians)], left


def _first(entries: Iterable[GuardianSaid], proof: Any, wanted: Any) -> GuardianSaid | None:
    return next((entry for entry in entries if proof(entry) == wanted), None)


def _name_and_phone(entry: GuardianSaid) -> Any:
    return (entry["name"], entry["phone"]) if entry["phone"] else None


def _name(entry: GuardianSaid) -> Any:
    return fold(entry["name"])


def _email(entry: GuardianSaid) -> Any:
    return entry["email"].casefold() if entry["email"] else None
