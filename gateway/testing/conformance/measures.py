"""Measures: counts that are exact at every moment."""

from __future__ import annotations

import pytest

from gateway.storage import Delete, Put, Stats
from gateway.testing.conformance.bench import Bench
from gateway.testing.conformance.harness import Conformance
from gateway.testing.conformance.parallel import together
from gateway.testing.faults import Breaking


class MeasuresConformance(Conformance):
    def counted(self, bench: Bench) -> tuple[int, int]:
        stats: Stats = bench.measures.stats()
        return stats.objects, stats.bytes

    def test_an_empty_store_counts_nothing(self, bench: Bench) -> None:
        assert self.counted(bench) == (0, 0)

    def test_puts_overwrites_and_deletes_are_counted(self, bench: Bench) -> None:
        assert self.counted(bench) == (0, 0)
        bench.put("a", bytes(10))
        bench.put("b", bytes(100_000))
        assert self.counted(bench) == (2, 100_010)
        bench.put("b", bytes(5))
        assert self.counted(bench) == (2, 15)
        bench.delete("a")
        bench.delete("absent")
        assert self.counted(bench) == (1, 5)
        bench.delete("b")
        assert self.counted(bench) == (0, 0)

    def test_versions_are_counted_and_delete_markers_are_not(self, bench: Bench) -> None:
        versions = bench.versions
        assert self.counted(bench) == (0, 0)
        versions.set_versioning("on")
        first = bench.put("k", bytes(10))
        bench.put("k", bytes(20))
        marker = bench.delete("k")
        assert self.counted(bench) == (2, 30)
        for version, left in ((marker.version, (2, 30)), (first.version, (1, 20))):
            bench.delete("k", Delete(version=version))
            assert self.counted(bench) == left

    def test_copies_count_as_what_they_are(self, bench: Bench) -> None:
        copies = bench.copies
        bench.put("a", bytes(100_000))
        copies.copy(bench.store, "a", "b")
        assert self.counted(bench) == (2, 200_000)

    def test_a_write_that_failed_is_not_counted(self, bench: Bench) -> None:
        assert self.counted(bench) == (0, 0)
        with pytest.raises(OSError, match="gone"):
            bench.writable.put("k", Breaking(bytes(200_000), OSError("gone")), Put(size=300_000))
        assert self.counted(bench) == (0, 0)

    def test_parallel_writers_are_all_counted(self, bench: Bench) -> None:
        assert self.counted(bench) == (0, 0)
        together(8, lambda n: [bench.put(f"k{i % 4}", bytes(n + i)) for i in range(8)])
        sizes = [bench.store.stat(f"k{i}").size for i in range(4)]
        assert self.counted(bench) == (4, sum(sizes))

    def test_stores_are_counted_apart(self, bench: Bench) -> None:
        other = bench.another()
        bench.put("a", bytes(10))
        assert self.counted(other) == (0, 0)
