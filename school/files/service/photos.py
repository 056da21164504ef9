"""A photo drawn anew: only its dots are kept, upright, small, without place or camera inside."""

from __future__ import annotations

import warnings
from io import BytesIO
from typing import IO

from PIL import Image, ImageOps

from school.files.service.content import MOST_PIXELS, Refused

LARGEST_SIDE = 640
WHITE = (255, 255, 255)


def redraw(stream: IO[bytes]) -> BytesIO:
    """A JPEG of at most 640 × 640 dots. Raises Refused for one that cannot be drawn."""
    stream.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(stream, formats=("JPEG", "PNG", "WEBP", "GIF")) as sent:
                return _drawn(sent)
    except Image.DecompressionBombError:
        raise Refused("pixels") from None
    except (OSError, ValueError, SyntaxError, EOFError):
        raise Refused("damaged_picture") from None


def _drawn(sent: Image.Image) -> BytesIO:
    if sent.width * sent.height > MOST_PIXELS:
        raise Refused("pixels")
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
