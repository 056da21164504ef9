"""Large pictures are drawn in a process of their own, whose memory and time are bounded.

A WebP of 39 million dots unfolds to 630 MiB: Pillow reads it whole and knows no smaller way. In
the server such memory would stay taken, and a picture made to break a decoder would break the
server. Small ones are drawn where they are: a process costs a fifth of a second.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, BinaryIO, cast

import structlog

import school
from school.files.service.content.pictures import check_picture
from school.files.service.content.refusals import REFUSAL_SENTENCES, Refused

log = structlog.get_logger(__name__)
Way = Callable[[IO[bytes], BinaryIO], None]
"""Draws a picture upon an empty sheet: a function of a module, so that another process finds it.
Raises Refused."""
LARGE_PIXELS = 6_000_000
MOST_MEMORY_BYTES = 1024**3
LONGEST_S = 120
_REFUSED = 3
# One at a time: a few of them together would take a small server's memory all the same.
_IN_TURN = threading.Lock()


def drawn(way: Way, stream: IO[bytes]) -> BinaryIO:
    """What `way` makes of a picture, in a temporary file at its beginning; the caller closes it.

    Raises Refused for a picture that would unfold to too much, or cannot be drawn.
    """
    measure = check_picture(stream)
    with ExitStack() as stack:
        sheet = cast("BinaryIO", stack.enter_context(TemporaryFile()))
        if measure.width * measure.height > LARGE_PIXELS:
            with _IN_TURN:
                _draw_apart(way, stream, sheet)
        else:
            way(stream, sheet)
        sheet.seek(0)
        stack.pop_all()  # it was drawn to its end: from here on it is the caller's
    return sheet


def _draw_apart(way: Way, stream: IO[bytes], sheet: BinaryIO) -> None:
    program = [sys.executable, "-m", __name__, way.__module__, way.__name__]
    root = Path(school.__file__).parents[1]
    with TemporaryFile() as source:
        stream.seek(0)
        shutil.copyfileobj(stream, source)
        source.seek(0)
        try:
            ended = subprocess.run(  # noqa: S603 - this program, with names out of it
                program, stdin=source, stdout=sheet, stderr=subprocess.PIPE, cwd=root,
                env=_little(), timeout=LONGEST_S, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise Refused("pixels") from None
    if ended.returncode:
        raise _why(ended)


def _little() -> dict[str, str]:
    """No setting of ours: keys have no business where strangers' pictures are read."""
    kept = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "TEMP", "TMPDIR")
    return {name: os.environ[name] for name in kept if name in os.environ}


def _why(ended: subprocess.CompletedProcess[bytes]) -> Refused:
    said = ended.stderr.decode(errors="replace").strip()
    if ended.returncode == _REFUSED and said in REFUSAL_SENTENCES:
        return Refused(said)
    # Killed at its bounds, or broken by the picture: either way it is not taken.
    log.warning("file.drawing_failed", code=ended.returncode, fault=said[-200:])
    return Refused("damaged_picture")


def main(module: str, name: str) -> int:
    """In the process apart: from standard input to standard output."""
    _bound()
    way: Way = getattr(import_module(module), name)
    try:
        way(sys.stdin.buffer, sys.stdout.buffer)
        sys.stdout.flush()
    except Refused as refused:
        sys.stderr.write(refused.reason)
        return _REFUSED
    except MemoryError:
        sys.stderr.write("pixels")
        return _REFUSED
    except Exception as error:  # noqa: BLE001 - what it says may be out of the picture
        sys.stderr.write(type(error).__name__)
        return 1
    return 0


def _bound() -> None:
    """No more memory and time than this; and when the machine has too little, this goes first."""
    if os.name == "nt":  # no such bounds there; LONGEST_S holds
        return
    import resource  # noqa: PLC0415 - not on Windows

    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY_BYTES, MOST_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (LONGEST_S, LONGEST_S))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
