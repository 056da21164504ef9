"""Office documents: a ZIP with the parts of its kind, and nothing that runs, hides or fetches."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile
from typing import IO, cast
from xml.parsers.expat import ExpatError

from school.files.service.content.archives import (
    BROKEN,
    Budget,
    Member,
    read_directory,
    unpack,
)
from school.files.service.content.markup import Attributes, MarkupReader, SeeElement
from school.files.service.content.refusals import Refused
from school.files.service.content.signatures import OLE, is_archive, is_program
from school.files.service.families import KINDS

TYPES = "[content_types].xml"
SPOOL_BYTES = 1024 * 1024
LONGEST_MIMETYPE = 200
_OOXML = "application/vnd.openxmlformats-officedocument."
_MAIN_TYPES = {
    f"{_OOXML}wordprocessingml.document.main+xml": "docx",
    f"{_OOXML}spreadsheetml.sheet.main+xml": "xlsx",
    f"{_OOXML}presentationml.presentation.main+xml": "pptx",
}
_USUAL_MAIN = {
    "word/document.xml": "docx",
    "xl/workbook.xml": "xlsx",
    "ppt/presentation.xml": "pptx",
}
_ODF_TYPES = {KINDS[code].content_type: code for code in ("odt", "ods", "odp")}
# Charts keep their numbers in a small workbook of their own; it is checked like any other.
_INNER = re.compile(r"(?:word|ppt|xl)/embeddings/[^/]+\.(?:docx|xlsx|pptx)")
_MACRO_NAMES = re.compile(
    r".*(?:vbaproject\.bin|vbadata\.xml|attachedtoolbars\.bin)|xl/(?:intl)?macrosheets/.*"
    r"|basic/.+|scripts/.+"
)
_EMBEDDED_NAMES = re.compile(
    r".*(?:oleobject|activex)[^/]*.*|.*embeddings/.*(?<!\.docx)(?<!\.xlsx)(?<!\.pptx)"
    r"|.*\.(?:html?|xhtml|mhtml?|hta|rtf|swf|pdf|url|lnk)"
)
_PROGRAM_ENDINGS = (
    ".exe", ".dll", ".js", ".jse", ".vbs", ".vbe", ".wsf", ".bat", ".cmd", ".com", ".ps1", ".jar",
    ".scr", ".msi", ".class", ".dex", ".so", ".sh", ".py", ".php",
)  # fmt: skip
_ARCHIVE_ENDINGS = (".zip", ".rar", ".7z", ".gz", ".bz2", ".xz", ".tar", ".cab", ".iso")
_MACRO_TYPES = ("macroenabled", "vbaproject", "vbadata", "macrosheet")
_EMBEDDED_TYPES = ("activex", "oleobject")
_MACRO_LINKS = frozenset({"vbaproject", "wordvbadata", "xlmacrosheet", "xlintlmacrosheet"})
_EMBEDDED_LINKS = frozenset(
    {"oleobject", "control", "activexcontrol", "activexcontrolbinary", "afchunk"}
)
_LOCAL_DRIVE = re.compile(r"(?:file:/{0,3})?[a-z]:[\\/]", re.IGNORECASE)
_REMOTE = re.compile(r"(?:[a-z][a-z0-9+.-]+:|[\\/]{2})", re.IGNORECASE)
# Fields and buttons that start a program.
_STARTERS = re.compile(
    rb"ppaction://(?:program|macro)|<w:instrText[^<>]*>\s*DDE(?:AUTO)?\b|w:instr=.\s*DDE",
    re.IGNORECASE,
)
_HINTS = re.compile(rb"[dD][dD][eE]|://[pm]")  # told fast
LONGEST_STARTER = 512


def decide_office(stream: IO[bytes]) -> str:
    """'docx', 'odt' and so on. Raises Refused."""
    return _whole(stream, Budget(), is_inner=False)


def _whole(stream: IO[bytes], budget: Budget, *, is_inner: bool) -> str:
    try:
        members = read_directory(stream, budget)
        code = _code_of(stream, members)
        for member in members:
            _refuse_by_name(member.name, code)
        for member in members:
            _look_through(stream, member, code, budget, is_inner=is_inner)
    except BROKEN:
        raise Refused("damaged_document") from None
    except ExpatError:
        raise Refused("damaged_document") from None
    return code


def _code_of(stream: IO[bytes], members: list[Member]) -> str:
    by_name = {member.name: member for member in members}
    if TYPES in by_name:
        return _ooxml_code(stream, by_name)
    mimetype = by_name.get("mimetype")
    if mimetype is not None and mimetype.unpacked_bytes < LONGEST_MIMETYPE:
        told = b"".join(unpack(stream, mimetype)).decode("ascii", "replace").strip()
        if told in _ODF_TYPES and "content.xml" in by_name:
            return _ODF_TYPES[told]
    if any(name.endswith((".class", ".dex")) for name in by_name):
        raise Refused("program")
    raise Refused("archive")


@dataclass(slots=True)
class _Types:
    """What [Content_Types].xml says: the type of a part, or of all that end alike."""

    parts: dict[str, str] = field(default_factory=dict)
    endings: dict[str, str] = field(default_factory=dict)

    def see(self, name: str, attributes: Attributes) -> None:
        told = attributes.get("ContentType", "").casefold().strip()
        if any(word in told for word in _MACRO_TYPES):
            raise Refused("macro")
        if any(word in told for word in _EMBEDDED_TYPES):
            raise Refused("embedded")
        if name == "override":
            self.parts[attributes.get("PartName", "").lstrip("/").casefold()] = told
        elif name == "default":
            self.endings[attributes.get("Extension", "").casefold()] = told

    def of(self, part: str) -> str:
        return self.parts.get(part) or self.endings.get(part.rpartition(".")[2], "")


def _ooxml_code(stream: IO[bytes], by_name: dict[str, Member]) -> str:
    """The kind that the list of types gives to a part that is really there, and to no other."""
    types = _Types()
    _read_markup(stream, by_name[TYPES], types.see)
    named = {part: code for part in by_name if (code := _MAIN_TYPES.get(types.of(part)))}
    # Types by ending give one type to every .xml part: only the usual place is meant then.
    codes = {code for part, code in named.items() if part in types.parts or part in _USUAL_MAIN}
    if len(codes) == 1:
        return codes.pop()
    raise Refused("damaged_document" if codes or by_name.keys() & _USUAL_MAIN else "archive")


def _read_markup(stream: IO[bytes], member: Member, see: SeeElement) -> None:
    reader = MarkupReader(see)
    for block in unpack(stream, member):
        reader.feed(block)
    reader.close()


def _refuse_by_name(name: str, code: str) -> None:
    if name.endswith(_PROGRAM_ENDINGS):
        raise Refused("program")
    if _MACRO_NAMES.fullmatch(name):
        raise Refused("macro")
    if name.endswith(_ARCHIVE_ENDINGS):
        raise Refused("archive")
    if "externallinks/" in name:
        raise Refused("remote")
    if _EMBEDDED_NAMES.fullmatch(name) and code not in _ODF_TYPES.values():
        raise Refused("embedded")


def _look_through(
    stream: IO[bytes], member: Member, code: str, budget: Budget, *, is_inner: bool
) -> None:
    """Unpack one part, because what it declares can lie, and let its watchers see it go by."""
    if _INNER.fullmatch(member.name):
        _look_into(stream, member, budget, is_inner=is_inner)
        return
    watchers: list[_Watcher] = []
    for number, block in enumerate(unpack(stream, member)):
        budget.spend(len(block))
        if number == 0:
            _refuse_by_head(block)
            watchers = _watchers(member.name, code, block)
        for watcher in watchers:
            watcher.feed(block)
    for watcher in watchers:
        watcher.close()


def _refuse_by_head(head: bytes) -> None:
    if is_program(head):
        raise Refused("program")
    if is_archive(head):
        raise Refused("archive")
    if head.startswith((OLE, b"%PDF-", b"{\\rtf")):
        raise Refused("embedded")


def _look_into(stream: IO[bytes], member: Member, budget: Budget, *, is_inner: bool) -> None:
    """A document in a document, once; in there is no place for a third."""
    if is_inner:
        raise Refused("archive")
    with SpooledTemporaryFile(max_size=SPOOL_BYTES) as inner:
        for block in unpack(stream, member):
            budget.spend(len(block))
            inner.write(block)
        _whole(cast("IO[bytes]", inner), budget, is_inner=True)


class _Starters:
    """Watches for fields and buttons that start a program."""

    def __init__(self) -> None:
        self._before = b""

    def feed(self, block: bytes) -> None:
        seen = self._before + block
        if _HINTS.search(seen) and _STARTERS.search(seen):
            raise Refused("macro")
        self._before = seen[-LONGEST_STARTER:]

    def close(self) -> None:
        """Nothing is left over."""


class _Lenient(MarkupReader):
    """For parts that programs themselves write carelessly: faults end the reading."""

    _is_over = False

    def feed(self, block: bytes) -> None:
        if not self._is_over:
            self._tried(lambda: super(_Lenient, self).feed(block))

    def close(self) -> None:
        if not self._is_over:
            self._tried(super().close)

    def _tried(self, step: Callable[[], None]) -> None:
        try:
            step()
        except ExpatError:
            self._is_over = True


_Watcher = MarkupReader | _Starters


def _watchers(name: str, code: str, head: bytes) -> list[_Watcher]:
    """Who looks at this part as it comes by."""
    is_open_document = code in _ODF_TYPES.values()
    if name.endswith(".rels"):
        return [MarkupReader(_see_relationship)]
    if name.endswith(".svg"):
        return [_Lenient(is_drawing=True)]
    if name.endswith((".xml", ".rdf")):
        see = _see_open_document if is_open_document else None
        # Tables are the large ones, and have neither fields nor buttons.
        return [MarkupReader(see)] if name.startswith("xl/") else [MarkupReader(see), _Starters()]
    if head.lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n").startswith(b"<"):
        return [_Lenient(), _Starters()]
    return []


def _see_relationship(name: str, attributes: Attributes) -> None:
    """Ordinary hyperlinks may lead outside; nothing that is fetched by opening may."""
    if name != "relationship":
        return
    kind = attributes.get("Type", "").rstrip("/").rpartition("/")[2].casefold()
    if kind in _MACRO_LINKS:
        raise Refused("macro")
    if kind in _EMBEDDED_LINKS:
        raise Refused("embedded")
    is_external = attributes.get("TargetMode", "").strip().casefold() == "external"
    target = attributes.get("Target", "").strip()
    # A document written from a template on somebody's own disk names it: nothing is fetched.
    if is_external and kind != "hyperlink" and not _LOCAL_DRIVE.match(target):
        raise Refused("remote")


_FETCHING = frozenset(
    {"image", "object", "object-ole", "plugin", "applet", "floating-frame", "section-source",
     "table-source", "database-source", "dde-source", "fill-image", "sound"}
)  # fmt: skip


def _see_open_document(name: str, attributes: Attributes) -> None:
    if name in {"event-listener", "script"}:
        raise Refused("macro")
    if name == "encryption-data":
        raise Refused("old_office")
    if name.startswith("dde-") or name in {"object-ole", "applet", "plugin"}:
        raise Refused("embedded")
    if name in _FETCHING and any(
        _REMOTE.match(value.strip())
        for key, value in attributes.items()
        if key.rpartition(":")[2] == "href"
    ):
        raise Refused("remote")
