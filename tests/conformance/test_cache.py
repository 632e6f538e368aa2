"""A cache in front of a store does all that the store does: written through, read from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal

from drivers.cache import Cache
from drivers.local import Local
from drivers.memory import Memory
from gateway.storage import Context, Store
from gateway.testing.conformance import StoreConformance


class CacheConformance(StoreConformance):
    """`behind` makes the store that the cache stands in front of."""

    space: ClassVar[Literal["disk", "memory"]] = "disk"
    lacks = frozenset({"Buckets", "Scrubs"})

    def behind(self, folder: Path, sid: str) -> Store:
        raise NotImplementedError

    def open(self, context: Context) -> Store:
        assert context.folder is not None
        source = self.behind(context.folder, context.sid)
        source.open(context)
        cache = Cache(source=source, space=self.space)
        cache.open(replace(context, sid=f"{context.sid}-cache"))
        return cache

    def close(self, store: Store) -> None:
        assert isinstance(store, Cache)
        store.close()
        store.source.close()


class TestOnDiskOverLocal(CacheConformance):
    keeps_versioning = False

    def behind(self, folder: Path, sid: str) -> Store:
        return Local(keep_versions="off")


class TestInMemoryOverMemory(CacheConformance):
    space = "memory"
    durable = processes = flat_memory = False

    def behind(self, folder: Path, sid: str) -> Store:
        return Memory(keep_versions="off")
