"""What one row means for the student it speaks of: the three-way merge.

Three sides for each field: what the last import said (base), what the school has now, what this
file says. The file changed a field if it differs from the base; a person did if the school's
value differs from the base. Only the file's changes are taken; where both changed, the person's
value stays unless somebody asks for the file's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
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
    # For each guardian the file can name, the parts it speaks of: "name", "phone" …
    guardians: Sequence[frozenset[str]] = ()
    overwrite_edited: bool = False

    @property
    def silent_on(self) -> frozenset[str]:
        """Parts that not every guardian of the file has a column for: empty says nothing."""
        spoken = frozenset.intersection(*self.guardians) if self.guardians else frozenset()
        return frozenset({*GUARDIAN_FIELDS, "relationship"}) - spoken


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
    if rules.guardians:
        _compare_guardians(verdict, guardians, known, rules, unread)
    if verdict.changes:
        verdict.outcome = RowOutcome.CHANGED
    else:
        verdict.has_news = verdict.said != known.said
    return verdict


def _compare(verdict: Verdict, name: str, new: Any, known: Known, *, is_asked: bool) -> None:
    now = known.fields.get(name)
    has_base = known.said is not None and name in known.said
    # A file that never spoke of it said nothing: what stands there is a person's.
    base = (known.said or {}).get(name) if known.said is not None else now
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
    verdict: Verdict,
    guardians: list[GuardianSaid],
    known: Known,
    rules: Rules,
    unread: Collection[str],
) -> None:
    has_base = known.said is not None and "guardians" in known.said
    base: list[GuardianSaid] = (
        known.said["guardians"]
        if has_base and known.said
        else [_as_said(one) for one in known.guardians]
    )
    current = {one.id: one for one in known.guardians}
    pairs, left = _pair(guardians, base)
    # Only so many of them can stand in this file; of those behind, it says nothing.
    gone = [was for was in left if was in base[: len(rules.guardians)]]
    silent_on = rules.silent_on
    now_said: list[GuardianSaid] = []
    for place, (entry, was) in enumerate(pairs, start=1):
        # Whom a person untied comes back where the file's word is asked for.
        is_wanted_back = was is not None and was["id"] not in current and rules.overwrite_edited
        if was is None or is_wanted_back:
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
                and not (value is None and key in silent_on)
            },
        }
        now_said.append(said)
        if was["id"] in current and (said != was or rules.overwrite_edited):
            change = GuardianChange(place, said, current[was["id"]], {})
            _change_guardian(verdict, change, was, is_asked=rules.overwrite_edited)
    for was in gone if has_base else ():
        if was["id"] in current:
            untied = current[was["id"]]
            verdict.guardians_gone.append(untied)
            verdict.changes[f"guardian[{untied.order}] gone"] = [untied.name, None]
    if has_base or guardians:
        verdict.said["guardians"] = now_said + [was for was in left if was not in gone]


def _as_said(one: KnownGuardian) -> GuardianSaid:
    return {
        "id": one.id,
        "name": one.name,
        "relationship": one.relationship,
        "phone": one.phone,
        "email": one.email,
    }


def _change_guardian(
    verdict: Verdict, change: GuardianChange, was: GuardianSaid, *, is_asked: bool
) -> None:
    for name in (*GUARDIAN_FIELDS, "relationship"):
        old, new, current = was.get(name), change.said.get(name), getattr(change.known, name)
        if new == current or (new == old and not is_asked):
            continue
        key = f"guardian[{change.place}].{name}"
        if current != old and not is_asked:
            verdict.kept[key] = [current, new]
            continue
        verdict.changes[key] = [current, new]
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
    name is enough: a guardian with a new telephone is the same guardian. An equal e-mail is not:
    families share one. It takes the given name besides, as after a marriage.
    """
    left = list(base)
    partner: dict[int, GuardianSaid] = {}
    for proof in (_name_and_phone, _name, _email_and_given_name):
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


def _email_and_given_name(entry: GuardianSaid) -> Any:
    words = fold(entry["name"]).split()
    return (entry["email"].casefold(), words[0]) if entry["email"] and words else None
