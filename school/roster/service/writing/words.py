"""The words by which new people and classes are found."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from sqlalchemy.orm import Session

from school.db import is_postgresql
from school.roster.service import bulk
from school.roster.service.bulk import Values
from school.search.index import joined_words
from school.search.models import SearchEntry, SearchWord

_ENTRY = ("school_id", "kind", "entity_id", "words")
_WORD = ("school_id", "kind", "word", "entity_id")
_MANY_ENTRIES = 10_000


class WordWriter:
    """Gathers the words of new things until it pays to send them.

    PostgreSQL takes each thing's words as one text apart by itself. SQLite gets them one by one,
    and many at a time: in the order of the index, neighbours land on the same page.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._entries: list[Values] = []
        self._many = 1 if is_postgresql(session) else _MANY_ENTRIES

    def add(self, school_id: str, kind: str, entity_id: str, words: Iterable[str]) -> None:
        text = joined_words(words)
        if text.strip():
            self._entries.append((school_id, kind, entity_id, text))

    def take(self) -> list[Values]:
        """What is to be sent now; nothing, while that is too little."""
        return self.take_all() if len(self._entries) >= self._many else []

    def take_all(self) -> list[Values]:
        taken, self._entries = self._entries, []
        return taken

    def send(self, entries: list[Values]) -> None:
        if not entries:
            return
        if is_postgresql(self._session):
            bulk.send_arrays(self._session, _insert_words(), entries)
            return
        bulk.insert(self._session, SearchEntry, _ENTRY, entries)
        bulk.insert(self._session, SearchWord, _WORD, _by_word(entries))


def _by_word(entries: list[Values]) -> list[Values]:
    """The words of the entries in the order of the index. (Ids grow, so they are in order.)"""
    found: dict[tuple[str, str], dict[str, list[str]]] = {}
    for school_id, kind, entity_id, text in entries:
        ids = found.setdefault((school_id, kind), {})
        for word in text.split():
            ids.setdefault(word, []).append(entity_id)
    return [
        (*owner, word, entity_id)
        for owner, ids in sorted(found.items())
        for word in sorted(ids)
        for entity_id in ids[word]
    ]


@lru_cache(maxsize=1)
def _insert_words() -> str:
    """Entries, and from them their words."""
    names = ", ".join(_ENTRY)
    return f"""
        WITH given({names}) AS {bulk.arrays(bulk.table_of(SearchEntry), _ENTRY)},
        entries AS (INSERT INTO search_entry ({names}) SELECT {names} FROM given)
        INSERT INTO search_word (school_id, kind, word, entity_id)
        SELECT school_id, kind, word, entity_id
        FROM given, unnest(string_to_array(btrim(words), ' ')) AS word
        ORDER BY kind, word
    """  # noqa: S608
