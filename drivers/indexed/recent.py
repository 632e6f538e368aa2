"""What a process found lately, for as long as nothing was committed.

An object that is asked for again is found without SQLite, whose every call
gives the GIL away. All that is remembered belongs to one
version of the index; whoever sees another one begins anew. A look-up takes the
version before it reads, and a writer is answered after the version changed. So
nothing stale is ever given out, and a hit takes no lock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

V = TypeVar("V")

LIMIT = 8 << 20
"""Bytes that a process remembers, about."""

ENTRY = 2048
"""Bytes of an entry's objects, beside the object's own."""


class VersionedCache(Generic[V]):
    """Entries of one version of the index; all go when they are too much."""

    __slots__ = ("_entries", "_lock", "_used", "get", "version")

    def __init__(self, version: object) -> None:
        self.version = version
        self._entries: dict[Hashable, V] = {}
        self._lock, self._used = threading.Lock(), 0
        self.get = self._entries.get

    def keep(self, key: Hashable, value: V, size: int) -> None:
        with self._lock:
            if self._used > LIMIT:
                self._entries.clear()
                self._used = 0
            self._entries[key] = value
            self._used += ENTRY + size


class Recent(Generic[V]):
    """`version()` changes with every commit, by any process, before it is answered."""

    def __init__(self, version: Callable[[], object]) -> None:
        self._version = version
        self._memory: VersionedCache[V] = VersionedCache(version())

    def now(self) -> VersionedCache[V]:
        version = self._version()
        memory = self._memory
        if memory.version != version:
            memory = self._memory = VersionedCache(version)
        return memory
