"""What the kit does with what a driver is said to lack."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.memory import Memory
from gateway.storage import Context, Store
from gateway.testing.conformance import Bench, StoreConformance


class Lacking(StoreConformance):
    lacks = frozenset({"Versions"})

    def open(self, context: Context) -> Store:
        store = Memory(keep_versions="off")
        store.open(context)
        return store


def test_what_a_test_needs_is_known_without_a_store() -> None:
    needed = Lacking()._needed
    assert needed("test_a_hold_counts_beside_a_retention_that_is_bypassed") == "Protects"
    assert needed("test_ranges_are_exact_across_the_borders_of_blocks") == ""


def test_a_store_that_has_what_it_is_said_to_lack_fails(tmp_path: Path) -> None:
    bench = Bench(Lacking(), tmp_path)
    try:
        with pytest.raises(pytest.fail.Exception, match="said to lack what it has: Versions"):
            Lacking()._tell_what_is_there(bench)
    finally:
        bench.close()
