"""Keep the index true, and ask it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from school.db import db, is_postgresql, take_write_lock
from school.search.models import Kind, SearchEntry, SearchWord
from school.search.words import words_of_all
from school.tenancy.scope import current_school_id

_CHUNK = 500


def index_words(kind: Kind, entity_id: UUID, texts: Iterable[str | None]) -> None:
    """Replace the words by which one thing is found."""
    replace_words(kind, {entity_id: words_of_all(texts)})


def forget(kind: Kind, entity_ids: Iterable[UUID]) -> None:
    """Nothing finds these things any more."""
    replace_words(kind, {entity_id: set() for entity_id in entity_ids})


def replace_words(kind: Kind, wanted: Mapping[UUID, Collection[str]]) -> None:
    """The words of many things: what is new is added, what is gone is taken away.

    The caller holds the things' own rows, so that nobody else does this for them meanwhile.
    """
    ids = list(wanted)
    for start in range(0, len(ids), _CHUNK):
        _replace(kind, {entity_id: wanted[entity_id] for entity_id in ids[start : start + _CHUNK]})


def _replace(kind: Kind, wanted: Mapping[UUID, Collection[str]]) -> None:
    take_write_lock(db.session())  # Core statements do not take it by themselves
    db.session.flush()
    present = _entries(kind, wanted)
    changed = {
        one: words for one, words in wanted.items() if present.get(one) != (set(words) or None)
    }
    old = {(word, one) for one in changed for word in present.get(one, ())}
    new = {(word, one) for one, words in changed.items() for word in words}
    _delete(SearchWord, kind, [{"word": word, "entity_id": one} for word, one in old - new])
    _delete(SearchEntry, kind, [{"entity_id": one} for one in changed if one in present])
    _insert(SearchWord, kind, [{"word": word, "entity_id": one} for word, one in new - old])
    _insert(
        SearchEntry,
        kind,
        [
            {"entity_id": one, "words": joined_words(words)}
            for one, words in changed.items()
            if words
        ],
    )


def _entries(kind: Kind, ids: Iterable[UUID]) -> dict[UUID, set[str]]:
    rows = db.session.execute(
        sa.select(SearchEntry.entity_id, SearchEntry.words).where(
            SearchEntry.kind == kind, SearchEntry.entity_id.in_(ids)
        )
    )
    return {entity_id: set(words.split()) for entity_id, words in rows}


def _insert(model: Any, kind: Kind, rows: list[dict[str, Any]]) -> None:
    own = {"school_id": current_school_id(), "kind": kind.value}
    if rows:
        db.session.connection().execute(sa.insert(model.__table__), [own | row for row in rows])


def _delete(model: Any, kind: Kind, rows: list[dict[str, Any]]) -> None:
    """Rows by their whole key."""
    if not rows:
        return
    table = model.__table__
    key = sa.and_(
        table.c.school_id == current_school_id(),
        table.c.kind == kind.value,
        *(table.c[name] == sa.bindparam(f"this_{name}") for name in rows[0]),
    )
    named = [{f"this_{name}": value for name, value in row.items()} for row in rows]
    db.session.connection().execute(sa.delete(table).where(key), named)


def joined_words(words: Iterable[str]) -> str:
    """The words as an entry holds them."""
    return f" {' '.join(sorted(words))} "


def having_word(kind: Kind, word: str) -> sa.Select[UUID]:
    """Ids of the things of a kind with a word that begins with `word` (already folded)."""
    # A fresh alias, so that several words of one question can stand in one statement.
    entry = aliased(SearchWord)
    return sa.select(entry.entity_id).where(
        entry.kind == kind, entry.word >= word, entry.word < after_prefix(word)
    )


def after_prefix(prefix: str) -> str:
    """The first text after everything that begins with `prefix`."""
    return prefix + "\U0010ffff"


def says(kind: Kind, entity_id: Any, words: Iterable[str]) -> sa.ColumnElement[bool]:
    """A thing at hand has, for each of these, a word that begins with it."""
    entry = aliased(SearchEntry)
    return sa.exists(
        sa.select(1).where(
            entry.school_id == entity_id.class_.school_id,
            entry.kind == kind,
            entry.entity_id == entity_id,
            *(_place_of(f" {word}", entry.words) > 0 for word in words),
        )
    )


def _place_of(part: str, text: Any) -> Any:
    """Where the part begins in the text, counted from 1; 0 if it does not stand there."""
    place = sa.func.strpos if is_postgresql(db.session()) else sa.func.instr
    return place(text, part)
