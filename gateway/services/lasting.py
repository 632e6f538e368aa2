"""Stores that outlive the configuration by which they were opened.

When a configuration is read again, the next chain is opened beside the one that serves. A
service that both declare in the same way is one store in both: what it has in memory stays,
and no folder, pool or cache is opened twice for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from gateway.config import Declared
from gateway.storage import Context, Jobs, Store


class Lasting:
    """A declared service's store. It is opened for the first chain that has it, and closed
    with the last. `runners` as in `OwnJobs`."""

    def __init__(self, declared: Declared, store: Store, runners: dict[str, OwnJobs]) -> None:
        self.declared, self.store, self._runners = declared, store, runners
        self._lock, self._chains = threading.Lock(), 0

    def open(self, context: Context) -> None:
        """Raises what the store does."""
        with self._lock:
            if not self._chains:
                jobs = OwnJobs(context.jobs, self._runners)
                self.store.open(replace(context, jobs=jobs))
            self._chains += 1

    def close(self) -> None:
        with self._lock:
            self._chains -= 1
            if not self._chains:
                self.store.close()

    def serves(self, declared: Declared) -> bool:
        """Whether its store is what that declares: names and owners are no matter of stores."""
        ours = self.declared
        return ours.driver is declared.driver and (
            (ours.options, ours.links, ours.source_path)
            == (declared.options, declared.links, declared.source_path)
        )


class OwnJobs:
    """A store's background work. Who closes takes back what is its own, and not what a store
    that was opened in its place runs under the same name: `runners` says who added it last."""

    def __init__(self, jobs: Jobs, runners: dict[str, OwnJobs]) -> None:
        self._jobs, self._runners = jobs, runners

    def add(self, name: str, interval: float, work: Callable[[], object]) -> None:
        self._runners[name] = self
        self._jobs.add(name, interval, work)

    def remove(self, name: str) -> None:
        if self._runners.get(name) is self:
            del self._runners[name]
            self._jobs.remove(name)
