"""Looking at a file on its own page: which kinds can be, and the link the frame is given.

A preview link is like a download link (five minutes, one person, rights asked again when it is
used) but signed for nothing else, and it always leads to our own route: what is framed must
carry our headers.
"""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID, uuid4

from school import clock
from school.audit.log import record
from school.files.models import File
from school.files.policy import check_view
from school.files.queries import Content, file_gone, get_content
from school.files.service.families import BY_CONTENT_TYPE, MIB
from school.files.service.links import LIFETIME, LINK_SENTENCES, LinkTooOld, Ticket
from school.files.service.reading import opener
from school.files.service.shelf import shelf
from school.permissions import Person
from school.storage.errors import StorageError
from school.storage.signing import Claim, LinkExpired, LinkRefused, LinkSigner
from school.tenancy.scope import current_school_id

PATH = "/p/"
METHOD = "PREVIEW"
MOST_TEXT_BYTES = MIB
MOST_PICTURE_BYTES = 30 * MIB
"""Larger ones are slow to draw on a phone; they are downloaded instead."""
_MOST_BYTES = {"text": MOST_TEXT_BYTES, "image": MOST_PICTURE_BYTES, "pdf": None}


def family_shown(content_type: str | None, size_bytes: int) -> str | None:
    """'image', 'pdf' or 'text' where the page can show it; None where it cannot."""
    kind = BY_CONTENT_TYPE.get(content_type or "")
    if kind is None or kind.family not in _MOST_BYTES:
        return None
    most = _MOST_BYTES[kind.family]
    is_drawn = kind.inline or kind.family == "text"
    return kind.family if is_drawn and (most is None or size_bytes <= most) else None


def issue(person: Person, file: File) -> str:
    """Where this person's frame may fetch the current version. Audited. Raises NotFound."""
    check_view(person, file)
    content = get_content(file)
    if family_shown(content.content_type, content.size_bytes) is None:
        raise file_gone()
    details = {"version": content.number, "name": content.name, "via": "preview"}
    record("file.link_issued", "file", file.id, after=details)
    more = {
        "school": str(current_school_id()),
        "file": str(file.id),
        "number": str(content.number),
        "user": str(person.user_id),
        "nonce": uuid4().hex,
    }
    return PATH + _signer().sign(Claim(METHOD, content.key, clock.now() + LIFETIME, more=more))


def read_ticket(token: str) -> Ticket:
    """What a token says, if we made it for a preview. Raises NotFound, or LinkTooOld."""
    try:
        more = _signer().verify(token, method=METHOD, now=clock.now()).more
        school_id, file_id, user_id = (UUID(more[name]) for name in ("school", "file", "user"))
        ticket = Ticket(school_id, file_id, int(more["number"]), user_id, more["nonce"], "inline")
    except LinkExpired:
        raise LinkTooOld(LINK_SENTENCES["too_old"]) from None
    except (LinkRefused, KeyError, ValueError, TypeError):
        raise file_gone() from None
    return ticket


def as_shown(content: Content) -> Content:
    """The content as a frame may have it: every text as plain text. Raises NotFound."""
    family = family_shown(content.content_type, content.size_bytes)
    if family is None:
        raise file_gone()
    if family == "text":
        return replace(content, content_type=f"text/plain; charset={_charset(content)}")
    return content


def _charset(content: Content) -> str:
    """A byte order mark, where there is one, tells the browser more than this."""
    try:
        with opener()(content, 0, content.size_bytes) as blocks:
            b"".join(blocks).decode()
    except UnicodeDecodeError:
        return "windows-1252"
    except StorageError:
        return "utf-8"  # sending it says what is wrong
    return "utf-8"


def _signer() -> LinkSigner:
    return LinkSigner(shelf().signing_keys)
