"""Volumes: buckets that share a quota, which is exact whoever writes to them and however."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from typing import Any, ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from gateway.storage import (
    Annotates,
    BytesBody,
    Copies,
    Delete,
    Labels,
    Measures,
    Multipart,
    NoSuchVolume,
    NotEmpty,
    Part,
    PartRef,
    Put,
    QuotaExceeded,
    StorageError,
    Versions,
    Volumes,
    VolumeStats,
    Writable,
)
from gateway.testing.conformance.bench import Bench
from gateway.testing.conformance.harness import Conformance
from gateway.testing.conformance.parallel import in_processes, together

VOLUME = "kit-volume"
NAMES = ("kit-one", "kit-two", "kit-three", "kit-four")
BOUNDED = settings(
    max_examples=12, stateful_step_count=20, deadline=None, derandomize=True, database=None
)


class Bucket:
    """A bucket and what is done to it, in short words."""

    def __init__(self, bench: Bench, name: str) -> None:
        self.bench, self.name = bench, name
        self.store = bench.buckets.bucket(name)

    def need(self, capability: Any) -> Any:
        return self.store.find(capability) or self.bench.lacking(capability.__name__)

    def put(self, key: str, size: int) -> None:
        self.need(Writable).put(key, BytesBody(bytes(size)), Put(size=size))

    def delete(self, key: str, version: str | None = None) -> str | None:
        deleted: str | None = self.need(Writable).delete(key, Delete(version=version)).version
        return deleted

    def copy(self, source: Bucket, source_key: str, key: str) -> None:
        copies = self.need(Copies)
        if copies.reaches(source.store):
            copies.copy(source.store, source_key, key)
        else:
            self.put(key, source.store.stat(source_key).size)

    def begin(self) -> str:
        upload: str = self.need(Multipart).begin("u").id
        return upload

    def send(self, upload: str, size: int, number: int = 1) -> PartRef:
        part: Part = self.need(Multipart).put_part(
            "u", upload, number, BytesBody(bytes(size)), Put(size=size)
        )
        return PartRef(number=number, etag=part.etag)

    def annotate(self, key: str, name: str, size: int) -> None:
        annotates = self.store.find(Annotates)
        if annotates is not None:
            annotates.put_annotation(key, name, bytes(size))

    @property
    def used(self) -> int:
        stats = self.need(Measures).stats()
        used: int = stats.bytes + stats.waiting
        return used


def volume_of(bench: Bench, quota: int | None, buckets: int = 2) -> list[Bucket]:
    """New buckets in the volume, which has that quota."""
    bench.volumes.set_volume(VOLUME, quota)
    for name in NAMES[:buckets]:
        bench.buckets.create(name, volume=VOLUME)
    return [Bucket(bench, name) for name in NAMES[:buckets]]


def used(bench: Bench) -> int:
    """Of the quota: what all its buckets have."""
    found = bench.volumes.volumes([VOLUME])[VOLUME].used
    members = [Bucket(bench, one.name) for one in bench.buckets.buckets() if one.name in NAMES]
    assert found == sum(one.used for one in members)
    recounts = bench.volumes.recount_volumes()
    assert [(one.counted, one.right) for one in recounts.values()] == [(found, True)]
    return found


def changes(one: Bucket, two: Bucket) -> Iterator[Callable[[], object]]:
    """Every way in which bytes come and go."""
    yield lambda: one.put("k", 1000)
    yield lambda: two.put("k", 100_000)
    yield lambda: one.put("k", 10)
    yield lambda: two.copy(one, "k", "copy")
    yield lambda: one.copy(two, "k", "k")
    yield lambda: one.annotate("k", "note", 500)
    yield lambda: one.annotate("k", "note", 50)
    upload, other = one.begin(), two.begin()
    refs = [one.send(upload, 70)]
    yield lambda: one.send(upload, 7)
    yield lambda: refs.append(one.send(upload, 90_000, number=2))
    yield lambda: two.send(other, 11)
    yield lambda: one.need(Multipart).complete("u", upload, refs[1:])
    yield lambda: two.need(Multipart).abort("u", other)
    if labels := one.store.find(Labels):
        yield lambda: labels.set_labels("k", tags={"a": "1"})
    if versions := one.store.find(Versions):
        yield lambda: versions.set_versioning("on")
        yield lambda: one.put("k", 20)
        marker = one.delete("k")
        yield lambda: one.delete("k", marker)
        yield lambda: versions.set_versioning("suspended")
        yield lambda: one.put("k", 30)
        yield lambda: one.delete("k", "null")
    yield lambda: two.delete("k")
    yield lambda: two.delete("absent")


class SharedQuotas(RuleBasedStateMachine):
    """A volume with two buckets, and one beside it, in numbers: what is accepted, and what is
    used then. Each step is done to the store too, and all is compared."""

    bench: Bench
    turns: ClassVar[Iterator[int]]

    def __init__(self) -> None:
        super().__init__()
        turn = next(self.turns)
        self.volume, self.quota = f"{VOLUME}-{turn}", 100
        self.bench.volumes.set_volume(self.volume, self.quota)
        self.sizes: dict[tuple[int, str], int] = {}
        """Of objects, and of parts: by bucket and name."""
        self.names = [f"kit-{turn}-{number}" for number in range(3)]
        for name in self.names:
            outside = name is self.names[2]
            self.bench.buckets.create(name, volume="" if outside else self.volume)
        self.buckets = [Bucket(self.bench, name) for name in self.names]
        self.uploads = [one.begin() for one in self.buckets]

    @property
    def used(self) -> int:
        return sum(size for (number, _), size in self.sizes.items() if number < 2)

    def _take(self, number: int, name: str, size: int, work: Callable[[], object]) -> None:
        before = self.sizes.get((number, name), 0)
        grown = size - before
        if number < 2 and grown > 0 and self.used + grown > self.quota:
            with pytest.raises(QuotaExceeded) as caught:
                work()
            error = caught.value
            assert (error.quota, error.used, error.size, error.volume) == (
                self.quota, self.used, grown, self.volume
            )  # fmt: skip
        else:
            work()
            self.sizes[number, name] = size

    @rule(number=st.integers(0, 2), key=st.sampled_from("ab"), size=st.integers(0, 60))
    def put(self, number: int, key: str, size: int) -> None:
        self._take(number, key, size, lambda: self.buckets[number].put(key, size))

    @rule(number=st.integers(0, 2), size=st.integers(0, 60))
    def send(self, number: int, size: int) -> None:
        bucket, upload = self.buckets[number], self.uploads[number]
        self._take(number, "part", size, lambda: bucket.send(upload, size))

    @rule(source=st.integers(0, 2), number=st.integers(0, 2))
    def copy(self, source: int, number: int) -> None:
        if (source, "a") in self.sizes:
            here, there = self.buckets[source], self.buckets[number]
            size = self.sizes[source, "a"]
            self._take(number, "b", size, lambda: there.copy(here, "a", "b"))

    @rule(number=st.integers(0, 2))
    def complete(self, number: int) -> None:
        size = self.sizes.pop((number, "part"), None)
        if size is not None:
            bucket, upload = self.buckets[number], self.uploads[number]
            (part,) = bucket.need(Multipart).parts("u", upload)
            ref = PartRef(number=1, etag=part.etag)
            bucket.need(Multipart).complete("u", upload, [ref])
            self.sizes[number, "u"] = size
            self.uploads[number] = bucket.begin()

    @rule(number=st.integers(0, 2), key=st.sampled_from("abu"))
    def delete(self, number: int, key: str) -> None:
        self.buckets[number].delete(key)
        self.sizes.pop((number, key), None)

    @rule(number=st.integers(0, 2))
    def drop(self, number: int) -> None:
        name = self.names[number]
        if {key for owner, key in self.sizes if owner == number} <= {"part"}:
            self.bench.buckets.drop(name)  # its upload goes with it
            self.sizes.pop((number, "part"), None)
            self.bench.buckets.create(name, volume=self.volume if number < 2 else "")
            self.buckets[number] = Bucket(self.bench, name)
            self.uploads[number] = self.buckets[number].begin()
        else:
            with pytest.raises(NotEmpty):
                self.bench.buckets.drop(name)

    @rule(quota=st.integers(0, 150))
    def set_quota(self, quota: int) -> None:
        self.bench.volumes.set_volume(self.volume, quota)
        self.quota = quota

    @invariant()
    def it_has_what_its_buckets_have(self) -> None:
        found = self.bench.volumes.volumes([self.volume])
        assert found == {self.volume: VolumeStats(self.quota, self.used, 2)}
        assert self.bench.volumes.recount_volumes()[self.volume].right


class VolumesConformance(Conformance):
    needs = "Volumes"

    def test_whatever_changes_in_a_bucket_changes_its_volume(self, bench: Bench) -> None:
        one, two = volume_of(bench, None)
        for change in changes(one, two):
            change()
            used(bench)
        assert used(bench) > 90_000
        upload = two.begin()
        two.send(upload, 5000)
        two.delete("copy")
        before = used(bench)
        bench.buckets.drop(two.name)  # uploads under way go with it
        assert used(bench) == before - 5000
        assert bench.volumes.volumes()[VOLUME].buckets == 1

    def test_any_history_is_within_the_quota(self, bench: Bench) -> None:
        assert bench.volumes is not None
        machine = type("VolumeOfTheStore", (SharedQuotas,), {"bench": bench, "turns": count()})
        run_state_machine_as_test(machine, settings=BOUNDED)

    def test_what_is_too_much_is_told_and_leaves_nothing(self, bench: Bench) -> None:
        one, two = volume_of(bench, 1000)
        bench.buckets.create("kit-beside")
        beside = Bucket(bench, "kit-beside")
        one.put("k", 600)
        two.put("k", 300)
        upload = two.begin()
        ways: list[Callable[[], object]] = [
            lambda: one.put("new", 101),
            lambda: two.put("k", 401),
            lambda: two.copy(one, "k", "new"),
            lambda: two.send(upload, 101),
        ]
        if one.store.find(Annotates) is not None:
            ways.append(lambda: one.annotate("k", "a", 101))
        for way in ways:
            before = one.need(Measures).stats(), two.need(Measures).stats()
            with pytest.raises(QuotaExceeded) as caught:
                way()
            error = caught.value
            assert (error.quota, error.used, error.volume) == (1000, 900, VOLUME)
            assert VOLUME in error.message and str(error.size) in error.message
            assert before == (one.need(Measures).stats(), two.need(Measures).stats())
        beside.put("k", 5000)
        two.put("new", 100)  # the last byte can be used
        assert used(bench) == 1000

    def test_a_quota_that_was_lowered_refuses_only_what_adds_to_it(self, bench: Bench) -> None:
        one, two = volume_of(bench, None)
        one.put("k", 500)
        two.put("k", 500)
        bench.volumes.set_volume(VOLUME, 10)
        one.put("k", 500)
        two.put("k", 499)
        one.put("empty", 0)
        for bucket, size in ((one, 501), (two, 500)):
            with pytest.raises(QuotaExceeded):
                bucket.put("k", size)
        assert used(bench) == 999
        one.delete("k")
        two.delete("k")
        two.put("k", 10)
        bench.volumes.set_volume(VOLUME, 11)
        one.put("empty", 1)
        bench.volumes.set_volume(VOLUME, None)
        one.put("k", 5000)
        assert used(bench) == 5011

    def test_of_many_writers_as_many_succeed_as_there_is_room_for(self, bench: Bench) -> None:
        buckets = volume_of(bench, 1000, buckets=4)

        def work(one: int) -> int:
            if one == 16:  # who looks never sees more than there may be
                return max(bench.volumes.volumes([VOLUME])[VOLUME].used for _ in range(50))
            buckets[one % 4].put(f"{one}", 100)
            return 100

        results = together(17, work)
        assert results.pop() in range(1001)
        refused = [one for one in results if isinstance(one, StorageError)]
        assert {type(one) for one in refused} == {QuotaExceeded}
        assert (len(refused), used(bench)) == (6, 1000)

    def test_processes_share_it(self, bench: Bench) -> None:
        volume_of(bench, 1001, buckets=4)
        results = in_processes(bench, 2, fill)
        assert (sum(results), used(bench)) == (1000, 1000)
        Bucket(bench, NAMES[0]).put("last", 1)
        assert used(bench) == 1001

    def test_a_volume_with_a_bucket_is_not_dropped(self, bench: Bench) -> None:
        volumes: Volumes = bench.volumes
        (one,) = volume_of(bench, 5, buckets=1)
        with pytest.raises(NotEmpty):
            volumes.drop_volume(VOLUME)
        bench.buckets.drop(one.name)
        for _ in range(2):
            volumes.drop_volume(VOLUME)
            assert VOLUME not in volumes.volumes()
        with pytest.raises(NoSuchVolume):
            bench.buckets.create("kit-one", volume=VOLUME)
        assert "kit-one" not in {found.name for found in bench.buckets.buckets()}

    def test_volumes_are_made_changed_and_found_by_name(self, bench: Bench) -> None:
        volumes: Volumes = bench.volumes
        for number in range(3):
            for _ in range(2):
                volumes.set_volume(f"kit-{number}", number or None)
        made = {f"kit-{number}": VolumeStats(number or None, 0, 0) for number in range(3)}
        assert made.items() <= volumes.volumes().items()
        assert volumes.volumes([]) == {}
        two = {name: made[name] for name in ("kit-0", "kit-2")}
        assert volumes.volumes(["kit-2", "absent", "kit-0"]) == two


def fill(bench: Bench, number: int) -> int:
    """How many bytes there was room for, in all four buckets at once."""

    def write(place: int) -> int:
        bucket, stored = Bucket(bench, NAMES[place]), 0
        for turn in range(10):
            with suppress(QuotaExceeded):
                bucket.put(f"{number}-{turn}", 100)
                stored += 100
        return stored

    return sum(one for one in together(4, write) if isinstance(one, int))
