"""Keep the index true, and ask it."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from school.db import db
from school.search.models import Kind, SearchWord
from school.search.words import words_of


def index_words(kind: Kind, entity_id: UUID, texts: Iterable[str | None]) -> None:
    """Replace the words by which one thing is found."""
    wanted = {word for text in texts if text for word in words_of(text)}
    rows = db.session.scalars(
        sa.select(SearchWord).where(SearchWord.kind == kind, SearchWord.entity_id == entity_id)
    ).all()
    for row in rows:
        if row.word not in wanted:
            db.session.delete(row)
    for word in wanted - {row.word for row in rows}:
        db.session.add(SearchWord(kind=kind, word=word, entity_id=entity_id))


def forget(kind: Kind, entity_id: UUID) -> None:
    """Nothing finds this thing any more."""
    db.session.execute(
        sa.delete(SearchWord).where(SearchWord.kind == kind, SearchWord.entity_id == entity_id)
    )


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


def forget_words(kind: Kind, pairs: set[tuple[UUID, str]]) -> None:
    """Take single words away: (id, word)."""
    for entity_id in {entity_id for entity_id, _ in pairs}:
        gone = [word for owner, word in pairs if owner == entity_id]
        db.session.execute(
            sa.delete(SearchWord).where(
                SearchWord.kind == kind,
                SearchWord.entity_id == entity_id,
                SearchWord.word.in_(gone),
            )
        )
