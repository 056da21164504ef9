"""Everything that means harm is refused with a sentence or made harmless, in bounded memory."""

from __future__ import annotations

import contextlib
import io
import time
import tracemalloc

import pytest

from school.files.service.content import REFUSAL_SENTENCES, Refused, decide_kind
from school.files.service.families import PURPOSES, Kind
from school.files.service.names import clean_name
from school.files.service.pictures import clean
from tests.files.harmless import HARMLESS, Harmless
from tests.files.hostile import CORPUS, Hostile

MOST_EXTRA_BYTES = 64 * 1024 * 1024
MOST_SECONDS = 30
DOCUMENT = PURPOSES["document"]


def _pipeline(data: bytes, name: str) -> tuple[Kind, bytes]:
    """What the service does with a file: told apart, and drawn anew when it is a picture."""
    stream = io.BytesIO(data)
    kind = decide_kind(stream, name=name, purpose=DOCUMENT)
    if kind.family != "image":
        return kind, data
    with clean(stream, kind) as cleaned:
        return kind, cleaned.read()


def test_the_corpus_is_as_large_as_promised() -> None:
    assert len(CORPUS) >= 70
    assert len({hostile.name for hostile in CORPUS}) == len(CORPUS)


@pytest.mark.parametrize("hostile", CORPUS, ids=lambda hostile: hostile.name)
def test_it_is_refused_with_a_sentence_or_made_harmless(hostile: Hostile) -> None:
    data = hostile.make()
    name = clean_name(hostile.name)
    if not hostile.reasons:
        _, cleaned = _pipeline(data, name)
        assert hostile.kept_name in {None, name}
        if hostile.check is not None:
            hostile.check(cleaned)
        return

    with pytest.raises(Refused) as refusal:
        _pipeline(data, name)

    assert refusal.value.reason in hostile.reasons
    assert REFUSAL_SENTENCES[refusal.value.reason].endswith(".")


@pytest.mark.parametrize("hostile", CORPUS, ids=lambda hostile: hostile.name)
def test_it_takes_neither_memory_nor_time(hostile: Hostile) -> None:
    data = hostile.make()
    began = time.monotonic()
    tracemalloc.start()
    try:
        with contextlib.suppress(Refused):
            _pipeline(data, clean_name(hostile.name))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < MOST_EXTRA_BYTES
    assert time.monotonic() - began < MOST_SECONDS


@pytest.mark.parametrize("harmless", HARMLESS, ids=lambda harmless: harmless.name)
def test_an_ordinary_file_is_taken(harmless: Harmless) -> None:
    data = harmless.make()

    kind, cleaned = _pipeline(data, harmless.name)

    assert kind.code == harmless.code
    if harmless.check is not None:
        harmless.check(data, cleaned)
