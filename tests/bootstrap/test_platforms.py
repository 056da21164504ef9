"""What differs between Linux, macOS and Windows."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from school.bootstrap.platforms import Platform, this_platform


@pytest.mark.parametrize(
    ("name", "python"),
    [("linux", "bin/python"), ("macos", "bin/python"), ("windows", "Scripts/python.exe")],
)
def test_python_of_the_virtual_environment(name, python):
    assert Platform(name).venv_python(Path("/s/.venv")) == Path("/s/.venv") / python


@pytest.mark.parametrize(
    ("name", "command"), [("linux", ".venv/bin/python"), ("windows", ".venv\\Scripts\\python.exe")]
)
def test_commands_are_shown_as_people_type_them(name, command):
    assert Platform(name).python_command == command


def test_a_private_file_on_linux_is_for_its_owner_only(tmp_path, computer):
    file = tmp_path / "secret"
    file.touch()
    file.chmod(0o644)
    computer.platform("linux").keep_private(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert computer.asked == []


def test_a_private_file_on_windows_is_taken_from_everybody_else(tmp_path, computer, monkeypatch):
    monkeypatch.setenv("USERNAME", "Head Teacher")
    file = tmp_path / "secret"
    file.touch()
    file.chmod(0o644)
    computer.platform("windows").keep_private(file)
    assert computer.asked == [["icacls", str(file), "/inheritance:r", "/grant:r", "Head Teacher:F"]]
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


def test_this_computer_is_known():
    assert this_platform().name in {"linux", "macos", "windows"}


def become_in_a_child(name: str, code: str) -> subprocess.CompletedProcess[str]:
    script = (
        f"from pathlib import Path; from school.bootstrap.platforms import *;"
        f"become(Platform({name!r}), [{sys.executable!r}, '-c', {code!r}], cwd=Path('/'), env={{'GREETING': 'hello'}})"
    )
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", ["linux", "windows"])
def test_the_server_takes_over_with_its_folder_settings_and_exit_code(name):
    done = become_in_a_child(
        name, "import os, sys; print(os.environ['GREETING'], os.getcwd()); sys.exit(7)"
    )
    assert (done.returncode, done.stdout.strip()) == (7, "hello /")


def test_debian_is_told_by_its_apt(computer):
    assert not computer.platform("linux").is_debian()
    computer.programs["apt-get"] = "/usr/bin/apt-get"
    assert computer.platform("linux").is_debian()
    assert not computer.platform("windows").is_debian()
