"""Work shared out among threads, each with a connection of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")
C = TypeVar("C")
R = TypeVar("R")


def share_out(tasks: Sequence[T], tools: Sequence[C], act: Callable[[T, C], R]) -> list[R]:
    """`act` on every task with a tool nobody else holds; results in the order of the tasks.

    The first error ends it: what has not begun by then is not begun.
    """
    free: SimpleQueue[C] = SimpleQueue()
    for tool in tools:
        free.put(tool)

    def one(task: T) -> R:
        tool = free.get()
        try:
            return act(task, tool)
        finally:
            free.put(tool)

    with ThreadPoolExecutor(len(tools)) as pool:
        try:
            return [future.result() for future in [pool.submit(one, task) for task in tasks]]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
