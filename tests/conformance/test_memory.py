"""The memory store does all that the contract has, but keep anything."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from drivers.memory import Memory
from gateway.storage import Context, Store
from gateway.testing.conformance import (
    BucketsConformance,
    CasesConformance,
    KeysConformance,
    ListingConformance,
    StoreConformance,
    VolumesConformance,
)


class TestMemory(StoreConformance):
    durable = processes = flat_memory = False
    lacks = frozenset({"Buckets", "Volumes"})

    def make(self, folder: Path, sid: str) -> Store:
        return Memory(keep_versions="off")


class TestAccount(BucketsConformance, VolumesConformance):
    durable = processes = flat_memory = False
    lacks = frozenset[str]()

    def open(self, context: Context) -> Store:
        store = Memory()
        store.open(replace(context, sid=""))
        return store


class TestNotCaseSensitive(KeysConformance, CasesConformance, ListingConformance):
    case_sensitive = durable = processes = flat_memory = False
    lacks = frozenset({"Buckets", "Volumes"})

    def make(self, folder: Path, sid: str) -> Store:
        return Memory(keep_versions="off", case_sensitive=False)
