"""Copying: the bytes of another object, and of all else only what is given with the copy."""

from __future__ import annotations

import pytest

from gateway.storage import (
    Conditions,
    Get,
    NoSuchKey,
    ObjectInfo,
    PreconditionFailed,
    Put,
)
from gateway.storage.checksums import CHECKSUMS, compute
from gateway.testing.conformance.bench import Bench
from gateway.testing.conformance.harness import Conformance
from gateway.testing.faults import noise

SIZES = (0, 1000, 100_000, 3 << 20)
STALE = Conditions(if_match=("0" * 32,))


def copy(
    bench: Bench,
    source_key: str,
    key: str,
    want: Get = Get(),
    options: Put = Put(),
    source: Bench | None = None,
) -> ObjectInfo:
    store = (source or bench).store
    copies = bench.copies
    if not copies.reaches(store):
        pytest.skip("the store does not reach its like")
    return copies.copy(store, source_key, key, want, options)


class CopyingConformance(Conformance):
    @pytest.mark.parametrize("size", SIZES)
    def test_a_copy_has_the_bytes_of_its_source(self, bench: Bench, size: int) -> None:
        bench.put("from", noise(size))
        info = copy(bench, "from", "to")
        assert info == bench.store.stat("to")
        assert (info.key, info.size) == ("to", size)
        assert bench.read("to") == bench.read("from") == noise(size)

    def test_a_copy_has_what_was_given_with_it_and_nothing_of_its_source(
        self, bench: Bench
    ) -> None:
        bench.put("from", b"data", Put(metadata={"a": "1"}, tags={"t": "1"}, content_type="a/b"))
        plain = copy(bench, "from", "plain")
        assert not (plain.metadata or plain.tags or plain.headers or plain.attributes)
        assert plain.content_type == "binary/octet-stream"
        given = Put(metadata={"b": "2"}, tags={"u": "2"}, content_type="c/d", owner="me")
        info = copy(bench, "from", "to", options=given)
        assert (dict(info.metadata), dict(info.tags)) == ({"b": "2"}, {"u": "2"})
        assert info.content_type == "c/d"
        assert info.owner == (bench.kept("owner", "me") or "")

    def test_a_copy_stays_when_its_source_goes_or_changes(self, bench: Bench) -> None:
        for size in SIZES:
            bench.put("from", noise(size))
            copy(bench, "from", "one")
            bench.put("from", b"changed")
            copy(bench, "one", "two")
            bench.delete("one")
            bench.delete("from")
            assert bench.read("two") == noise(size)

    def test_a_copy_onto_itself_changes_what_is_given_and_not_the_bytes(self, bench: Bench) -> None:
        for size in SIZES:
            bench.put("k", noise(size), Put(metadata={"old": "1"}))
            info = copy(bench, "k", "k", options=Put(metadata={"new": "1"}))
            assert dict(info.metadata) == {"new": "1"}
            assert bench.read("k") == noise(size)
        assert bench.listed() == ["k"]

    def test_a_copy_between_stores_stands_alone(self, bench: Bench) -> None:
        other = bench.another()
        for size in SIZES:
            other.put("from", noise(size))
            copy(bench, "from", "to", source=other)
            other.delete("from")
            assert bench.read("to") == noise(size)
        assert (bench.listed(), other.listed()) == (["to"], [])

    def test_an_ETag_of_a_copy_is_the_MD5_of_its_bytes_or_does_not_look_like_one(
        self, bench: Bench
    ) -> None:
        for size in SIZES:
            put = bench.put("from", noise(size))
            etag = copy(bench, "from", "to").etag
            assert etag == put.etag or "-" in etag

    def test_a_missing_source_is_NoSuchKey_and_changes_nothing(self, bench: Bench) -> None:
        bench.put("to", b"old")
        with bench.unchanged(), pytest.raises(NoSuchKey):
            copy(bench, "absent", "to")

    def test_conditions_on_the_source_are_obeyed(self, bench: Bench) -> None:
        info = bench.put("from", b"data")
        for conditions in (
            STALE,
            Conditions(if_none_match=(info.etag,)),
            Conditions(modified_since=info.modified + 3_600_000),
            Conditions(unmodified_since=info.modified - 3_600_000),
        ):
            with bench.unchanged(), pytest.raises(PreconditionFailed):
                copy(bench, "from", "to", Get(conditions=conditions))
        copy(bench, "from", "to", Get(conditions=Conditions(if_match=(info.etag,))))
        assert bench.read("to") == b"data"

    def test_conditions_on_the_target_are_obeyed(self, bench: Bench) -> None:
        bench.put("from", b"data")
        info = bench.put("to", b"old")
        for conditions in (STALE, Conditions(if_none_match=("*",))):
            with bench.unchanged(), bench.able("conditions"), pytest.raises(PreconditionFailed):
                copy(bench, "from", "to", options=Put(conditions=conditions))
        with bench.able("conditions"):
            only = Conditions(if_match=(info.etag,))
            copy(bench, "from", "to", options=Put(conditions=only))
            copy(bench, "from", "new", options=Put(conditions=Conditions(if_none_match=("*",))))
        assert bench.read("to") == bench.read("new") == b"data"

    @pytest.mark.parametrize("size", SIZES)
    def test_a_checksum_that_is_named_is_there_with_the_copy(self, bench: Bench, size: int) -> None:
        for algorithm in CHECKSUMS:
            bench.put("from", noise(size), Put(checksums={"CRC32": ""}))
            info = copy(bench, "from", "to", options=Put(checksums={algorithm: ""}))
            assert dict(info.checksums) == {algorithm: compute(algorithm, noise(size))}

    def test_checksums_that_nobody_named_are_none_or_true(self, bench: Bench) -> None:
        for size in SIZES:
            bench.put("from", noise(size), Put(checksums={"CRC32": ""}))
            kept = copy(bench, "from", "to").checksums
            assert all(value == compute(name, noise(size)) for name, value in kept.items())
