"""Links to content: issued to one person for one version, short-lived, checked again when used.

Where the bytes lie with us, or are sensitive, the link leads to our own route and carries ids
only: whom it was made for is looked up again at redemption, so a right taken away a second ago
is gone. A cloud's own signed link is given out only for what is not sensitive.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

from school import clock
from school.audit.log import record
from school.errors import DomainError
from school.files.models import File
from school.files.policy import check_version
from school.files.queries import Content, file_gone, find_person, get_content, get_file
from school.files.service.families import PURPOSES, is_safe_inline
from school.files.service.shelf import shelf
from school.permissions import Person
from school.storage.signing import Claim, LinkExpired, LinkRefused, LinkSigner
from school.tenancy.scope import current_school_id

LIFETIME = timedelta(minutes=5)
DOWNLOAD_PATH = "/f/"
METHOD = "GET"


LINK_SENTENCES = {
    "too_old": "This link is too old. Go back to the file and take a new one.",
}


class LinkTooOld(DomainError):
    """The link was good once; a new one is a click away."""

    status = 410
    code = "link_too_old"


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a link of ours says: which version, for whom."""

    school_id: UUID
    file_id: UUID
    number: int
    user_id: UUID
    nonce: str
    disposition: str
    # Asked for with an API token: a program has no session to show when it comes for the bytes.
    for_program: bool = False


@dataclass(frozen=True, slots=True)
class Delivery:
    """What may be sent, and how closely it is guarded."""

    content: Content
    person: Person
    is_sensitive: bool
    disposition: str


def issue_link(
    person: Person,
    file: File,
    *,
    number: int | None = None,
    disposition: str = "inline",
    for_program: bool = False,
) -> str:
    """Where this person may fetch this version for the next five minutes. Audited.

    An address on our own host ("/f/…") or a cloud's ("https://…"). "inline" holds for what a
    browser shows safely; everything else is an "attachment" whatever is asked. `for_program`: it
    was asked for with an API token and opens without a session. Raises NotFound.
    """
    check_version(person, file, number)
    content = get_content(file, number)
    provider = shelf().provider
    details = {"version": content.number, "name": content.name}
    record("file.link_issued", "file", file.id, after=details)
    is_ours = provider.caps.local_path or content.envelope is not None
    if is_ours or PURPOSES[file.purpose].is_sensitive:
        return DOWNLOAD_PATH + _sign(person, content, disposition, for_program=for_program)
    return provider.presign_get(
        content.key,
        expires=LIFETIME,
        filename=content.name,
        disposition=_disposition(content, disposition),
        content_type=content.content_type,
    ).url


def _disposition(content: Content, asked: str) -> str:
    may_show = asked == "inline" and is_safe_inline(content.content_type)
    return "inline" if may_show else "attachment"


def read_ticket(token: str) -> Ticket:
    """What a token says, if we made it. Raises NotFound, or LinkTooOld."""
    try:
        claim = _signer().verify(token, method=METHOD, now=clock.now())
        more = claim.more
        ticket = Ticket(
            UUID(more["school"]),
            UUID(more["file"]),
            int(more["number"]),
            UUID(more["user"]),
            more["nonce"],
            claim.disposition,
            for_program=more.get("for") == "program",
        )
    except LinkExpired:
        raise LinkTooOld(LINK_SENTENCES["too_old"]) from None
    except (LinkRefused, KeyError, ValueError, TypeError):
        raise file_gone() from None
    return ticket


def redeem(ticket: Ticket, *, signed_in: Person | None) -> Delivery:
    """Check everything again as it stands now, in the ticket's school. Raises NotFound.

    Content is given only to the person the link was made for, signed in; what is not sensitive
    also to a program of theirs, which has no session.
    """
    file = get_file(ticket.file_id)
    is_sensitive = PURPOSES[file.purpose].is_sensitive
    person = _holder(ticket, signed_in, is_sensitive=is_sensitive)
    check_version(person, file, ticket.number)
    content = get_content(file, ticket.number)
    return Delivery(content, person, is_sensitive, _disposition(content, ticket.disposition))


def record_use(ticket: Ticket, delivery: Delivery) -> None:
    """Audit that a link was used, in the caller's transaction."""
    details = {"version": delivery.content.number, "name": delivery.content.name}
    record("file.downloaded", "file", ticket.file_id, after=details)


def _holder(ticket: Ticket, signed_in: Person | None, *, is_sensitive: bool) -> Person:
    if signed_in is None:
        is_theirs = ticket.for_program and not is_sensitive
    else:
        is_theirs = signed_in.user_id == ticket.user_id
    if not is_theirs:
        raise file_gone()
    person = find_person(ticket.user_id, current_school_id())
    if person is None:
        raise file_gone()
    return person


def _sign(person: Person, content: Content, disposition: str, *, for_program: bool) -> str:
    more = {
        "school": str(current_school_id()),
        "file": str(content.file_id),
        "number": str(content.number),
        "user": str(person.user_id),
        "for": "program" if for_program else "browser",
        "nonce": uuid4().hex,
    }
    expires_at = clock.now() + LIFETIME
    claim = Claim(METHOD, content.key, expires_at, disposition=disposition, more=more)
    return _signer().sign(claim)


def _signer() -> LinkSigner:
    return LinkSigner(shelf().signing_keys)
