"""The virtual environment and the packages in it, exactly those the lock file names.

pip comes from `wheels/`, so that a Python without ensurepip is no special case. uv is used
where it is installed and nobody has told pip about an index of their own. Nothing is built: a
build would fetch tools whose hashes nobody checks. What exists only as source lies in `wheels/`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from pathlib import Path

from school.bootstrap.console import Stop, step
from school.bootstrap.platforms import Platform, Ran

WHEELS = Path(__file__).parent / "wheels"
STAMP = "schoolhouse-packages"
LOCKS = ("requirements.txt", "requirements/upgrade.txt", "requirements/test.txt")
OLD_ENOUGH = "import sys; sys.exit(sys.version_info < (3, 11))"


class Environment:
    """`.venv` in the project's folder, made by the Python `base`."""

    def __init__(
        self,
        root: Path,
        platform: Platform,
        *,
        lock: str = "requirements.txt",
        base: str = sys.executable,
    ) -> None:
        self.root, self.platform, self.lock, self.base = root, platform, root / lock, base
        self.folder = root / ".venv"
        self.python = platform.venv_python(self.folder)

    def works(self) -> bool:
        """There, and not left over from a Python that has since been removed."""
        try:
            return (
                self.python.exists()
                and self.platform.run([self.python, "-c", OLD_ENOUGH]).code == 0
            )
        except OSError:
            return False

    def make(self) -> None:
        if importlib.util.find_spec("venv") is None:
            raise Stop(
                "This Python came without its module venv.",
                "install it (Debian/Ubuntu: apt-get install python3-venv) and run this again",
            )
        made = self.platform.run([self.base, "-m", "venv", "--without-pip", "--clear", self.folder])
        if made.code or not self.works():
            raise Stop(
                f"The virtual environment {self.folder} could not be made: {last_line(made)}",
                "see that the folder is writable, and run this again",
            )

    def _stamp(self, lock: Path) -> Path:
        return self.folder / f"{STAMP}-{lock.stem}"

    def is_complete(self) -> bool:
        """The packages of exactly this lock file have been installed, to the end."""
        try:
            return self._stamp(self.lock).read_text().strip() == fingerprint(self.lock)
        except OSError:
            return False

    def install(self) -> str:
        """Install what the lock names; returns which tool did it. Raises Stop."""
        built = built_wheels(self.lock)
        if built:
            self._with_pip("--no-index", "--no-deps", *built)
        tool = "pip"
        uv = self.platform.which("uv")
        if uv and not index_settings(self.platform) and self._with_uv(uv).code == 0:
            tool = "uv"
        else:
            self._with_pip("--require-hashes", "--only-binary", ":all:", "-r", self.lock)
        self._remember()
        return tool

    def _remember(self) -> None:
        """Note what is installed: this lock, and any other whose packages it includes."""
        for name in LOCKS:
            lock = self.root / name
            if lock == self.lock or (lock.exists() and pins(lock) <= pins(self.lock)):
                self._stamp(lock).write_text(fingerprint(lock) + "\n")
            else:
                self._stamp(lock).unlink(missing_ok=True)

    def _with_uv(self, uv: str) -> Ran:
        return self.platform.run(
            [
                uv,
                "pip",
                "install",
                "--python",
                self.python,
                "--require-hashes",
                "--no-build",
                "--quiet",
                "-r",
                self.lock,
            ],
            cwd=self.root,
        )

    def _with_pip(self, *wanted: str | Path) -> None:
        """Raises Stop."""
        done = self.platform.run(
            [
                self.python,
                vendored_pip(),
                "install",
                "--quiet",
                "--no-input",
                "--disable-pip-version-check",
                "--no-warn-script-location",
                *wanted,
            ],
            cwd=self.root,
        )
        if done.code:
            raise install_failed(done, self._keep_log(done))

    def _keep_log(self, done: Ran) -> Path:
        log = self.folder / "install.log"
        log.write_text(done.out + done.err, "utf-8")
        return log


def prepare(environment: Environment) -> None:
    """The virtual environment, with every package of its lock file."""
    with step("Virtual environment") as this:
        if environment.works():
            this.result = "there already"
        else:
            environment.make()
            this.result = "made in .venv"
    with step("Packages") as this:
        if environment.is_complete():
            this.result = "there already"
        else:
            print("installing, about a minute ... ", end="", flush=True)
            tool = environment.install()
            this.result = f"{len(pins(environment.lock))} in the lock file, installed with {tool}"


def vendored_pip() -> Path:
    """Pip inside its wheel: Python runs it without installing it."""
    return next(WHEELS.glob("pip-*.whl")) / "pip"


def built_wheels(lock: Path) -> list[Path]:
    """Those in `wheels/` that the lock names: the index has only their source."""
    wanted = {pin.partition(" ")[0] for pin in pins(lock)}
    return [wheel for wheel in sorted(WHEELS.glob("*.whl")) if _pin(wheel) in wanted]


def _pin(wheel: Path) -> str:
    name, version = wheel.name.split("-")[:2]
    return f"{name.replace('_', '-')}=={version}"


def fingerprint(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def pins(lock: Path) -> set[str]:
    """Such as flask==3.1.3, with its marker if it has one."""
    lines = (line.split("#")[0] for line in lock.read_text("utf-8").splitlines())
    return {line.rstrip(" \\") for line in lines if "==" in line and not line.startswith(" ")}


def index_settings(platform: Platform) -> dict[str, str]:
    """What this computer told pip about where packages come from: index-url, find-links …"""
    if any(name.startswith("UV_") and "INDEX" in name for name in os.environ):
        return {}
    listed = platform.run([sys.executable, vendored_pip(), "config", "list"]).out
    pairs = (line.partition("=") for line in listed.splitlines())
    found = {key.rsplit(".", 1)[-1]: value.strip("'\"") for key, _, value in pairs}
    told = {"index-url", "extra-index-url", "find-links", "no-index", "proxy"}
    return {key: value for key, value in found.items() if key in told}


NETWORK = (
    "temporary failure in name resolution",
    "newconnectionerror",
    "connection refused",
    "getaddrinfo",
    "network is unreachable",
    "failed to establish",
    "connecttimeout",
    "read timed out",
    "proxyerror",
    "no route to host",
    "nameresolutionerror",
    "timed out",
)
CAUSES: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        NETWORK,
        "The packages could not be downloaded: the package index does not answer.",
        "connect to the internet (a proxy goes into HTTPS_PROXY), and run this again",
    ),
    (
        ("no space left", "not enough space"),
        "The disk is full.",
        "free about 600 MB, and run this again",
    ),
    (
        ("do not match the hashes",),
        "A downloaded package is not the one the lock file names.",
        "run this again; if it stays, ask who runs the network what changes downloads",
    ),
    (
        ("certificate verify failed", "ssl"),
        "The package index cannot be trusted: its certificate is wrong.",
        "check this computer's clock; behind a filtering proxy, set PIP_CERT to its certificate",
    ),
    (
        ("permission denied", "access is denied"),
        "The packages could not be written.",
        "see that you may write to the folder .venv, and that no program runs from it",
    ),
)


def install_failed(done: Ran, log: Path) -> Stop:
    said = (done.out + done.err).lower()
    for signs, sentence, remedy in CAUSES:
        if any(sign in said for sign in signs):
            return Stop(sentence, f"{remedy}. Details: {log}")
    return Stop(
        f"The packages could not be installed: {last_line(done)}", f"the whole story is in {log}"
    )


def last_line(done: Ran) -> str:
    """The last thing a program said, which for a failing one says why."""
    lines = [
        line.strip() for line in (done.err.strip() or done.out.strip()).splitlines() if line.strip()
    ]
    if not lines:
        return f"it ended with code {done.code} and said nothing"
    return lines[-1].removeprefix("Error: ")
