"""Large pictures are drawn by a process apart: bounded, and one that breaks breaks nothing else."""

from __future__ import annotations

import io
import os
import resource
import signal
import time
from typing import IO, BinaryIO

import pytest
from PIL import Image

from school.files.service import drawing, pictures
from school.files.service.content import Refused
from school.files.service.drawing import drawn
from school.files.service.families import KINDS

LARGE = (3000, 2100)


def large(kind: str = "JPEG", **more: object) -> io.BytesIO:
    sheet = io.BytesIO()
    Image.new("RGB", LARGE, (200, 30, 60)).save(sheet, format=kind, **more)
    return sheet


def tell_process(_stream: IO[bytes], sheet: BinaryIO) -> None:
    sheet.write(str(os.getpid()).encode())


def tell_secrets(_stream: IO[bytes], sheet: BinaryIO) -> None:
    sheet.write(os.environ.get("SECRET_KEY", "none").encode())


def take_memory(_stream: IO[bytes], _sheet: BinaryIO) -> None:
    bytearray(2 * drawing.MOST_MEMORY_BYTES)


def die(_stream: IO[bytes], _sheet: BinaryIO) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def fail(_stream: IO[bytes], _sheet: BinaryIO) -> None:
    raise KeyError("a child's name")


def refuse(_stream: IO[bytes], _sheet: BinaryIO) -> None:
    raise Refused("frames")


def take_time(_stream: IO[bytes], _sheet: BinaryIO) -> None:
    time.sleep(60)


def process_of(stream: IO[bytes]) -> int:
    with drawn(tell_process, stream) as sheet:
        return int(sheet.read())


def test_only_large_ones_cost_a_process() -> None:
    small = io.BytesIO()
    Image.new("RGB", (300, 200)).save(small, format="JPEG")
    assert process_of(small) == os.getpid()
    assert process_of(large()) != os.getpid()


def test_the_other_process_knows_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "x" * 40)
    with drawn(tell_secrets, large()) as sheet:
        assert sheet.read() == b"none"


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        (take_memory, "pixels"),
        (die, "damaged_picture"),
        (fail, "damaged_picture"),
        (refuse, "frames"),
    ],
)
def test_whatever_happens_there_is_a_sentence_here(way: drawing.Way, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        drawn(way, large())
    assert refused.value.reason == reason


def test_one_that_takes_too_long_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "LONGEST_S", 0.5)
    with pytest.raises(Refused, match="40 million dots"):
        drawn(take_time, large())


@pytest.mark.parametrize(("kind", "code"), [("JPEG", "jpeg"), ("PNG", "png"), ("WEBP", "webp")])
def test_drawn_apart_it_is_the_same_picture(kind: str, code: str) -> None:
    more = {"lossless": True} if kind == "WEBP" else {}
    with pictures.clean(large(kind, **more), KINDS[code]) as sheet, Image.open(sheet) as clean:
        assert (clean.format, clean.size) == (kind, LARGE)
        assert clean.convert("RGB").getpixel((9, 9)) == pytest.approx((200, 30, 60), abs=4)


def test_the_largest_webp_costs_the_server_nothing() -> None:
    """39 million dots: 660 MiB in the process apart, which has 1 GiB."""
    sheet = io.BytesIO()
    Image.new("RGB", (7200, 5416), (9, 9, 9)).save(sheet, format="WEBP", lossless=True, method=0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pictures.clean(sheet, KINDS["webp"]).close()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 * 1024
