"""The whole content as one piece, by a signed link: to a cloud past us, or to our own route.

The link is for one object of a stated size, type and checksum, for one person, and lives five
minutes. Whatever the link promised, what arrived is read again before it becomes a file.
"""

from __future__ import annotations

from datetime import timedelta
from typing import BinaryIO, NamedTuple
from uuid import UUID, uuid4

import sqlalchemy as sa
import structlog

from school import clock
from school.audit.log import record
from school.db import db, take_write_lock, transaction
from school.errors import Conflict, Invalid, TooLarge, Unavailable
from school.files.models import Upload, UploadPart, UploadState
from school.files.service.families import BY_CONTENT_TYPE, PURPOSES
from school.files.service.links import LINK_SENTENCES, LinkTooOld
from school.files.service.shelf import shelf
from school.files.service.uploading.arriving import advance, held_open, new_part
from school.files.service.uploading.beginning import Wanted, begin
from school.files.service.uploading.ending import DIRECT_PIECES, refuse
from school.files.service.uploading.finding import check_may_send, get_upload, upload_gone
from school.permissions import Person
from school.storage import errors
from school.storage.hybrid import member_named
from school.storage.keys import new_key
from school.storage.protocol import MOST_PUT_BYTES, SignedRequest, StorageProvider
from school.storage.signing import Claim, LinkExpired, LinkRefused, LinkSigner
from school.tenancy.scope import current_school_id

log = structlog.get_logger(__name__)
LIFETIME = timedelta(minutes=5)
UPLOAD_PATH = "/u/"
METHOD = "PUT"
_SHA256_LETTERS = frozenset("0123456789abcdef")


class Ticket(NamedTuple):
    """What a link of ours to upload says."""

    upload_id: UUID
    part_id: UUID
    key: str
    content_type: str
    size_bytes: int
    sha256: str


def origin() -> str | None:
    """The cloud to which pages send files past us; None where they send them to us."""
    here = shelf()
    if not here.sends_direct or not is_cloud(here.provider):
        return None
    try:
        return here.provider.upload_origin()
    except errors.StorageError as error:
        log.warning("upload.no_origin", error=type(error).__name__)
        return None


def is_cloud(provider: StorageProvider) -> bool:
    """Browsers may send to it past us, by a link it signs."""
    return not provider.caps.local_path and provider.caps.presign_put


def begin_direct(
    person: Person, wanted: Wanted, *, content_type: str, sha256: str
) -> tuple[Upload, SignedRequest]:
    """An upload and the one request that brings its content, in the caller's transaction. Audited.

    `sha256` in hex. Raises what `begin` raises, and Invalid for what cannot come this way.
    """
    if len(sha256) != 64 or not set(sha256) <= _SHA256_LETTERS:
        raise Invalid("A SHA-256 has 64 characters, 0 to 9 and a to f.", field="sha256")
    if content_type not in BY_CONTENT_TYPE:
        raise Invalid("Files of this type are not taken.", field="type")
    if wanted.length_bytes < 1:
        raise Invalid("This file is empty.", field="size")
    if wanted.length_bytes > MOST_PUT_BYTES:
        raise TooLarge("No link takes a file as large as this. Send it in pieces.")
    upload = begin(person, wanted)
    if PURPOSES[upload.purpose].is_sensitive:
        # It would lie at the storage as it came, and not encrypted.
        raise Invalid("Medical documents are not taken by a link.", field="purpose")
    part = new_part(upload, start=0, key=new_key(DIRECT_PIECES), declared=sha256)
    upload.lease_until = clock.now() + LIFETIME
    db.session.add(part)
    db.session.flush()
    record("upload.link_issued", "upload", upload.id, after={"content_type": content_type})
    return upload, _signed(person, upload, part, content_type)


def _signed(person: Person, upload: Upload, part: UploadPart, content_type: str) -> SignedRequest:
    provider = shelf().provider
    if is_cloud(provider):
        try:
            return member_named(provider, part.provider).presign_put(
                part.key,
                expires=LIFETIME,
                size=upload.length_bytes,
                content_type=content_type,
                sha256=part.sha256 or "",
            )
        except errors.StorageError as error:
            raise Unavailable(
                "The file store cannot give a link just now.", retry_after_s=60
            ) from error
    return _own_request(person, upload, part, content_type)


def _own_request(
    person: Person, upload: Upload, part: UploadPart, content_type: str
) -> SignedRequest:
    more = {
        "school": str(current_school_id()),
        "upload": str(upload.id),
        "part": str(part.id),
        "user": str(person.user_id),
        "nonce": uuid4().hex,
    }
    claim = Claim(
        METHOD,
        part.key,
        clock.now() + LIFETIME,
        content_type=content_type,
        size_bytes=upload.length_bytes,
        sha256=part.sha256 or "",
        more=more,
    )
    headers = {"Content-Type": content_type, "Content-Length": str(upload.length_bytes)}
    return SignedRequest(METHOD, UPLOAD_PATH + _signer().sign(claim), headers, claim.expires_at)


def read_ticket(person: Person, token: str) -> Ticket:
    """What a token says, if we made it for this person in this school. Raises NotFound, or
    LinkTooOld."""
    try:
        claim = _signer().verify(token, method=METHOD, now=clock.now())
        more = claim.more
        is_theirs = (more["school"], more["user"]) == (
            str(current_school_id()),
            str(person.user_id),
        )
        ticket = Ticket(
            UUID(more["upload"]),
            UUID(more["part"]),
            claim.key,
            claim.content_type,
            claim.size_bytes or 0,
            claim.sha256 or "",
        )
    except LinkExpired:
        raise LinkTooOld(LINK_SENTENCES["too_old"]) from None
    except (LinkRefused, KeyError, ValueError):
        raise upload_gone() from None
    if not is_theirs:
        raise upload_gone()
    return ticket


def receive(
    person: Person, token: str, stream: BinaryIO, *, content_type: str, size_bytes: int | None
) -> None:
    """Take what our own link promised, once. Audited. Not inside a transaction.

    Raises NotFound, LinkTooOld, Invalid for anything but what was announced, Conflict the second
    time, Unavailable.
    """
    ticket = read_ticket(person, token)
    check_may_send(person, get_upload(person, ticket.upload_id))
    if (content_type, size_bytes) != (ticket.content_type, ticket.size_bytes):
        raise Invalid("Send exactly what was announced: this type, this many bytes.")
    with transaction() as session:
        take_write_lock(session)
        place = _check_awaited(ticket).provider
        record("upload.link_used", "upload", ticket.upload_id)
    try:
        provider = member_named(shelf().provider, place)
        provider.put(ticket.key, stream, size=ticket.size_bytes, sha256=ticket.sha256)
    except errors.IntegrityError:
        raise _other_bytes() from None
    except errors.AlreadyExists:
        raise Conflict("This was sent already.") from None
    except errors.StorageError as error:
        raise _no_answer() from error


def _check_awaited(ticket: Ticket) -> UploadPart:
    """The piece the link is for. Raises what `held_open` raises, or NotFound for one that is not
    awaited any more."""
    held_open(ticket.upload_id)
    part = _awaited(ticket.upload_id)
    if part is None or (part.id, part.key) != (ticket.part_id, ticket.key):
        raise upload_gone()
    return part


def _awaited(upload_id: UUID) -> UploadPart | None:
    return db.session.scalar(
        sa.select(UploadPart).where(
            UploadPart.upload_id == upload_id,
            UploadPart.size_bytes.is_(None),
            UploadPart.sha256.is_not(None),
        )
    )


def confirm(person: Person, upload_id: UUID) -> Upload:
    """The content has been sent: from here it goes the way of every upload. Twice is once. Not
    inside a transaction.

    Raises Conflict when nothing is there yet. Another size is refused here; the checksum is
    compared while the content is read to be checked.
    """
    upload = get_upload(person, upload_id)
    check_may_send(person, upload)
    part = _awaited(upload_id)
    if part is None or upload.state != UploadState.OPEN:
        return upload
    size_bytes = _size_of(part)
    with transaction() as session:
        take_write_lock(session)
        part = _awaited(upload_id)
        if size_bytes != upload.length_bytes:
            refuse(upload, _other_bytes())
        elif part is not None:
            advance(part, size_bytes, part.sha256 or "")
    return get_upload(person, upload_id)


def _size_of(part: UploadPart) -> int:
    key, place = part.key, part.provider
    db.session.rollback()  # no transaction stays open while the storage is asked
    try:
        return member_named(shelf().provider, place).stat(key).size_bytes
    except errors.NotFound:
        raise Conflict("Nothing has arrived yet. Send it first.") from None
    except errors.StorageError as error:
        raise _no_answer() from error


def _no_answer() -> Unavailable:
    return Unavailable("The file store does not answer. Try again in a minute.", retry_after_s=60)


def _other_bytes() -> Invalid:
    return Invalid("The bytes that arrived are not the ones that were announced.")


def _signer() -> LinkSigner:
    return LinkSigner(shelf().signing_keys)
