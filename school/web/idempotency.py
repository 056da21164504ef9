"""The same POST sent twice does its work once (Idempotency-Key header).

`idempotent`: the key's row, the work and the answer are committed together; after any crash
there is either nothing, or the answer to give again. A second request waits for the first.

`idempotent_upload`, for work that commits by itself: the key is claimed first. While the claim
is open, and for ever after a crash, a second request is told so; it never does the work again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import wraps
from hashlib import sha256
from typing import Any, TypeVar
from uuid import UUID

import sqlalchemy as sa
from flask import Response, current_app, request
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column
from werkzeug.exceptions import HTTPException

from school import clock
from school.db import Base, Timestamps, db, transaction
from school.errors import Conflict, DomainError, Invalid
from school.tenancy.models import TenantEntity
from school.web.access import the_person

View = TypeVar("View", bound=Callable[..., Any])
Work = Callable[[], Any]
LONGEST_KEY = 200
KEPT = timedelta(days=2)
BLOCK = 256 * 1024


class IdempotencyKey(TenantEntity, Timestamps, Base):
    """A request already answered, and the answer. Status 0: still being worked on."""

    __tablename__ = "idempotency_key"
    __table_args__ = (sa.UniqueConstraint("school_id", "user_id", "key"),)

    user_id: Mapped[UUID]
    key: Mapped[str] = mapped_column(sa.String(LONGEST_KEY))
    request_hash: Mapped[str] = mapped_column(sa.String(64))
    status: Mapped[int] = mapped_column(default=0)
    body: Mapped[str] = mapped_column(sa.Text, default="")
    headers: Mapped[dict[str, Any]] = mapped_column(default=dict)


def idempotent(view: View) -> View:
    """Answer a repeated Idempotency-Key with the first answer. Outside the schema decorators."""
    return _once(view, _do_together)


def idempotent_upload(view: View) -> View:
    """The same for a view that takes a file in and so opens its own transactions."""
    return _once(view, _do_claimed)


def _once(view: View, do: Callable[[str, str, Work], Response]) -> View:
    @wraps(view)
    def once(*args: Any, **kwargs: Any) -> Any:
        key = request.headers.get("Idempotency-Key")
        if key is None:
            return view(*args, **kwargs)
        if not 1 <= len(key) <= LONGEST_KEY:
            raise Invalid("An Idempotency-Key has 1 to 200 characters.")
        digest = _digest()
        return _find_answer(key, digest) or do(key, digest, lambda: view(*args, **kwargs))

    once.is_idempotent = True  # type: ignore[attr-defined]
    return once  # type: ignore[return-value]


def _digest() -> str:
    """What was asked, by whom may see what: an answer is never repeated to narrower rights."""
    rights = ",".join(sorted(the_person().permissions))
    digest = sha256(f"{request.method} {request.full_path}\n{rights}\n".encode())
    for part in _parts():
        digest.update(part)
    return digest.hexdigest()


def _parts() -> Iterator[bytes]:
    """The body; of a form its fields and files, because the boundary differs every time."""
    if request.mimetype != "multipart/form-data":
        yield request.get_data()
        return
    # A hostile form has parts without any name, so their text is what is put in order.
    yield from sorted(repr(field).encode() for field in request.form.items(multi=True))
    for name, sent in request.files.items(multi=True):
        yield repr((name, sent.filename)).encode()
        while block := sent.stream.read(BLOCK):
            yield block
        sent.stream.seek(0)


def _do_together(key: str, digest: str, work: Work) -> Response:
    try:
        with transaction() as session:
            row = _claim(session, key, digest)
            response = current_app.make_response(work())
            _note(row, response)
    except IntegrityError:
        db.session.rollback()
        # Either the twin got in first, or the work itself met a taken value.
        answer = _find_answer(key, digest)
        if answer is None:
            raise
        return answer
    return response


def _do_claimed(key: str, digest: str, work: Work) -> Response:
    try:
        with transaction() as session:
            row_id = _claim(session, key, digest).id
    except IntegrityError:
        db.session.rollback()
        answer = _find_answer(key, digest)
        if answer is None:
            raise
        return answer
    try:
        response = current_app.make_response(work())
    except (DomainError, HTTPException):
        # Nothing was kept, so the key is free for another try.
        with transaction() as session:
            session.execute(sa.delete(IdempotencyKey).where(IdempotencyKey.id == row_id))
        raise
    with transaction() as session:
        found = sa.select(IdempotencyKey).where(IdempotencyKey.id == row_id)
        _note(session.scalars(found).one(), response)
    return response


def forget_old_answers() -> int:
    """Answers of the school in scope that nobody asks for again: they hold records of children.
    Returns how many went."""
    with transaction() as session:
        gone = session.execute(
            sa.delete(IdempotencyKey)
            .where(IdempotencyKey.created_at < clock.now() - KEPT)
            .execution_options(synchronize_session=False)
        )
    return int(gone.rowcount)  # type: ignore[attr-defined]


def _claim(session: Session, key: str, digest: str) -> IdempotencyKey:
    """Raises IntegrityError when the key is taken; waits for whoever is about to take it."""
    user_id = the_person().user_id
    row = IdempotencyKey(user_id=user_id, key=key, request_hash=digest)
    session.add(row)
    session.flush()
    return row


def _note(row: IdempotencyKey, response: Response) -> None:
    row.status = response.status_code
    row.body = response.get_data(as_text=True)
    row.headers = {n: v for n, v in response.headers if n in {"ETag", "Location"}}


def _find_answer(key: str, digest: str) -> Response | None:
    row = db.session.scalar(
        sa.select(IdempotencyKey).where(
            IdempotencyKey.user_id == the_person().user_id, IdempotencyKey.key == key
        )
    )
    if row is None:
        return None
    if row.request_hash != digest:
        raise Conflict("This Idempotency-Key was used for another request.")
    if row.status == 0:
        raise Conflict(
            "The first request with this Idempotency-Key has not been answered. Look whether its "
            "work is done; if it is not, send it with another key."
        )
    headers = {**row.headers, "Idempotency-Replayed": "true"}
    return Response(row.body, row.status, headers, mimetype="application/json")
