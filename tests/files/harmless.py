"""Ordinary files as ordinary programs write them: every one of them must be taken."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

import openpyxl  # type: ignore[import-untyped]
import xlsxwriter
from PIL import Image, ImageCms, ImageSequence

from tests.files.hostile import _rels, packed, pdf
from tests.files.samples import office, types, zipped


@dataclass(frozen=True)
class Harmless:
    """`check(sent, cleaned)` says what must be the same afterwards."""

    name: str
    code: str
    make: Callable[[], bytes]
    check: Callable[[bytes, bytes], None] | None = None


def _noisy(mode: str, size: tuple[int, int] = (120, 80)) -> Image.Image:
    bands = [
        Image.effect_noise(size, 60 + 10 * n)
        for n in range(len(Image.new(mode, (1, 1)).getbands()))
    ]
    return Image.merge(mode, bands) if len(bands) > 1 else bands[0].convert(mode)


def _saved(image: Image.Image, kind: str, **more: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **more)
    return out.getvalue()


def _same_dots(sent: bytes, cleaned: bytes) -> None:
    with Image.open(io.BytesIO(sent)) as before, Image.open(io.BytesIO(cleaned)) as after:
        assert before.mode == after.mode
        assert before.convert("RGBA").tobytes() == after.convert("RGBA").tobytes()


def _same_frames(sent: bytes, cleaned: bytes) -> None:
    with Image.open(io.BytesIO(sent)) as before, Image.open(io.BytesIO(cleaned)) as after:
        assert before.info.get("loop") == after.info.get("loop")
        pairs = zip(ImageSequence.Iterator(before), ImageSequence.Iterator(after), strict=True)
        for one, other in pairs:
            one.load(), other.load()
            assert one.info["duration"] == other.info["duration"]
            assert _visible(one) == _visible(other)


def _visible(frame: Image.Image) -> bytes:
    """Dots as they are shown: the colour of an empty dot does not count."""
    dots = frame.convert("RGBA")
    empty = Image.new("RGBA", dots.size, (0, 0, 0, 0))
    return Image.composite(
        dots, empty, dots.getchannel("A").point(lambda a: 255 * (a > 0))
    ).tobytes()


def _near(sent: bytes, cleaned: bytes) -> None:
    with Image.open(io.BytesIO(sent)) as before, Image.open(io.BytesIO(cleaned)) as after:
        assert before.size == after.size
        assert before.info.get("icc_profile") == after.info.get("icc_profile")


def _moving_gif(*, empty: bool) -> bytes:
    frames = []
    for n in range(6):
        frame = Image.new("RGBA", (40, 40), (0, 0, 0, 0) if empty else (250, 250, 250, 255))
        frame.paste((20 * n, 100, 200, 255), (5 * n, 5 * n, 5 * n + 10, 5 * n + 10))
        frames.append(frame)
    return _saved(
        frames[0], "GIF", save_all=True, append_images=frames[1:], duration=[40, 60, 80, 40, 40, 50],
        loop=3, disposal=2 if empty else 1,
    )  # fmt: skip


def _moving_webp() -> bytes:
    frames = [Image.new("RGBA", (40, 40), (30 * n, 9, 9, 255 - 40 * n)) for n in range(4)]
    return _saved(
        frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=70, lossless=True
    )


def _srgb() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _letter() -> bytes:
    """With a picture, a hyperlink, a template on a disk, and a chart with its own workbook."""
    relations = b"".join(
        (
            b"<Relationships>",
            _rels("hyperlink", "https://school.example/")[15:-16],
            _rels("attachedTemplate", r"file:///C:\Users\me\Letter.dotx")[15:-16],
            b"</Relationships>",
        )
    )
    return office(
        "word/document.xml",
        **{
            "word/_rels/document.xml.rels": relations,
            "word/media/image1.png": _saved(_noisy("RGB"), "PNG"),
            "word/media/image2.svg": b'<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG '
            b'1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd"><svg/>',
            "word/embeddings/Microsoft_Excel_Sheet.xlsx": _workbook(),
            "word/vmlDrawing1.vml": b"<xml><br></xml>",
            "docProps/empty.xml": b"",
        },
    )


def _online_letter() -> bytes:
    """Some programs number the main part."""
    part = "word/document2.xml"
    main = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    return zipped({"[Content_Types].xml": types(part, main), part: "<x/>"})


def _workbook() -> bytes:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    sheet = book.add_worksheet()
    sheet.write_url("A1", "https://school.example/")
    sheet.write_comment("A2", "A remark")
    sheet.insert_image("C3", "i.png", {"image_data": io.BytesIO(_saved(_noisy("RGB"), "PNG"))})
    chart = book.add_chart({"type": "pie"})
    chart.add_series({"values": "=Sheet1!$A$1:$A$3"})
    sheet.insert_chart("E5", chart)
    book.close()
    return out.getvalue()


def _long_workbook() -> bytes:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    book.use_zip64()
    sheet = book.add_worksheet()
    for row in range(20_000):
        sheet.write_row(row, 0, [row, row * 2, "7B", 1])
    book.close()
    return out.getvalue()


def _other_workbook() -> bytes:
    out = io.BytesIO()
    book = openpyxl.Workbook()
    book["Sheet"]["A1"] = "=SUM(B1:B9)"
    book.save(out)
    return out.getvalue()


def _open_text() -> bytes:
    out = io.BytesIO()
    body = (
        '<x><a xlink:href="https://school.example/"/><draw:image xlink:href="Pictures/1.png"/></x>'
    )
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.text", zipfile.ZIP_STORED)
        archive.writestr("Configurations2/accelerator/current.xml", "")
        archive.writestr("Configurations2/floater/", "")
        archive.writestr("content.xml", body)
        archive.writestr("Pictures/1.png", _saved(_noisy("RGB"), "PNG"))
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
    return out.getvalue()


def _scanned_pdf() -> bytes:
    pages = [_noisy("RGB", (600, 800)) for _ in range(3)]
    return _saved(pages[0], "PDF", save_all=True, append_images=pages[1:])


def _linked_pdf() -> bytes:
    """Links, an opening place, packed objects, a page that speaks of programs."""
    return pdf(
        b"<</OpenAction[3 0 R/XYZ 0 0 0]/A<</S/URI/URI(https://school.example)>>>>",
        packed(b"9 0 <</Type/Annot/A<</S/GoTo/D[3 0 R]>>>>"),
        packed(b"BT (About JavaScript and Launch) Tj ET", b"/Type/Page"),
    )


HARMLESS = [
    Harmless("photo.jpg", "jpeg", lambda: _saved(_noisy("RGB"), "JPEG", quality=85), _near),
    Harmless("gray.jpg", "jpeg", lambda: _saved(_noisy("L"), "JPEG"), _near),
    Harmless("print.jpg", "jpeg", lambda: _saved(_noisy("CMYK"), "JPEG")),
    Harmless("coloured.jpg", "jpeg", lambda: _saved(_noisy("RGB"), "JPEG", icc_profile=_srgb()), _near),
    Harmless("passes.jpg", "jpeg", lambda: _saved(_noisy("RGB"), "JPEG", progressive=True), _near),
    Harmless("large.jpg", "jpeg", lambda: _saved(Image.new("RGB", (6000, 4000)), "JPEG"), _near),
    Harmless("phone.jpg", "jpeg", lambda: _saved(_noisy("RGB"), "JPEG") + b"\x00\x00\x00\x18ftypmp42", _near),
    Harmless("drawing.png", "png", lambda: _saved(_noisy("RGB"), "PNG", icc_profile=_srgb()), _same_dots),
    Harmless("empty-dots.png", "png", lambda: _saved(_noisy("RGBA"), "PNG"), _same_dots),
    Harmless("few-colours.png", "png", lambda: _saved(_noisy("RGB").quantize(16), "PNG", transparency=3), _same_dots),
    Harmless("scan.png", "png", lambda: _saved(_noisy("L").convert("1"), "PNG"), _same_dots),
    Harmless("deep.png", "png", lambda: _saved(_noisy("L").convert("I;16"), "PNG")),
    Harmless("small.gif", "gif", lambda: _saved(_noisy("RGB").quantize(64), "GIF"), _same_dots),
    Harmless("moving.gif", "gif", lambda: _moving_gif(empty=False), _same_frames),
    Harmless("moving-empty.gif", "gif", lambda: _moving_gif(empty=True), _same_frames),
    Harmless("screen.webp", "webp", lambda: _saved(_noisy("RGB"), "WEBP"), _near),
    Harmless("exact.webp", "webp", lambda: _saved(_noisy("RGBA"), "WEBP", lossless=True, exact=True), _same_dots),
    Harmless("moving.webp", "webp", _moving_webp, _same_frames),
    Harmless("letter.docx", "docx", _letter),
    Harmless("online.docx", "docx", _online_letter),
    Harmless("marks.xlsx", "xlsx", _workbook),
    Harmless("long.xlsx", "xlsx", _long_workbook),
    Harmless("sums.xlsx", "xlsx", _other_workbook),
    Harmless("lesson.pptx", "pptx", lambda: office("ppt/presentation.xml", **{"ppt/embeddings/Sheet1.xlsx": _workbook()})),
    Harmless("letter.odt", "odt", _open_text),
    Harmless("scan.pdf", "pdf", _scanned_pdf),
    Harmless("links.pdf", "pdf", _linked_pdf),
    Harmless("locked.pdf", "pdf", lambda: pdf(b"<</Type/ObjStm/Filter/FlateDecode>>stream\n\x9a\x11secret\nendstream", trailer=b"/Encrypt 9 0 R")),
    Harmless("list.csv", "csv", lambda: "name;class\nŻofia;7B\n=SUM(A1|B2)\n".encode()),
    Harmless("wide.csv", "csv", lambda: "name\tclass\nŻofia\t7B\n".encode("utf-16")),
    Harmless("notes.txt", "text", lambda: "\ufeffa < b, 2 <3, <Name>, BMI; R&D".encode()),
    Harmless("bmi.txt", "text", lambda: b"BMI is a number. MZ and ID3 are letters."),
    Harmless("russian.txt", "text", lambda: "Привет, школа".encode("cp1251")),
    Harmless("japanese.txt", "text", lambda: "こんにちは、学校".encode("shift_jis")),
    Harmless("code.txt", "text", lambda: b"for (i = 0; i < n; i++) { print(i | 1); }\nimport java;"),
]  # fmt: skip
