"""Turn what a person typed into a condition: every word is the beginning of some word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from school.db import db
from school.search.index import having_word, says
from school.search.models import Kind
from school.search.words import contact_question, words_of

BROAD = 2_000
_MOST_WORDS = 8


@dataclass(frozen=True, slots=True)
class Match:
    """A condition on an id. `is_broad`: so many fit that counting them is not worth the time."""

    conditions: list[sa.ColumnElement[bool]]
    is_broad: bool = False


def match(kind: Kind, entity_id: Any, question: str) -> Match:
    """What the question asks of `entity_id`; nothing for an empty question.

    The few hits of rare words are gathered by the index of words and looked up. A word that fits
    thousands is looked for in what is at hand; where there are only such words, the list is read
    in its order: the first page fills long before the thousands are gathered and sorted.
    """
    asked = contact_question if kind == Kind.GUARDIAN else words_of
    words = list(dict.fromkeys(asked(question)))[:_MOST_WORDS]
    if not words:
        return Match([sa.false()] if question.strip() else [])
    counts = _counts(kind, words)
    rare = [word for word in words if counts[word] <= BROAD]
    common = [word for word in words if counts[word] > BROAD]
    conditions = [entity_id.in_(having_word(kind, word)) for word in rare]
    if common:
        conditions.append(says(kind, entity_id, common))
    return Match(conditions, is_broad=not rare)


def _counts(kind: Kind, words: list[str]) -> dict[str, int]:
    """How many entries begin with each word, counted no further than `BROAD`."""
    columns = [
        sa.select(sa.func.count())
        .select_from(having_word(kind, word).limit(BROAD + 1).subquery())
        .scalar_subquery()
        for word in words
    ]
    return dict(zip(words, db.session.execute(sa.select(*columns)).one(), strict=True))
