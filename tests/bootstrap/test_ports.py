"""Which program holds a port, on each system."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from school.bootstrap.console import Stop
from school.bootstrap.platforms import Platform, Ran
from school.bootstrap.ports import check_port, find_holder

NETSTAT_GERMAN = """
Aktive Verbindungen

  Proto  Lokale Adresse         Remoteadresse          Status           PID
  TCP    0.0.0.0:80             0.0.0.0:0              ABH\u00d6REN          4
  TCP    127.0.0.1:51234        127.0.0.1:8000         HERGESTELLT      900
  TCP    127.0.0.1:8000         127.0.0.1:51234        HERGESTELLT      812
  TCP    0.0.0.0:8000           0.0.0.0:0              ABH\u00d6REN          812
"""
TASKLIST = '"nginx.exe","812","Services","0","11.204 K"\n'


@pytest.fixture
def held_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_a_free_port_passes():
    check_port(free_port(), Platform("linux"))


def test_a_taken_port_names_the_program_and_another_port(held_port):
    with pytest.raises(Stop) as stopped:
        check_port(held_port, Platform("linux"))
    assert f"(process {os.getpid()})" in stopped.value.sentence
    assert stopped.value.sentence.startswith(f"Port {held_port} is taken by ")
    assert f"--port {held_port + 1}" in stopped.value.remedy


def test_schoolhouse_itself_is_recognised(tmp_path):
    port = free_port()
    (tmp_path / "school.py").write_text(
        f"import socket, time\ns = socket.create_server(('127.0.0.1', {port}))\nprint('up', flush=True)\ntime.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "school", "serve"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        with pytest.raises(
            Stop,
            match=rf"Schoolhouse is running already on port {port} \(process {process.pid}\)\.",
        ):
            check_port(port, Platform("linux"))
    finally:
        process.kill()
        process.wait()


def test_on_windows_netstat_and_tasklist_tell_in_any_language(computer):
    computer.answers = {"netstat": Ran(0, NETSTAT_GERMAN), "tasklist": Ran(0, TASKLIST)}
    assert find_holder(8000, computer.platform("windows")) == "nginx.exe (process 812)"
    assert find_holder(80, computer.platform("windows")) == "process 4"
    assert find_holder(51234, computer.platform("windows")) is None


def test_on_a_mac_lsof_tells(computer):
    computer.answers = {"lsof -nP -iTCP:8000": Ran(0, "p812\ncpostgres\nf3\n")}
    assert find_holder(8000, computer.platform("macos")) == "postgres (process 812)"


@pytest.mark.skipif(shutil.which("lsof") is None, reason="lsof is not installed")
def test_real_lsof_answers_in_the_form_that_is_read(held_port):
    assert f"(process {os.getpid()})" in (find_holder(held_port, Platform("macos")) or "")


def test_without_any_of_these_programs_the_port_is_still_called_taken(computer, held_port):
    def missing(*_: object, **__: object) -> Ran:
        raise FileNotFoundError("no such program")

    with pytest.raises(Stop, match=rf"^Port {held_port} is taken\.$"):
        check_port(held_port, Platform("macos", run=missing))


def test_a_port_just_closed_counts_as_free():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            accepted, _ = server.accept()
            accepted.close()
            client.recv(1)
    time.sleep(0.05)
    check_port(port, Platform("linux"))


def test_port_tables_are_read_for_ipv6_too(tmp_path: Path):
    from school.bootstrap.ports import _listening_inodes

    (tmp_path / "net").mkdir()
    head = "  sl  local_address remote_address st tx rx tr tm->when retrnsmt uid timeout inode\n"
    row = "   0: 00000000000000000000000000000000:1F40 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 4711 1\n"
    (tmp_path / "net" / "tcp6").write_text(head + row)
    assert list(_listening_inodes(8000, tmp_path)) == ["4711"]
    assert list(_listening_inodes(8001, tmp_path)) == []
