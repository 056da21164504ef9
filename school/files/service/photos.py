"""A photo drawn anew: only its dots are kept, upright, small, without place or camera inside."""

from __future__ import annotations

from io import BytesIO
from typing import IO, BinaryIO

from PIL import Image

from school.files.service.drawing import drawn
from school.files.service.pictures import opened, shrunk

LARGEST_SIDE = 640
WHITE = (255, 255, 255)


def redraw(stream: IO[bytes]) -> BytesIO:
    """A JPEG of at most 640 × 640 dots. Raises Refused for one that cannot be drawn."""
    with drawn(draw_photo, stream) as photo:
        return BytesIO(photo.read())


def draw_photo(stream: IO[bytes], sheet: BinaryIO) -> None:
    """A way to draw (see `drawing`)."""
    with opened(stream) as (sent, _):
        see_through = shrunk(sent, LARGEST_SIDE).convert("RGBA")
        # Pasted on a new picture: comments, profiles and anything appended stay behind.
        photo = Image.new("RGB", see_through.size, WHITE)
        photo.paste(see_through, mask=see_through.getchannel("A"))
        photo.save(sheet, format="JPEG", quality=85, optimize=True)
