"""What a production server consists of, in order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from school.bootstrap.options import DEFAULT_PORT
from school.bootstrap.platforms import Platform
from school.bootstrap.production.actions import (
    Action,
    Ask,
    Command,
    CopyCode,
    Folder,
    InstallEnvironment,
    InstallPackages,
    Link,
    Machine,
    NewestPostgres,
    TextFile,
    UntilReady,
)
from school.bootstrap.school import FirstAdministrator, School
from school.bootstrap.settings_file import Wanted, settings_text

CODE, DATA, SETTINGS = (
    "/opt/schoolhouse",
    "/var/lib/schoolhouse",
    "/etc/schoolhouse/schoolhouse.env",
)
SELF_SIGNED = ("/etc/schoolhouse/tls/certificate.pem", "/etc/schoolhouse/tls/key.pem")
PACKAGES = ("postgresql", "redis-server", "nginx", "openssl", "python3-venv")
ENTRIES = (
    "school",
    "migrations",
    "deploy",
    "docs",
    "requirements",
    "config_enhanced.py",
    "database_upgrade.py",
    "requirements.txt",
    "pyproject.toml",
    "setup_infrastructure.sh",
    "LICENSE",
    "README.md",
    "CHANGELOG.md",
)
NGINX_SITE = "/etc/nginx/sites-available/schoolhouse"
PYTHON = "/usr/bin/python3"
OLDEST_POSTGRESQL = 15
UPLOAD_MIB = 100
SOCKET = "/var/run/postgresql"
UNITS = (
    "schoolhouse.target",
    "schoolhouse-web@.service",
    "schoolhouse-worker.service",
    "schoolhouse-housekeeping.service",
    "schoolhouse-housekeeping.timer",
)
MIGRATE = (
    f"cd {CODE} && scratch=$(mktemp -d) && trap 'rm -rf \"$scratch\"' EXIT && "
    f"DATA_DIR=$scratch {CODE}/.venv/bin/python -m school db upgrade"
)
PSQL = ("runuser", "-u", "postgres", "--", "psql", "-XqAt", "-v", "ON_ERROR_STOP=1")


@dataclass(frozen=True)
class Site:
    """What is different from server to server."""

    source: Path
    domain: str
    first: FirstAdministrator
    port: int = DEFAULT_PORT
    certificate: tuple[str, str] = SELF_SIGNED

    @property
    def ports(self) -> tuple[int, int]:
        return self.port, self.port + 1

    def text(self, name: str) -> str:
        """A file of `deploy/`, filled in."""
        text = (self.source / "deploy" / name).read_text("utf-8")
        for word, value in {
            "PORT": self.port,
            "SECOND_PORT": self.port + 1,
            "DOMAIN": self.domain,
            "CODE": CODE,
            "DATA": DATA,
            "CERTIFICATE": self.certificate[0],
            "CERTIFICATE_KEY": self.certificate[1],
            "BODY_LIMIT_MIB": UPLOAD_MIB + 2,
        }.items():
            text = text.replace(f"@{word}@", str(value))
        return text


@dataclass(frozen=True)
class Stage:
    """A line of the plan, and what it is made of."""

    title: str
    sentence: str
    actions: list[Action] = field(default_factory=list)


def make_plan(site: Site, platform: Platform) -> list[Stage]:
    stages = [
        Stage(
            "System packages",
            "PostgreSQL, Redis and nginx from this system's own sources",
            [InstallPackages(PACKAGES)],
        ),
        Stage(
            "Users and folders",
            f"users without a shell; data in {DATA}, settings in /etc/schoolhouse",
            [*_users(), *_folders()],
        ),
        Stage(
            "Program", f"the code in {CODE}, with its own virtual environment", list(_program(site))
        ),
        Stage(
            "Database roles",
            "owner, program, backup and monitor, each with no more rights than it needs",
            list(_database(site)),
        ),
        Stage("Redis", "an instance of its own on a socket, without a port", list(_redis(site))),
        Stage(
            "Settings",
            f"{SETTINGS}, with fresh secrets, kept if it is there",
            list(_settings(site)),
        ),
        Stage("Migrations", "the tables, made by the owner role", list(_migrations(site))),
        Stage(
            "School",
            f"{site.first.school}, administrator {site.first.email}",
            [_school(site, platform)],
        ),
        Stage("Web server", f"nginx for https://{site.domain}", list(_nginx(site))),
        Stage(
            "Services",
            "two web servers, a worker and a nightly timer, kept running by systemd",
            list(_services(site)),
        ),
    ]
    return [stage for stage in stages if stage.actions]


def _users() -> Iterable[Action]:
    for name, group in (
        ("schoolhouse", ()),
        ("schoolhouse_owner", ("--gid", "schoolhouse")),
        ("schoolhouse_backup", ()),
        ("schoolhouse_monitor", ()),
    ):
        kind = group or ("--user-group",)
        yield Command(
            (
                "useradd",
                "--system",
                "--no-create-home",
                "--home-dir",
                DATA,
                "--shell",
                "/usr/sbin/nologin",
                *kind,
                name,
            ),
            unless=("id", name),
        )
    yield Command(("usermod", "--append", "--groups", "redis", "schoolhouse"), settles=True)


def _folders() -> Iterable[Action]:
    yield Folder("/etc/schoolhouse", 0o750, "root:schoolhouse")
    yield Folder(DATA, 0o700, "schoolhouse:schoolhouse")


def _program(site: Site) -> Iterable[Action]:
    yield CopyCode(site.source, CODE, ENTRIES)
    yield InstallEnvironment(CODE, PYTHON)
    # The services may not write here; bytecode made now saves it at every start.
    yield Command(
        (f"{CODE}/.venv/bin/python", "-m", "compileall", "-q", f"{CODE}/school"), settles=True
    )


def _database(site: Site) -> Iterable[Action]:
    yield Command(("systemctl", "enable", "--now", "postgresql"), settles=True)
    yield NewestPostgres(OLDEST_POSTGRESQL, (*PSQL, "-c", "SHOW server_version_num"))
    yield Command(PSQL, text=site.text("postgresql/roles.sql"), settles=True)


def _redis(site: Site) -> Iterable[Action]:
    yield TextFile(
        "/etc/redis/redis-schoolhouse.conf",
        site.text("redis/redis-schoolhouse.conf"),
        0o640,
        "redis:redis",
    )
    yield Command(("systemctl", "enable", "--now", "redis-server@schoolhouse"), settles=True)


def _settings(site: Site) -> Iterable[Action]:
    text = settings_text(
        Wanted(
            Path(DATA),
            site.port,
            public_url=f"https://{site.domain}",
            more=(
                ("DATABASE_URL", f"postgresql://schoolhouse@/schoolhouse?host={SOCKET}"),
                ("REDIS_URL", "unix:///run/redis-schoolhouse/redis-server.sock?db=0"),
                # Three processes of 25 connections stay below PostgreSQL's limit of 100.
                ("DB_POOL_SIZE", "10"),
                ("DB_MAX_OVERFLOW", "15"),
                ("TRUSTED_PROXIES", "1"),
                ("SECURE_COOKIES", "true"),
                ("EMBEDDED_WORKER", "false"),
                ("MAX_UPLOAD_MIB", str(UPLOAD_MIB)),
                ("LOG_FORMAT", "json"),
            ),
        )
    )
    yield TextFile(SETTINGS, text, 0o640, "root:schoolhouse", keep=True)
    yield Link(f"{CODE}/.env", SETTINGS)


def _migrations(site: Site) -> Iterable[Action]:
    yield Command(
        ("runuser", "-u", "schoolhouse_owner", "--", "sh", "-c", MIGRATE),
        # The owner has no business in the data folder, in Redis or in the file store.
        env={
            "DATABASE_URL": f"postgresql://schoolhouse_owner@/schoolhouse?host={SOCKET}",
            "REDIS_URL": "",
            "STORAGE_URL": "",
        },
        remedy="the database is as it was; mend that, and run this again",
        settles=True,
    )
    yield Command(
        (*PSQL, "-d", "schoolhouse"),
        text=site.text("postgresql/after_migrations.sql"),
        settles=True,
    )


def _school(site: Site, platform: Platform) -> Action:
    def found(machine: Machine) -> bool:
        school = School(
            machine.path(CODE),
            machine.path(f"{CODE}/.venv/bin/python"),
            machine.path(DATA),
            platform,
            before=("runuser", "-u", "schoolhouse", "--"),
        )
        if school.is_founded():
            return False
        school.found(site.first)
        machine.notes.append(school.sign_in)
        return True

    return Ask(
        f'python -m school setup --school "{site.first.school}" --email {site.first.email}', found
    )


def _nginx(site: Site) -> Iterable[Action]:
    if site.certificate == SELF_SIGNED:
        certificate, key = SELF_SIGNED
        yield Folder("/etc/schoolhouse/tls", 0o700, "root:root")
        yield Command(
            (
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "825",
                "-subj",
                f"/CN={site.domain}",
                "-addext",
                f"subjectAltName=DNS:{site.domain}",
                "-keyout",
                key,
                "-out",
                certificate,
            ),
            unless=("test", "-s", certificate),
        )
    yield TextFile(NGINX_SITE, site.text("nginx/schoolhouse.conf"))
    yield Link("/etc/nginx/sites-enabled/schoolhouse", NGINX_SITE)
    yield Command(("nginx", "-t"), settles=True)
    yield Command(("systemctl", "enable", "nginx"), settles=True)
    yield Command(("systemctl", "start", "nginx"), settles=True)
    yield Command(("systemctl", "reload", "nginx"), after_change=True)


def _services(site: Site) -> Iterable[Action]:
    for unit in UNITS:
        yield TextFile(f"/etc/systemd/system/{unit}", site.text(f"systemd/{unit}"))
    yield Command(("systemctl", "daemon-reload"), settles=True)
    yield Command(("systemctl", "enable", "schoolhouse.target"), settles=True)
    yield Command(("systemctl", "restart", "schoolhouse.target"), after_change=True)
    yield Command(("systemctl", "start", "schoolhouse.target"), settles=True)
    yield UntilReady([f"http://127.0.0.1:{port}/readyz" for port in site.ports])
