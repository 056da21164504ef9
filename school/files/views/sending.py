"""Send stored bytes as HTTP wants it: ranges, conditions, names, and nothing a page could run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import structlog
from flask import Response, current_app, request
from werkzeug.http import parse_range_header
from werkzeug.wsgi import ClosingIterator

from school import cache
from school.db import transaction
from school.errors import Unavailable
from school.files.queries import Content
from school.files.service.sealing import opened
from school.files.service.shelf import shelf
from school.storage.disposition import content_disposition
from school.storage.errors import Denied, IntegrityError, StorageError

log = structlog.get_logger(__name__)
LOCKED = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"
SANDBOX = f"sandbox; {LOCKED}"
ACCEL_PLACE = "/protected-files/"
ONE_DOWNLOAD_S = 6 * 60


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes from `start` up to `stop`; `asked` for by a range, so that the answer is 206."""

    start: int
    stop: int
    asked: bool


def send(content: Content, *, disposition: str, cache_control: str) -> Response:
    """The content, or the part asked for (206), or 304, or 416."""
    if _is_known_already(content):
        response = Response(status=304)
    elif (part := _wanted_part(content)) is None:
        response = Response(status=416)
        response.headers["Content-Range"] = f"bytes */{content.size_bytes}"
    else:
        response = _body(content, part)
    return _dress(response, content, disposition=disposition, cache_control=cache_control)


def tell_release(response: Response, place: str, tell: Callable[[], None]) -> Response:
    """Before the answer leaves, audit by `tell` that it gives bytes out, which neither a HEAD nor a
    304 does.

    Parts of one download, asked for at `place` by one asker within ONE_DOWNLOAD_S of each other,
    are told once.
    """
    if request.method == "HEAD" or response.status_code not in {200, 206}:
        return response
    is_told = not cache.cache.add(place, 1, timeout=ONE_DOWNLOAD_S)
    if is_told:
        cache.cache.set(place, 1, timeout=ONE_DOWNLOAD_S)
    if is_told and response.status_code == 206:
        return response
    try:
        with transaction():
            tell()
    except BaseException:
        cache.cache.delete(place)
        response.close()
        raise
    return response


def _dress(
    response: Response, content: Content, *, disposition: str, cache_control: str
) -> Response:
    headers = response.headers
    headers["Content-Type"] = _media_type(content) if response.status_code != 416 else "text/plain"
    headers["ETag"] = f'"{content.sha256}"'
    headers["Accept-Ranges"] = "bytes"
    headers["Content-Disposition"] = content_disposition(disposition, content.name)
    headers["Cache-Control"] = cache_control
    headers["X-Content-Type-Options"] = "nosniff"
    # Chromium refuses to open its PDF viewer in a sandbox; a PDF runs nothing in our name.
    is_pdf = content.content_type == "application/pdf"
    headers["Content-Security-Policy"] = LOCKED if is_pdf else SANDBOX
    # The address is the key to the file: it is told to nobody.
    headers["Referrer-Policy"] = "no-referrer"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


def _media_type(content: Content) -> str:
    """As decided when it came in. Text goes without a charset: nobody knows it for certain."""
    return content.content_type


def _is_known_already(content: Content) -> bool:
    return bool(request.if_none_match) and request.if_none_match.contains_weak(content.sha256)


def _wanted_part(content: Content) -> Part | None:
    """The whole where no single part is asked for; None for one that is not there (416)."""
    whole = Part(0, content.size_bytes, asked=False)
    header = request.headers.get("Range")
    if header is None or not _range_still_holds(content):
        return whole
    asked = parse_range_header(header)
    if asked is None or asked.units != "bytes" or len(asked.ranges) != 1:
        return whole
    start, stop = asked.ranges[0]
    if start < 0:  # the last so many; of a shorter file all of it
        start = max(0, content.size_bytes + start)
    if start >= content.size_bytes:
        return None
    return Part(start, min(stop or content.size_bytes, content.size_bytes), asked=True)


def _range_still_holds(content: Content) -> bool:
    """If-Range: a part fits only the version the rest came from."""
    condition = request.headers.get("If-Range")
    return condition is None or condition.strip() == f'"{content.sha256}"'


def _body(content: Content, part: Part) -> Response:
    by_web_server = _by_web_server(content)
    if by_web_server is not None:
        return by_web_server  # it sees to ranges itself
    response = _by_us(content, part)
    response.headers["Content-Length"] = str(part.stop - part.start)
    if part.asked:
        response.status_code = 206
        response.headers["Content-Range"] = (
            f"bytes {part.start}-{part.stop - 1}/{content.size_bytes}"
        )
    return response


def _by_web_server(content: Content) -> Response | None:
    """Let the web server send it where it may, through its door to the storage folder."""
    if not current_app.config["SETTINGS"].accel_redirect or content.envelope is not None:
        return None
    if shelf().provider.local_path(content.key) is None:
        return None
    return Response(headers={"X-Accel-Redirect": ACCEL_PLACE + content.key})


def _by_us(content: Content, part: Part) -> Response:
    if request.method == "HEAD":
        return Response()
    stack = ExitStack()
    try:
        blocks = stack.enter_context(
            opened(content, start=part.start, length=part.stop - part.start)
        )
        first = next(blocks, b"")
    except (IntegrityError, Denied) as error:
        stack.close()
        log.exception("file.unreadable", key=content.key)
        raise Unavailable(
            "This file is damaged or its key is missing. Tell your administrator.",
            retry_after_s=3600,
        ) from error
    except StorageError as error:
        stack.close()
        raise Unavailable(
            "The file store does not answer. Try again in a minute.", retry_after_s=60
        ) from error
    body = ClosingIterator(_rest(first, blocks), stack.close)
    return Response(body, direct_passthrough=True)


def _rest(first: bytes, blocks: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from blocks
