"""The few things a plan is made of. Each can be told in words and carried out, again and again."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from school.bootstrap.console import Stop
from school.bootstrap.for_upgrade import LOCK
from school.bootstrap.packages import Environment, last_line
from school.bootstrap.platforms import Platform
from school.bootstrap.testing import apt_install, missing_packages


@dataclass
class Machine:
    """Where a plan is carried out. `top` stands for / in rehearsals; `changed`: something was.

    `notes` are for the person to read at the end.
    """

    platform: Platform
    top: Path = Path("/")
    changed: bool = False
    notes: list[str] = field(default_factory=list)

    def path(self, absolute: str) -> Path:
        return self.top / absolute.lstrip("/")

    def own(self, path: Path, owner: str) -> None:
        """Hand a file to user:group; only root can, and only on the real machine."""
        if self.top == Path("/"):
            user, group = owner.split(":")
            shutil.chown(path, user, group)


class Action(Protocol):
    """`lines` tells what would be done; `apply` does it and says whether anything changed."""

    def lines(self) -> Iterable[str]: ...

    def apply(self, machine: Machine) -> bool: ...


@dataclass(frozen=True)
class InstallPackages:
    names: tuple[str, ...]

    def lines(self) -> Iterable[str]:
        return [f"apt-get install --no-install-recommends {' '.join(self.names)}"]

    def apply(self, machine: Machine) -> bool:
        missing = missing_packages(machine.platform, self.names)
        if missing:
            apt_install(machine.platform, missing)
        return bool(missing)


@dataclass(frozen=True)
class Command:
    """A program to run, left out when `unless` succeeds. `remedy` helps when it fails.

    `settles`: it makes sure of something and counts as no change. `after_change`: it is only
    needed when something before it has changed.
    """

    words: tuple[str, ...]
    unless: tuple[str, ...] = ()
    text: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    remedy: str = "see what it says, mend that, and run this again"
    settles: bool = False
    after_change: bool = False

    def lines(self) -> Iterable[str]:
        shown = [f"{name}={value}" for name, value in self.env.items()]
        when = "  (if anything changed)" if self.after_change else ""
        yield " ".join([*shown, *(f"'{w}'" if " " in w else w for w in self.words)]) + when
        yield from (f"    | {line}" for line in (self.text or "").splitlines())

    def apply(self, machine: Machine) -> bool:
        if self.after_change and not machine.changed:
            return False
        if self.unless and machine.platform.run(self.unless).code == 0:
            return False
        done = machine.platform.run(self.words, env=self.env, text=self.text)
        if done.code:
            raise Stop(f"{self.words[0]} failed: {last_line(done)}", self.remedy)
        return not self.settles


@dataclass(frozen=True)
class Folder:
    path: str
    mode: int
    owner: str

    def lines(self) -> Iterable[str]:
        return [f"folder {self.path}  ({self.owner}, {self.mode:04o})"]

    def apply(self, machine: Machine) -> bool:
        path = machine.path(self.path)
        there = path.is_dir()
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(self.mode)
        machine.own(path, self.owner)
        return not there


@dataclass(frozen=True)
class TextFile:
    """A file with this content. `keep`: one that is there already stays as it is."""

    path: str
    content: str
    mode: int = 0o644
    owner: str = "root:root"
    keep: bool = False

    def lines(self) -> Iterable[str]:
        kept = ", kept if it is there" if self.keep else ""
        yield f"file {self.path}  ({self.owner}, {self.mode:04o}{kept})"
        yield from (f"    | {line}" for line in _without_secrets(self.content))

    def apply(self, machine: Machine) -> bool:
        path = machine.path(self.path)
        there = path.exists()
        if there and (self.keep or path.read_text("utf-8") == self.content):
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.new")
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, self.mode & 0o700)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(self.content)
        machine.own(part, self.owner)
        part.chmod(self.mode)
        if there:
            shutil.copy2(path, path.with_name(f"{path.name}.before"))  # somebody may have edited it
        part.replace(path)
        return True


def _without_secrets(text: str) -> Iterable[str]:
    for line in text.splitlines():
        name = line.partition("=")[0]
        yield f"{name}=(fresh)" if name.endswith(("_KEY", "_KEYS", "_SALT", "_SECRETS")) else line


@dataclass(frozen=True)
class Link:
    path: str
    target: str

    def lines(self) -> Iterable[str]:
        return [f"link {self.path} -> {self.target}"]

    def apply(self, machine: Machine) -> bool:
        path = machine.path(self.path)
        if path.is_symlink() and str(path.readlink()) == self.target:
            return False
        if path.exists() and not path.is_symlink():
            raise Stop(
                f"{path} is in the way: it is a file, not a link to {self.target}.",
                "move it away, and run this again",
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(self.target)
        return True


@dataclass(frozen=True)
class CopyCode:
    """The program itself, from where it was unpacked to where the services run it."""

    source: Path
    target: str
    entries: tuple[str, ...]

    def lines(self) -> Iterable[str]:
        return [f"copy {', '.join(self.entries)} from {self.source} to {self.target}"]

    def apply(self, machine: Machine) -> bool:
        target = machine.path(self.target)
        if target.exists() and target.samefile(self.source):
            return False
        target.mkdir(parents=True, exist_ok=True)
        target.chmod(0o755)
        changed = [
            self._copy(entry, target) for entry in self.entries if (self.source / entry).exists()
        ]
        return any(changed)

    def _copy(self, entry: str, target: Path) -> bool:
        source, there = self.source / entry, target / entry
        if tree_digest(source) == tree_digest(there):
            return False
        new, old = target / f".{entry}.new", target / f".{entry}.old"
        _remove(new)
        _remove(old)
        if source.is_dir():
            shutil.copytree(source, new, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, new)
            shutil.copymode(source, new)
        _readable(new)
        if there.exists():
            there.rename(old)
        new.rename(there)
        _remove(old)
        return True


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _readable(path: Path) -> None:
    """For everybody to read, for nobody but root to change, whatever the umask was."""
    for each in [path, *path.rglob("*")]:
        executable = each.is_dir() or each.stat().st_mode & 0o100
        each.chmod(0o755 if executable else 0o644)


def tree_digest(path: Path) -> str:
    """Same digest, same files with the same contents; bytecode does not count."""
    digest = hashlib.sha256()
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    for file in files:
        if file.is_file() and "__pycache__" not in file.parts:
            name = file.relative_to(path).as_posix()
            digest.update(f"{name}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class InstallEnvironment:
    """The virtual environment of the services, from the lock file.

    Made by the system's own Python: one in somebody's home is closed to the services.
    """

    root: str
    base: str

    def lines(self) -> Iterable[str]:
        return [
            f"virtual environment {self.root}/.venv with what {self.root}/{LOCK} names"
        ]

    def apply(self, machine: Machine) -> bool:
        environment = Environment(
            machine.path(self.root), machine.platform, lock=LOCK, base=self.base
        )
        if environment.works() and environment.is_complete():
            return False
        if not environment.works():
            environment.make()
        environment.install()
        return True


@dataclass(frozen=True)
class NewestPostgres:
    """Stops when the server is older than what Schoolhouse is tested with."""

    oldest: int
    ask: tuple[str, ...]

    def lines(self) -> Iterable[str]:
        return [f"check that PostgreSQL is {self.oldest} or newer"]

    def apply(self, machine: Machine) -> bool:
        answer = machine.platform.run(self.ask)
        if answer.code:
            raise Stop(
                f"PostgreSQL does not answer: {last_line(answer)}",
                "start it (systemctl start postgresql)",
            )
        major = int(answer.out.strip()) // 10_000
        if major < self.oldest:
            raise Stop(
                f"PostgreSQL {major} is too old; {self.oldest} or newer is needed.",
                "upgrade this server (Debian 12, Ubuntu 24.04 or newer), and run this again",
            )
        return False


@dataclass(frozen=True)
class Ask:
    """Something the installed program does; `does` says whether anything changed."""

    sentence: str
    does: Callable[[Machine], bool]

    def lines(self) -> Iterable[str]:
        return [self.sentence]

    def apply(self, machine: Machine) -> bool:
        return self.does(machine)


@dataclass(frozen=True)
class UntilReady:
    """Waits until every address answers."""

    urls: Sequence[str]
    limit_s: float = 60.0

    def lines(self) -> Iterable[str]:
        return [f"wait until {url} answers" for url in self.urls]

    def apply(self, machine: Machine) -> bool:  # noqa: ARG002 - every action takes the machine
        ends_at = time.monotonic() + self.limit_s
        for url in self.urls:
            while not _answers(url):
                if time.monotonic() > ends_at:
                    raise Stop(
                        f"{url} does not answer.",
                        "read why: journalctl -u 'schoolhouse-*' --since '5 minutes ago'",
                    )
                time.sleep(0.5)
        return False


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - always http on this machine
            return bool(answer.status == 200)
    except OSError:
        return False
