"""What stops an upgrade, in plain words."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Problem:
    """`code`: for machines. `message`: what and where. `hint`: how to go on. `examples`: up to five
    values with the key of their row."""

    code: str
    message: str
    hint: str = ""
    table: str = ""
    column: str = ""
    count: int = 0
    examples: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "examples": list(self.examples)}


class UpgradeStopped(Exception):
    """Nothing half-switched is left: the source is untouched, the target is marked."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(problem.message for problem in problems))
        self.problems = problems


def stop(code: str, message: str, hint: str = "") -> UpgradeStopped:
    """One problem that belongs to no table."""
    return UpgradeStopped(Problem(code, message, hint))
