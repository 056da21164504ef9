"""The options of set-up: the same on every system."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from pathlib import Path

from school.bootstrap.platforms import Platform

DEFAULT_PORT = 8000
EMAIL = re.compile(r"[^@\s,;<>\"']+@[^@\s,;<>\"']+")
HOST_NAME = re.compile(
    r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*"
)

ABOUT = """Sets up Schoolhouse in this folder and starts it. Run it again at any time: what is
there already is left alone, and it starts in a few seconds."""
ENDING = """Exit codes: 0 done, 1 failed (a sentence says why), 2 wrong usage."""


@dataclass(frozen=True)
class Options:
    """What was asked for. `mode` is school, demo, test or production; None: not said."""

    mode: str = "school"
    port: int | None = None
    data_dir: Path | None = None
    school: str | None = None
    email: str | None = None
    start: bool = True
    domain: str | None = None
    certificate: Path | None = None
    certificate_key: Path | None = None
    yes: bool = False
    dry_run: bool = False


def parser(platform: Platform) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog=platform.script, description=ABOUT, epilog=ENDING, allow_abbrev=False
    )
    mode = made.add_mutually_exclusive_group()
    mode.add_argument(
        "--demo",
        dest="mode",
        action="store_const",
        const="demo",
        default="school",
        help="set up a demo school with about 600 students and start it",
    )
    mode.add_argument(
        "--test",
        dest="mode",
        action="store_const",
        const="test",
        help="install what the tests need and run them all",
    )
    mode.add_argument(
        "--production",
        dest="mode",
        action="store_const",
        const="production",
        help="Debian/Ubuntu, as root: PostgreSQL, Redis, nginx and services",
    )
    made.add_argument(
        "--port", type=_port, metavar="N", help=f"port to listen on (default {DEFAULT_PORT})"
    )
    made.add_argument(
        "--data-dir",
        type=_folder,
        metavar="DIR",
        help="folder for the database, files and mail (default: data, beside this script)",
    )
    made.add_argument(
        "--school", type=_name, metavar="NAME", help="name of the school; asked for if not given"
    )
    made.add_argument(
        "--email",
        type=_email,
        metavar="ADDR",
        help="e-mail of the first administrator; asked for if not given",
    )
    made.add_argument(
        "--no-start", dest="start", action="store_false", help="set up, but do not start"
    )
    _add_production(made.add_argument_group("with --production"))
    return made


def _add_production(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--domain",
        type=_domain,
        metavar="NAME",
        help="name people type into the browser, such as school.example.org",
    )
    group.add_argument(
        "--certificate",
        type=_folder,
        metavar="FILE",
        help="TLS certificate chain (default: one signed by this machine itself)",
    )
    group.add_argument("--certificate-key", type=_folder, metavar="FILE", help="its private key")
    group.add_argument("--yes", action="store_true", help="do not ask before carrying out the plan")
    group.add_argument(
        "--dry-run", action="store_true", help="print the plan and everything in it, change nothing"
    )


def parse(arguments: list[str] | None, platform: Platform) -> Options:
    """Ends the program with code 2 and the usage when the options make no sense."""
    reader = parser(platform)
    options = Options(**vars(reader.parse_args(arguments)))
    given = {
        "--domain": options.domain,
        "--certificate": options.certificate,
        "--certificate-key": options.certificate_key,
        "--yes": options.yes,
        "--dry-run": options.dry_run,
    }
    strays = [name for name, value in given.items() if value]
    if strays and options.mode != "production":
        reader.error(f"{', '.join(strays)}: only together with --production")
    if bool(options.certificate) != bool(options.certificate_key):
        reader.error("--certificate and --certificate-key belong together")
    if options.mode in {"demo", "test"} and (options.school or options.email):
        reader.error(f"--school and --email: not together with --{options.mode}")
    return options


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; type a number from 1 to 65535")
    return int(text)


def _folder(text: str) -> Path:
    if not text.strip():
        raise argparse.ArgumentTypeError("is empty")
    return Path(text).expanduser().absolute()


def _name(text: str) -> str:
    name = " ".join(text.split())
    if not name or not name.isprintable():
        raise argparse.ArgumentTypeError("type the name of the school")
    return name


def _email(text: str) -> str:
    if not is_email(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not an e-mail address such as head@school.example.org"
        )
    return text.strip()


def is_email(text: str) -> bool:
    return EMAIL.fullmatch(text.strip()) is not None


def _domain(text: str) -> str:
    if not HOST_NAME.fullmatch(text.lower()):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a name such as school.example.org (without https://)"
        )
    return text.lower()
