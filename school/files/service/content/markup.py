"""The XML inside documents, read as it comes by: no DTD, no entities, no tag without end."""

from __future__ import annotations

from collections.abc import Callable
from xml.parsers import expat

from school.files.service.content.refusals import Refused

Attributes = dict[str, str]
SeeElement = Callable[[str, Attributes], None]
# One tag, comment or attribute; a picture may be written inside one.
LONGEST_PIECE = 8 * 1024 * 1024
MOST_ELEMENTS = 10_000_000
STEP = 256 * 1024


class MarkupReader:
    """Fed block by block; calls `see` with each element's name (without prefix) and attributes.

    Only what Expat is told to do happens: nothing is fetched, nothing is expanded.
    """

    def __init__(self, see: SeeElement | None = None, *, is_drawing: bool = False) -> None:
        self._see, self._is_drawing = see, is_drawing
        self._fed = self._elements = 0
        self._waiting = bytearray()
        self._parser = expat.ParserCreate()
        self._parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.EntityDeclHandler = self._entity
        if see is not None:
            self._parser.StartElementHandler = self._element

    def feed(self, block: bytes) -> None:
        # Expat begins an unfinished tag again at every call: few large calls, not many small ones.
        self._waiting += block
        if len(self._waiting) >= STEP:
            self._parse()

    def close(self) -> None:
        self._parse()
        if self._fed:  # an empty part is how some programs say "nothing"
            self._parser.Parse(b"", True)

    def _parse(self) -> None:
        self._parser.Parse(bytes(self._waiting), False)
        self._fed += len(self._waiting)
        self._waiting.clear()
        if self._fed - self._parser.CurrentByteIndex > LONGEST_PIECE:
            raise Refused("bomb")

    def _doctype(self, _name: str, _system: object, _public: object, has_subset: int) -> None:
        # Drawing programs name the public SVG type; it declares nothing of their own.
        if has_subset or not self._is_drawing:
            raise Refused("trapped")

    def _entity(self, *_declared: object) -> None:
        raise Refused("trapped")

    def _element(self, name: str, attributes: Attributes) -> None:
        self._elements += 1
        if self._elements > MOST_ELEMENTS:
            raise Refused("bomb")
        if self._see is not None:
            self._see(name.rpartition(":")[2].casefold(), attributes)
