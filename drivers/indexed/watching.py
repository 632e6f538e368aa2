"""Who is told that a service has changes: at once of those that this process makes, within
a moment of others'. Who waits for changes is one of them.

Nothing wakes a process when another commits. So while somebody watches, one thread per
space looks at whether anybody has committed at all, which is a look into shared memory
(see `gateway.common.commit_watch`); only then the services' rows are read.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping

from gateway.common.commit_watch import Version
from gateway.common.steady import Steady

log = logging.getLogger("gateway.engine")

LOOK = 0.05
"""Seconds between two looks."""

Wake = Callable[[], object]


class Watchers:
    """`version` tells whether anybody has committed, None where only this process does;
    `sequences` the newest sync ids of services, without those that are gone."""

    def __init__(
        self,
        version: Callable[[], Version] | None,
        sequences: Callable[[Collection[int]], Mapping[int, int]],
    ) -> None:
        self._version, self._sequences = version, sequences
        self._lock = threading.Lock()
        self.wakes: dict[int, list[Wake]] = {}
        """By service. Lists are replaced, never changed."""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, service: int, wake: Wake) -> Callable[[], None]:
        """Ends when what is returned is called."""
        with self._lock:
            self.wakes[service] = [*self.wakes.get(service, ()), wake]
            if self._version is not None and self._thread is None:
                self._thread = threading.Thread(
                    target=self._look_on, args=(self._version,), name="watchers", daemon=True
                )
                self._thread.start()
        return lambda: self._remove(service, wake)

    def _remove(self, service: int, wake: Wake) -> None:
        with self._lock:
            left = [one for one in self.wakes[service] if one is not wake]
            if left:
                self.wakes[service] = left
            else:
                del self.wakes[service]

    def announce(self, service: int) -> None:
        """This process has committed a change of it."""
        for wake in self.wakes.get(service, ()):
            wake()

    def close(self) -> None:
        """Nobody is woken from here any more. May be called twice."""
        for service in tuple(self.wakes):
            self.announce(service)
        self._stop.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()

    def _look_on(self, version: Callable[[], Version]) -> None:
        steady = Steady(log, "who follows changes is not told of those of other processes")
        seen: Version | None = None
        known: Mapping[int, int] = {}

        def look() -> None:
            nonlocal seen, known
            now = version()
            if now != seen:
                found = self._sequences(tuple(self.wakes))
                for service in {*known, *found}:
                    if known.get(service) != found.get(service):
                        self.announce(service)
                seen, known = now, found

        while not self._stop.wait(LOOK):
            steady(look)
            with self._lock:
                if not self.wakes:  # the next that comes begins another
                    self._thread = None
                    return
