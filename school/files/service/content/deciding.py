"""Which kind a file is, told by its first bytes; the family's own room looks closer."""

from __future__ import annotations

from typing import IO

from school.files.service.content.office import decide_office
from school.files.service.content.pdf import check_pdf
from school.files.service.content.pictures import check_picture, code_of
from school.files.service.content.refusals import Refused
from school.files.service.content.signatures import (
    is_heif,
    is_old_office,
    is_program,
)
from school.files.service.content.text import check_text
from school.files.service.families import BY_EXTENSION, KINDS, Kind, Purpose
from school.files.service.names import extension_of

HEAD_BYTES = 8192


def decide_kind(stream: IO[bytes], *, name: str, purpose: Purpose) -> Kind:
    """The kind of what `stream` (seekable) holds. Raises Refused saying why it is not taken."""
    kind = _agree(_inside(stream), extension_of(name))
    if kind.code not in purpose.kinds:
        raise Refused("not_a_picture")
    stream.seek(0)
    return kind


def _agree(kind: Kind, extension: str) -> Kind:
    """What is inside and what the name says must be one; no extension says nothing."""
    if not extension:
        return kind
    named = BY_EXTENSION.get(extension)
    if named is None:
        raise Refused("not_taken", extension=extension)
    if kind.family == named.family == "text":
        return named
    if named is not kind:
        raise Refused("misnamed", extension=extension, inside=kind.extensions[0])
    return kind


def _inside(stream: IO[bytes]) -> Kind:
    stream.seek(0)
    head = stream.read(HEAD_BYTES)
    _refuse_by_head(head)
    if head.startswith(b"%PDF-"):
        check_pdf(stream)
        return KINDS["pdf"]
    if head.startswith(b"PK\x03\x04"):
        return KINDS[decide_office(stream)]
    if code := code_of(head):
        check_picture(stream)
        return KINDS[code]
    check_text(stream, head)
    return KINDS["text"]


def _refuse_by_head(head: bytes) -> None:
    if not head:
        raise Refused("empty")
    if is_program(head):
        raise Refused("program")
    if is_old_office(head):
        raise Refused("old_office")
    if is_heif(head):
        raise Refused("heic")
