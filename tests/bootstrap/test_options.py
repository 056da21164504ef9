"""The options, and what is said about wrong ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from school.bootstrap.options import parse, parser
from school.bootstrap.platforms import Platform

LINUX, WINDOWS = Platform("linux"), Platform("windows")


def option_names() -> set[str]:
    actions = parser(LINUX)._actions
    return {name for action in actions for name in action.option_strings if name.startswith("--")}


def test_without_options_a_school_of_ones_own_is_set_up_and_started():
    options = parse([], LINUX)
    assert (options.mode, options.start, options.port, options.data_dir) == (
        "school",
        True,
        None,
        None,
    )


@pytest.mark.parametrize("mode", ["demo", "test", "production"])
def test_a_mode_is_chosen_by_its_option(mode: str):
    assert parse([f"--{mode}"], LINUX).mode == mode


def test_values_are_read(tmp_path: Path):
    options = parse(
        [
            "--port",
            "8080",
            "--data-dir",
            str(tmp_path),
            "--school",
            " Hill   School ",
            "--email",
            "head@hill.example",
            "--no-start",
        ],
        LINUX,
    )
    assert (options.port, options.data_dir, options.school, options.email, options.start) == (
        8080,
        tmp_path,
        "Hill School",
        "head@hill.example",
        False,
    )


def test_a_relative_data_folder_is_meant_from_where_the_person_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert parse(["--data-dir", "here"], LINUX).data_dir == tmp_path / "here"


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--port", "0"], "from 1 to 65535"),
        (["--port", "70000"], "from 1 to 65535"),
        (["--port", "http"], "from 1 to 65535"),
        (["--port", "²"], "from 1 to 65535"),
        (["--email", "nobody"], "not an e-mail address"),
        (["--school", "  "], "name of the school"),
        (["--demo", "--production"], "not allowed with"),
        (["--demo", "--school", "Hill"], "not together with --demo"),
        (["--yes"], "only together with --production"),
        (["--domain", "school.example.org"], "only together with --production"),
        (["--production", "--domain", "https://x"], "without https://"),
        (["--production", "--domain", "a;b"], "not a name such as"),
        (["--production", "--certificate", "x.pem"], "belong together"),
        (["--prot", "8000"], "unrecognized"),
        (["--dem"], "unrecognized"),
    ],
)
def test_wrong_usage_ends_with_code_2_and_names_the_fault(arguments, hint, capsys):
    with pytest.raises(SystemExit) as ended:
        parse(arguments, LINUX)
    assert ended.value.code == 2
    assert hint in capsys.readouterr().err


def test_usage_names_the_script_of_the_system():
    assert parser(LINUX).format_usage().startswith("usage: ./setup_infrastructure.sh")
    assert parser(WINDOWS).format_usage().startswith("usage: .\\setup_infrastructure.ps1")


@pytest.mark.parametrize("script", ["setup_infrastructure.sh", "setup_infrastructure.ps1"])
def test_both_scripts_list_exactly_the_options_there_are(repository: Path, script: str):
    head = "".join(
        line
        for line in (repository / script).read_text().splitlines(keepends=True)
        if line.startswith("#")
    )
    assert set(re.findall(r"--[a-z-]+", head)) == option_names()
