"""Pictures drawn anew: only their dots are kept, upright; nothing that was written beside them.

Where and when a photo was taken, its comments, hidden files behind its end: all of that is what
the sender's program wrote, so none of it is copied. Only a small colour profile stays, because
without it colours change.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import IO, BinaryIO

from PIL import Image, ImageCms, ImageOps, ImageSequence
from PIL.JpegImagePlugin import get_sampling

from school.files.service.content.pictures import (
    MOST_PIXELS,
    Measure,
    check_picture,
)
from school.files.service.content.refusals import Refused
from school.files.service.drawing import LARGE_PIXELS, drawn
from school.files.service.families import Kind

JPEG_QUALITY = 92
WEBP_QUALITY = 90
WEBP_LOWER_QUALITY = 75
# Effort, for lossless WebP only: more takes minutes and twice the memory for a large picture.
WEBP_EFFORT = 30
WEBP_LARGE_EFFORT = 0
LARGEST_PROFILE_BYTES = 16 * 1024
_PROFILE_SPACES = {"RGB ": {"RGB", "RGBA", "P"}, "GRAY": {"L", "LA", "I;16", "1"}}
# In small letters.
_CARRIED = (b"pk\x03\x04", b"<script", b"<?php", b"<html", b"<svg", b"%pdf-", b"\x7felf")
_FORMATS = {"jpeg": "JPEG", "png": "PNG", "gif": "GIF", "webp": "WEBP"}
# What Pillow says about pictures that are cut off, or made to break it.
_BROKEN = (
    OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError, AttributeError,
    OverflowError, struct.error, zlib.error,
)  # fmt: skip


def clean(stream: IO[bytes], kind: Kind) -> BinaryIO:
    """The same picture of the same kind, drawn anew, in a temporary file at its beginning.

    The caller closes it. Raises Refused for a picture that cannot be drawn to its end.
    """
    if check_picture(stream).code != kind.code:
        raise Refused("damaged_picture")
    return drawn(redraw, stream)


def redraw(stream: IO[bytes], sheet: BinaryIO) -> None:
    """A way to draw (see `drawing`): everything as it is, and nothing but the picture."""
    with opened(stream) as (sent, measure):
        _DRAW[measure.code](sent, measure, sheet)


def shrunk(sent: Image.Image, side: int) -> Image.Image:
    """Upright, and at most `side` dots each way."""
    # A JPEG can be read at a fraction of its size, which saves most of the memory.
    sent.draft("RGB", (side * 2, side * 2))
    ImageOps.exif_transpose(sent, in_place=True)
    sent.thumbnail((side, side))
    return sent


@contextmanager
def opened(stream: IO[bytes]) -> Iterator[tuple[Image.Image, Measure]]:
    """A picture whose size was checked before; what goes wrong inside says so in a sentence."""
    measure = check_picture(stream)
    try:
        with Image.open(stream, formats=(_FORMATS[measure.code],)) as sent:
            # Pillow and we must have read the same size.
            if sent.width * sent.height > MOST_PIXELS:
                raise Refused("pixels")
            yield sent, measure
    except Image.DecompressionBombError:
        raise Refused("pixels") from None
    except _BROKEN:
        raise Refused("damaged_picture") from None


def _jpeg(sent: Image.Image, _measure: Measure, sheet: BinaryIO) -> None:
    sampling, profile = get_sampling(sent), _profile(sent)
    ImageOps.exif_transpose(sent, in_place=True)
    bare = _bare(sent)
    if bare.mode not in {"RGB", "L"}:
        bare = bare.convert("RGB")
        profile = None
    bare.save(
        sheet,
        format="JPEG",
        quality=JPEG_QUALITY,
        # As it was; where that cannot be told, no colour is thrown away.
        subsampling=max(0, sampling),
        icc_profile=profile,
    )


def _png(sent: Image.Image, _measure: Measure, sheet: BinaryIO) -> None:
    profile = _profile(sent)
    ImageOps.exif_transpose(sent, in_place=True)
    level = 3 if _is_large(sent) else 6
    _bare(sent).save(sheet, format="PNG", icc_profile=profile, compress_level=level)


def _gif(sent: Image.Image, measure: Measure, sheet: BinaryIO) -> None:
    if measure.frames == 1:
        sent.load()
        _bare(sent).save(sheet, format="GIF", comment=b"")
        return
    loop = sent.info.get("loop")
    durations = [frame.info.get("duration", 0) for frame in ImageSequence.Iterator(sent)]
    # A frame drawn over the one before it cannot take dots away; drawn on an empty sheet it can.
    is_see_through = _is_see_through(sent)
    frames = _drawn_frames(sent, "RGBA" if is_see_through else "RGB")
    again = {} if loop is None else {"loop": loop}
    next(frames).save(
        sheet, format="GIF", save_all=True, append_images=frames, duration=durations,
        disposal=2 if is_see_through else 1, comment=b"", **again,
    )  # fmt: skip


def _drawn_frames(sent: Image.Image, mode: str) -> Iterator[Image.Image]:
    """Every frame as it is shown, one at a time."""
    for frame in ImageSequence.Iterator(sent):
        shown = frame.convert(mode)
        shown.info.clear()
        yield shown


def _is_see_through(sent: Image.Image) -> bool:
    """Whether any frame, as it is shown, has empty dots."""
    for frame in ImageSequence.Iterator(sent):
        if frame.has_transparency_data:
            lowest, _ = frame.convert("RGBA").getchannel("A").getextrema()
            if lowest == 0:
                return True
    return False


def _webp(sent: Image.Image, measure: Measure, sheet: BinaryIO) -> None:
    lossless = measure.is_lossless
    effort = WEBP_LARGE_EFFORT if _is_large(sent) else WEBP_EFFORT
    quality = effort if lossless else WEBP_QUALITY
    method = 1 if lossless else 2 if _is_large(sent) else 4
    profile = _profile(sent)
    if measure.frames > 1:
        sent.save(
            sheet, format="WEBP", save_all=True, duration=list(measure.durations_ms),
            loop=sent.info.get("loop", 0), lossless=lossless, quality=quality, method=method,
            icc_profile=profile, exif=b"", xmp=b"",
        )  # fmt: skip
        return
    ImageOps.exif_transpose(sent, in_place=True)
    bare = _bare(sent)
    # Pillow would keep three more copies of the unfolded picture while this one is packed.
    sent._decoder = sent.fp = None  # type: ignore[attr-defined]  # noqa: SLF001
    try:
        bare.save(
            sheet, format="WEBP", lossless=lossless, quality=quality, method=method,
            exact=lossless, icc_profile=profile, exif=b"", xmp=b"",
        )  # fmt: skip
    except ValueError:
        # A large, busy picture does not fit the format's own bounds at this quality.
        bare.save(
            sheet, format="WEBP", quality=WEBP_LOWER_QUALITY, method=4, icc_profile=profile,
            exif=b"", xmp=b"",
        )  # fmt: skip


_DRAW: dict[str, Callable[[Image.Image, Measure, BinaryIO], None]] = {
    "jpeg": _jpeg,
    "png": _png,
    "gif": _gif,
    "webp": _webp,
}


def _is_large(sent: Image.Image) -> bool:
    """Packing these as tightly as small ones would take a minute."""
    return sent.width * sent.height > LARGE_PIXELS


def _bare(sent: Image.Image) -> Image.Image:
    """The same dots on a sheet that remembers nothing else, without copying them."""
    sent.load()
    bare = Image.Image()._new(sent.im)  # noqa: SLF001 - a copy would double a large picture
    bare.palette = sent.palette
    if "transparency" in sent.info:
        bare.info["transparency"] = sent.info["transparency"]
    return bare


def _profile(sent: Image.Image) -> bytes | None:
    """Its colour profile, when it is small, sound, fits the picture and carries nothing else."""
    profile = sent.info.get("icc_profile")
    if not isinstance(profile, bytes) or not 0 < len(profile) <= LARGEST_PROFILE_BYTES:
        return None
    if any(mark in profile.lower() for mark in _CARRIED):
        return None
    try:
        space = ImageCms.ImageCmsProfile(BytesIO(profile)).profile.xcolor_space
    except OSError:
        return None
    return profile if sent.mode in _PROFILE_SPACES.get(space, ()) else None
