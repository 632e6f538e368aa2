"""What a store does behind the requests removes nothing that is needed."""

from __future__ import annotations

import pytest

from gateway.storage import NoSuchKey, Put
from gateway.testing.conformance.bench import Bench
from gateway.testing.conformance.completing import WHOLE, completed, sent
from gateway.testing.conformance.copying import copy
from gateway.testing.conformance.harness import Conformance
from gateway.testing.conformance.versions import keeping, put
from gateway.testing.faults import Breaking, noise

SIZES = (0, 1000, 100_000, 2 << 20)
DAYS = 3


class UpkeepConformance(Conformance):
    """Days pass on the clock of the `Context`, and the jobs given to it are run."""

    def test_objects_stay_as_they_are(self, bench: Bench) -> None:
        for size in SIZES:
            bench.put(f"gone {size}", noise(size))
            bench.put(f"over {size}", noise(size))
            bench.put(f"over {size}", noise(size + 1))
            bench.delete(f"gone {size}")
        with pytest.raises(OSError, match="gone"):
            bench.writable.put("k", Breaking(noise(200_000), OSError("gone")), Put(size=300_000))
        with bench.unchanged():
            bench.upkeep.days_pass(DAYS)
        for size in SIZES:
            assert bench.read(f"over {size}") == noise(size + 1)

    def test_copies_stay_whose_source_is_gone(self, bench: Bench) -> None:
        for size in SIZES:
            for last in ("to", "from"):
                bench.put("from", noise(size))
                copy(bench, "from", "to")
                bench.delete("from" if last == "to" else "to")
                bench.upkeep.days_pass(DAYS)
                assert bench.read(last) == noise(size)

    def test_copies_onto_themselves_stay(self, bench: Bench) -> None:
        for size in SIZES:
            bench.put("k", noise(size))
            for turn in range(3):
                copy(bench, "k", "k", options=Put(metadata={"turn": str(turn)}))
            bench.upkeep.days_pass(DAYS)
            assert bench.read("k") == noise(size)

    def test_objects_of_parts_stay(self, bench: Bench) -> None:
        completed(bench)
        copy(bench, "k", "to")
        copy(bench, "to", "to", options=Put(metadata={"a": "1"}))
        bench.upkeep.days_pass(DAYS)
        bench.delete("k")
        bench.upkeep.days_pass(DAYS)
        assert bench.read("to") == WHOLE

    def test_uploads_under_way_stay(self, bench: Bench) -> None:
        upload, refs = sent(bench)
        bench.upkeep.days_pass(DAYS)
        bench.multipart.complete("k", upload, refs)
        assert bench.read("k") == WHOLE

    def test_versions_stay(self, bench: Bench) -> None:
        keeping(bench)
        names = [put(bench, noise(size)) for size in SIZES]
        bench.delete("k")
        with bench.unchanged():
            bench.upkeep.days_pass(DAYS)
        assert len(set(names)) == len(SIZES)

    def test_what_was_deleted_does_not_come_back(self, bench: Bench) -> None:
        bench.put("k", noise(100_000))
        bench.delete("k")
        bench.upkeep.days_pass(DAYS)
        with pytest.raises(NoSuchKey):
            bench.store.stat("k")
        assert bench.listed() == []
