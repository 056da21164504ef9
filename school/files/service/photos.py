"""A photo drawn anew: only its dots are kept, upright, small, without place or camera inside."""

from __future__ import annotations

from io import BytesIO
from typing import IO

from PIL import Image, ImageOps

from school.files.service.pictures import opened

LARGEST_SIDE = 640
WHITE = (255, 255, 255)


def redraw(stream: IO[bytes]) -> BytesIO:
    """A JPEG of at most 640 × 640 dots. Raises Refused for one that cannot be drawn."""
    with opened(stream) as (sent, _):
        return _drawn(sent)


def _drawn(sent: Image.Image) -> BytesIO:
    # A JPEG can be read at a fraction of its size, which saves most of the memory.
    sent.draft("RGB", (LARGEST_SIDE * 2, LARGEST_SIDE * 2))
    upright = ImageOps.exif_transpose(sent)
    upright.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
    see_through = upright.convert("RGBA")
    # Pasted on a new sheet: comments, profiles and anything appended stay behind.
    sheet = Image.new("RGB", see_through.size, WHITE)
    sheet.paste(see_through, mask=see_through.getchannel("A"))
    drawn = BytesIO()
    sheet.save(drawn, format="JPEG", quality=85, optimize=True)
    drawn.seek(0)
    return drawn
