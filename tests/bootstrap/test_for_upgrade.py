"""What database_upgrade.py needs is installed when it is first called."""

from __future__ import annotations

import sys

import pytest

from school.bootstrap import for_upgrade
from school.bootstrap.console import Stop
from school.bootstrap.packages import Environment, pins


@pytest.fixture
def called(monkeypatch):
    """What would have been done, in order."""
    seen = []
    monkeypatch.setattr(for_upgrade, "install", lambda environment: seen.append(environment.lock))
    monkeypatch.setattr(
        for_upgrade, "become", lambda _platform, command, **_more: seen.append(command)
    )
    monkeypatch.setattr(sys, "argv", ["database_upgrade.py", "--json"])
    return seen


def test_where_everything_is_there_nothing_happens(called):
    for_upgrade.ready_python("database_upgrade.py")
    assert called == []


def test_what_is_missing_is_installed_from_its_own_lock(called, monkeypatch, computer):
    monkeypatch.setattr(for_upgrade, "NEEDED", ("no_such_package",))
    monkeypatch.setattr(sys, "prefix", "/usr")
    for_upgrade.ready_python("database_upgrade.py", computer.platform())
    lock, command = called
    assert lock == for_upgrade.ROOT / "requirements" / "upgrade.txt"
    assert command[1:] == ["database_upgrade.py", "--json"]
    assert ".venv" in str(command[0])


def test_inside_the_environment_it_goes_on_by_itself(called, monkeypatch, computer):
    monkeypatch.setattr(for_upgrade, "NEEDED", ("no_such_package",))
    monkeypatch.setattr(sys, "prefix", str(for_upgrade.ROOT / ".venv"))
    for_upgrade.ready_python("database_upgrade.py", computer.platform())
    assert len(called) == 1


def test_without_a_network_one_sentence_says_so(monkeypatch, capsys, computer):
    monkeypatch.setattr(for_upgrade, "NEEDED", ("no_such_package",))

    def refuse(_platform):
        raise Stop("The package index does not answer.", "connect to the internet")

    monkeypatch.setattr(Environment, "is_complete", lambda _self: False)
    monkeypatch.setattr(for_upgrade, "check_network", refuse)
    with pytest.raises(SystemExit) as ended:
        for_upgrade.ready_python("database_upgrade.py", computer.platform())
    assert ended.value.code == 1
    told = capsys.readouterr()
    assert "The package index does not answer." in told.err
    assert told.out == ""


def test_its_lock_has_everything_of_the_program_and_the_tests_lock_everything_of_it(repository):
    program, more, tests = (
        pins(repository / name)
        for name in ("requirements.txt", "requirements/upgrade.txt", "requirements/test.txt")
    )
    assert program < more < tests
    assert not any(pin.startswith(("pyarrow", "adbc")) for pin in program)
