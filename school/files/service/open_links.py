"""Links that open for whoever holds them: view only, for thirty days at most, never medical.

Off until the school's settings allow them, and dead at once when they no longer do. The secret is
shown once and kept nowhere: of the whole token only its hash lies in the row. The token begins
with the school's id, because a link is opened before any school is in scope.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime, timedelta
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa

from school import clock
from school.audit.actor import current_actor
from school.audit.log import record
from school.db import db, new_id, take_turn
from school.errors import Conflict, Invalid
from school.files.models import Access, File, Folder, Grantee, OwnerKind, Share, Target
from school.files.policy import PURPOSE_PERMISSIONS
from school.files.queries import (
    PHOTO,
    Content,
    Spot,
    file_gone,
    get_content,
    is_live,
    spot_of,
    trail_to,
    works_here,
)
from school.files.service.sharing import Thing, add_share, check_sharable, end_share, target_of
from school.files.service.shelf import shelf
from school.tenancy.models import School, SchoolStatus
from school.tenancy.scope import current_school_id

PATH = "/s/"
MOST_DAYS = 30
CLOSED = (*PURPOSE_PERMISSIONS, PHOTO)
"""Purposes that are never given to whoever comes by."""
_SCHOOL_CHARS = 22


class Opened(NamedTuple):
    """What a link gives: the share, what it is of, and for a folder within it the way there."""

    share: Share
    thing: Thing
    trail: list[Folder]

    @property
    def spot(self) -> Spot:
        """The folder that is looked into."""
        inside = self.trail[-1]
        return Spot(inside.owner_kind, inside.owner_id, inside.id)


def are_allowed() -> bool:
    """Whether this school lets its people make links."""
    allowed = sa.select(School.allows_links).where(
        School.id == current_school_id(), School.status == SchoolStatus.ACTIVE
    )
    return bool(db.session.scalar(allowed))


def school_name() -> str:
    """What whoever opens a link is told of where it comes from."""
    return db.session.scalar(sa.select(School.name).where(School.id == current_school_id())) or ""


def make_link(thing: Thing, *, expires_at: datetime, once: str | None = None) -> str:
    """A link's token, to be shown once. Audited.

    What is asked again with the same `once` (random, of one page) is the link made before, while it
    opens.

    Raises Conflict where the school allows none and for a photo or a medical file, Invalid for an
    end that has passed or is too far off.
    """
    _check_linkable(thing, expires_at)
    kind, target_id = target_of(thing)
    take_turn(db.session(), f"share:{target_id}")
    token = _repeatable_token(once, target_id, expires_at) if once else _new_token()
    made = db.session.scalar(sa.select(Share).where(Share.token_sha256 == hash_of(token)))
    if made is not None:
        if made.ended_at is None:
            return token
        token = _new_token()
    add_share(
        Share(
            id=new_id(),
            target_kind=kind,
            target_id=target_id,
            grantee_kind=Grantee.LINK,
            access=Access.VIEW,
            token_sha256=hash_of(token),
            expires_at=expires_at,
        )
    )
    return token


def _check_linkable(thing: Thing, expires_at: datetime) -> None:
    if not are_allowed():
        raise Conflict("Your school does not share by link.")
    check_sharable(thing)
    if isinstance(thing, File) and thing.purpose in CLOSED:
        raise Conflict("A medical file is never shared by link.")
    if not clock.now() < expires_at <= clock.now() + timedelta(days=MOST_DAYS + 1):
        raise Invalid(
            "A link lasts %(days)s days at most. Choose an earlier day.",
            field="until",
            days=MOST_DAYS,
        )


def _new_token() -> str:
    return _token(secrets.token_bytes(32))


def _repeatable_token(once: str, target_id: UUID, expires_at: datetime) -> str:
    """For the same `once`, wish and person the same one; nobody else can work it out."""
    wish = (current_actor().user_id, target_id, expires_at.isoformat(), once)
    key = shelf().signing_keys[0].encode()
    return _token(hmac.digest(key, "\n".join(map(str, ("link", *wish))).encode(), "sha256"))


def _token(secret: bytes) -> str:
    return _as_text(current_school_id().bytes) + _as_text(secret)


def _as_text(value: bytes) -> str:
    return urlsafe_b64encode(value).decode().rstrip("=")


def hash_of(token: str) -> str:
    """What may be kept of a token."""
    return sha256(token.encode()).hexdigest()


def school_of(token: str) -> UUID:
    """The school a token names. Raises NotFound for what is no token."""
    try:
        return UUID(bytes=urlsafe_b64decode(token[:_SCHOOL_CHARS] + "=="))
    except ValueError:
        raise file_gone() from None


def open_link(token: str, folder_id: UUID | None = None) -> Opened:
    """What the link gives now, in the school's scope; of a folder, one inside it.

    Raises NotFound for a link we did not make, one that has ended, one whose school allows links
    no more, and for a folder outside it.
    """
    share = db.session.scalar(
        sa.select(Share).where(
            Share.token_sha256 == hash_of(token), Share.grantee_kind == Grantee.LINK, is_live()
        )
    )
    if share is None or not are_allowed():
        raise file_gone()
    if share.target_kind == Target.FILE:
        opened = Opened(share, _file(share.target_id), [])
    else:
        trail = _inside(share.target_id, folder_id or share.target_id)
        opened = Opened(share, trail[0], trail)
    if opened.thing.owner_kind == OwnerKind.PERSON and not works_here(opened.thing.owner_id):
        raise file_gone()
    return opened


def end_all_links() -> int:
    """No link of the school opens any more, also when links are allowed again. Audited each."""
    links = db.session.scalars(
        sa.select(Share).where(Share.grantee_kind == Grantee.LINK, Share.ended_at.is_(None))
    ).all()
    for share in links:
        end_share(share)
    return len(links)


def _inside(top_id: UUID, folder_id: UUID) -> list[Folder]:
    """The folders from the shared one to the one asked for. Raises NotFound."""
    trail = trail_to(folder_id)
    for place, folder in enumerate(trail):
        if folder.id == top_id:
            return trail[place:]
    raise file_gone()


def _file(file_id: UUID) -> File:
    file = db.session.scalar(sa.select(File).where(File.id == file_id))
    inside = file.folder_id if file else None
    if (
        file is None
        or file.purpose in CLOSED
        or file.archived_at is not None
        or file.trashed_at is not None
        or (inside is not None and not trail_to(inside))
    ):
        raise file_gone()
    return file


def content_by_link(token: str, file_id: UUID | None) -> Content:
    """The current content of the shared file, or of one in the shared folder.

    Raises NotFound, Held.
    """
    opened = open_link(token)
    file = opened.thing if isinstance(opened.thing, File) else _file_in(opened, file_id)
    return get_content(file)


def record_use(content: Content, token: str) -> None:
    """Audit that content was given out by a link, in the caller's transaction; the history of a
    shared folder tells it too."""
    details = {"version": content.number, "name": content.name, "via": "link"}
    shared_id = db.session.scalar(
        sa.select(Share.target_id).where(Share.token_sha256 == hash_of(token))
    )
    record("file.downloaded", "file", content.file_id, after=details, about_id=shared_id)


def _file_in(opened: Opened, file_id: UUID | None) -> File:
    if file_id is None:
        raise file_gone()
    file = _file(file_id)
    folder_id = spot_of(file).folder_id
    if folder_id is None:
        raise file_gone()
    _inside(opened.thing.id, folder_id)
    return file
