"""First bytes that give a program, an archive, a film or an old document away."""

from __future__ import annotations

import filetype

_PROGRAMS = (
    b"#!", b"\x7fELF",
    b"\xca\xfe\xba\xbe", b"\xbe\xba\xfe\xca",  # Java classes and fat Mach-O
    b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe",
    b"dex\n", b"\x00asm",
    b"L\x00\x00\x00\x01\x14\x02\x00",  # a Windows shortcut
    b"%!PS", b"\xc5\xd0\xd3\xc6",  # PostScript is a programming language
    b"FWS", b"CWS", b"ZWS",  # Flash
    b"ITSF",  # compiled help
)  # fmt: skip
_NEED_NUL = (b"FWS", b"CWS", b"ZWS", b"ITSF")
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"mif1", b"msf1", b"heim", b"heis")
_ARCHIVES = (
    b"PK\x03\x04", b"PK\x05\x06", b"Rar!\x1a\x07", b"7z\xbc\xaf\x27\x1c", b"\x1f\x8b\x08",
    b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"MSCF\x00", b"LZIP",
    b"\x1f\x9d", b"\x1f\xa0", b"!<arch>\n",
)  # fmt: skip


def is_program(head: bytes) -> bool:
    if head.startswith(_NEED_NUL) and b"\x00" not in head[:128]:
        return False  # a letter may begin with these
    return head.startswith(_PROGRAMS) or _is_windows_program(head)


def _is_windows_program(head: bytes) -> bool:
    """'MZ' and machine bytes; a letter that begins "MZ" is no program."""
    return head.startswith(b"MZ") and b"\x00" in head[:128]


def is_old_office(head: bytes) -> bool:
    """The container of .doc and .xls, and of documents locked with a password; or RTF."""
    return head.startswith((OLE, b"{\\rtf"))


def is_heif(head: bytes) -> bool:
    return head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS


def is_archive(head: bytes) -> bool:
    return head.startswith(_ARCHIVES) or head[257:262] == b"ustar"


def reason_by_guess(head: bytes) -> str:
    """Why bytes that are no text, picture or document are refused."""
    if is_archive(head):
        return "archive"
    guess = filetype.guess(head)
    family = guess.mime.partition("/")[0] if guess is not None else ""
    if guess is not None and guess.mime in _ARCHIVE_MIMES:
        return "archive"
    return _BY_FAMILY.get(family, "unknown")


_BY_FAMILY = {"audio": "sound", "video": "sound", "image": "other_picture"}
_ARCHIVE_MIMES = frozenset(
    f"application/{kind}"
    for kind in (
        "zip", "x-tar", "x-rar-compressed", "gzip", "x-bzip2", "x-7z-compressed", "x-xz", "zstd",
        "vnd.ms-cab-compressed", "x-lzip", "x-compress", "x-iso9660-image", "x-unix-archive",
        "x-deb", "x-rpm",
    )
)  # fmt: skip
