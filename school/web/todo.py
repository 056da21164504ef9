"""What waits for somebody: each domain names its tasks, the page of today shows those that are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from school.permissions import Permission, Person


@dataclass(frozen=True, slots=True)
class Task:
    """One row of "to do": a sentence, one verb, where it is done. `order`: worst first."""

    sentence: str
    verb: str
    url: str
    icon: str = "alert-triangle"
    kind: str = "warn"
    order: int = 50


Make = Callable[[Person], Task | None]
_makers: dict[str, tuple[Permission, Make]] = {}


def add_task(name: str, permission: Permission, make: Make) -> None:
    """Called where a domain's pages are defined. `make` answers None when nothing waits; it
    should remember its numbers, because it is asked on every look at today."""
    _makers[name] = (permission, make)


def tasks_for(person: Person) -> list[Task]:
    """What waits for this person, worst first."""
    made = [make(person) for permission, make in _makers.values() if person.may(permission)]
    return sorted((task for task in made if task is not None), key=lambda task: task.order)
