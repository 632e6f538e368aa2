"""Changes: a feed that misses nothing, in order, also for who reads while others write."""

from __future__ import annotations

from threading import Event, Thread

import pytest

from gateway.storage import NULL_VERSION, Change, Changes, Delete, Put
from gateway.testing.conformance.bench import Bench
from gateway.testing.conformance.copying import copy
from gateway.testing.conformance.harness import Conformance
from gateway.testing.conformance.parallel import in_processes, together
from gateway.testing.conformance.versions import hide, keeping, put
from gateway.testing.faults import PATIENCE, Breaking


def told(bench: Bench, after: int = 0) -> list[tuple[str, str, str | None]]:
    return [(c.kind, c.key, c.version) for c in bench.changes.changes(after).changes]


class ChangesConformance(Conformance):
    needs = "Changes"

    def test_an_empty_store_has_no_changes(self, bench: Bench) -> None:
        page = bench.changes.changes()
        assert page.changes == ()
        assert bench.changes.changes(page.last).changes == ()

    def test_a_put_is_told_with_what_was_put(self, bench: Bench) -> None:
        changes = bench.changes
        info = bench.put("k", b"data", Put(content_type="a/b"))
        (change,) = changes.changes().changes
        assert (change.kind, change.key, change.size) == ("put", "k", 4)
        assert (change.etag, change.content_type) == (info.etag, "a/b")
        # a store that never kept versions may leave the null version without its name
        assert (change.version or NULL_VERSION) == (info.version or NULL_VERSION)

    def test_each_thing_that_happens_is_told_once(self, bench: Bench) -> None:
        assert told(bench) == []
        bench.put("k", b"1")
        bench.put("k", b"2")
        bench.delete("k")
        bench.delete("absent")
        assert [one[:2] for one in told(bench)] == [("put", "k"), ("put", "k"), ("delete", "k")]

    def test_versions_markers_and_removals_are_told(self, bench: Bench) -> None:
        assert told(bench) == []
        keeping(bench)
        first, second = put(bench, b"1"), put(bench, b"2")
        marker = hide(bench)
        bench.delete("k", Delete(version=first))
        bench.delete("k", Delete(version=marker))
        assert told(bench) == [
            ("put", "k", first),
            ("put", "k", second),
            ("delete", "k", marker),
            ("purge", "k", first),
            ("purge", "k", marker),
        ]

    def test_labels_are_told(self, bench: Bench) -> None:
        labels, last = bench.labels, bench.changes.changes().last
        bench.put("k")
        labels.set_labels("k", tags={"a": "1"})
        assert [one[:2] for one in told(bench, last)] == [("put", "k"), ("update", "k")]
        labels.set_labels("k", tags={})
        labels.set_labels("k", attributes={"b": 1, "a": 2})
        told_of = [one.cause for one in bench.changes.changes(last).changes]
        assert told_of == ["", "tags", "no tags", "attributes a b"]

    def test_why_a_thing_is_done_is_told(self, bench: Bench) -> None:
        changes, last = bench.changes, bench.changes.changes().last
        bench.put("k", b"1", Put(cause="one"))
        bench.delete("k", Delete(cause="two"))
        assert [one.cause for one in changes.changes(last).changes] == ["one", "two"]

    def test_protection_is_told(self, bench: Bench) -> None:
        protects, last = bench.protects, bench.changes.changes().last
        bench.put("k")
        protects.set_hold("k", None, True)
        assert [one[:2] for one in told(bench, last)] == [("put", "k"), ("update", "k")]

    def test_copies_are_told_as_puts(self, bench: Bench) -> None:
        last = bench.changes.changes().last
        bench.put("from", b"data")
        copy(bench, "from", "to", options=Put(cause="copied"))
        assert [one[:2] for one in told(bench, last)] == [("put", "from"), ("put", "to")]
        assert bench.changes.changes(last).changes[1].cause == "copied"

    def test_what_failed_is_not_told(self, bench: Bench) -> None:
        assert told(bench) == []
        with pytest.raises(OSError, match="gone"):
            bench.writable.put("k", Breaking(b"half", OSError("gone")), Put(size=8))
        assert told(bench) == []

    def test_sync_ids_are_dense_and_a_page_begins_behind_any(self, bench: Bench) -> None:
        changes, first = bench.changes, bench.changes.changes().last
        for number in range(10):
            bench.put(f"k{number}")
        everything = changes.changes(first).changes
        assert [one.sequence for one in everything] == list(range(first + 1, first + 11))
        for after in range(first, first + 11):
            assert changes.changes(after).changes == everything[after - first :]

    def test_a_page_has_the_oldest_and_names_the_newest(self, bench: Bench) -> None:
        changes, first = bench.changes, bench.changes.changes().last
        for number in range(5):
            bench.put(f"k{number}")
        page = changes.changes(first, limit=2)
        assert [one.key for one in page.changes] == ["k0", "k1"]
        assert page.last == first + 5
        assert changes.changes(page.last).last == page.last

    def test_times_do_not_run_backwards_for_a_key(self, bench: Bench) -> None:
        last = bench.changes.changes().last
        for number in range(20):
            bench.put("k", b"%d" % number)
        times = [one.time for one in bench.changes.changes(last).changes]
        assert times == sorted(times)

    def test_changes_of_another_store_are_not_told(self, bench: Bench) -> None:
        other, last = bench.another(), bench.changes.changes().last
        other.put("theirs")
        bench.put("ours")
        assert [one[1] for one in told(bench, last)] == ["ours"]

    def test_a_follower_beside_parallel_writers_misses_nothing(self, bench: Bench) -> None:
        first = bench.changes.changes().last
        with Follower(bench.changes, first) as follower:
            together(6, lambda n: _write(bench, n))
        check_followed(follower.seen, first, writers=6)

    def test_a_follower_beside_writing_processes_misses_nothing(self, bench: Bench) -> None:
        first = bench.changes.changes().last
        with Follower(bench.changes, first) as follower:
            in_processes(bench, 2, _write)
        check_followed(follower.seen, first, writers=2)

    def test_a_waiting_reader_is_woken_by_a_change(self, bench: Bench) -> None:
        changes, last = bench.changes, bench.changes.changes().last
        started, got = Event(), []

        def wait() -> None:
            started.set()
            got.append([one.key for one in changes.changes(last, wait=10 * PATIENCE).changes])

        reader = Thread(target=wait, daemon=True)
        reader.start()
        started.wait(PATIENCE)
        bench.put("k")
        reader.join(PATIENCE)
        assert got == [["k"]]

    def test_a_reader_that_waits_in_vain_gets_an_empty_page(self, bench: Bench) -> None:
        last = bench.changes.changes().last
        page = bench.changes.changes(last, wait=0.05)
        assert (page.changes, page.last) == ((), last)

    def test_who_watches_is_woken_by_a_change_until_it_has_enough(self, bench: Bench) -> None:
        changes, woken = bench.changes, Event()
        for _ in range(2):
            end = changes.watch(woken.set)
            if end is None:
                return  # it can be asked only
            woken.clear()
            bench.put("k")
            assert woken.wait(PATIENCE)
            end()

    def test_a_feed_is_the_same_to_all_its_readers(self, bench: Bench) -> None:
        changes, first = bench.changes, bench.changes.changes()
        bench.put("k")
        second = changes.changes(first.last)
        assert (second.feed, second.cut) == (first.feed, False)


WRITES = 20
"""Rounds of each writer; a round is two puts and a delete."""


def _write(bench: Bench, number: int) -> None:
    for turn in range(WRITES):
        bench.put(f"{number}/{turn}", b"x" * (turn % 3))
        bench.put(f"{number}/last", b"%d" % turn)
        bench.delete(f"{number}/{turn}")


class Follower:
    """Reads a feed in a thread of its own, page by page, until it has seen all."""

    def __init__(self, changes: Changes, after: int) -> None:
        self._changes, self._last, self._stopped = changes, after, False
        self.seen: list[Change] = []
        self._thread = Thread(target=self._follow)

    def __enter__(self) -> Follower:
        self._thread.start()
        return self

    def _follow(self) -> None:
        while True:
            stopped = self._stopped  # before the page: what came until then is on it or later
            page = self._changes.changes(self._last, limit=7, wait=0.01)
            self.seen.extend(page.changes)
            self._last = page.changes[-1].sequence if page.changes else self._last
            if stopped and not page.changes:
                return

    def __exit__(self, *exc: object) -> None:
        self._stopped = True
        self._thread.join()


def check_followed(seen: list[Change], first: int, writers: int) -> None:
    assert [one.sequence for one in seen] == list(range(first + 1, first + 1 + len(seen)))
    for number in range(writers):
        mine = [(c.kind, c.key) for c in seen if c.key.startswith(f"{number}/")]
        expected = []
        for turn in range(WRITES):
            key = f"{number}/{turn}"
            expected += [("put", key), ("put", f"{number}/last"), ("delete", key)]
        assert mine == expected
    assert len(seen) == writers * WRITES * 3
