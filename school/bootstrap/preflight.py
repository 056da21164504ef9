"""What must be right before set-up begins, each fault in a plain sentence."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

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
    target = urlsplit(index)
    if target.scheme not in {"http", "https"} or target.hostname is None:
        return None
    proxy = proxy or urllib.request.getproxies().get(target.scheme, "")
    if proxy and not urllib.request.proxy_bypass(target.hostname):
        target = urlsplit(proxy if "//" in proxy else f"http://{proxy}")
    if target.hostname is None:
        return None
    return target.hostname, target.port or (443 if target.scheme == "https" else 80)
