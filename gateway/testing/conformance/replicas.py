"""Replicas: what is taken of a source has its ids, times and order; and where it stands is kept
in one with it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from hashlib import md5

import pytest

from gateway.storage import (
    BadDigest,
    BytesBody,
    Change,
    ChangePage,
    Conflict,
    Delete,
    Get,
    IncompleteBody,
    NoSuchKey,
    ObjectInfo,
    Position,
    Protection,
    Put,
    Unavailable,
)
from gateway.storage.replicas import Arrival
from gateway.testing.conformance.bench import Bench
from gateway.testing.conformance.harness import Conformance
from gateway.testing.conformance.versions import hide, keeping, put
from gateway.testing.conformance.walks import all_versions

FEED = "of the source"


def described(one: Change, data: bytes, **others: object) -> ObjectInfo:
    whole: dict[str, object] = {"key": one.key, "size": len(data), "modified": one.time}
    return ObjectInfo(**{**whole, "etag": md5(data).hexdigest(), **others})  # type: ignore[arg-type]


def arrivals(source: Bench, replica: Bench, page: ChangePage) -> Iterator[Arrival]:
    """What a source in the same process has told, with the bytes that it still has."""
    for one in page.changes:
        info, received = None, None
        if one.kind in ("put", "update"):
            try:
                with source.store.get(one.key, Get(version=one.version)) as opened:
                    info = opened.info
                    if one.kind == "put":
                        received = replica.replicates.receive(info, opened.body)
            except NoSuchKey:
                pass
        yield Arrival(one, info, received, one.kind == "delete" and not one.etag)


class ReplicatesConformance(Conformance):
    needs = "Replicates"

    def followed(self, bench: Bench) -> Bench:
        """Another store, a replica that has all of the bench's by now."""
        replica = bench.another()
        replica.replicates.adopt()
        replica.replicates.settle(Position(FEED, 0))
        self.catch_up(bench, replica)
        return replica

    def catch_up(self, source: Bench, replica: Bench) -> None:
        page = source.changes.changes(replica.replicates.position().sequence)
        replica.replicates.follow(FEED, [*arrivals(source, replica, page)])
        assert replica.replicates.position() == Position(FEED, page.last)

    def test_versions_have_their_ids_times_and_order(self, bench: Bench) -> None:
        assert bench.replicates.position().sequence == 0
        keeping(bench)
        put(bench, b"1")
        put(bench, b"2", "other")
        hide(bench)
        put(bench, b"3")
        replica = self.followed(bench)
        assert all_versions(replica.versions) == all_versions(bench.versions)
        assert replica.changes.changes().changes == bench.changes.changes().changes
        assert replica.changes.changes().feed == FEED
        for entry in all_versions(bench.versions):
            if not entry.marker:
                want = Get(version=entry.version)
                assert replica.read(entry.key, want) == bench.read(entry.key, want)

    def test_what_was_removed_for_good_goes_protected_or_not(self, bench: Bench) -> None:
        assert bench.replicates is not None
        keeping(bench)
        old = put(bench, b"1")
        kept = Protection(mode="governance", until=bench.upkeep.clock() + 86_400_000)
        new = bench.put("k", b"2", Put(protection=kept)).version
        replica = self.followed(bench)
        bench.delete("k", Delete(version=new, bypass=True))
        self.catch_up(bench, replica)
        assert [one.version for one in all_versions(replica.versions)] == [old]
        assert replica.read("k") == b"1"

    def test_only_what_comes_next_is_taken_and_all_of_it_or_nothing(self, bench: Bench) -> None:
        assert bench.replicates is not None
        keeping(bench)
        replica = self.followed(bench)
        for data in (b"1", b"2", b"3"):
            put(bench, data)
        told = [*arrivals(bench, replica, bench.changes.changes())]
        with pytest.raises(Conflict):
            replica.replicates.follow(FEED, [told[0], told[2]])
        with pytest.raises(Conflict):
            replica.replicates.follow("another", [])
        assert replica.replicates.position() == Position(FEED, 0)
        assert all_versions(replica.versions) == []

    def test_other_bytes_than_were_promised_are_not_kept(self, bench: Bench) -> None:
        store = bench.replicates
        store.adopt()
        change = Change(1, "put", 1000, "k", "null", 4, "", "a/b")
        lies = (
            (described(change, b"data", size=5), IncompleteBody),
            (described(change, b"dAta"), BadDigest),
            (described(change, b"data", checksums={"SHA256": b64encode(bytes(32)).decode()},
                       checksum_type="FULL_OBJECT"), BadDigest),
        )  # fmt: skip
        for info, error in lies:
            with pytest.raises(error):
                store.receive(info, BytesBody(b"data"))

    def test_a_store_that_was_written_to_is_taken_when_that_may_go(self, bench: Bench) -> None:
        assert bench.replicates is not None
        keeping(bench)
        put(bench, b"mine")
        with pytest.raises(Conflict):
            bench.replicates.adopt()
        bench.replicates.adopt(replace=True)
        assert bench.replicates.position().feed == ""
        assert bench.read("k") == b"mine"

    def test_it_becomes_what_its_source_is(self, bench: Bench) -> None:
        """Whatever it has by then: what came meanwhile is known by its number."""
        assert bench.replicates is not None
        keeping(bench)
        gone, first = put(bench, b"gone", "gone"), put(bench, b"1")
        replica = self.followed(bench)
        store, at = replica.replicates, bench.changes.changes().last
        put(bench, b"2")
        bench.delete("gone", Delete(version=gone))
        store.begin_anew()
        with pytest.raises(Unavailable):  # nobody can be told what came since
            replica.changes.changes()
        assert replica.read("k") == b"1"
        page = bench.changes.changes(at)
        placed = [one for one in arrivals(bench, replica, page) if one.change.kind == "put"]
        removed = [one for one in page.changes if one.kind == "purge"]
        store.place(placed, removed)
        assert replica.read("k") == b"2"
        store.settle(Position(FEED, at))
        self.catch_up(bench, replica)
        assert all_versions(replica.versions) == all_versions(bench.versions)
        assert [one.version for one in all_versions(replica.versions)][1:] == [first]
        assert replica.changes.changes().cut

    def test_where_it_stands_is_kept(self, bench: Bench) -> None:
        assert bench.replicates is not None
        source = bench.another()
        keeping(source)
        version = put(source, b"1")
        bench.replicates.adopt()
        assert bench.replicates.position() == Position("", 0)
        bench.replicates.settle(Position(FEED, 0))
        assert not bench.replicates.holds("k", version, 1)
        self.catch_up(source, bench)
        assert bench.replicates.holds("k", version, 1)
        assert not bench.replicates.holds("k", version, 2)
