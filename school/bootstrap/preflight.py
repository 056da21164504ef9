"""What must be right before set-up begins, each fault in a plain sentence."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import urllib.request
from contextlib import suppress
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from school.bootstrap.console import Stop
from school.bootstrap.packages import index_settings
from school.bootstrap.platforms import Platform

MIB = 1024 * 1024
NEEDED_MIB = 600
NEEDED_LATER_MIB = 50
INDEX = "https://pypi.org/simple"
INDEX_TIMEOUT_S = 5.0


def check_folder(folder: Path, what: str) -> None:
    """Make the folder if it is missing; raises Stop when nothing can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = (
            "it is not a folder"
            if folder.is_file()
            else (error.strerror or "it is refused").lower()
        )
        raise Stop(
            f"{what} {folder} is not writable: {reason}.",
            "choose a folder of your own, or ask for the right to write there",
        ) from None


def check_data_folder(folder: Path, *, is_known: bool) -> None:
    """As `check_folder`; a new or empty one is closed to everybody else. Raises Stop when a
    folder that holds a school already (`is_known`) is not there: an empty one in its place would
    look as if everything were lost."""
    if is_known and not folder.is_dir():
        raise Stop(
            f"The data folder {folder}, which .env names in DATA_DIR, is not there. "
            "No new one was made, so that nothing seems lost.",
            "if it was moved, correct DATA_DIR in .env; if there never was anything in it, "
            "make the folder; then run this again",
        )
    if "${" in str(folder):
        raise Stop(
            f"The data folder {folder} has ${{ in its name, which .env cannot hold.",
            "choose another with --data-dir",
        )
    check_folder(folder, "The data folder")
    with suppress(PermissionError):  # another's folder that we may write in
        if not any(folder.iterdir()):
            folder.chmod(0o700)


def check_disk(folder: Path, *, needed_mib: int) -> None:
    free_mib = shutil.disk_usage(folder).free // MIB
    if free_mib < needed_mib:
        raise Stop(
            f"There is not enough room on the disk: {free_mib} MB free at {folder}, "
            f"{needed_mib} MB needed.",
            "free some room, or unpack Schoolhouse on another disk",
        )


def check_network(platform: Platform) -> None:
    """Raises Stop when packages are needed and nothing answers where they come from."""
    told = index_settings(platform)
    if "no-index" in told:
        return
    index = _index(told)
    address = _to_knock_at(index, told.get("proxy", ""))
    if address is None:
        return
    try:
        socket.create_connection(address, timeout=INDEX_TIMEOUT_S).close()
    except OSError:
        raise Stop(
            f"The package index {urlsplit(index).hostname} does not answer; "
            "packages are needed and this computer seems to have no network.",
            "connect to the internet (a proxy goes into HTTPS_PROXY), and run this again",
        ) from None


def _index(told: dict[str, str]) -> str:
    return (
        os.environ.get("UV_DEFAULT_INDEX")
        or os.environ.get("UV_INDEX_URL")
        or told.get("index-url")
        or INDEX
    )


def _to_knock_at(index: str, proxy: str) -> tuple[str, int] | None:
    """Host and port to reach first: the proxy if there is one. None for an index in a folder."""
    target = _address(index, "The address of the package index")
    if target.scheme not in {"http", "https"} or target.hostname is None:
        return None
    proxy = proxy or urllib.request.getproxies().get(target.scheme, "")
    if proxy and not urllib.request.proxy_bypass(target.hostname):
        target = _address(proxy if "//" in proxy else f"http://{proxy}", "The proxy's address")
    if target.hostname is None:
        return None
    return target.hostname, target.port or (443 if target.scheme == "https" else 80)


def _address(text: str, what: str) -> SplitResult:
    """Raises Stop for one whose port is no number. It may hold a password: not to be shown."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise Stop(
            f"{what} makes no sense: behind the last colon there has to be a port, a number.",
            "correct it (HTTPS_PROXY is written like http://proxy.example.org:3128)",
        ) from None
    return parts
