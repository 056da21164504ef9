"""The three kinds of computer, as far as set-up tells them apart.

Everything that differs stands here and in `ports.py`, and takes a `Platform`, so that tests on
one system walk through the branches of all.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Protocol


@dataclass(frozen=True)
class Ran:
    """What a program answered."""

    code: int
    out: str = ""
    err: str = ""


class Run(Protocol):
    """Runs a program to its end. Raises FileNotFoundError where there is no such program."""

    def __call__(
        self,
        command: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        text: str | None = None,
    ) -> Ran: ...


def run_program(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    text: str | None = None,
) -> Ran:
    """The real thing. `env` is added to the environment; `text` goes to standard input."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        input=text,
        stdin=subprocess.DEVNULL if text is None else None,
        capture_output=True,
        check=False,
        encoding="utf-8",
        errors="replace",
    )
    return Ran(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class Platform:
    """`name` is linux, macos or windows."""

    name: str
    is_root: bool = False
    run: Run = run_program
    which: Callable[[str], str | None] = shutil.which

    @property
    def is_windows(self) -> bool:
        return self.name == "windows"

    @property
    def script(self) -> str:
        """How a person here types the name of the set-up script."""
        return ".\\setup_infrastructure.ps1" if self.is_windows else "./setup_infrastructure.sh"

    @property
    def python_command(self) -> str:
        """How a person here calls the installation's Python."""
        return ".venv\\Scripts\\python.exe" if self.is_windows else ".venv/bin/python"

    def venv_python(self, venv: Path) -> Path:
        return venv / "Scripts" / "python.exe" if self.is_windows else venv / "bin" / "python"

    def keep_private(self, path: Path) -> None:
        """Only the owner may read this file."""
        if not self.is_windows:
            path.chmod(0o600)
            return
        user = os.environ.get("USERNAME", "")
        if user:
            self.run(["icacls", path, "/inheritance:r", "/grant:r", f"{user}:F"])

    def is_debian(self) -> bool:
        """Debian, Ubuntu and their kin: apt-get installs packages here."""
        return self.name == "linux" and self.which("apt-get") is not None


def this_platform() -> Platform:
    name = {"win32": "windows", "darwin": "macos"}.get(sys.platform, "linux")
    return Platform(name, is_root=name != "windows" and os.geteuid() == 0)


def become(
    platform: Platform, command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str]
) -> NoReturn:
    """Turn this process into the command; on Windows, run it and end with its code."""
    words = [str(part) for part in command]
    whole = {**os.environ, **env}
    os.chdir(cwd)
    sys.stdout.flush()
    if platform.is_windows:
        sys.exit(_run_in_front(words, whole))
    os.execve(words[0], words, whole)  # noqa: S606 - no shell wanted


def _run_in_front(words: list[str], env: dict[str, str]) -> int:
    process = subprocess.Popen(words, env=env)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            # The console sends Ctrl+C to both; the server needs its moment to finish.
            continue
