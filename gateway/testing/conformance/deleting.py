"""Deleting: what is gone is gone, what was not there is no error, and many at once."""

from __future__ import annotations

import pytest

from gateway.storage import Conditions, Delete, Deleted, NoSuchKey, PreconditionFailed, Unsupported
from gateway.testing.conformance.bench import Bench
from gateway.testing.conformance.harness import Conformance


class DeletingConformance(Conformance):
    def test_what_was_deleted_is_gone(self, bench: Bench) -> None:
        bench.put("k", b"data")
        assert bench.delete("k") == Deleted("k", existed=True)
        for ask in (bench.store.get, bench.store.stat):
            with pytest.raises(NoSuchKey):
                ask("k")

    def test_deleting_what_is_not_there_is_fine(self, bench: Bench) -> None:
        with bench.unchanged():
            assert bench.delete("absent") == Deleted("absent", existed=False)

    def test_a_key_that_was_deleted_can_be_put_again(self, bench: Bench) -> None:
        bench.put("k", b"one")
        bench.delete("k")
        bench.put("k", b"two")
        assert bench.read("k") == b"two"

    def test_delete_many_tells_of_each_in_order(self, bench: Bench) -> None:
        bench.put("a", b"1")
        bench.put("b", b"2")
        stale = Delete(conditions=Conditions(if_match=("0" * 32,)))
        with bench.able("conditions"):
            results = bench.delete_many(
                [("b", Delete()), ("absent", Delete()), ("a", stale), ("b", Delete())]
            )
        if isinstance(results[2], Unsupported):
            bench.lacking("conditions")
        assert results[:2] == [Deleted("b", existed=True), Deleted("absent", existed=False)]
        assert isinstance(results[2], PreconditionFailed)
        assert results[3] == Deleted("b", existed=False)
        assert bench.listed() == ["a"]

    def test_delete_many_of_nothing_is_nothing(self, bench: Bench) -> None:
        with bench.unchanged():
            assert list(bench.writable.delete_many(())) == []

    def test_delete_many_removes_a_thousand(self, bench: Bench) -> None:
        for number in range(20):
            bench.put(f"k{number}")
        results = bench.delete_many([(f"k{n}", Delete()) for n in range(1000)])
        assert [getattr(one, "existed", None) for one in results] == [n < 20 for n in range(1000)]
        assert bench.listed() == []
