"""What set-up says: one measured line per step, and failures as a sentence and what to do."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

FAILED, WRONG_USAGE = 1, 2


def has_keyboard() -> bool:
    """Somebody can be asked. Standard input may be closed altogether."""
    return sys.stdin is not None and sys.stdin.isatty()


class Stop(Exception):
    """Set-up cannot go on: one plain sentence, and what to do about it."""

    def __init__(self, sentence: str, remedy: str = "", *, code: int = FAILED) -> None:
        super().__init__(sentence)
        self.sentence, self.remedy, self.code = sentence, remedy, code

    def tell(self) -> None:
        print(self.sentence, file=sys.stderr)
        if self.remedy:
            print(f"What to do: {self.remedy}", file=sys.stderr, flush=True)


@dataclass
class Step:
    """One line in the making; set `result` to what came of it."""

    result: str = "done"


@contextmanager
def step(title: str) -> Iterator[Step]:
    """Print the title now, the result and the seconds when the step is over."""
    print(f"{title:<22}", end="", flush=True)
    began = time.monotonic()
    this = Step()
    try:
        yield this
    except BaseException:
        print("stopped", flush=True)
        raise
    print(f"{this.result}  ({time.monotonic() - began:.1f} s)", flush=True)
