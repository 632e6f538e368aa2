"""The memory store does all that the contract has, but keep anything."""

from __future__ import annotations

from pathlib import Path

from drivers.memory import Memory
from gateway.storage import Store
from gateway.testing.conformance import (
    CasesConformance,
    KeysConformance,
    ListingConformance,
    StoreConformance,
)


class TestMemory(StoreConformance):
    durable = processes = flat_memory = False
    lacks = frozenset({"Buckets"})

    def make(self, folder: Path, sid: str) -> Store:
        return Memory(keep_versions="off")


class TestNotCaseSensitive(KeysConformance, CasesConformance, ListingConformance):
    case_sensitive = durable = processes = flat_memory = False
    lacks = frozenset({"Buckets"})

    def make(self, folder: Path, sid: str) -> Store:
        return Memory(keep_versions="off", case_sensitive=False)
