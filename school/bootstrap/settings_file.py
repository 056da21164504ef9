"""The settings file `.env`: made once with fresh secrets, never overwritten."""

from __future__ import annotations

import codecs
import os
import re
import secrets
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from school.bootstrap.console import Stop
from school.bootstrap.platforms import Platform

# As python-dotenv reads them: a value that begins with a quote ends with one, a note may follow.
QUOTED = re.compile(r"""(?P<quote>['"])(?P<value>(?:\\.|(?!(?P=quote)).)*)(?P=quote)\s*(#.*)?""")
SETTING = re.compile(rf"""(export\s+)?[A-Za-z_]\w*\s*=\s*({QUOTED.pattern}|[^'"].*)?""")
TRUE = frozenset({"1", "true", "t", "yes", "y", "on"})
FALSE = frozenset({"0", "false", "f", "no", "n", "off"})
# Named in the environment of the first run, these are written down: without them the second
# run would quietly start on an empty database.
TAKEN_OVER = ("DATABASE_URL", "REDIS_URL", "STORAGE_URL", "SMTP_URL", "MAIL_FROM")


@dataclass(frozen=True)
class Wanted:
    """What a new settings file says."""

    data_dir: Path
    port: int
    demo: bool = False
    public_url: str = ""
    more: tuple[tuple[str, str], ...] = ()


def write_settings(path: Path, wanted: Wanted, platform: Platform) -> bool:
    """Make the file, readable by its owner only. False when there is one already."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
        file.write(settings_text(wanted))
    platform.keep_private(path)
    return True


def settings_text(wanted: Wanted) -> str:
    """The whole file. Secrets are new at every call."""
    public_url = wanted.public_url or f"http://127.0.0.1:{wanted.port}"
    lines = [
        "# Settings of this Schoolhouse. Made by set-up, yours to change, never overwritten.",
        "# docs/reference/settings.md explains every one. Keep a copy somewhere safe: without",
        "# these secrets nobody can sign in to a restored backup.",
        "",
        f"DATA_DIR={quote(wanted.data_dir.as_posix())}",
        f"PORT={wanted.port}",
        f"PUBLIC_URL={quote(public_url)}",
        f"DEMO={'true' if wanted.demo else 'false'}",
        "# Where another database, cache or file store is used instead of DATA_DIR:",
        *_addresses(dict(wanted.more)),
        "",
        f"SECRET_KEY={secrets.token_hex(32)}",
        f"PASSWORD_SALT={secrets.token_hex(16)}",
        f"FILE_SIGNING_KEYS={secrets.token_hex(32)}",
        f"FILE_ENCRYPTION_KEYS=1:{b64encode(secrets.token_bytes(32)).decode()}",
        f"TOTP_SECRETS=1:{secrets.token_hex(32)}",
    ]
    return "\n".join(lines) + "\n"


def _addresses(given: dict[str, str]) -> list[str]:
    shown = {"DATABASE_URL": "", "STORAGE_URL": "", "REDIS_URL": "", "SMTP_URL": "", **given}
    return [f"{name}={quote(value)}" for name, value in shown.items()]


def taken_over(environment: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((name, environment[name]) for name in TAKEN_OVER if environment.get(name))


def quote(value: str) -> str:
    """As python-dotenv reads it back, whatever a folder is called."""
    plain = all(letter.isalnum() or letter in "/:._-+@%=?&,~" for letter in value)
    return value if plain else "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def read_settings_file(path: Path) -> dict[str, str]:
    """Names and values; empty when there is no file. Reads what `settings_text` writes and
    ordinary lines a person adds. Raises Stop for a file that cannot be read."""
    faults = settings_file_faults(path)
    if faults:
        raise Stop("\n".join(faults), "mend that, and run this again")
    if not path.exists():
        return {}
    pairs = (
        line.strip().removeprefix("export ").partition("=") for _, line in _lines(path.read_bytes())
    )
    return {name.strip().upper(): _unquote(value.strip()) for name, _, value in pairs}


def settings_file_faults(path: Path) -> list[str]:
    """What keeps the file from being read, in sentences; nothing of its content is shown."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        why = "it is a folder" if path.is_dir() else (error.strerror or "it is refused").lower()
        return [f"The settings file {path} cannot be read: {why}."]
    if b"\0" in content:
        return [f"{path.name} is not plain text (UTF-16, perhaps): save it as UTF-8."]
    return [
        f"Line {number} of {path.name} {_fault(line)}"
        for number, line in _lines(content)
        if _fault(line)
    ]


def _lines(content: bytes) -> Iterator[tuple[int, str]]:
    """Lines that say something, with their number; what is no UTF-8 stays as lone surrogates."""
    text = content.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")
    for number, line in enumerate(re.split("\r\n|\r|\n", text), 1):
        if line.strip() and not line.strip().startswith("#"):
            yield number, line


def _fault(line: str) -> str:
    if any("\udc80" <= letter <= "\udcff" for letter in line):
        return "has a letter that is not written in UTF-8: save the file as UTF-8."
    if not SETTING.fullmatch(line.strip()):
        return "is no setting: write NAME=value, and close every quote."
    return ""


def _unquote(value: str) -> str:
    quoted = QUOTED.fullmatch(value)
    if quoted:
        return re.sub(rf"\\([\\{quoted['quote']}])", r"\1", quoted["value"])
    return re.sub(r"\s+#.*", "", value).rstrip()
