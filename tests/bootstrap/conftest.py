"""Computers to set up on: this one, and ones that only answer as they are told."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from school.bootstrap.platforms import Platform, Ran

REPOSITORY = Path(__file__).resolve().parent.parent.parent


class FakeComputer:
    """Runs nothing: remembers what it was asked and answers by the first words of the command."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.environments: list[dict[str, str]] = []
        self.texts: list[str | None] = []
        self.answers: dict[str, Ran] = {}
        self.programs: dict[str, str] = {}

    def run(
        self,
        command: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        text: str | None = None,
    ) -> Ran:
        words = [str(word) for word in command]
        self.asked.append(words)
        self.environments.append(dict(env or {}))
        self.texts.append(text)
        for begin, answer in self.answers.items():
            if " ".join(words).startswith(begin):
                return answer
        return Ran(0)

    def platform(self, name: str = "linux", *, is_root: bool = False) -> Platform:
        return Platform(name, is_root, run=self.run, which=self.programs.get)

    def ran(self, *beginning: str) -> list[list[str]]:
        """The commands that began with these words."""
        return [words for words in self.asked if words[: len(beginning)] == list(beginning)]


@pytest.fixture
def computer() -> FakeComputer:
    return FakeComputer()


@pytest.fixture
def repository() -> Path:
    return REPOSITORY


@pytest.fixture
def copy_of_the_project(tmp_path: Path) -> Callable[..., Path]:
    """A freshly unpacked Schoolhouse in a folder of its own."""

    def copy(*entries: str) -> Path:
        target = tmp_path / "Hill School"
        target.mkdir()
        for entry in entries:
            source = REPOSITORY / entry
            if source.is_dir():
                shutil.copytree(
                    source, target / entry, ignore=shutil.ignore_patterns("__pycache__")
                )
            else:
                (target / entry).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target / entry)
        return target

    return copy
