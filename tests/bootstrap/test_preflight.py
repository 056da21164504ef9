"""Every fault found before set-up begins, in its sentence."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from school.bootstrap.console import Stop
from school.bootstrap.platforms import Ran
from school.bootstrap.preflight import check_data_folder, check_disk, check_folder, check_network


class Usage(NamedTuple):
    free: int


NO_PROXIES = (
    "http_proxy",
    "https_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
)


@pytest.fixture(autouse=True)
def _plain_network(monkeypatch):
    for name in [*NO_PROXIES, "UV_DEFAULT_INDEX", "UV_INDEX_URL"]:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def dead_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture
def live_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def told(computer, **settings: str):
    """A computer whose pip was told these things."""
    lines = [f"global.{name.replace('_', '-')}='{value}'" for name, value in settings.items()]
    computer.answers[sys.executable] = Ran(0, "\n".join(lines) + "\n")
    return computer.platform("linux")


def test_a_missing_folder_is_made(tmp_path):
    check_folder(tmp_path / "a" / "b", "The data folder")
    assert (tmp_path / "a" / "b").is_dir()


def test_a_file_in_place_of_the_folder_is_named(tmp_path):
    (tmp_path / "data").touch()
    with pytest.raises(Stop, match=r"The data folder .*data is not writable: it is not a folder"):
        check_folder(tmp_path / "data", "The data folder")


def test_a_folder_that_refuses_writing_is_named():
    with pytest.raises(Stop, match="/proc/nothing is not writable"):
        check_folder(Path("/proc/nothing"), "The data folder")


def test_a_read_only_folder_is_named(tmp_path):
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o555)
    script = (
        "from pathlib import Path; from school.bootstrap.preflight import *; from school.bootstrap.console import Stop\n"
        f"try: check_folder(Path({str(folder)!r}), 'The folder')\nexcept Stop as stop: print(stop.sentence)"
    )
    before: list[str] = []
    if shutil.which("setpriv") and Path("/proc/self").stat().st_uid == 0:
        # Root may write anywhere: step down first.
        for parent in [folder, *folder.parents]:
            if parent in {Path("/tmp"), Path("/")}:
                break
            parent.chmod(0o555 if parent == folder else 0o755)
        before = [
            "setpriv",
            "--bounding-set=-dac_override,-dac_read_search",
            "--inh-caps=-dac_override,-dac_read_search",
        ]
    said = subprocess.run(
        [*before, sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert "closed is not writable: permission denied." in said.stdout, said.stderr


def test_a_full_disk_is_named_with_what_is_there_and_what_is_needed(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(120 * 1024 * 1024))
    with pytest.raises(Stop, match=r"120 MB free at .*, 600 MB needed"):
        check_disk(tmp_path, needed_mib=600)
    check_disk(tmp_path, needed_mib=50)


def test_an_index_that_answers_passes(computer, live_port):
    check_network(told(computer, index_url=f"http://127.0.0.1:{live_port}/simple"))


def test_no_network_is_called_that(computer, dead_port):
    with pytest.raises(Stop) as stopped:
        check_network(told(computer, index_url=f"http://127.0.0.1:{dead_port}/simple"))
    assert "does not answer" in stopped.value.sentence
    assert "no network" in stopped.value.sentence
    assert "HTTPS_PROXY" in stopped.value.remedy


def test_a_name_that_cannot_be_resolved_is_no_network_either(computer):
    with pytest.raises(Stop, match=r"index.invalid does not answer"):
        check_network(told(computer, index_url="https://index.invalid/simple"))


def test_an_index_in_a_folder_needs_no_network(computer):
    check_network(told(computer, index_url="file:///srv/wheels"))
    check_network(told(computer, no_index="true", index_url="https://index.invalid/simple"))


def test_behind_a_proxy_only_the_proxy_must_answer(computer, live_port, dead_port, monkeypatch):
    index = told(computer, index_url="https://index.invalid/simple")
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{live_port}")
    check_network(index)
    monkeypatch.setenv("https_proxy", f"127.0.0.1:{dead_port}")
    with pytest.raises(Stop, match="does not answer"):
        check_network(index)


@pytest.mark.parametrize("address", ["http://proxy.example:notaport", "http://[::1"])
def test_a_proxy_that_is_no_address_is_said_to_be_none(computer, monkeypatch, address):
    monkeypatch.setenv("https_proxy", address)
    with pytest.raises(Stop, match="The proxy's address makes no sense") as stopped:
        check_network(told(computer, index_url="https://index.invalid/simple"))
    assert address not in stopped.value.sentence, "it may hold a password"


def test_a_data_folder_that_the_settings_file_cannot_hold_is_refused(tmp_path):
    with pytest.raises(Stop, match=r"has \$\{ in its name"):
        check_data_folder(tmp_path / "${HOME}", is_known=False)


def test_an_index_told_to_uv_counts(computer, dead_port, monkeypatch):
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://127.0.0.1:{dead_port}/simple")
    with pytest.raises(Stop, match="does not answer"):
        check_network(told(computer))


def test_an_old_python_gets_a_sentence(repository):
    """The door itself, with the version it sees turned back."""
    door = repository / "school" / "bootstrap" / "__main__.py"
    script = f"import sys, runpy; sys.version_info = (3, 9, 2); runpy.run_path({str(door)!r}, run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert (
        done.stderr.splitlines()[0] == "Schoolhouse needs Python 3.11 or newer; this is Python 3.9."
    )
    assert "Traceback" not in done.stderr
