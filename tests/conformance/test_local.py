"""The local store does all that the contract has."""

from __future__ import annotations

from pathlib import Path

from drivers.local import Local
from gateway.storage import Store
from gateway.testing.conformance import StoreConformance


class TestLocal(StoreConformance):
    lacks = frozenset({"Buckets"})

    def make(self, folder: Path, sid: str) -> Store:
        return Local(keep_versions="off")
