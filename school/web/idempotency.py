"""The same POST sent twice does its work once (Idempotency-Key header).

The key's row, the work and the answer are committed together: after any crash there is either
nothing, or the answer to give again. A second request with the key waits for the first.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from hashlib import sha256
from typing import Any, TypeVar
from uuid import UUID

import sqlalchemy as sa
from flask import Response, current_app, request
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from school.db import Base, Timestamps, db, transaction
from school.errors import Conflict, Invalid
from school.tenancy.models import TenantEntity
from school.web.access import the_person

View = TypeVar("View", bound=Callable[..., Any])
LONGEST_KEY = 200


class IdempotencyKey(TenantEntity, Timestamps, Base):
    """A request already answered, and the answer."""

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

    @wraps(view)
    def once(*args: Any, **kwargs: Any) -> Any:
        key = request.headers.get("Idempotency-Key")
        if key is None:
            return view(*args, **kwargs)
        if not 1 <= len(key) <= LONGEST_KEY:
            raise Invalid("An Idempotency-Key has 1 to 200 characters.")
        digest = _digest()
        return _find_answer(key, digest) or _do_once(key, digest, lambda: view(*args, **kwargs))

    return once  # type: ignore[return-value]


def _digest() -> str:
    text = f"{request.method} {request.full_path}\n".encode()
    return sha256(text + request.get_data()).hexdigest()


def _do_once(key: str, digest: str, work: Callable[[], Any]) -> Response:
    try:
        with transaction() as session:
            row = IdempotencyKey(user_id=the_person().user_id, key=key, request_hash=digest)
            session.add(row)
            session.flush()
            response = current_app.make_response(work())
            row.status = response.status_code
            row.body = response.get_data(as_text=True)
            row.headers = {n: v for n, v in response.headers if n in {"ETag", "Location"}}
    except IntegrityError:
        db.session.rollback()
        # Either the twin got in first, or the work itself met a taken value.
        answer = _find_answer(key, digest)
        if answer is None:
            raise
        return answer
    return response


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
    headers = {**row.headers, "Idempotency-Replayed": "true"}
    return Response(row.body, row.status, headers, mimetype="application/json")
