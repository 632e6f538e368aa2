"""Buckets: a store of stores, each a namespace of its own."""

from __future__ import annotations

import pytest

from gateway.storage import (
    AlreadyExists,
    BytesBody,
    Measures,
    NoSuchStore,
    NotEmpty,
    NotFound,
    Put,
    Unsupported,
    Writable,
    pieces,
)
from gateway.testing.conformance.bench import Bench
from gateway.testing.conformance.harness import Conformance


class BucketsConformance(Conformance):
    needs = "Buckets"

    def test_a_bucket_that_was_created_is_listed_until_it_is_dropped(self, bench: Bench) -> None:
        buckets = bench.buckets
        before = {one.name for one in buckets.buckets()}
        assert buckets.create("kit-bucket").name == "kit-bucket"
        assert {one.name for one in buckets.buckets()} == before | {"kit-bucket"}
        buckets.drop("kit-bucket")
        assert {one.name for one in buckets.buckets()} == before

    def test_a_name_is_taken_once(self, bench: Bench) -> None:
        buckets = bench.buckets
        buckets.create("kit-bucket")
        with pytest.raises(AlreadyExists):
            buckets.create("kit-bucket")

    def test_what_is_not_there_is_NoSuchStore(self, bench: Bench) -> None:
        buckets = bench.buckets
        with pytest.raises(NoSuchStore):
            buckets.drop("absent")
        with pytest.raises(NoSuchStore):
            buckets.bucket("absent").stat("k")

    def test_a_bucket_with_an_object_is_not_dropped(self, bench: Bench) -> None:
        buckets = bench.buckets
        buckets.create("kit-bucket")
        writable = buckets.bucket("kit-bucket").find(Writable)
        writable.put("k", BytesBody(b"data"), Put(size=4))
        with pytest.raises(NotEmpty):
            buckets.drop("kit-bucket")
        writable.delete("k")
        buckets.drop("kit-bucket")

    def test_no_bucket_is_made_in_a_volume_that_is_not_there(self, bench: Bench) -> None:
        with pytest.raises((NotFound, Unsupported)):
            bench.buckets.create("kit-bucket", volume="absent")
        assert "kit-bucket" not in {one.name for one in bench.buckets.buckets()}

    def test_the_same_key_in_two_buckets_is_two_objects(self, bench: Bench) -> None:
        buckets = bench.buckets
        for name in ("kit-one", "kit-two"):
            buckets.create(name)
            data = name.encode()
            buckets.bucket(name).find(Writable).put("k", BytesBody(data), Put(size=len(data)))
        for name in ("kit-one", "kit-two"):
            with buckets.bucket(name).get("k") as opened:
                assert b"".join(pieces(opened.body)) == name.encode()

    def test_all_are_measured_in_one_look(self, bench: Bench) -> None:
        buckets = bench.buckets
        for number, name in enumerate(("kit-one", "kit-two")):
            buckets.create(name)
            for key in range(number):
                data = bytes(7)
                buckets.bucket(name).find(Writable).put(
                    f"{key}", BytesBody(data), Put(size=len(data))
                )
        measured = buckets.measured()
        for number, name in enumerate(("kit-one", "kit-two")):
            measures = buckets.bucket(name).find(Measures)
            assert measured.get(name) == (None if measures is None else measures.stats())
            assert measures is None or measured[name].current == number
        assert buckets.measured([]) == {}
        assert buckets.measured(["kit-two", "absent"]) == {
            name: stats for name, stats in measured.items() if name == "kit-two"
        }
        buckets.drop("kit-one")
        assert "kit-one" not in buckets.measured()


class IsolationConformance(Conformance):
    def test_stores_of_one_folder_do_not_see_each_other(self, bench: Bench) -> None:
        other = bench.another()
        bench.put("k", b"mine")
        other.put("k", b"theirs")
        other.delete("only mine")
        assert (bench.read("k"), other.read("k")) == (b"mine", b"theirs")
        other.delete("k")
        assert (bench.listed(), other.listed()) == (["k"], [])
