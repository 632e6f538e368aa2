"""Annotations: named payloads that go with a version of an object, and only with it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest

from gateway.storage import (
    Annotate,
    Annotated,
    AnnotationQuery,
    Conditions,
    Conflict,
    Delete,
    InvalidRequest,
    MethodNotAllowed,
    NoSuchAnnotation,
    NoSuchKey,
    NoSuchVersion,
    PreconditionFailed,
    Protected,
    Put,
    Stats,
    StorageError,
    TooManyAnnotations,
    pieces,
)
from gateway.storage.annotations import LARGEST
from gateway.storage.checksums import CHECKSUMS, compute
from gateway.testing.conformance.bench import Bench
from gateway.testing.conformance.copying import copy
from gateway.testing.conformance.encryption import MANAGED, OURS
from gateway.testing.conformance.harness import Conformance
from gateway.testing.conformance.parallel import together
from gateway.testing.conformance.protection import day
from gateway.testing.conformance.versions import hide, keeping, put
from gateway.testing.faults import noise

SIZES = (1, 1000, 100_000, LARGEST)


def read(bench: Bench, name: str, key: str = "k", version: str | None = None) -> bytes:
    opened = bench.annotates.annotation(key, name, version)
    try:
        return b"".join(pieces(opened.body))
    finally:
        opened.body.close()


def names(bench: Bench, key: str = "k", version: str | None = None) -> list[str]:
    page = bench.annotates.annotations(key, AnnotationQuery(version=version))
    return [one.name for one in page.annotations]


def annotated(bench: Bench, found: Sequence[str] = ("a", "b"), key: str = "k") -> None:
    """An object that has these, each with its name for a payload."""
    annotates = bench.annotates
    bench.put(key, b"data")
    for name in found:
        annotates.put_annotation(key, name, name.encode())


class AnnotationsConformance(Conformance):
    needs = "Annotates"

    def test_what_was_put_is_read_exactly_and_told(self, bench: Bench) -> None:
        annotates = bench.annotates
        info = bench.put("k", b"data")
        for size in SIZES:
            made, of = annotates.put_annotation("k", "né-1.x_", noise(size))
            opened = annotates.annotation("k", "né-1.x_")
            opened.body.close()
            assert opened.annotation == made
            assert of == opened.object == bench.store.stat("k") == info
            assert (made.name, made.size) == ("né-1.x_", size)
            assert made.etag == hashlib.md5(noise(size), usedforsecurity=False).hexdigest()
            assert annotates.annotations("k").annotations == (made,)
            assert read(bench, "né-1.x_") == noise(size)
        assert bench.read("k") == b"data"

    def test_checksums_that_are_given_are_kept(self, bench: Bench) -> None:
        annotates = bench.annotates
        bench.put("k")
        for name in CHECKSUMS:
            sums = {name: compute(name, b"x")}
            annotates.put_annotation("k", name, b"x", Annotate(checksums=sums))
            assert dict(annotates.annotation("k", name).annotation.checksums) == sums

    def test_pages_are_in_the_order_of_bytes_and_complete(self, bench: Bench) -> None:
        wanted = ["B", "a", "a.1", "a.2", "aé", "b", "é", "\U0001f600"]
        annotated(bench, wanted)
        for limit in (1, 3, 8, 100):
            for prefix in ("", "a", "a.", "é", "none"):
                found: list[str] = []
                query = AnnotationQuery(prefix=prefix, limit=limit)
                while True:
                    page = bench.annotates.annotations("k", query)
                    assert len(page.annotations) <= limit
                    found += [one.name for one in page.annotations]
                    if page.next is None:
                        break
                    query = AnnotationQuery(prefix=prefix, limit=limit, after=page.next)
                assert found == [name for name in wanted if name.startswith(prefix)]

    def test_it_is_replaced_and_deleted_by_name(self, bench: Bench) -> None:
        annotated(bench)
        bench.annotates.put_annotation("k", "a", b"new")
        assert (read(bench, "a"), read(bench, "b")) == (b"new", b"b")
        for _ in range(2):  # what is not there is no error
            bench.annotates.delete_annotation("k", "a")
            assert names(bench) == ["b"]
        with pytest.raises(NoSuchAnnotation):
            bench.annotates.annotation("k", "a")

    def test_an_object_is_needed(self, bench: Bench) -> None:
        annotates = bench.annotates
        for call in (
            lambda: annotates.put_annotation("k", "a", b"x"),
            lambda: annotates.annotation("k", "a"),
            lambda: annotates.annotations("k"),
            lambda: annotates.delete_annotation("k", "a"),
        ):
            with pytest.raises(NoSuchKey):
                call()

    def test_what_replaces_or_removes_an_object_removes_them(self, bench: Bench) -> None:
        for size in (4, 100_000):
            annotated(bench)
            bench.annotates.put_annotation("k", "large", noise(200_000))
            bench.put("k", noise(size))
            assert names(bench) == []
        annotated(bench)
        bench.delete("k")
        bench.put("k", b"data")
        assert names(bench) == []

    def test_a_version_has_its_own(self, bench: Bench) -> None:
        annotates = bench.annotates
        keeping(bench)
        first = put(bench, b"one")
        annotates.put_annotation("k", "a", b"1")
        second = put(bench, b"two")
        annotates.put_annotation("k", "a", b"2")
        annotates.put_annotation("k", "b", b"old", Annotate(version=first))
        assert (names(bench), names(bench, version=first)) == (["a"], ["a", "b"])
        assert (read(bench, "a"), read(bench, "a", version=first)) == (b"2", b"1")
        bench.delete("k", Delete(version=second))  # the first is current again
        assert (names(bench), read(bench, "b")) == (["a", "b"], b"old")
        marker = hide(bench)
        with pytest.raises(NoSuchKey):
            annotates.put_annotation("k", "a", b"x")
        with pytest.raises(MethodNotAllowed):
            annotates.put_annotation("k", "a", b"x", Annotate(version=marker))
        assert read(bench, "a", version=first) == b"1"
        bench.delete("k", Delete(version=first))
        with pytest.raises(NoSuchVersion):
            annotates.annotations("k", AnnotationQuery(version=first))

    def test_conditions_hold_of_the_object(self, bench: Bench) -> None:
        annotated(bench)
        stale = Conditions(if_match=("0" * 32,))
        fits = Conditions(if_match=(bench.store.stat("k").etag,))
        with bench.unchanged(), pytest.raises(PreconditionFailed):
            bench.annotates.put_annotation("k", "c", b"x", Annotate(conditions=stale))
        with bench.unchanged(), pytest.raises(PreconditionFailed):
            bench.annotates.delete_annotation("k", "a", Delete(conditions=stale))
        bench.annotates.put_annotation("k", "c", b"x", Annotate(conditions=fits))
        bench.annotates.delete_annotation("k", "a", Delete(conditions=fits))
        assert names(bench) == ["b", "c"]

    def test_no_more_than_may_be_whoever_comes_at_once(self, bench: Bench) -> None:
        annotated(bench, ())

        def one(number: int) -> Annotated:
            return bench.annotates.put_annotation("k", f"n{number}", b"x", Annotate(most=5))

        refused = [done for done in together(8, one) if isinstance(done, StorageError)]
        assert [type(one) for one in refused] == [TooManyAnnotations] * 3
        kept = names(bench)
        assert len(kept) == 5
        bench.annotates.put_annotation("k", kept[0], b"y", Annotate(most=5))
        bench.annotates.delete_annotation("k", kept[1])
        bench.annotates.put_annotation("k", "again", b"y", Annotate(most=5))

    def test_of_an_object_that_goes_meanwhile_nothing_is_left(self, bench: Bench) -> None:
        annotates = bench.annotates

        def one(number: int) -> object:
            if number:
                return annotates.put_annotation("k", "a", noise(100_000))
            return bench.delete("k")

        for _ in range(5):
            bench.put("k", b"data")
            refused = [done for done in together(2, one) if isinstance(done, StorageError)]
            assert [one for one in refused if not isinstance(one, NoSuchKey)] == []
            bench.put("k", b"data")
            assert names(bench) == []

    def test_labels_and_protection_leave_them(self, bench: Bench) -> None:
        annotated(bench)
        bench.labels.set_labels("k", tags={"t": "1"}, attributes={"x": 1})
        bench.labels.set_labels("k", tags={}, attributes={"x": None})
        assert names(bench) == ["a", "b"]
        assert bench.read("k") == b"data"

    def test_a_protected_version_keeps_what_it_has(self, bench: Bench) -> None:
        annotates, protects = bench.annotates, bench.protects
        keeping(bench)
        annotated(bench)
        protects.set_retention("k", None, "governance", day(9))
        annotates.put_annotation("k", "c", b"more")
        with bench.unchanged(), pytest.raises(Protected):
            annotates.delete_annotation("k", "a")
        with bench.unchanged(), pytest.raises(Protected):
            annotates.put_annotation("k", "a", b"other")
        annotates.put_annotation("k", "a", b"other", Annotate(bypass=True))
        annotates.delete_annotation("k", "a", Delete(bypass=True))
        protects.set_hold("k", None, True)
        with bench.unchanged(), pytest.raises(Protected):
            annotates.delete_annotation("k", "b", Delete(bypass=True))
        assert names(bench) == ["b", "c"]

    def test_a_copy_has_them_where_it_is_given_them(self, bench: Bench) -> None:
        annotated(bench)
        bench.annotates.put_annotation("k", "large", noise(200_000))
        copy(bench, "k", "without")
        assert names(bench, "without") == []
        for encryption in (None, MANAGED):
            brought = bench.annotates.brought("k")
            copy(bench, "k", "to", options=Put(annotations=brought, encryption=encryption))
            bench.annotates.put_annotation("to", "a", b"of the copy")
            assert (names(bench, "to"), read(bench, "a")) == (["a", "b", "large"], b"a")
            assert read(bench, "large", "to") == noise(200_000)
        brought = bench.annotates.brought("k")
        copy(bench, "k", "k", options=Put(metadata={"m": "1"}, annotations=brought))
        assert (names(bench), read(bench, "b")) == (["a", "b", "large"], b"b")
        bench.delete("k")
        assert read(bench, "large", "to") == noise(200_000)

    def test_an_object_is_put_with_those_of_another_store(self, bench: Bench) -> None:
        other = bench.another()
        annotated(other, ("a", "b"), "from")
        other.annotates.put_annotation("from", "large", noise(200_000))
        bench.put("k", b"old")
        bench.annotates.put_annotation("k", "old", b"x")
        bench.put("k", b"data", Put(annotations=other.annotates.brought("from")))
        other.delete("from")
        assert names(bench) == ["a", "b", "large"]
        assert read(bench, "large") == noise(200_000)

    def test_what_is_another_by_the_time_of_a_copy_is_a_Conflict(self, bench: Bench) -> None:
        for change in (
            lambda: bench.annotates.put_annotation("k", "a", b"other"),
            lambda: bench.annotates.delete_annotation("k", "a"),
        ):
            annotated(bench)
            options = Put(annotations=bench.annotates.brought("k"))
            change()
            with pytest.raises(Conflict):
                copy(bench, "k", "to", options=options)
            with pytest.raises(Conflict):
                bench.put("to", b"data", options)
            with pytest.raises(NoSuchKey):
                bench.store.stat("to")

    @pytest.mark.parametrize("size", [1000, 200_000])
    def test_they_are_encrypted_as_their_object_is(self, bench: Bench, size: int) -> None:
        annotates = bench.annotates
        clear, secret = noise(size, "clear"), noise(size, "secret")
        bench.put("clear", b"data")
        annotates.put_annotation("clear", "a", clear)
        bench.put("k", b"data", Put(encryption=MANAGED))
        annotates.put_annotation("k", "a", secret)
        assert read(bench, "a") == secret
        kept = list(bench.driver.raw(bench.folder))
        if not any(clear[100:400] in one for one in kept):
            pytest.skip("what is kept cannot be looked at")
        assert not any(secret[at : at + 64] in one for one in kept for at in (0, 100, size - 64))

    def test_under_a_customers_key_there_are_none(self, bench: Bench) -> None:
        annotated(bench)
        with bench.unchanged(), pytest.raises(InvalidRequest):
            brought = bench.annotates.brought("k")
            bench.put("k", b"data", Put(encryption=OURS, annotations=brought))
        bench.put("k", b"data", Put(encryption=OURS))
        with pytest.raises(StorageError):
            bench.annotates.put_annotation("k", "a", b"x")

    def test_they_are_counted_with_the_bytes(self, bench: Bench) -> None:
        measures = bench.measures
        before = measures.stats().bytes
        annotated(bench)
        bench.annotates.put_annotation("k", "a", bytes(100))
        assert measures.stats() == Stats(objects=1, bytes=before + 4 + 101, current=1)
        copy(bench, "k", "to", options=Put(annotations=bench.annotates.brought("k")))
        assert measures.stats() == Stats(objects=2, bytes=before + 2 * 105, current=2)
        bench.annotates.delete_annotation("k", "a")
        bench.delete("to")
        assert measures.stats() == Stats(objects=1, bytes=before + 5, current=1)
        bench.put("k", b"")
        assert measures.stats() == Stats(objects=1, bytes=before, current=1)

    def test_the_feed_tells_of_them(self, bench: Bench) -> None:
        changes = bench.changes
        annotated(bench, ("a",))
        bench.annotates.delete_annotation("k", "a")
        told = [(one.kind, one.key, one.cause) for one in changes.changes().changes]
        assert told[-2:] == [("update", "k", "annotation a"), ("update", "k", "no annotation a")]

    def test_they_are_fine_when_they_are_scrubbed(self, bench: Bench) -> None:
        scrubs = bench.scrubs
        bench.put("k", b"data", Put(encryption=MANAGED))
        for size in SIZES:
            bench.annotates.put_annotation("k", f"n{size}", noise(size))
        steps = list(scrubs.scrub())
        assert [step.damage for step in steps if step.damage] == []
        assert sum(step.objects for step in steps) == 1 + len(SIZES)

    def test_they_are_there_when_the_store_is_opened_again(self, bench: Bench) -> None:
        annotated(bench)
        bench.annotates.put_annotation("k", "large", noise(200_000))
        bench.reopen()
        assert (names(bench), read(bench, "large")) == (["a", "b", "large"], noise(200_000))
