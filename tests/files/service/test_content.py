"""The kind is decided by what is inside, and everything refused says why in plain words."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from school.errors import DomainError
from school.files.service.content import Refused, decide_kind
from school.files.service.families import PURPOSES
from school.files.service.photos import redraw
from tests.files.samples import GOOD, HOSTILE, PDF, huge_picture, picture

DOCUMENT, PHOTO = PURPOSES["document"], PURPOSES["photo"]


@pytest.mark.parametrize("name", GOOD)
def test_an_ordinary_file_is_taken_for_what_it_is(name: str) -> None:
    data, content_type = GOOD[name]

    kind = decide_kind(io.BytesIO(data), name=name, purpose=DOCUMENT)

    assert kind.content_type == content_type


@pytest.mark.parametrize(("name", "make", "words"), HOSTILE, ids=[h[0] for h in HOSTILE])
def test_a_file_that_pretends_is_refused_with_a_sentence(
    name: str, make: Callable[[], bytes], words: str
) -> None:
    with pytest.raises(Refused) as refusal:
        decide_kind(io.BytesIO(make()), name=name, purpose=DOCUMENT)

    sentence = str(refusal.value)
    assert words in sentence
    assert sentence.endswith(".")
    assert refusal.value.field == "file"


def test_the_corpus_is_as_large_as_promised() -> None:
    assert len(HOSTILE) >= 40


def test_a_name_without_extension_leaves_it_to_the_content() -> None:
    assert decide_kind(io.BytesIO(PDF), name="Report", purpose=DOCUMENT).code == "pdf"


def test_a_document_is_no_photo() -> None:
    with pytest.raises(Refused, match="not a picture"):
        decide_kind(io.BytesIO(PDF), name="photo.pdf", purpose=PHOTO)


@given(
    st.binary(max_size=3000), st.sampled_from(["a.pdf", "a.docx", "a.png", "a.txt", "a", "a.csv"])
)
def test_no_bytes_at_all_break_the_check(data: bytes, name: str) -> None:
    for start in (b"", b"%PDF-", b"PK\x03\x04", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff"):
        try:
            decide_kind(io.BytesIO(start + data), name=name, purpose=DOCUMENT)
        except DomainError as error:
            assert str(error)  # noqa: PT017 - most bytes are refused, some are not


def test_a_photo_is_drawn_anew_without_what_was_hidden_in_it() -> None:
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    exif[0x0112] = 6  # lying on its side
    sent = (
        picture("JPEG", (1200, 800), exif=exif, comment=b"SecretComment") + b"PK\x03\x04SecretZip"
    )

    drawn = redraw(io.BytesIO(sent)).getvalue()

    assert b"Secret" not in drawn
    with Image.open(io.BytesIO(drawn)) as image:
        assert image.format == "JPEG"
        assert image.size[1] == 640 > image.size[0]
        assert not image.getexif()


def test_a_see_through_photo_gets_a_white_sheet() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (10, 10), (0, 0, 0, 0)).save(out, format="PNG")

    with Image.open(redraw(out)) as image:
        assert image.getextrema() == ((255, 255), (255, 255), (255, 255))


def test_a_flood_of_dots_is_not_drawn() -> None:
    with pytest.raises(Refused):
        redraw(io.BytesIO(huge_picture(9_000, 9_000)))
