"""Uploads in parts: what becomes of them, once, and only when all fits."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from gateway.storage import (
    Complete,
    Conditions,
    Get,
    InvalidPart,
    InvalidPartOrder,
    InvalidRange,
    InvalidRequest,
    NoSuchKey,
    NoSuchUpload,
    ObjectInfo,
    PartRef,
    PartTooSmall,
    PreconditionFailed,
    Put,
    Range,
    pieces,
)
from gateway.storage.checksums import etag_of_parts
from gateway.testing.conformance.bench import Bench
from gateway.testing.conformance.copying import copy
from gateway.testing.conformance.harness import Conformance
from gateway.testing.conformance.multipart import begin, send
from gateway.testing.conformance.parallel import together
from gateway.testing.conformance.walks import all_uploads
from gateway.testing.faults import noise

BODIES = (noise(100_000, "1"), noise(70_000, "2"), b"the end")
WHOLE = b"".join(BODIES)


def sent(
    bench: Bench, options: Put = Put(), bodies: tuple[bytes, ...] = BODIES
) -> tuple[str, list[PartRef]]:
    """An upload to `k` whose parts are there."""
    upload = begin(bench, options=options)
    return upload, [send(bench, upload, n, data) for n, data in enumerate(bodies, 1)]


def completed(bench: Bench, options: Put = Put(), how: Complete = Complete()) -> ObjectInfo:
    upload, refs = sent(bench, options)
    return bench.multipart.complete("k", upload, refs, how)


class CompletingConformance(Conformance):
    needs = "Multipart"

    def test_the_object_is_its_parts_in_order(self, bench: Bench) -> None:
        info = completed(bench)
        assert (info.key, info.size) == ("k", len(WHOLE))
        assert bench.agree(info, bench.store.stat("k"))
        assert bench.read("k") == WHOLE
        assert bench.listed() == ["k"]
        assert all_uploads(bench.multipart) == []

    def test_parts_that_came_late_replaced_or_with_gaps_are_in_their_places(
        self, bench: Bench
    ) -> None:
        upload = begin(bench)
        send(bench, upload, 5, b"replaced")
        refs = {n: send(bench, upload, n, b"part %d" % n) for n in (9, 2, 5)}
        bench.multipart.complete("k", upload, [refs[2], refs[5], refs[9]])
        assert bench.read("k") == b"part 2part 5part 9"

    def test_parts_that_are_not_named_are_dropped(self, bench: Bench) -> None:
        upload, refs = sent(bench)
        assert bench.multipart.complete("k", upload, [refs[0], refs[2]]).size == 100_007
        assert bench.read("k") == BODIES[0] + BODIES[2]

    def test_one_empty_part_makes_an_empty_object(self, bench: Bench) -> None:
        upload, refs = sent(bench, bodies=(b"",))
        assert bench.multipart.complete("k", upload, refs).size == 0
        assert bench.read("k") == b""

    def test_ranges_cross_the_borders_of_parts(self, bench: Bench) -> None:
        completed(bench)
        for first, last in ((99_990, 100_010), (0, 99_999), (100_000, 169_999), (169_999, 170_006)):
            assert bench.read("k", Get(range=Range(first, last))) == WHOLE[first : last + 1]
        assert bench.read("k", Get(range=Range(None, 70_008))) == WHOLE[-70_008:]

    def test_the_ETag_is_that_of_the_parts(self, bench: Bench) -> None:
        upload, refs = sent(bench)
        etag = bench.multipart.complete("k", upload, refs).etag
        if bench.driver.keeps_parts and all("-" not in ref.etag for ref in refs):
            assert etag == etag_of_parts([ref.etag for ref in refs])
        else:
            whole = hashlib.md5(WHOLE, usedforsecurity=False).hexdigest()
            assert etag == whole or "-" in etag

    def test_one_part_makes_an_ETag_of_parts_too(self, bench: Bench) -> None:
        if not bench.driver.keeps_parts:
            pytest.skip("the store does not remember parts")
        upload, refs = sent(bench, bodies=(b"data",))
        assert bench.multipart.complete("k", upload, refs).etag.endswith("-1")

    def test_a_part_is_read_by_its_number(self, bench: Bench) -> None:
        if not bench.driver.keeps_parts:
            pytest.skip("the store does not remember parts")
        info = completed(bench)
        assert [(part.number, part.size) for part in info.parts] == [
            (n, len(data)) for n, data in enumerate(BODIES, 1)
        ]
        start = 0
        for number, data in enumerate(BODIES, 1):
            with bench.store.get("k", Get(part=number)) as opened:
                assert (opened.start, opened.length) == (start, len(data))
                assert b"".join(pieces(opened.body)) == data
                assert len(opened.info.parts) == 3
            start += len(data)
        with pytest.raises((InvalidPart, InvalidRange)):
            bench.store.get("k", Get(part=4))

    def test_what_was_given_at_the_beginning_is_there_at_the_end(self, bench: Bench) -> None:
        given = Put(
            content_type="image/png",
            headers=(("Cache-Control", "no-store"),),
            metadata={"a": "1"},
            tags={"t": "x"},
            owner="me",
            storage_class="STANDARD_IA",
            attributes={"acl": [1]},
        )
        info = completed(bench, given)
        for name in ("content_type", "headers", "storage_class"):
            assert getattr(info, name) == getattr(given, name)
        assert info.owner == (bench.kept("owner", given.owner) or "")
        for name in ("metadata", "tags", "attributes"):
            assert dict(getattr(info, name)) == dict(getattr(given, name))

    @pytest.mark.parametrize("wrong", [PartRef(number=7, etag="x"), None])
    def test_a_part_that_is_not_there_or_has_another_ETag_is_InvalidPart(
        self, bench: Bench, wrong: PartRef | None
    ) -> None:
        upload, refs = sent(bench)
        named = [*refs, wrong] if wrong else [refs[0], PartRef(number=2, etag=refs[0].etag)]
        with bench.unchanged(), pytest.raises(InvalidPart) as raised:
            bench.multipart.complete("k", upload, named)
        assert raised.value.number == named[-1].number
        bench.multipart.complete("k", upload, refs)
        assert bench.read("k") == WHOLE

    def test_parts_out_of_order_or_twice_are_InvalidPartOrder(self, bench: Bench) -> None:
        upload, (first, second, third) = sent(bench)
        for named in ([second, first, third], [first, first], [third, second, first]):
            with bench.unchanged(), pytest.raises(InvalidPartOrder):
                bench.multipart.complete("k", upload, named)

    def test_all_parts_but_the_last_have_the_least_size(self, bench: Bench) -> None:
        upload, refs = sent(bench)
        with bench.unchanged(), pytest.raises(PartTooSmall) as raised:
            bench.multipart.complete("k", upload, refs, Complete(min_part=70_001))
        error = raised.value
        assert (error.number, error.size, error.minimum) == (2, 70_000, 70_001)
        bench.multipart.complete("k", upload, refs, Complete(min_part=70_000))

    def test_a_size_that_is_not_that_of_the_whole_is_refused(self, bench: Bench) -> None:
        upload, refs = sent(bench)
        with bench.unchanged(), pytest.raises(InvalidRequest):
            bench.multipart.complete("k", upload, refs, Complete(size=len(WHOLE) + 1))
        bench.multipart.complete("k", upload, refs, Complete(size=len(WHOLE)))

    @pytest.mark.parametrize("again", [1, 2])
    def test_completing_again_gives_the_same_answer(self, bench: Bench, again: int) -> None:
        upload, refs = sent(bench)
        first = bench.multipart.complete("k", upload, refs)
        with bench.unchanged():
            for _ in range(again):
                assert bench.multipart.complete("k", upload, refs) == first

    def test_parallel_completes_make_one_object_and_give_one_answer(self, bench: Bench) -> None:
        upload, refs = sent(bench)
        answers = together(4, lambda _: bench.multipart.complete("k", upload, refs))
        found = [one for one in answers if isinstance(one, ObjectInfo)]
        # where the parts become one put, two may put the same bytes one after the other
        told = [replace(one, modified=0) for one in found]
        assert told == [replace(bench.store.stat("k"), modified=0)] * 4
        assert bench.read("k") == WHOLE

    def test_a_completed_upload_takes_no_more_parts(self, bench: Bench) -> None:
        upload, refs = sent(bench)
        bench.multipart.complete("k", upload, refs)
        with pytest.raises(NoSuchUpload):
            send(bench, upload, 4, b"more")
        with pytest.raises(NoSuchUpload):
            bench.multipart.parts("k", upload)
        assert bench.read("k") == WHOLE

    def test_conditions_are_those_of_the_completion(self, bench: Bench) -> None:
        upload, refs = sent(bench)
        for key_condition, error in (
            (Conditions(if_match=("*",)), NoSuchKey),
            (Conditions(if_none_match=("*",)), PreconditionFailed),
        ):
            with bench.unchanged(), bench.able("conditions"), pytest.raises(error):
                how = Complete(conditions=key_condition)
                bench.multipart.complete("k", upload, refs, how)
            bench.put("k", b"quicker")
        bench.delete("k")
        once = Complete(conditions=Conditions(if_none_match=("*",)))
        bench.multipart.complete("k", upload, refs, once)
        assert bench.read("k") == WHOLE

    def test_what_is_lent_of_an_object_of_parts_is_what_is_read(self, bench: Bench) -> None:
        completed(bench)
        bench.upkeep.days_pass(1)
        for want in (Get(), Get(range=Range(3, len(WHOLE) - 4)), Get()):
            assert bench.sent("k", want) == bench.read("k", want)

    def test_an_object_of_parts_is_copied_and_stays(self, bench: Bench) -> None:
        completed(bench)
        info = copy(bench, "k", "to")
        copy(bench, "to", "k")
        bench.delete("k")
        assert info.size == len(WHOLE)
        assert bench.read("to") == WHOLE

    def test_an_object_of_parts_is_overwritten_and_deleted(self, bench: Bench) -> None:
        completed(bench)
        with bench.store.get("k") as opened:
            bench.put("k", b"small")
            assert b"".join(pieces(opened.body)) == WHOLE
        assert bench.store.stat("k").parts == ()
        completed(bench)
        assert bench.delete("k").existed
        assert bench.listed() == []
