"""The two thin scripts. PowerShell itself is not at hand: its file is parsed and searched."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tree_sitter_powershell
from tree_sitter import Language, Node, Parser

BANNED = {
    "&&": r"&&",
    "||": r"\|\|",
    "??": r"\?\?",
    "?.": r"\?\.",
    "==": r"==",
    "!=": r"!=",
    "drive scope in a string": r'"[^"]*\$\w+:',
    "ternary": r"\?\s*[^:\n]+\s:\s",
    "-Parallel": r"(?i)-parallel",
    "ForEach-Object -AsJob": r"(?i)-asjob",
    "clean block": r"(?i)^\s*clean\s*\{",
    "Join-Path with many parts": r"(?i)-additionalchildpath",
    "$IsWindows": r"(?i)\$is(windows|linux|macos)\b",
    "Test-Connection -TcpPort": r"(?i)-tcpport",
    "backgrounding &": r"&\s*$",
    "#requires core": r"(?i)-pseditions? core",
}


@pytest.fixture
def powershell(repository: Path) -> bytes:
    return (repository / "setup_infrastructure.ps1").read_bytes()


def faults_in(source: bytes) -> list[str]:
    def walk(node: Node) -> list[str]:
        here = (
            [f"line {node.start_point[0] + 1}: {node.type}"]
            if node.is_error or node.is_missing
            else []
        )
        return here + [fault for child in node.children for fault in walk(child)]

    parser = Parser(Language(tree_sitter_powershell.language()))
    return walk(parser.parse(source).root_node)


def banned_in(text: str) -> list[str]:
    code = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    return [name for name, pattern in BANNED.items() if re.search(pattern, code, re.MULTILINE)]


def test_powershell_script_parses(powershell):
    assert faults_in(powershell) == []


def test_the_parser_would_notice_a_broken_script(powershell):
    assert faults_in(powershell.replace(b"{", b"", 1))


def test_powershell_script_keeps_to_windows_powershell_5_1(powershell):
    assert banned_in(powershell.decode()) == []


@pytest.mark.parametrize(
    "line",
    [
        "a && b",
        "a || b",
        "$x ?? 1",
        "$x?.y",
        "if ($a == 1) {}",
        'Write-Host "$root:foo"',
        "$a ? 1 : 2",
        "if ($IsWindows) {}",
        "$x | ForEach-Object -Parallel {}",
    ],
)
def test_the_ban_list_would_notice(line):
    assert banned_in(line)


def test_powershell_script_is_ascii_with_windows_line_ends(powershell):
    assert powershell.isascii()
    assert powershell.count(b"\r\n") == powershell.count(b"\n") == powershell.count(b"\r")
    assert powershell.endswith(b"\r\n")


def test_git_leaves_the_powershell_script_alone(repository):
    git = shutil.which("git")
    if git is None or not (repository / ".git").exists():
        pytest.skip("not a git checkout")
    said = subprocess.run(
        [git, "check-attr", "text", "setup_infrastructure.ps1"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip().endswith("text: unset")


def test_scripts_are_thin_and_hand_over_every_option(repository, powershell):
    shell = (repository / "setup_infrastructure.sh").read_text()
    assert 'school/bootstrap" "$@"' in shell
    assert b"$bootstrap @args" in powershell
    assert b"school\\bootstrap" in powershell
    assert shell.count("\n") <= 30
    assert powershell.count(b"\n") <= 30


def said_lines(text: str) -> list[str]:
    """What a script prints when there is no Python."""
    return re.findall(r"""(?:echo|Write-Host) ["']([^"']+)["']""", text)


def test_scripts_say_the_same(repository, powershell):
    shell = said_lines((repository / "setup_infrastructure.sh").read_text())
    assert shell == said_lines(powershell.decode())
    assert len(shell) == 2


def run_script(repository: Path, path: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", repository / "setup_infrastructure.sh", "--help"],
        capture_output=True,
        text=True,
        env={"PATH": str(path), **env},
        check=False,
    )


def with_tools(folder: Path) -> Path:
    (folder / "dirname").symlink_to(shutil.which("dirname"))
    return folder


def test_without_python_a_sentence_says_so(repository, tmp_path):
    done = run_script(repository, with_tools(tmp_path))
    assert done.returncode == 1
    assert (
        done.stderr.splitlines()[0]
        == "Schoolhouse needs Python 3.11 or newer, and none was found here."
    )


def test_a_python_that_is_too_old_is_passed_over(repository, tmp_path):
    old = with_tools(tmp_path) / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    assert run_script(repository, tmp_path).returncode == 1
    new = tmp_path / "python3.12"
    new.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    new.chmod(0o755)
    done = run_script(repository, tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("usage: ./setup_infrastructure.sh")


def test_ci_runs_the_tests(repository):
    script = repository / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "exec ./setup_infrastructure.sh --test" in script.read_text()
