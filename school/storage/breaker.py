"""Stop asking a provider that does not answer, for a while."""

from __future__ import annotations

import threading
import time

from school.storage.errors import Unavailable


class Breaker:
    """After `failures` in a row every call is refused for `rest_s` seconds, then one may try."""

    def __init__(self, *, failures: int = 5, rest_s: float = 10.0) -> None:
        self._limit = failures
        self._rest_s = rest_s
        self._failed = 0
        self._open_until = 0.0
        self._lock = threading.Lock()

    def check(self) -> None:
        """Raises Unavailable while resting."""
        with self._lock:
            if self._failed < self._limit:
                return
            if time.monotonic() < self._open_until:
                raise Unavailable("The storage did not answer; trying again shortly.")
            # This caller goes and sees; the others wait for what it finds.
            self._open_until = time.monotonic() + self._rest_s

    def succeeded(self) -> None:
        with self._lock:
            self._failed = 0

    def failed(self) -> None:
        with self._lock:
            self._failed += 1
            if self._failed >= self._limit:
                self._open_until = time.monotonic() + self._rest_s
