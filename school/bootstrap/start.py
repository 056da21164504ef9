"""From the options to a running school, step by step."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path

from school.bootstrap import testing
from school.bootstrap.console import FAILED, Stop, step
from school.bootstrap.options import DEFAULT_PORT, Options, parse
from school.bootstrap.packages import Environment, prepare
from school.bootstrap.platforms import Platform, become, this_platform
from school.bootstrap.ports import check_port
from school.bootstrap.preflight import (
    NEEDED_LATER_MIB,
    NEEDED_MIB,
    check_data_folder,
    check_disk,
    check_folder,
    check_network,
)
from school.bootstrap.production.start import run_production
from school.bootstrap.school import FirstAdministrator, School, ask
from school.bootstrap.settings_file import (
    FALSE,
    TRUE,
    Wanted,
    read_settings_file,
    taken_over,
    write_settings,
)

ROOT = Path(__file__).resolve().parent.parent.parent
STOPPED = 130


def main(arguments: list[str] | None = None) -> int:
    """Exit code for the shell. Never a traceback: a surprise is written to a file."""
    platform = this_platform()
    try:
        options = parse(arguments, platform)
        run(options, ROOT, platform)
    except Stop as reason:
        reason.tell()
        return reason.code
    except KeyboardInterrupt:
        print()
        return STOPPED
    except Exception as error:  # noqa: BLE001 - the last door: whatever it is, say it in words
        _surprised(error).tell()
        return FAILED
    return 0


def _surprised(error: Exception) -> Stop:
    handle, name = tempfile.mkstemp(prefix="schoolhouse-setup-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8") as log:
        log.write(traceback.format_exc())
    return Stop(
        f"Set-up met something it does not know: {error or type(error).__name__}.",
        f"run it again; if it stays, send {name} along with your question",
    )


def run(options: Options, root: Path, platform: Platform) -> None:
    if options.mode == "production":
        run_production(options, root, platform)
    elif options.mode == "test":
        testing.run_tests(root, platform)
    else:
        set_up(options, root, platform)


def set_up(options: Options, root: Path, platform: Platform) -> None:
    """The demo or a school of one's own, on this computer."""
    os.umask(0o077)  # what is made here, by us or by the program, is for this account only
    settings_path = root / ".env"
    settings = read_settings_file(settings_path)
    kept = _kept_data_dir(settings, root)
    _fits(options, settings, kept, platform)
    data_dir = kept or options.data_dir or root / "data"
    port = options.port or _port(settings)
    check_data_folder(data_dir, is_known=bool(settings.get("DATA_DIR")))
    environment = Environment(root, platform)
    _check(options, environment, data_dir=data_dir, port=port)
    school = School(
        root, environment.python, data_dir, platform, environment=_for_this_run(options, settings)
    )
    first = None if options.mode == "demo" or school.is_founded() else ask(options, platform)
    prepare(environment)
    with step("Settings") as this:
        wanted = Wanted(data_dir, port, demo=options.mode == "demo", more=taken_over(os.environ))
        made = write_settings(settings_path, wanted, platform)
        this.result = (
            f"{settings_path.name} made, with fresh secrets" if made else "kept as they are"
        )
    school.check(read_settings_file(settings_path))
    school.migrate()
    _open(school, first)
    _finish(options, school, port, platform)


def _kept_data_dir(settings: Mapping[str, str], root: Path) -> Path | None:
    """The data folder an earlier run chose; None when there was none. Raises Stop."""
    if not settings:
        return None
    told = settings.get("DATA_DIR") or "data"
    try:
        return (root / Path(told).expanduser()).absolute()
    except RuntimeError:
        raise Stop(
            f"DATA_DIR in .env is {told}, and nobody knows whose home that is.",
            "write the full path",
        ) from None


def _fits(
    options: Options, settings: Mapping[str, str], kept: Path | None, platform: Platform
) -> None:
    """An installation stays what it is: a second run with other options must not look like loss."""
    if not settings:
        return
    demo = settings.get("DEMO", "").lower() or "false"
    if demo not in TRUE | FALSE:
        raise Stop(f"DEMO in .env is {demo}; it has to be true or false.", "mend that line")
    is_demo = demo in TRUE
    if is_demo and options.mode == "school":
        raise Stop(
            "This folder holds the demo.",
            f"start it with {platform.script} --demo; for your own school, "
            "unpack Schoolhouse into another folder",
        )
    if options.mode == "demo" and not is_demo:
        raise Stop(
            "A school of your own is set up in this folder already; the demo would mix with it.",
            "unpack Schoolhouse into another folder for the demo",
        )
    if options.data_dir and kept and kept != options.data_dir:
        raise Stop(
            f"This installation keeps its data in {kept}, not in {options.data_dir}.",
            "leave --data-dir out; to move the data, move that folder and change DATA_DIR in .env",
        )


def _port(settings: Mapping[str, str]) -> int:
    told = settings.get("PORT") or str(DEFAULT_PORT)
    if not told.isdecimal() or not 1 <= int(told) <= 65535:
        raise Stop(
            f"PORT in .env is {told}; it has to be a number from 1 to 65535.", "mend that line"
        )
    return int(told)


def _check(options: Options, environment: Environment, *, data_dir: Path, port: int) -> None:
    with step("This computer") as this:
        check_folder(environment.root, "The folder")
        complete = environment.is_complete()
        check_disk(environment.root, needed_mib=NEEDED_LATER_MIB if complete else NEEDED_MIB)
        check_disk(data_dir, needed_mib=NEEDED_LATER_MIB)
        if options.start:
            check_port(port, environment.platform)
        if not complete:
            check_network(environment.platform)
        version = ".".join(str(part) for part in sys.version_info[:3])
        this.result = (
            f"Python {version}, {'port ' + str(port) + ' free' if options.start else 'ready'}"
        )


def _for_this_run(options: Options, settings: Mapping[str, str]) -> dict[str, str]:
    """Where --port differs from the settings file, links in mails follow it."""
    known = settings.get("PORT")
    if options.port is None or known in {None, str(options.port)}:
        return {}
    more = {"PORT": str(options.port)}
    if settings.get("PUBLIC_URL", "") == f"http://127.0.0.1:{known}":
        more["PUBLIC_URL"] = f"http://127.0.0.1:{options.port}"
    return more


def _open(school: School, first: FirstAdministrator | None) -> None:
    if first is not None:
        school.found(first)
    elif school.is_founded():
        school.recall()
    else:
        school.open_demo()


def _finish(options: Options, school: School, port: int, platform: Platform) -> None:
    print()
    if school.sign_in:
        print(school.sign_in)
    if not options.start:
        print(
            f"Set up. Start it with {platform.script}{' --demo' if options.mode == 'demo' else ''}"
        )
        return
    print(
        f"Open http://127.0.0.1:{port} in a browser."
        + (" The sign-in page lists the demo's accounts." if options.mode == "demo" else ""),
        flush=True,
    )
    become(
        platform,
        [*school.command, "serve", "--port", str(port)],
        cwd=school.root,
        env=school.environment,
    )
