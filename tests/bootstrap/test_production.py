"""The production plan: what it says, what it puts where, and that what it puts there is right."""

from __future__ import annotations

import io
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from school.bootstrap.console import Stop
from school.bootstrap.options import Options
from school.bootstrap.platforms import Ran
from school.bootstrap.production import start
from school.bootstrap.production.actions import (
    Command,
    CopyCode,
    Folder,
    Link,
    Machine,
    NewestPostgres,
    TextFile,
    UntilReady,
)
from school.bootstrap.production.plan import UNITS, Site, make_plan
from school.bootstrap.school import FirstAdministrator
from tests.servers.postgres import PostgresServer, postgres_server  # noqa: F401 - a fixture

ASKED = Options(
    mode="production", domain="school.example.org", school="Hill School", email="head@hill.example"
)


@pytest.fixture
def site(repository) -> Site:
    return Site(
        repository, "school.example.org", FirstAdministrator("Hill School", "head@hill.example")
    )


def said(plan, capsys) -> str:
    start.print_everything(plan)
    return capsys.readouterr().out


def test_the_dry_run_tells_every_step_in_order_and_changes_nothing(computer, repository, capsys):
    computer.programs["apt-get"] = "/usr/bin/apt-get"
    start.run_production(
        Options(**{**vars(ASKED), "dry_run": True}), repository, computer.platform()
    )
    out = capsys.readouterr().out
    assert computer.asked == []
    titles = re.findall(r"^(\d+)\. ([^:]+):", out, re.MULTILINE)
    assert [title for _, title in titles] == [
        "System packages",
        "Users and folders",
        "Program",
        "Database roles",
        "Redis",
        "Settings",
        "Migrations",
        "School",
        "Web server",
        "Services",
    ]
    for line in [
        "apt-get install --no-install-recommends postgresql redis-server nginx openssl python3-venv",
        "useradd --system --no-create-home --home-dir /var/lib/schoolhouse --shell /usr/sbin/nologin --user-group schoolhouse",
        "folder /var/lib/schoolhouse  (schoolhouse:schoolhouse, 0700)",
        "file /etc/schoolhouse/schoolhouse.env  (root:schoolhouse, 0640, kept if it is there)",
        "link /opt/schoolhouse/.env -> /etc/schoolhouse/schoolhouse.env",
        'python -m school setup --school "Hill School" --email head@hill.example',
        "systemctl enable --now redis-server@schoolhouse",
        "nginx -t",
        "systemctl reload nginx  (if anything changed)",
        "systemctl restart schoolhouse.target  (if anything changed)",
        "wait until http://127.0.0.1:8001/readyz answers",
    ]:
        assert f"   {line}\n" in out


def test_the_dry_run_shows_no_secret(computer, site, capsys):
    out = said(make_plan(site, computer.platform()), capsys)
    assert out.count("=(fresh)") == 5
    assert not re.search(r"[0-9a-f]{32}", out)


def test_nothing_is_left_to_be_filled_in(computer, site, capsys):
    assert re.findall(r"@[A-Z_]+@", said(make_plan(site, computer.platform()), capsys)) == []


@pytest.mark.parametrize(
    ("name", "is_root", "options", "sentence"),
    [
        ("windows", False, ASKED, "knows Debian and Ubuntu"),
        ("macos", True, ASKED, "knows Debian and Ubuntu"),
        ("linux", False, ASKED, "has to run as root"),
        ("linux", True, Options(mode="production"), "the name people will type into the browser"),
        (
            "linux",
            True,
            Options(mode="production", data_dir=Path("/srv")),
            "--data-dir does not go with it",
        ),
        (
            "linux",
            True,
            Options(**{**vars(ASKED), "certificate": Path("/no"), "certificate_key": Path("/no")}),
            "There is no file /no",
        ),
    ],
)
def test_it_stops_before_the_first_change(computer, repository, name, is_root, options, sentence):
    if name == "linux":
        computer.programs["apt-get"] = "/usr/bin/apt-get"
    with pytest.raises(Stop, match=sentence):
        start.run_production(options, repository, computer.platform(name, is_root=is_root))
    assert computer.asked == []


def test_without_a_person_to_agree_nothing_is_changed(computer, repository, monkeypatch, capsys):
    computer.programs["apt-get"] = "/usr/bin/apt-get"
    monkeypatch.setattr(start, "_check_machine", lambda *_: None)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(Stop, match="Nothing was changed") as stopped:
        start.run_production(ASKED, repository, computer.platform(is_root=True))
    assert stopped.value.remedy == "add --yes"
    assert " 1. System packages" in capsys.readouterr().out
    assert computer.asked == []


def test_a_later_run_remembers_domain_ports_and_certificate(tmp_path, computer, site):
    config = tmp_path / "etc/nginx/sites-available/schoolhouse"
    config.parent.mkdir(parents=True)
    told = Site(
        site.source, "learn.example.org", site.first, 9000, ("/etc/tls/a.pem", "/etc/tls/b.pem")
    )
    config.write_text(told.text("nginx/schoolhouse.conf"))
    (tmp_path / "var/lib/schoolhouse").mkdir(parents=True)
    (tmp_path / "var/lib/schoolhouse/set-up.json").touch()
    machine = Machine(computer.platform(), tmp_path)
    again = start._site(Options(mode="production"), site.source, computer.platform(), machine)
    assert (again.domain, again.ports, again.certificate) == (
        told.domain,
        (9000, 9001),
        told.certificate,
    )


# --- what is put in place is right ---


def test_nginx_accepts_its_configuration(site, tmp_path):
    nginx = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if nginx is None:
        pytest.skip("nginx is not installed (Debian/Ubuntu: apt-get install nginx)")
    certificate, key = str(tmp_path / "c.pem"), str(tmp_path / "k.pem")
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=x",
            "-keyout",
            key,
            "-out",
            certificate,
        ],
        check=True,
        capture_output=True,
    )
    mine = Site(site.source, site.domain, site.first, certificate=(certificate, key))
    (tmp_path / "site.conf").write_text(mine.text("nginx/schoolhouse.conf"))
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/nginx.pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; client_body_temp_path {tmp_path}/b; proxy_temp_path {tmp_path}/p;"
        f" fastcgi_temp_path {tmp_path}/f; uwsgi_temp_path {tmp_path}/u; scgi_temp_path {tmp_path}/s;"
        f" include {tmp_path}/site.conf; }}\n"
    )
    done = subprocess.run(
        [nginx, "-t", "-q", "-c", tmp_path / "nginx.conf"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr


def test_nginx_keeps_the_promises_behind_it(site):
    text = site.text("nginx/schoolhouse.conf")
    assert "client_max_body_size 102m;" in text
    assert re.search(
        r"location /protected-files/ \{\s*internal;\s*alias /var/lib/schoolhouse/files/;", text
    )
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in text
    assert text.count("server 127.0.0.1:") == 2
    assert re.search(r"proxy_connect_timeout 3s;", text)


def test_systemd_accepts_the_units(site, tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    for unit in UNITS:
        text = site.text(f"systemd/{unit}").replace(
            "/opt/schoolhouse/.venv/bin/python", "/bin/true"
        )
        (tmp_path / unit).write_text(
            text.replace("User=schoolhouse", "User=root").replace("Group=schoolhouse", "Group=root")
        )
    names = [unit.replace("@.", "@8000.") for unit in UNITS]
    (tmp_path / "schoolhouse-web@8000.service").symlink_to("schoolhouse-web@.service")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / n) for n in names)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
    )
    ours = [
        line for line in done.stderr.splitlines() if str(tmp_path) in line or "schoolhouse" in line
    ]
    assert ours == [], done.stderr


def test_units_run_as_the_unprivileged_user_and_may_write_only_the_data(site):
    for unit in UNITS:
        if unit.endswith(".service"):
            text = site.text(f"systemd/{unit}")
            assert "User=schoolhouse\n" in text
            assert "ProtectSystem=strict\nReadWritePaths=/var/lib/schoolhouse\n" in text
            assert "NoNewPrivileges=true\n" in text


def test_commands_of_the_units_exist(site):
    from school.cli import main

    for unit in UNITS:
        for command in re.findall(r"-m school (\w+)", site.text(f"systemd/{unit}")):
            assert command in main.commands, unit


def test_redis_accepts_its_configuration(site, tmp_path):
    if shutil.which("redis-server") is None:
        pytest.skip("Redis is not installed (Debian/Ubuntu: apt-get install redis-server)")
    text = site.text("redis/redis-schoolhouse.conf")
    for folder in ("/run/redis-schoolhouse", "/var/log/redis", "/var/lib/redis"):
        text = text.replace(folder, str(tmp_path))
    (tmp_path / "redis.conf").write_text(text)
    process = subprocess.Popen(["redis-server", tmp_path / "redis.conf"], stdout=subprocess.DEVNULL)
    try:
        from tests.servers.redis import _wait_until_up

        _wait_until_up(process, tmp_path / "redis-server.sock")
        import redis

        client = redis.Redis(unix_socket_path=str(tmp_path / "redis-server.sock"))
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "volatile-lru"}
        assert client.config_get("port") == {"port": "0"}
        client.close()
    finally:
        process.kill()
        process.wait()


# --- the roles, on a real PostgreSQL ---

TABLES = """
CREATE TABLE alembic_version (version_num text);
CREATE TABLE pupil (school_id uuid, name text);
ALTER TABLE pupil ENABLE ROW LEVEL SECURITY;
ALTER TABLE pupil FORCE ROW LEVEL SECURITY;
CREATE POLICY one_school ON pupil USING (school_id = nullif(current_setting('app.school_id', true), '')::uuid)
    WITH CHECK (school_id = nullif(current_setting('app.school_id', true), '')::uuid);
CREATE SEQUENCE numbers;
"""
SCHOOL = "00000000-0000-0000-0000-000000000001"
AS_SCHOOL = f"SET app.school_id = '{SCHOOL}';"


@pytest.fixture(scope="module")
def roles(postgres_server: PostgresServer) -> PostgresServer:  # noqa: F811
    """The plan's SQL, run twice as set-up would, with tables made by the owner in between."""
    deploy = Path(__file__).resolve().parent.parent.parent / "deploy" / "postgresql"
    postgres_server.sql((deploy / "roles.sql").read_text())
    postgres_server.sql(TABLES, database="schoolhouse", role="schoolhouse_owner")
    postgres_server.sql((deploy / "roles.sql").read_text())
    postgres_server.sql((deploy / "after_migrations.sql").read_text(), database="schoolhouse")
    return postgres_server


def as_role(roles: PostgresServer, role: str, statements: str) -> str:
    return roles.sql(statements, database="schoolhouse", role=role)


def test_the_program_reads_and_writes_its_school(roles):
    out = as_role(
        roles,
        "schoolhouse",
        f"{AS_SCHOOL} INSERT INTO pupil VALUES ('{SCHOOL}', 'Ada');"
        "UPDATE pupil SET name = 'Ada L.'; SELECT name FROM pupil; SELECT nextval('numbers') > 0; DELETE FROM pupil;",
    )
    assert out.splitlines() == ["Ada L.", "t"]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (x int)",
        "DROP TABLE pupil",
        "ALTER TABLE pupil ADD COLUMN x int",
        "TRUNCATE pupil",
        "CREATE INDEX ON pupil (name)",
        "CREATE SCHEMA mine",
        "ALTER TABLE pupil DISABLE ROW LEVEL SECURITY",
        "CREATE POLICY mine ON pupil USING (true)",
        "CREATE TEMP TABLE mine (x int)",
        "CREATE ROLE mine",
        "SET ROLE schoolhouse_owner",
        "SET ROLE schoolhouse_backup",
        "ALTER ROLE schoolhouse BYPASSRLS",
        "UPDATE alembic_version SET version_num = 'x'",
        "DELETE FROM alembic_version",
        "CREATE EXTENSION dblink",
        "COPY pupil TO '/tmp/pupils.csv'",
        "SELECT pg_read_file('/etc/passwd')",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ],
)
def test_the_program_cannot_change_the_house_or_become_another(roles, statement):
    with pytest.raises(
        RuntimeError,
        match=r"permission denied|must be owner|must be superuser|must be member|cannot",
    ):
        as_role(roles, "schoolhouse", statement)


def test_the_program_cannot_see_past_row_level_security(roles):
    as_role(roles, "schoolhouse", f"{AS_SCHOOL} INSERT INTO pupil VALUES ('{SCHOOL}', 'Canary')")
    assert as_role(roles, "schoolhouse", "SELECT count(*) FROM pupil") == "0"
    with pytest.raises(RuntimeError, match="row-level security"):
        as_role(roles, "schoolhouse", "SET row_security = off; SELECT * FROM pupil")
    with pytest.raises(RuntimeError, match="row-level security"):
        as_role(roles, "schoolhouse", f"INSERT INTO pupil VALUES ('{SCHOOL}', 'Sneaked')")
    as_role(roles, "schoolhouse", f"{AS_SCHOOL} DELETE FROM pupil")


def test_the_program_may_look_where_the_migrations_are(roles):
    assert as_role(roles, "schoolhouse", "SELECT count(*) FROM alembic_version") == "0"


def test_the_owner_is_bound_by_row_level_security_and_no_superuser(roles):
    as_role(roles, "schoolhouse", f"{AS_SCHOOL} INSERT INTO pupil VALUES ('{SCHOOL}', 'Canary')")
    assert as_role(roles, "schoolhouse_owner", "SELECT count(*) FROM pupil") == "0"
    as_role(roles, "schoolhouse", f"{AS_SCHOOL} DELETE FROM pupil")


def test_backup_reads_every_school_and_changes_nothing(roles):
    as_role(roles, "schoolhouse", f"{AS_SCHOOL} INSERT INTO pupil VALUES ('{SCHOOL}', 'Canary')")
    assert as_role(roles, "schoolhouse_backup", "SELECT name FROM pupil") == "Canary"
    for statement in (
        "DELETE FROM pupil",
        "SET default_transaction_read_only = off; DELETE FROM pupil",
        "CREATE TABLE mine (x int)",
    ):
        with pytest.raises(RuntimeError, match=r"read-only|permission denied"):
            as_role(roles, "schoolhouse_backup", statement)
    as_role(roles, "schoolhouse", f"{AS_SCHOOL} DELETE FROM pupil")


def test_a_dump_by_the_backup_role_holds_every_school(roles):
    as_role(roles, "schoolhouse", f"{AS_SCHOOL} INSERT INTO pupil VALUES ('{SCHOOL}', 'Canary')")
    dump = subprocess.run(
        [roles.binaries / "pg_dump", "-h", roles.folder, "-U", "schoolhouse_backup", "schoolhouse"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "Canary" in dump
    as_role(roles, "schoolhouse", f"{AS_SCHOOL} DELETE FROM pupil")


def test_monitor_sees_statistics_and_no_pupil(roles):
    assert (
        int(
            as_role(
                roles,
                "schoolhouse_monitor",
                "SELECT count(*) FROM pg_stat_activity WHERE query IS NOT NULL",
            )
        )
        > 0
    )
    with pytest.raises(RuntimeError, match="permission denied"):
        as_role(roles, "schoolhouse_monitor", "SELECT * FROM pupil")


def test_no_role_has_a_password_and_strangers_cannot_connect(roles):
    assert (
        roles.sql(
            "SELECT count(*) FROM pg_authid WHERE rolname LIKE 'schoolhouse%' AND rolpassword IS NOT NULL"
        )
        == "0"
    )
    roles.sql("CREATE ROLE stranger LOGIN")
    with pytest.raises(RuntimeError, match="permission denied for database"):
        as_role(roles, "stranger", "SELECT 1")


# --- carried out, in a folder that stands for / ---


def test_actions_change_things_once(tmp_path, computer):
    machine = Machine(computer.platform(), tmp_path)
    actions = [
        Folder("/etc/schoolhouse", 0o750, "root:root"),
        TextFile("/etc/schoolhouse/a.conf", "one\n", 0o640),
        Link("/opt/.env", "/etc/schoolhouse/a.conf"),
    ]
    assert [action.apply(machine) for action in actions] == [True, True, True]
    assert [action.apply(machine) for action in actions] == [False, False, False]
    assert stat.S_IMODE((tmp_path / "etc/schoolhouse").stat().st_mode) == 0o750
    assert stat.S_IMODE((tmp_path / "etc/schoolhouse/a.conf").stat().st_mode) == 0o640


def test_a_changed_file_keeps_its_former_self_beside_it(tmp_path, computer):
    machine = Machine(computer.platform(), tmp_path)
    TextFile("/a.conf", "edited by hand\n").apply(machine)
    assert TextFile("/a.conf", "new\n").apply(machine)
    assert (tmp_path / "a.conf").read_text() == "new\n"
    assert (tmp_path / "a.conf.before").read_text() == "edited by hand\n"


def test_settings_that_are_there_are_kept(tmp_path, computer):
    machine = Machine(computer.platform(), tmp_path)
    TextFile("/a.env", "mine\n").apply(machine)
    assert not TextFile("/a.env", "fresh\n", keep=True).apply(machine)
    assert (tmp_path / "a.env").read_text() == "mine\n"


def test_a_file_where_a_link_belongs_is_not_thrown_away(tmp_path, computer):
    (tmp_path / "x").write_text("precious")
    with pytest.raises(Stop, match="in the way"):
        Link("/x", "/y").apply(Machine(computer.platform(), tmp_path))
    assert (tmp_path / "x").read_text() == "precious"


def test_the_program_is_copied_whole_readable_and_only_when_it_changed(tmp_path, computer):
    source = tmp_path / "unpacked"
    (source / "school").mkdir(parents=True)
    (source / "school" / "a.py").write_text("1")
    (source / "school" / "__pycache__").mkdir()
    (source / "school" / "__pycache__" / "a.pyc").write_text("x")
    (source / "school" / "a.py").chmod(0o600)
    machine = Machine(computer.platform(), tmp_path / "top")
    copy = CopyCode(source, "/opt/schoolhouse", ("school", "not-there.txt"))
    assert copy.apply(machine)
    assert not copy.apply(machine)
    target = tmp_path / "top/opt/schoolhouse"
    assert stat.S_IMODE((target / "school" / "a.py").stat().st_mode) == 0o644
    assert not (target / "school" / "__pycache__").exists()
    (source / "school" / "a.py").rename(source / "school" / "b.py")
    assert copy.apply(machine)
    assert sorted(p.name for p in target.rglob("*")) == ["b.py", "school"]


def test_a_command_is_left_out_when_its_work_is_done(tmp_path, computer):
    machine = Machine(computer.platform(), tmp_path)
    assert not Command(("useradd", "x"), unless=("id", "x")).apply(machine)
    assert computer.asked == [["id", "x"]]
    computer.answers["id"] = Ran(1)
    assert Command(("useradd", "x"), unless=("id", "x")).apply(machine)


def test_services_restart_only_after_a_change(tmp_path, computer):
    machine = Machine(computer.platform(), tmp_path)
    restart = Command(("systemctl", "restart", "schoolhouse.target"), after_change=True)
    assert not restart.apply(machine)
    assert computer.asked == []
    machine.changed = True
    assert restart.apply(machine)


def test_a_failing_command_is_one_sentence(tmp_path, computer):
    computer.answers["nginx"] = Ran(
        1, err="nginx: [emerg] duplicate upstream\nnginx: configuration test failed\n"
    )
    with pytest.raises(Stop, match="nginx failed: nginx: configuration test failed"):
        Command(("nginx", "-t")).apply(Machine(computer.platform(), tmp_path))


def test_an_old_postgresql_is_refused(tmp_path, computer):
    machine = Machine(computer.platform(), tmp_path)
    ask = NewestPostgres(15, ("psql",))
    computer.answers["psql"] = Ran(0, "130011\n")
    with pytest.raises(Stop, match="PostgreSQL 13 is too old; 15 or newer is needed"):
        ask.apply(machine)
    computer.answers["psql"] = Ran(0, "150018\n")
    assert not ask.apply(machine)


def test_waiting_for_a_service_that_never_comes_ends_with_where_to_look(tmp_path, computer):
    with pytest.raises(Stop, match=r"http://127.0.0.1:9/readyz does not answer") as stopped:
        UntilReady(["http://127.0.0.1:9/readyz"], limit_s=0.1).apply(
            Machine(computer.platform(), tmp_path)
        )
    assert "journalctl" in stopped.value.remedy


def test_a_rehearsal_of_the_whole_plan_and_a_second_one(
    tmp_path, computer, site, capsys, monkeypatch
):
    """Every action but the waiting, on a machine where nothing but files is real."""
    from school.bootstrap.packages import Environment
    from school.bootstrap.production import plan as planning

    monkeypatch.setattr(
        planning, "ENTRIES", ("deploy", "requirements", "requirements.txt", "setup_infrastructure.sh")
    )
    monkeypatch.setattr(planning, "UntilReady", lambda _urls: Command(("true",), settles=True))
    monkeypatch.setattr(Environment, "works", lambda self: True)
    computer.answers = {
        "id": Ran(1),
        "test -s": Ran(1),
        "runuser -u postgres -- psql -XqAt -v ON_ERROR_STOP=1 -c": Ran(0, "150018\n"),
        "dpkg-query": Ran(0, "".join(f"{n} installed\n" for n in planning.PACKAGES)),
        "runuser -u schoolhouse -- ": Ran(0, "Sign in once with https://school.example.org/once\n"),
    }
    (tmp_path / "opt/schoolhouse/.venv").mkdir(parents=True)
    (tmp_path / "var/lib/schoolhouse").mkdir(parents=True)
    machine = Machine(computer.platform(is_root=True), tmp_path)
    start.carry_out(make_plan(site, machine.platform), machine)
    assert machine.notes == ["Sign in once with https://school.example.org/once"]
    assert computer.ran("systemctl", "restart", "schoolhouse.target")
    environment = (tmp_path / "etc/schoolhouse/schoolhouse.env").read_bytes()
    assert stat.S_IMODE((tmp_path / "etc/schoolhouse/schoolhouse.env").stat().st_mode) == 0o640

    computer.asked.clear()
    computer.answers.update({"id": Ran(0), "test -s": Ran(0)})
    capsys.readouterr()
    again = Machine(machine.platform, tmp_path)
    start.carry_out(make_plan(site, machine.platform), again)
    assert capsys.readouterr().out.count("there already") == 10
    assert not computer.ran("systemctl", "restart", "schoolhouse.target")
    assert not computer.ran("useradd")
    assert (tmp_path / "etc/schoolhouse/schoolhouse.env").read_bytes() == environment
