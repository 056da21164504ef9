"""Set-up from beginning to end, run as people run it.

The program itself is played by a few lines that note what they are asked (the real program has
its turn in `test_for_real.py`); Python, pip, files, ports and processes are real.
"""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.bootstrap.test_packages import tiny_wheel

PLAYED = """
import json, os, sys, time
from pathlib import Path
words = sys.argv[1:]
with open("asked.jsonl", "a") as notes:
    notes.write(json.dumps([words, {k: os.environ.get(k) for k in ("PORT", "PUBLIC_URL")}]) + "\\n")
fault = Path("fault.txt")
if fault.exists() and words[0] == fault.read_text().split()[0]:
    sys.exit("Traceback (most recent call last):\\n  File x\\nThe disk said no.")
if words[0] == "db": print("The database is now at 0001.")
if words[0] == "setup": print("Sign in once with http://127.0.0.1:8000/once/abc")
if words[0] == "demo": print("Sign in with password demo as:\\n  office  (registrar)")
if words[0] == "preflight":
    faults = json.loads(Path("faults.json").read_text()) if Path("faults.json").exists() else []
    print(json.dumps({"ok": not faults, "faults": faults}))
if words[0] == "serve":
    try:
        print("serving", os.getpid(), flush=True)
        time.sleep(float(os.environ.get("SERVE_S", "0")))
    except KeyboardInterrupt:
        print("stopped in good order")
"""
OURS = ["--school", "Hill School", "--email", "head@hill.example"]


@dataclass
class Unpacked:
    """A Schoolhouse fresh from its archive."""

    root: Path
    env: dict[str, str]

    def run(
        self, *arguments: str, umask: int = -1, **more: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, self.root / "school" / "bootstrap", *arguments],
            text=True,
            cwd="/",
            capture_output=True,
            stdin=subprocess.DEVNULL,
            env={**self.env, **more},
            umask=umask,
            check=False,
        )

    def asked(self) -> list[list[str]]:
        notes = self.root / "asked.jsonl"
        return (
            [json.loads(line)[0] for line in notes.read_text().splitlines()]
            if notes.exists()
            else []
        )

    def settings(self) -> str:
        return (self.root / ".env").read_text()


@pytest.fixture
def unpacked(copy_of_the_project: Callable[..., Path], tmp_path: Path) -> Unpacked:
    root = copy_of_the_project("school/bootstrap", "school/__init__.py")
    (root / "school" / "__main__.py").write_text(PLAYED)
    (tmp_path / "wheels").mkdir()
    sha256 = tiny_wheel(tmp_path / "wheels")
    (root / "requirements.txt").write_text(f"chalk==1.0 --hash=sha256:{sha256}\n")
    inherited = {k: v for k, v in os.environ.items() if k in {"PATH", "HOME", "LANG", "TMPDIR"}}
    return Unpacked(
        root,
        {
            **inherited,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(tmp_path / "wheels"),
            "PATH": "/usr/bin:/bin",
        },
    )


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_the_first_run_does_everything_and_the_second_nothing_but_start(unpacked, port):
    first = unpacked.run(*OURS, "--port", str(port))
    assert first.returncode == 0, first.stderr
    assert unpacked.asked() == [["db", "upgrade"], ["setup", *OURS], ["serve", "--port", str(port)]]
    titles = [line[:22].strip() for line in first.stdout.splitlines()[:6]]
    assert titles == [
        "This computer",
        "Virtual environment",
        "Packages",
        "Settings",
        "Database",
        "School",
    ]
    assert all(line.endswith(" s)") for line in first.stdout.splitlines()[:6])
    assert "Sign in once with http://127.0.0.1:8000/once/abc" in first.stdout
    assert f"Open http://127.0.0.1:{port} in a browser." in first.stdout
    settings, stamp = unpacked.settings(), (unpacked.root / ".env").stat()
    assert stat.S_IMODE(stamp.st_mode) == 0o600
    (unpacked.root / "asked.jsonl").unlink()

    second = unpacked.run()
    assert second.returncode == 0, second.stderr
    assert unpacked.asked() == [["db", "upgrade"], ["serve", "--port", str(port)]]
    assert second.stdout.count("there already") == 2
    assert "kept as they are" in second.stdout
    assert unpacked.settings() == settings
    assert (unpacked.root / ".env").stat().st_mtime_ns == stamp.st_mtime_ns


def test_the_demo_says_how_to_sign_in(unpacked, port):
    done = unpacked.run("--demo", "--port", str(port))
    assert done.returncode == 0, done.stderr
    assert unpacked.asked() == [
        ["db", "upgrade"],
        ["demo"],
        ["serve", "--port", str(port)],
    ]
    assert "DEMO=true" in unpacked.settings()
    assert "Sign in with password demo as:\n  office  (registrar)\n" in done.stdout
    assert "The sign-in page lists the demo's accounts." in done.stdout
    again = unpacked.run("--demo", "--port", str(port))
    assert "Sign in with password demo as:\n  office  (registrar)\n" in again.stdout
    assert [words[0] for words in unpacked.asked()].count("demo") == 1


def test_no_start_sets_up_and_says_how_to_start(unpacked):
    done = unpacked.run("--demo", "--no-start")
    assert done.returncode == 0
    assert ["serve"] not in [words[:1] for words in unpacked.asked()]
    assert done.stdout.endswith("Set up. Start it with ./setup_infrastructure.sh --demo\n")


def test_another_port_for_once_takes_links_in_mails_with_it(unpacked, port):
    unpacked.run("--demo", "--no-start", "--port", "8000")
    assert unpacked.run("--demo", "--port", str(port)).returncode == 0
    last = json.loads((unpacked.root / "asked.jsonl").read_text().splitlines()[-1])
    assert last == [
        ["serve", "--port", str(port)],
        {"PORT": str(port), "PUBLIC_URL": f"http://127.0.0.1:{port}"},
    ]
    assert "PORT=8000\n" in unpacked.settings()


def test_the_data_folder_may_lie_elsewhere_and_stays_there(unpacked, tmp_path):
    elsewhere = tmp_path / "our data"
    assert unpacked.run("--demo", "--no-start", "--data-dir", str(elsewhere)).returncode == 0
    assert f"DATA_DIR='{elsewhere}'\n" in unpacked.settings()
    assert not (unpacked.root / "data").exists()
    again = unpacked.run("--demo", "--no-start", "--data-dir", str(tmp_path / "other"))
    assert again.returncode == 1
    assert again.stderr.startswith(
        f"This installation keeps its data in {elsewhere}, not in {tmp_path / 'other'}."
    )
    assert not (tmp_path / "other").exists()


def test_without_a_keyboard_what_is_missing_is_named(unpacked):
    done = unpacked.run("--no-start")
    assert done.returncode == 2
    assert done.stderr.startswith(
        "Set-up needs to know --school NAME and --email ADDR.\nWhat to do: ./setup_infrastructure.sh --school"
    )
    assert not (unpacked.root / ".venv").exists()
    assert not (unpacked.root / ".env").exists()


def test_at_a_keyboard_it_asks_until_the_answers_fit(unpacked):
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, unpacked.root / "school" / "bootstrap", "--no-start"],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=unpacked.env,
    )
    os.write(ours, "  Schule  Süd\nnobody\nhead@hill.example\n".encode())
    said = process.communicate(timeout=60)[0].decode()
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 0, said
    assert "Name of the school: " in said
    assert "Type an address such as head@school.example.org." in said
    assert ["setup", "--school", "Schule Süd", "--email", "head@hill.example"] in unpacked.asked()


def test_a_demo_and_a_real_school_are_never_mixed(unpacked):
    unpacked.run("--demo", "--no-start")
    real = unpacked.run(*OURS, "--no-start")
    assert (real.returncode, real.stderr.splitlines()[0]) == (1, "This folder holds the demo.")
    (unpacked.root / ".env").write_text("DEMO=false\n")
    demo = unpacked.run("--demo", "--no-start")
    assert demo.returncode == 1
    assert demo.stderr.startswith("A school of your own is set up in this folder already")


def test_a_taken_port_is_found_before_anything_is_made(unpacked):
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        done = unpacked.run("--demo", "--port", str(taken))
    assert done.returncode == 1
    assert f"Port {taken} is taken by " in done.stderr
    assert f"(process {os.getpid()})" in done.stderr
    assert not (unpacked.root / ".env").exists()
    assert not (unpacked.root / ".venv").exists()


def test_a_database_that_is_away_is_told_in_the_programs_words(unpacked):
    (unpacked.root / "faults.json").write_text(
        json.dumps(["PostgreSQL 13 is too old; 15 or newer is needed."])
    )
    done = unpacked.run(
        "--demo", "--no-start", DATABASE_URL="postgresql://school@db.example/school"
    )
    assert done.returncode == 1
    assert done.stderr.startswith("PostgreSQL 13 is too old; 15 or newer is needed.\nWhat to do: ")
    assert "DATABASE_URL=postgresql://school@db.example/school\n" in unpacked.settings()
    assert unpacked.asked() == [["preflight", "--json"]]


@pytest.mark.parametrize("command", ["db", "demo"])
def test_a_failing_step_is_one_sentence_and_a_log_never_a_traceback(unpacked, command):
    (unpacked.root / "fault.txt").write_text(command)
    done = unpacked.run("--demo", "--no-start")
    assert done.returncode == 1
    log = unpacked.root / "data" / "set-up.log"
    assert done.stderr == f"The disk said no.\nWhat to do: the whole story is in {log}\n"
    assert "Traceback" not in done.stdout
    assert "Traceback" in log.read_text()
    (unpacked.root / "fault.txt").unlink()
    assert unpacked.run("--demo", "--no-start").returncode == 0


def test_a_step_that_failed_is_tried_again_next_time(unpacked):
    (unpacked.root / "fault.txt").write_text("setup")
    assert unpacked.run(*OURS, "--no-start").returncode == 1
    (unpacked.root / "fault.txt").unlink()
    assert unpacked.run(*OURS, "--no-start").returncode == 0
    assert [words[0] for words in unpacked.asked()].count("setup") == 2
    assert unpacked.run("--no-start").returncode == 0
    assert [words[0] for words in unpacked.asked()].count("setup") == 2


def test_a_port_misspelt_in_the_settings_is_named(unpacked):
    (unpacked.root / ".env").write_text("PORT=eight\nDEMO=true\n")
    done = unpacked.run("--demo", "--no-start")
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        1,
        "PORT in .env is eight; it has to be a number from 1 to 65535.",
    )


def test_a_surprise_is_a_sentence_too(unpacked):
    (unpacked.root / "requirements.txt").unlink()
    done = unpacked.run("--demo", "--no-start")
    assert done.returncode == 1
    assert done.stderr.startswith("Set-up met something it does not know: ")
    assert "Traceback" not in done.stderr
    log = Path(done.stderr.split("send ")[1].split(" along")[0])
    assert "FileNotFoundError" in log.read_text()
    log.unlink()


def test_a_data_folder_that_was_moved_away_is_missed_not_replaced(unpacked, tmp_path):
    unpacked.run("--demo", "--no-start")
    (unpacked.root / "data").rename(tmp_path / "elsewhere")
    done = unpacked.run("--demo", "--no-start")
    assert done.returncode == 1
    assert "is not there. No new one was made, so that nothing seems lost." in done.stderr
    assert not (unpacked.root / "data").exists()


def test_whatever_the_umask_nobody_else_may_read(unpacked):
    (unpacked.root / "data").mkdir()
    (unpacked.root / "data").chmod(0o755)
    done = unpacked.run("--demo", "--no-start", umask=0)
    assert done.returncode == 0, done.stderr
    made = [unpacked.root / "data", *(unpacked.root / "data").rglob("*")]
    assert unpacked.root / "data" / "set-up.json" in made
    # The program is played; what it makes has the umask it was given.
    made.append(unpacked.root / "asked.jsonl")
    assert [path for path in made if path.stat().st_mode & 0o077] == []


def test_a_data_folder_with_something_in_it_keeps_its_rights(unpacked):
    (unpacked.root / "data").mkdir()
    (unpacked.root / "data" / "notes.txt").touch()
    (unpacked.root / "data").chmod(0o755)
    assert unpacked.run("--demo", "--no-start").returncode == 0
    assert stat.S_IMODE((unpacked.root / "data").stat().st_mode) == 0o755


def test_every_faulty_setting_is_named(unpacked):
    faults = "These settings need a look:\n  - PORT is wrong.\n  - HOST is wrong."
    (unpacked.root / "school" / "__main__.py").write_text(f"import sys; sys.exit({faults!r})")
    done = unpacked.run("--demo", "--no-start")
    assert done.returncode == 1
    assert done.stderr.startswith(f"{faults}\nWhat to do: ")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b"DEMO=true # gr\xfc\xdfe", "Line 2 of .env has a letter that is not written in UTF-8"),
        (b"DEMO maybe", "Line 2 of .env is no setting: write NAME=value"),
        (b"DEMO=maybe", "DEMO in .env is maybe; it has to be true or false."),
        (b"DATA_DIR=~nobody-here/data", "DATA_DIR in .env is ~nobody-here/data, and nobody knows"),
        (b"PORT=99999\nDEMO=true", "PORT in .env is 99999; it has to be a number from 1 to 65535."),
    ],
)
def test_a_settings_file_that_cannot_be_used_is_told_by_its_line(unpacked, line, sentence):
    (unpacked.root / ".env").write_bytes(b"# ours\n" + line + b"\n")
    done = unpacked.run("--demo", "--no-start")
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_without_standard_input_it_says_what_is_missing(unpacked):
    done = subprocess.run(
        [
            "sh",
            "-c",
            '"$0" "$1" --no-start <&-',
            sys.executable,
            unpacked.root / "school/bootstrap",
        ],
        capture_output=True,
        text=True,
        env=unpacked.env,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("Set-up needs to know --school NAME and --email ADDR.")


def wait_for(process: subprocess.Popen[bytes], word: bytes) -> bytes:
    said, ends_at = b"", time.monotonic() + 60
    assert process.stdout is not None
    while word not in said and time.monotonic() < ends_at:
        if select.select([process.stdout], [], [], 1)[0]:
            said += os.read(process.stdout.fileno(), 65536)
    assert word in said, said
    return said


def test_the_server_takes_the_place_of_set_up_and_ctrl_c_reaches_it(unpacked, port):
    process = subprocess.Popen(
        [sys.executable, unpacked.root / "school" / "bootstrap", "--demo", "--port", str(port)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**unpacked.env, "SERVE_S": "60"},
    )
    said = wait_for(process, b"serving")
    assert f"serving {process.pid}".encode() in said
    process.send_signal(signal.SIGINT)
    assert b"stopped in good order" in process.communicate(timeout=20)[0]
    assert process.returncode == 0


def test_ctrl_c_during_set_up_is_quiet(unpacked):
    process = subprocess.Popen(
        [sys.executable, "-u", unpacked.root / "school" / "bootstrap", "--demo"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**unpacked.env, "PORT": "0"},
    )
    wait_for(process, b"Packages")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert errors == b""
    assert unpacked.run("--demo", "--no-start").returncode == 0
