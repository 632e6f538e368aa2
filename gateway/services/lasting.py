"""Stores that outlive the configuration by which they were opened.

When a configuration is read again, the next chain is opened beside the one that serves. A
service that both declare in the same way is one store in both, and so is one that the catalog
has for both: what it has in memory stays, and no folder, pool or cache is opened twice for it.
"""

from __future__ import annotations

import threading
from dataclasses import replace

from gateway.config import Declared
from gateway.services.behind import Behind, OwnFollowers, OwnJobs
from gateway.storage import Context, NoFollowers, Store


class Lasting:
    """The store of a service that is declared, or added. It is opened for the first chain that
    has it, and closed with the last."""

    def __init__(self, declared: Declared, store: Store, behind: Behind) -> None:
        self.declared, self.store, self._behind = declared, store, behind
        self._followers = OwnFollowers(NoFollowers(), behind)
        self._lock, self._chains = threading.Lock(), 0

    def open(self, context: Context) -> None:
        """Raises what the store does."""
        with self._lock:
            if not self._chains:
                jobs = OwnJobs(context.jobs, self._behind)
                self._followers = OwnFollowers(context.followers, self._behind)
                try:
                    self.store.open(replace(context, jobs=jobs, followers=self._followers))
                except BaseException:
                    self._followers.close()
                    raise
            self._chains += 1

    def share(self) -> bool:
        """Whether it is open still; then for one chain more."""
        with self._lock:
            if self._chains:
                self._chains += 1
            return self._chains > 0

    @property
    def is_open(self) -> bool:
        return self._chains > 0

    def close(self) -> None:
        with self._lock:
            self._chains -= 1
            if not self._chains:
                try:
                    self._followers.close()
                finally:
                    self.store.close()

    def serves(self, declared: Declared) -> bool:
        """Whether its store is what that declares: names and owners are no matter of stores."""
        ours = self.declared
        return ours.driver is declared.driver and (
            (ours.options, ours.links, ours.source_path)
            == (declared.options, declared.links, declared.source_path)
        )
