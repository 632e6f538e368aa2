"""Measures: counts that are exact at every moment."""

from __future__ import annotations

from functools import partial

import pytest

from gateway.storage import BytesBody, Delete, InvalidPart, NoSuchUpload, PartRef, Put, Stats
from gateway.testing.conformance.bench import Bench
from gateway.testing.conformance.harness import Conformance
from gateway.testing.conformance.parallel import together
from gateway.testing.faults import Breaking


def _keys_and_uploads(bench: Bench) -> tuple[int, int]:
    stats = bench.measures.stats()
    assert bench.measures.recount() == (stats, stats)
    return stats.current, stats.uploads


class MeasuresConformance(Conformance):
    needs = "Measures"

    def counted(self, bench: Bench) -> tuple[int, int]:
        stats: Stats = bench.measures.stats()
        assert bench.measures.recount() == (stats, stats)
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

    def test_a_key_counts_while_it_has_an_object(self, bench: Bench) -> None:
        versions, counted = bench.versions, partial(_keys_and_uploads, bench)
        bench.put("a", b"1")
        assert counted() == (1, 0)
        versions.set_versioning("on")
        second, third = bench.put("a", b"2"), bench.put("b", b"3")
        assert counted() == (2, 0)
        markers = [bench.delete("a").version, bench.delete("a").version]
        assert counted() == (1, 0)
        bench.delete("a", Delete(version=markers[0]))
        assert counted() == (1, 0)
        for version in (markers[1], second.version):
            bench.delete("a", Delete(version=version))
            assert counted() == (2, 0)
        versions.set_versioning("suspended")
        bench.put("a", b"4")
        bench.delete("b")
        assert counted() == (1, 0)
        bench.delete("b", Delete(version=third.version))
        bench.delete("a", Delete(version="null"))
        assert counted() == (0, 0)

    def test_uploads_count_from_their_beginning_to_their_end(self, bench: Bench) -> None:
        multipart, counted = bench.multipart, partial(_keys_and_uploads, bench)
        first, second = (multipart.begin("k").id for _ in range(2))
        assert counted() == (0, 2)
        part = multipart.put_part("k", first, 1, BytesBody(b"part"), Put(size=4))
        refs = [PartRef(number=1, etag=part.etag)]
        with pytest.raises(InvalidPart):
            multipart.complete("k", first, [PartRef(number=2, etag=part.etag)])
        assert counted() == (0, 2)
        for _ in range(2):  # the second time it is answered what it was answered before
            multipart.complete("k", first, refs)
        assert counted() == (1, 1)
        multipart.abort("k", second)
        with pytest.raises(NoSuchUpload):
            multipart.abort("k", second)
        assert counted() == (1, 0)

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
        assert bench.measures.stats().current == 4

    def test_stores_are_counted_apart(self, bench: Bench) -> None:
        other = bench.another()
        bench.put("a", bytes(10))
        assert self.counted(other) == (0, 0)
