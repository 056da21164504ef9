"""Who is acting. Set once per request, job or command."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Actor:
    """The person (or program, with no `user_id`) whose act this is."""

    name: str
    user_id: UUID | None = None
    request_id: str | None = None


PROGRAM = Actor(name="Schoolhouse")
_actor: ContextVar[Actor] = ContextVar("actor", default=PROGRAM)


def current_actor() -> Actor:
    return _actor.get()


@contextlib.contextmanager
def acting_as(actor: Actor) -> Iterator[None]:
    """Everything recorded inside is `actor`'s doing."""
    token = _actor.set(actor)
    try:
        yield
    finally:
        _actor.reset(token)
