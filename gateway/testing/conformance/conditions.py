"""Conditions on reads and writes (RFC 9110 §13, in the order of §13.2.2), also in a race."""

from __future__ import annotations

from dataclasses import replace
from threading import Thread
from typing import Any

import pytest

from gateway.storage import (
    BytesBody,
    Conditions,
    Conflict,
    Delete,
    Get,
    InvalidRange,
    NoSuchKey,
    NotModified,
    ObjectInfo,
    PreconditionFailed,
    Put,
    Range,
    StorageError,
)
from gateway.testing.conformance.bench import Bench
from gateway.testing.conformance.harness import Conformance
from gateway.testing.conformance.parallel import in_processes, together
from gateway.testing.faults import PATIENCE, Gated, noise

HOUR = 3_600_000
STALE = "0" * 32
Outcome = type[StorageError] | None
"""What a request raises; None: it is done."""


def same(info: ObjectInfo, **wanted: str | int) -> Conditions:
    """Conditions from words: "it" is the object's own ETag, "other" another one; a number is
    milliseconds from the object's time."""
    etags = {"it": info.etag, "other": STALE, "*": "*", "weak": "W/" + info.etag}
    match = [tuple(etags[e] for e in str(wanted.get(n, "")).split()) for n in ("match", "none")]
    times: dict[str, Any] = {
        name: info.modified + int(wanted[name])
        for name in ("modified_since", "unmodified_since")
        if name in wanted
    }
    return Conditions(if_match=match[0], if_none_match=match[1], **times)


READS: tuple[tuple[dict[str, str | int], Outcome], ...] = (
    ({}, None),
    ({"match": "it"}, None),
    ({"match": "other it"}, None),
    ({"match": "*"}, None),
    ({"match": "other"}, PreconditionFailed),
    ({"match": "weak"}, PreconditionFailed),  # If-Match compares strongly (§13.1.1)
    ({"none": "it"}, NotModified),
    ({"none": "other it"}, NotModified),
    ({"none": "weak"}, NotModified),  # If-None-Match compares weakly (§13.1.2)
    ({"none": "*"}, NotModified),
    ({"none": "other"}, None),
    ({"unmodified_since": 0}, None),
    ({"unmodified_since": HOUR}, None),
    ({"unmodified_since": -HOUR}, PreconditionFailed),
    ({"modified_since": -HOUR}, None),
    ({"modified_since": 0}, NotModified),
    ({"modified_since": HOUR}, NotModified),
    ({"match": "it", "unmodified_since": -HOUR}, None),  # If-Match decides alone
    ({"match": "other", "unmodified_since": HOUR}, PreconditionFailed),
    ({"none": "other", "modified_since": HOUR}, None),  # If-None-Match decides alone
    ({"none": "it", "modified_since": -HOUR}, NotModified),
    ({"match": "other", "none": "it"}, PreconditionFailed),  # the first that fails is told
    ({"match": "it", "none": "it"}, NotModified),
    ({"unmodified_since": -HOUR, "none": "it"}, PreconditionFailed),
    ({"unmodified_since": HOUR, "modified_since": -HOUR}, None),
)
WRITES: tuple[tuple[dict[str, str | int], Outcome, Outcome], ...] = (
    # on the object that is there, and where there is none
    ({"match": "it"}, None, NoSuchKey),
    ({"match": "other it"}, None, NoSuchKey),
    ({"match": "other"}, PreconditionFailed, NoSuchKey),
    ({"match": "*"}, None, NoSuchKey),
    ({"none": "*"}, PreconditionFailed, None),
    ({"none": "it"}, PreconditionFailed, None),
    ({"none": "other"}, None, None),
    ({"unmodified_since": -HOUR}, PreconditionFailed, None),
    ({"unmodified_since": HOUR}, None, None),
    ({"match": "it", "unmodified_since": -HOUR}, None, NoSuchKey),  # If-Match decides alone
    ({"match": "it", "none": "it"}, PreconditionFailed, NoSuchKey),
)


def write(bench: Bench, key: str, data: bytes, conditions: Conditions) -> ObjectInfo:
    return bench.put(key, data, Put(conditions=conditions))


class ConditionsConformance(Conformance):
    @pytest.mark.parametrize(("words", "outcome"), READS)
    def test_a_read_obeys_its_conditions_in_the_order_of_RFC_9110(
        self, bench: Bench, words: dict[str, str | int], outcome: Outcome
    ) -> None:
        bench.seed("k", b"data")
        info = bench.store.stat("k")
        want = Get(conditions=same(info, **words))
        if outcome is None:
            assert bench.read("k", want) == b"data"
            assert bench.store.stat("k", want) == info
            return
        for ask in (bench.store.get, bench.store.stat):
            with pytest.raises(outcome) as raised:
                ask("k", want)
            assert raised.value.key == "k"

    def test_NotModified_carries_what_the_reader_has(self, bench: Bench) -> None:
        bench.seed("k", b"data")
        info = bench.store.stat("k")
        with pytest.raises(NotModified) as raised:
            bench.store.get("k", Get(conditions=Conditions(if_none_match=(info.etag,))))
        if bench.driver.knows_unchanged:
            assert raised.value.info == info
        else:
            assert (raised.value.info.key, raised.value.info.etag) == ("k", info.etag)

    @pytest.mark.parametrize("words", [{"match": "*"}, {"none": "*"}, {"modified_since": 0}])
    def test_a_conditional_read_of_a_missing_key_is_NoSuchKey(
        self, bench: Bench, words: dict[str, str | int]
    ) -> None:
        bench.seed("k", b"data")
        with pytest.raises(NoSuchKey):
            bench.store.get("absent", Get(conditions=same(bench.store.stat("k"), **words)))

    def test_conditions_count_before_the_range(self, bench: Bench) -> None:
        bench.seed("k", b"data")
        beyond, stale = Range(99, None), Conditions(if_match=(STALE,))
        with pytest.raises(PreconditionFailed):
            bench.store.get("k", Get(range=beyond, conditions=stale))
        with pytest.raises(InvalidRange):
            bench.store.get("k", Get(range=beyond, conditions=Conditions(if_match=("*",))))

    @pytest.mark.parametrize(("words", "outcome", "_"), WRITES)
    def test_a_put_over_an_object_obeys_its_conditions(
        self, bench: Bench, words: dict[str, str | int], outcome: Outcome, _: Outcome
    ) -> None:
        conditions = same(bench.put("k", b"old"), **words)
        if outcome is None:
            write(bench, "k", b"new", conditions)
            assert bench.read("k") == b"new"
            return
        with bench.unchanged(), pytest.raises(outcome):
            write(bench, "k", b"new", conditions)

    @pytest.mark.parametrize(("words", "_", "outcome"), WRITES)
    def test_a_put_where_nothing_is_obeys_its_conditions(
        self, bench: Bench, words: dict[str, str | int], _: Outcome, outcome: Outcome
    ) -> None:
        conditions = same(bench.put("other", b"old"), **words)
        if outcome is None:
            write(bench, "k", b"new", conditions)
            assert bench.read("k") == b"new"
            return
        with bench.unchanged(), pytest.raises(outcome):
            write(bench, "k", b"new", conditions)

    @pytest.mark.parametrize(("words", "outcome", "missing"), WRITES)
    def test_a_delete_obeys_its_conditions(
        self, bench: Bench, words: dict[str, str | int], outcome: Outcome, missing: Outcome
    ) -> None:
        options = Delete(conditions=same(bench.put("k", b"old"), **words))
        for key, expected in (("absent", missing), ("k", outcome)):
            if expected is not None:
                with bench.unchanged(), bench.able("conditions"), pytest.raises(expected):
                    bench.delete(key, options)
                continue
            with bench.able("conditions"):
                bench.delete(key, options)
            assert key not in bench.listed()

    def test_a_delete_may_depend_on_size_and_time(self, bench: Bench) -> None:
        info = bench.put("k", b"four")
        wrong = (Conditions(if_size=5), Conditions(if_modified=info.modified - HOUR))
        with bench.able("conditions"):
            for conditions in wrong:
                with bench.unchanged(), pytest.raises(PreconditionFailed):
                    bench.delete("k", Delete(conditions=conditions))
                bench.delete("absent", Delete(conditions=conditions))  # they hold of nothing
                both = replace(conditions, if_match=("*",))
                with pytest.raises(NoSuchKey):
                    bench.delete("absent", Delete(conditions=both))
            right = Conditions(if_size=4, if_modified=info.modified)
            assert bench.delete("k", Delete(conditions=right)).existed

    def test_of_32_parallel_writers_of_a_new_key_one_succeeds(self, bench: Bench) -> None:
        once = Conditions(if_none_match=("*",))
        write(bench, "probe", b"", once)
        results = together(32, lambda n: write(bench, "k", f"writer {n}".encode(), once))
        won = [n for n, result in enumerate(results) if isinstance(result, ObjectInfo)]
        assert len(won) == 1
        assert bench.read("k") == f"writer {won[0]}".encode()
        lost = [result for result in results if not isinstance(result, ObjectInfo)]
        assert all(isinstance(error, PreconditionFailed | Conflict) for error in lost)

    def test_a_counter_kept_by_compare_and_swap_loses_no_count(self, bench: Bench) -> None:
        write(bench, "counter", b"0", Conditions(if_none_match=("*",)))
        assert together(6, lambda _: count_up(bench, 8)) == [None] * 6
        assert bench.read("counter") == b"48"

    def test_a_counter_shared_by_processes_loses_no_count(self, bench: Bench) -> None:
        write(bench, "counter", b"0", Conditions(if_none_match=("*",)))
        in_processes(bench, 2, count_in_a_process)
        assert bench.read("counter") == b"40"

    def test_conditions_are_those_of_the_commit_and_not_of_the_beginning(
        self, bench: Bench
    ) -> None:
        slow, once = Gated(noise(100_000)), Put(conditions=Conditions(if_none_match=("*",)))
        write(bench, "probe", b"", Conditions(if_none_match=("*",)))
        outcome: list[object] = []

        def put_slowly() -> None:
            try:
                outcome.append(bench.writable.put("k", slow, once))
            except StorageError as error:
                outcome.append(error)

        writer = Thread(target=put_slowly)
        writer.start()
        assert slow.reached.wait(PATIENCE)
        bench.put("k", b"quick")
        slow.go.set()
        writer.join()
        assert isinstance(outcome[0], PreconditionFailed | Conflict)
        assert bench.read("k") == b"quick"


def count_up(bench: Bench, times: int) -> None:
    for _ in range(times):
        while not _step(bench):
            pass


def _step(bench: Bench) -> bool:
    try:  # a read may meet a write too, where a store keeps no old bytes
        with bench.store.get("counter") as opened:
            following = str(int(b"".join(iter(opened.body.read, b""))) + 1).encode()
            only = Conditions(if_match=(opened.info.etag,))
        bench.writable.put(
            "counter", BytesBody(following), Put(size=len(following), conditions=only)
        )
    except (PreconditionFailed, Conflict):
        return False
    return True


def count_in_a_process(bench: Bench, _: int) -> None:
    count_up(bench, 20)
