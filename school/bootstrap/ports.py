"""Is a port free, and if not: which program holds it."""

from __future__ import annotations

import csv
import errno
import os
import re
import socket
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from school.bootstrap.console import Stop
from school.bootstrap.platforms import Platform

LISTENING = "0A"
PRIVILEGED = 1024


def check_port(port: int, platform: Platform) -> None:
    """Raises Stop when nothing could listen on this port of this computer."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if not platform.is_windows:
            # A port whose last connections still fade away is free; Windows means it otherwise.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise port_refused(port, platform, error) from None


def port_refused(port: int, platform: Platform, error: OSError) -> Stop:
    """Why nothing can listen there, and what to do about it."""
    if error.errno == errno.EACCES and port < PRIVILEGED:
        return Stop(
            f"Port {port} is reserved: ports below {PRIVILEGED} belong to the system.",
            "choose another port, such as --port 8000",
        )
    holder = find_holder(port, platform)
    by = f" by {holder}" if holder else ""
    if holder and "Schoolhouse" in holder:
        return Stop(
            f"Schoolhouse is running already on port {port}{by.removeprefix(' by Schoolhouse')}.",
            f"open http://127.0.0.1:{port} in a browser, or choose another port with --port",
        )
    return Stop(
        f"Port {port} is taken{by}.",
        f"end that program, or choose another port, such as --port {_next(port)}",
    )


def _next(port: int) -> int:
    return port + 1 if port < 65535 else 8000


def find_holder(port: int, platform: Platform) -> str | None:
    """Such as "nginx (process 812)"; None where that cannot be found out."""
    with suppress(OSError, ValueError):
        if platform.is_windows:
            return _holder_by_netstat(port, platform)
        found = _holder_by_proc(port) if platform.name == "linux" else None
        return found or _holder_by_lsof(port, platform)
    return None


def _holder_by_proc(port: int, proc: Path = Path("/proc")) -> str | None:
    inodes = set(_listening_inodes(port, proc))
    if not inodes:
        return None
    for process in proc.glob("[0-9]*"):
        with suppress(OSError):  # another user's process, or one that has just ended
            for handle in (process / "fd").iterdir():
                if os.readlink(handle).removeprefix("socket:[").rstrip("]") in inodes:  # noqa: PTH115
                    return _describe(process)
    return None


def _listening_inodes(port: int, proc: Path) -> Iterable[str]:
    for table in ("net/tcp", "net/tcp6"):
        with suppress(OSError):
            for line in (proc / table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == LISTENING and int(fields[1].rsplit(":", 1)[1], 16) == port:
                    yield fields[9]


def _describe(process: Path) -> str:
    words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
    name = (process / "comm").read_text().strip()
    if "school" in words and "serve" in words:
        name = "Schoolhouse"
    return f"{name} (process {process.name})"


def _holder_by_lsof(port: int, platform: Platform) -> str | None:
    answer = platform.run(["lsof", "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-Fpc"]).out
    found = re.search(r"^p(\d+)\nc(.+)$", answer, re.MULTILINE)
    return f"{found[2]} (process {found[1]})" if found else None


def _holder_by_netstat(port: int, platform: Platform) -> str | None:
    for line in platform.run(["netstat", "-ano", "-p", "TCP"]).out.splitlines():
        fields = line.split()
        # The state's name is translated on a German or French Windows; "no far end" is not.
        if len(fields) == 5 and fields[1].endswith(f":{port}") and fields[2].endswith(":0"):
            return _windows_name(fields[4], platform)
    return None


def _windows_name(process_id: str, platform: Platform) -> str:
    answer = platform.run(["tasklist", "/FI", f"PID eq {process_id}", "/FO", "CSV", "/NH"]).out
    rows = [row for row in csv.reader(answer.splitlines()) if len(row) > 1 and row[1] == process_id]
    return f"{rows[0][0]} (process {process_id})" if rows else f"process {process_id}"
