"""`--production`, carried out: the plan first, then a question, then the work."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from school.bootstrap.console import WRONG_USAGE, Stop, has_keyboard, step
from school.bootstrap.options import DEFAULT_PORT, Options
from school.bootstrap.platforms import Platform
from school.bootstrap.ports import check_port
from school.bootstrap.production.actions import Action, Machine
from school.bootstrap.production.plan import DATA, NGINX_SITE, SELF_SIGNED, Site, Stage, make_plan
from school.bootstrap.school import FOUNDED, FirstAdministrator, ask

KNOWN_LINE = re.compile(
    r"^\s*(server_name|ssl_certificate|ssl_certificate_key)\s+(\S[^;]*?)\s*;", re.MULTILINE
)
KNOWN_PORT = re.compile(r"^\s*server 127\.0\.0\.1:(\d+)", re.MULTILINE)


def run_production(options: Options, root: Path, platform: Platform) -> None:
    """Raises Stop before the first change where this is no server it knows."""
    _check_usage(options, platform)
    machine = Machine(platform)
    site = _site(options, root, platform, machine)
    plan = make_plan(site, platform)
    if options.dry_run:
        print_everything(plan)
        return
    _check_machine(platform, site)
    print_plan(plan, site)
    if not options.yes:
        _confirm()
    carry_out(plan, machine)
    print("\n".join(["", *machine.notes, f"Schoolhouse runs. Open https://{site.domain}"]))


def _check_usage(options: Options, platform: Platform) -> None:
    if not platform.is_debian() and not options.dry_run:
        raise Stop(
            "--production knows Debian and Ubuntu.",
            "read docs/administrators/production.md, or windows.md beside it, for other systems",
        )
    if not platform.is_root and not options.dry_run:
        raise Stop(
            "--production changes the system and has to run as root.",
            f"sudo {platform.script} --production (or add --dry-run to see what it would do)",
        )
    if options.data_dir:
        raise Stop(
            f"--production keeps its data in {DATA}; --data-dir does not go with it.",
            f"leave it out; to use another disk, mount it at {DATA}",
            code=WRONG_USAGE,
        )
    if options.domain is None and not Machine(platform).path(NGINX_SITE).exists():
        raise Stop(
            "--production needs the name people will type into the browser.",
            f"{platform.script} --production --domain school.example.org",
            code=WRONG_USAGE,
        )


def _site(options: Options, root: Path, platform: Platform, machine: Machine) -> Site:
    if options.dry_run:
        first = FirstAdministrator(options.school or "(asked for)", options.email or "(asked for)")
    elif machine.path(f"{DATA}/{FOUNDED}").exists():
        first = FirstAdministrator("set up before", "unchanged")
    else:
        first = ask(options, platform)
    known = _known(machine)
    return Site(
        root,
        options.domain or known.get("server_name", ""),
        first,
        options.port or int(known.get("port", DEFAULT_PORT)),
        _certificate(options, known),
    )


def _known(machine: Machine) -> dict[str, str]:
    """What an earlier run was told, read back from the web server's configuration."""
    try:
        text = machine.path(NGINX_SITE).read_text("utf-8")
    except OSError:
        return {}
    known = dict(KNOWN_LINE.findall(text))
    ports = KNOWN_PORT.findall(text)
    return {**known, **({"port": ports[0]} if ports else {})}


def _certificate(options: Options, known: Mapping[str, str]) -> tuple[str, str]:
    if options.certificate is None or options.certificate_key is None:
        before = (known.get("ssl_certificate", ""), known.get("ssl_certificate_key", ""))
        return before if all(before) else SELF_SIGNED
    for file in (options.certificate, options.certificate_key):
        if not file.is_file():
            raise Stop(
                f"There is no file {file}.", "give the full path of the certificate and its key"
            )
    return str(options.certificate), str(options.certificate_key)


def _check_machine(platform: Platform, site: Site) -> None:
    if not Path("/run/systemd/system").is_dir():
        raise Stop(
            "This machine is not run by systemd, which keeps the services running.",
            "use an ordinary Debian or Ubuntu server or virtual machine rather than a container",
        )
    if platform.run(["systemctl", "is-active", "schoolhouse.target"]).code != 0:
        _check_ports(platform, site.ports)


def _check_ports(platform: Platform, ports: Sequence[int]) -> None:
    for port in ports:
        check_port(port, platform)


def print_plan(plan: Sequence[Stage], site: Site) -> None:
    print(f"Plan for https://{site.domain}; every step leaves alone what is right already:\n")
    for number, stage in enumerate(plan, 1):
        print(f"  {number:>2}. {stage.title:<18}{stage.sentence}")
    if site.certificate == SELF_SIGNED:
        print(
            "\nNo certificate was given: this machine signs one itself, and browsers will warn.\n"
            "Get a real one (docs/administrators/production.md) before anybody else uses it."
        )
    print(flush=True)


def print_everything(plan: Sequence[Stage]) -> None:
    """Every file, command and statement, without doing any of it."""
    print("Nothing is changed. This would be done:")
    for number, stage in enumerate(plan, 1):
        print(f"\n{number}. {stage.title}: {stage.sentence}")
        for action in stage.actions:
            for line in action.lines():
                print(f"   {line}")


def _confirm() -> None:
    if not has_keyboard():
        raise Stop(
            "Nothing was changed: nobody is there to agree to the plan.",
            "add --yes",
            code=WRONG_USAGE,
        )
    try:
        answer = input("Carry it out? [y/N] ").strip().lower()
    except EOFError:
        answer = ""
    if answer not in {"y", "yes"}:
        raise Stop("Nothing was changed.")


def carry_out(plan: Sequence[Stage], machine: Machine) -> None:
    for stage in plan:
        with step(stage.title) as this:
            changed = [_apply(action, machine) for action in stage.actions]
            this.result = "done" if any(changed) else "there already"


def _apply(action: Action, machine: Machine) -> bool:
    changed = action.apply(machine)
    machine.changed = machine.changed or changed
    return changed
