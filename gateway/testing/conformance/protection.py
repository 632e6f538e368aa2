"""Protection: a retention until a time, or after an event, and a hold, keep a version from being
removed.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from gateway.storage import (
    Complete,
    Conditions,
    Delete,
    Get,
    InvalidRequest,
    NoSuchKey,
    ObjectInfo,
    Period,
    PreconditionFailed,
    Protected,
    Protection,
    Put,
)
from gateway.storage.objects import now
from gateway.testing.conformance.bench import Bench
from gateway.testing.conformance.completing import completed
from gateway.testing.conformance.harness import Conformance
from gateway.testing.conformance.labels import comparing
from gateway.testing.conformance.parallel import together
from gateway.testing.conformance.versions import hide, keeping, put
from gateway.testing.faults import noise

DAY = 86_400_000


def day(number: int) -> int:
    """So many days from today."""
    return (time.time_ns() // 1_000_000 // DAY + number) * DAY


HOLD = Protection(hold=True)
KINDS: dict[str, Callable[[], Protection]] = {
    "governance": lambda: Protection(mode="governance", until=day(9)),
    "compliance": lambda: Protection(mode="compliance", until=day(9)),
    "hold": lambda: HOLD,
}
each_kind = pytest.mark.parametrize("kind", KINDS)


def protected(bench: Bench, protection: Protection) -> str:
    """The version of an object `k` with this protection, in a store that keeps versions."""
    assert bench.protects is not None
    keeping(bench)
    if protection.event is not None:
        with bench.able("event holds"):
            bench.writable.check_put(Put(protection=protection))
    version = bench.put("k", b"data", Put(protection=protection)).version
    assert version is not None
    return version


def protect(bench: Bench, version: str, protection: Protection) -> ObjectInfo:
    """Give the object's version what `protection` has."""
    info = None
    if protection.mode is not None:
        info = bench.protects.set_retention("k", version, protection.mode, protection.until)
    if protection.hold:
        info = bench.protects.set_hold("k", version, True)
    assert info is not None
    return info


class ProtectionConformance(Conformance):
    needs = "Protects"

    @each_kind
    def test_protection_given_with_a_put_is_there(self, bench: Bench, kind: str) -> None:
        protection = KINDS[kind]()
        version = protected(bench, protection)
        assert bench.store.stat("k", Get(version=version)).protection == protection

    @each_kind
    def test_protection_set_later_is_there(self, bench: Bench, kind: str) -> None:
        protection = KINDS[kind]()
        assert bench.protects is not None
        keeping(bench)
        first, second = put(bench, b"one"), put(bench, b"two")
        assert protect(bench, first, protection).protection == protection
        assert bench.store.stat("k", Get(version=first)).protection == protection
        assert bench.store.stat("k", Get(version=second)).protection is None

    @each_kind
    def test_a_protected_version_is_not_removed(self, bench: Bench, kind: str) -> None:
        version = protected(bench, KINDS[kind]())
        for bypass in (False, True):
            if bypass and kind == "governance":
                continue
            with bench.unchanged(), pytest.raises(Protected):
                bench.delete("k", Delete(version=version, bypass=bypass))
        assert bench.read("k") == b"data"

    def test_bypass_removes_what_governance_keeps(self, bench: Bench) -> None:
        version = protected(bench, KINDS["governance"]())
        assert bench.delete("k", Delete(version=version, bypass=True)).existed

    @each_kind
    def test_a_protected_version_may_be_hidden_and_overwritten(
        self, bench: Bench, kind: str
    ) -> None:
        version = protected(bench, KINDS[kind]())
        hide(bench)
        put(bench, b"newer")
        assert bench.read("k", Get(version=version)) == b"data"

    @each_kind
    def test_without_versions_a_protected_object_is_neither_deleted_nor_replaced(
        self, bench: Bench, kind: str
    ) -> None:
        assert bench.protects is not None
        bench.put("k", b"data", Put(protection=KINDS[kind]()))
        with bench.unchanged(), pytest.raises(Protected):
            bench.delete("k")
        for size in (5, 100_000):
            with bench.unchanged(), pytest.raises(Protected):
                bench.put("k", noise(size))

    def test_delete_many_tells_of_what_is_protected_and_removes_the_rest(
        self, bench: Bench
    ) -> None:
        version = protected(bench, HOLD)
        other = put(bench, b"other", "other")
        results = bench.delete_many(
            [("k", Delete(version=version)), ("other", Delete(version=other))]
        )
        assert isinstance(results[0], Protected)
        assert not isinstance(results[1], Protected)
        assert bench.listed() == ["k"]

    def test_a_hold_ends_when_it_is_taken_off(self, bench: Bench) -> None:
        version = protected(bench, HOLD)
        assert bench.protects.set_hold("k", version, False).protection is None
        assert bench.delete("k", Delete(version=version)).existed

    def test_a_hold_counts_beside_a_retention_that_is_bypassed(self, bench: Bench) -> None:
        version = protected(bench, Protection(mode="governance", until=day(9), hold=True))
        with pytest.raises(Protected):
            bench.delete("k", Delete(version=version, bypass=True))

    def test_a_retention_that_is_over_keeps_nothing(self, bench: Bench) -> None:
        for mode in ("governance", "compliance"):
            version = protected(bench, Protection(mode=mode, until=day(-1)))
            assert bench.delete("k", Delete(version=version)).existed

    @pytest.mark.parametrize("mode", ["governance", "compliance"])
    def test_a_retention_may_be_made_longer(self, bench: Bench, mode: str) -> None:
        version = protected(bench, KINDS[mode]())
        longer = Protection(mode=KINDS[mode]().mode, until=day(20))
        assert protect(bench, version, longer).protection == longer

    def test_a_retention_that_would_have_no_end_is_refused(self, bench: Bench) -> None:
        version = protected(bench, Protection())
        with bench.unchanged(), pytest.raises(InvalidRequest):
            bench.protects.set_retention("k", version, "governance", None)

    def test_governance_is_made_shorter_or_taken_off_only_by_bypass(self, bench: Bench) -> None:
        version = protected(bench, KINDS["governance"]())
        with bench.unchanged(), pytest.raises(Protected):
            bench.protects.set_retention("k", version, None, day(20))  # without a mode
        for less in (Protection(mode="governance", until=day(5)), Protection()):
            with bench.unchanged(), pytest.raises(Protected):
                bench.protects.set_retention("k", version, less.mode, less.until)
            bench.protects.set_retention("k", version, less.mode, less.until, bypass=True)
            assert (bench.store.stat("k").protection or Protection()) == less

    def test_governance_is_made_compliance_only_by_bypass(self, bench: Bench) -> None:
        version = protected(bench, KINDS["governance"]())
        stronger = KINDS["compliance"]()
        with bench.unchanged(), pytest.raises(Protected):
            bench.protects.set_retention("k", version, stronger.mode, stronger.until)
        bench.protects.set_retention("k", version, stronger.mode, stronger.until, bypass=True)
        assert bench.store.stat("k").protection == stronger

    @each_kind
    def test_an_upload_in_parts_has_what_it_began_with(self, bench: Bench, kind: str) -> None:
        protection = KINDS[kind]()
        assert bench.protects is not None
        keeping(bench)
        info = completed(bench, Put(protection=protection))
        assert bench.store.stat("k", Get(version=info.version)).protection == protection

    def test_an_upload_in_parts_has_what_it_is_completed_with(self, bench: Bench) -> None:
        assert bench.protects is not None
        keeping(bench)
        protection = KINDS["governance"]()
        info = completed(bench, Put(protection=HOLD), Complete(protection=protection))
        assert bench.store.stat("k", Get(version=info.version)).protection == protection

    def test_compliance_is_never_made_shorter_nor_weaker(self, bench: Bench) -> None:
        version = protected(bench, KINDS["compliance"]())
        for less in (
            Protection(mode="compliance", until=day(5)),
            Protection(mode="governance", until=day(9)),
            Protection(),
        ):
            for bypass in (False, True):
                with bench.unchanged(), pytest.raises(Protected):
                    bench.protects.set_retention("k", version, less.mode, less.until, bypass=bypass)

    def test_a_hold_is_set_and_taken_off_beside_a_retention(self, bench: Bench) -> None:
        kept = KINDS["compliance"]()
        version = protected(bench, kept)
        both = Protection(mode="compliance", until=kept.until, hold=True)
        assert bench.protects.set_hold("k", version, True).protection == both
        assert bench.protects.set_hold("k", version, False).protection == kept

    def test_a_retention_is_set_beside_a_hold(self, bench: Bench) -> None:
        version = protected(bench, HOLD)
        both = Protection(mode="governance", until=day(9), hold=True)
        set_retention = bench.protects.set_retention
        assert set_retention("k", version, both.mode, both.until).protection == both
        assert set_retention("k", version, None, None, bypass=True).protection == HOLD

    def test_of_a_hold_and_a_retention_set_at_once_none_is_lost(self, bench: Bench) -> None:
        protects = bench.protects
        keeping(bench)
        both = Protection(mode="governance", until=day(9), hold=True)

        def one(number: int) -> ObjectInfo:
            if number:
                return protects.set_hold("k", version, True)
            return protects.set_retention("k", version, both.mode, both.until)

        for _ in range(5):
            version = put(bench, b"data")
            together(2, one)
            assert bench.store.stat("k", Get(version=version)).protection == both

    @pytest.mark.parametrize("mode", ["governance", "compliance"])
    def test_an_event_is_awaited_for_as_long_as_it_takes(self, bench: Bench, mode: str) -> None:
        awaiting = Protection(mode=KINDS[mode]().mode, event=Period(3, "days"))
        version = protected(bench, awaiting)
        assert bench.store.stat("k", Get(version=version)).protection == awaiting
        with bench.unchanged(), pytest.raises(Protected):
            bench.delete("k", Delete(version=version))
        for bypass in (False, mode == "compliance"):
            with bench.unchanged(), pytest.raises(Protected):
                bench.protects.set_retention("k", version, None, None, bypass=bypass)
        if mode == "governance":
            assert bench.delete("k", Delete(version=version, bypass=True)).existed

    def test_the_retention_ends_so_long_after_the_event(self, bench: Bench) -> None:
        version = protected(
            bench, Protection(mode="compliance", event=Period(3, "days"), hold=True)
        )
        protects, after = bench.protects, Period(3, "days").after
        first = after(now())
        done = protects.set_retention("k", version, "compliance", None, event="over").protection
        assert done is not None
        assert (done.event, done.hold) == (None, True)
        assert first <= (done.until or 0) <= after(now())
        protects.set_hold("k", version, False)
        with bench.unchanged(), pytest.raises(Protected):
            bench.delete("k", Delete(version=version))

    def test_an_event_is_awaited_where_a_retention_was(self, bench: Bench) -> None:
        version = protected(bench, Protection(mode="compliance", until=day(9)))
        short = Period(1, "days")
        with bench.able("event holds"):
            info = bench.protects.set_retention("k", version, "compliance", None, event=short)
        awaiting = Protection(mode="compliance", until=day(9), event=short)
        assert info.protection == bench.store.stat("k").protection == awaiting
        bench.protects.set_retention("k", version, "compliance", None, event="over")
        assert bench.store.stat("k").protection == Protection(mode="compliance", until=day(9))

    def test_an_upload_in_parts_awaits_the_event_that_it_began_with(self, bench: Bench) -> None:
        awaiting = Protection(mode="governance", event=Period(2, "years"))
        protected(bench, awaiting)
        info = completed(bench, Put(protection=awaiting))
        assert bench.store.stat("k", Get(version=info.version)).protection == awaiting

    def test_what_has_other_tags_than_were_seen_is_not_protected(self, bench: Bench) -> None:
        comparing(bench)
        version, protects = protected(bench, HOLD), bench.protects
        other = Conditions(if_seen={"tags": {"a": "1"}})
        with bench.unchanged(), pytest.raises(PreconditionFailed):
            protects.set_hold("k", version, False, conditions=other)
        with bench.unchanged(), pytest.raises(PreconditionFailed):
            protects.set_retention("k", version, "governance", day(9), conditions=other)
        none = Conditions(if_seen={"tags": {}})
        protects.set_retention("k", version, "governance", day(9), conditions=none)
        protects.set_hold("k", version, False, conditions=none)
        expected = Protection(mode="governance", until=day(9))
        assert bench.store.stat("k", Get(version=version)).protection == expected

    def test_protection_needs_an_object(self, bench: Bench) -> None:
        protects = bench.protects
        with pytest.raises(NoSuchKey):
            protects.set_hold("absent", None, True)
        with pytest.raises(NoSuchKey):
            protects.set_retention("absent", None, "governance", day(9))
