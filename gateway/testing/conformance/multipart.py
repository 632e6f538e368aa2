"""Uploads in parts: parts while they come, and uploads while they are under way."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import product

import pytest

from gateway.storage import (
    BadDigest,
    BytesBody,
    Conditions,
    Get,
    IncompleteBody,
    InvalidPart,
    NoSuchKey,
    NoSuchUpload,
    Part,
    PartRef,
    PreconditionFailed,
    Put,
    Range,
    UploadQuery,
)
from gateway.storage.checksums import compute
from gateway.testing.conformance.bench import Bench
from gateway.testing.conformance.harness import Conformance
from gateway.testing.conformance.parallel import together
from gateway.testing.conformance.walks import all_uploads, upload_pages
from gateway.testing.faults import PATIENCE, Breaking, Gated, noise


def begin(bench: Bench, key: str = "k", options: Put = Put()) -> str:
    with bench.able("multipart options"):
        return bench.multipart.begin(key, options).id


def send(bench: Bench, upload: str, number: int, data: bytes, key: str = "k") -> PartRef:
    part = bench.multipart.put_part(key, upload, number, BytesBody(data), Put(size=len(data)))
    assert (part.number, part.size) == (number, len(data))
    return PartRef(number=number, etag=part.etag, checksums=part.checksums)


def numbers(parts: tuple[Part, ...]) -> list[int]:
    return [part.number for part in parts]


class MultipartConformance(Conformance):
    needs = "Multipart"

    def test_an_upload_says_what_it_began_with(self, bench: Bench) -> None:
        options = Put(content_type="a/b", metadata={"m": "1"}, owner="me")
        upload = bench.multipart.begin("k", options)
        assert (upload.key, upload.options.content_type) == ("k", "a/b")
        assert bench.multipart.upload("k", upload.id) == upload
        assert dict(upload.options.metadata) == {"m": "1"}
        assert all_uploads(bench.multipart) == [upload]

    def test_an_upload_under_way_is_not_an_object(self, bench: Bench) -> None:
        upload = begin(bench)
        send(bench, upload, 1, noise(100_000))
        with pytest.raises(NoSuchKey):
            bench.store.stat("k")
        assert bench.listed() == []

    def test_an_upload_under_way_leaves_the_object_that_is_there(self, bench: Bench) -> None:
        assert bench.multipart is not None
        bench.put("k", b"old")
        upload = begin(bench)
        send(bench, upload, 1, b"new")
        assert bench.read("k") == b"old"
        bench.multipart.abort("k", upload)
        assert bench.read("k") == b"old"

    def test_parts_are_told_in_order_whatever_order_they_came_in(self, bench: Bench) -> None:
        upload = begin(bench)
        for number in (3, 10_000, 1, 500, 2):
            send(bench, upload, number, b"%d" % number)
        parts = bench.multipart.parts("k", upload)
        assert numbers(parts) == [1, 2, 3, 500, 10_000]
        assert [part.size for part in parts] == [1, 1, 1, 3, 5]

    def test_parts_are_told_in_pages(self, bench: Bench) -> None:
        upload = begin(bench)
        for number in range(1, 8):
            send(bench, upload, number, b"x")
        for after, limit, expected in (
            (0, 3, [1, 2, 3]), (3, 3, [4, 5, 6]), (6, 3, [7]), (7, 3, []), (0, 0, []),
        ):  # fmt: skip
            assert numbers(bench.multipart.parts("k", upload, after, limit)) == expected

    def test_a_part_is_replaced_by_one_of_its_number(self, bench: Bench) -> None:
        upload = begin(bench)
        old, new = send(bench, upload, 1, noise(100_000)), send(bench, upload, 1, b"new")
        (part,) = bench.multipart.parts("k", upload)
        assert (part.size, part.etag) == (3, new.etag)
        assert old.etag != new.etag

    def test_of_a_part_that_is_sent_twice_at_once_the_one_that_ends_last_counts(
        self, bench: Bench
    ) -> None:
        upload, slow = begin(bench), Gated(noise(100_000))
        with ThreadPoolExecutor(1) as pool:
            multipart = bench.multipart
            first = pool.submit(multipart.put_part, "k", upload, 1, slow, Put(size=100_000))
            try:
                assert slow.reached.wait(PATIENCE)
                second = send(bench, upload, 1, b"later, and done before")
            finally:
                slow.go.set()
            part = first.result(PATIENCE)
        (kept,) = multipart.parts("k", upload)
        assert (kept.size, kept.etag) == (100_000, part.etag)
        with pytest.raises(InvalidPart):
            multipart.complete("k", upload, [second])
        multipart.complete("k", upload, [PartRef(number=1, etag=part.etag)])
        assert bench.read("k") == noise(100_000)

    def test_a_part_that_ends_early_is_not_kept(self, bench: Bench) -> None:
        upload = begin(bench)
        send(bench, upload, 1, b"old")
        before = bench.multipart.parts("k", upload)
        for number, size in ((1, 10), (2, 10), (2, 200_000)):
            with pytest.raises(IncompleteBody):
                bench.multipart.put_part(
                    "k", upload, number, BytesBody(noise(size)), Put(size=size + 1)
                )
            with pytest.raises(OSError, match="gone"):
                source = Breaking(noise(size), OSError("gone"))
                bench.multipart.put_part("k", upload, number, source, Put(size=size + 1))
            assert bench.multipart.parts("k", upload) == before

    def test_a_part_with_a_wrong_digest_is_not_kept(self, bench: Bench) -> None:
        upload = begin(bench)
        for options in (
            Put(size=4, digests={"MD5": compute("MD5", b"x")}),
            Put(size=4, checksums={"CRC32": compute("CRC32", b"x")}),
        ):
            with pytest.raises(BadDigest):
                bench.multipart.put_part("k", upload, 1, BytesBody(b"data"), options)
        assert bench.multipart.parts("k", upload) == ()

    def test_a_part_keeps_its_checksum(self, bench: Bench) -> None:
        upload = begin(bench, options=Put(checksums={"CRC32C": ""}))
        options = Put(size=4, checksums={"CRC32C": compute("CRC32C", b"data")})
        part = bench.multipart.put_part("k", upload, 1, BytesBody(b"data"), options)
        assert dict(part.checksums) == {"CRC32C": compute("CRC32C", b"data")}
        assert bench.multipart.parts("k", upload) == (part,)

    def test_what_was_aborted_is_gone(self, bench: Bench) -> None:
        upload = begin(bench)
        ref = send(bench, upload, 1, noise(100_000))
        multipart = bench.multipart
        multipart.abort("k", upload)
        assert all_uploads(multipart) == []
        for ask in (
            lambda: send(bench, upload, 2, b"x"),
            lambda: multipart.upload("k", upload),
            lambda: multipart.parts("k", upload),
            lambda: multipart.complete("k", upload, [ref]),
            lambda: multipart.abort("k", upload),
        ):
            with pytest.raises(NoSuchUpload):
                ask()

    def test_an_upload_is_known_by_its_key_and_id_only(self, bench: Bench) -> None:
        upload = begin(bench)
        for key, wrong in (("other", upload), ("k", "no-such-upload")):
            with pytest.raises(NoSuchUpload):
                bench.multipart.upload(key, wrong)
            with pytest.raises(NoSuchUpload):
                send(bench, wrong, 1, b"x", key)
            with pytest.raises(NoSuchUpload):
                bench.multipart.abort(key, wrong)
        assert [one.id for one in all_uploads(bench.multipart)] == [upload]

    def test_uploads_are_listed_by_key_and_id_in_pages_of_any_size(self, bench: Bench) -> None:
        begun = [
            (key, begin(bench, key)) for key in ("b", "a", "a/1", "a/2", "é", "a", "a", "📁", "c/d")
        ]
        expected = sorted(begun, key=lambda one: (one[0].encode(), one[1]))
        for prefix, limit in product(("", "a", "a/", "x"), (1, 2, 3, 1000)):
            query = UploadQuery(prefix=prefix, limit=limit)
            walked = [page.uploads for page in upload_pages(bench.multipart, query)]
            assert all(len(page) <= limit for page in walked)
            told = [(one.key, one.id) for page in walked for one in page]
            assert told == [one for one in expected if one[0].startswith(prefix)]

    def test_uploads_are_rolled_up_by_a_delimiter(self, bench: Bench) -> None:
        for key in ("a/1", "a/2", "b", "c/d/e", "c"):
            begin(bench, key)
        query = UploadQuery(delimiter="/")
        for limit in (1, 2, 1000):
            walked = list(upload_pages(bench.multipart, replace(query, limit=limit)))
            assert [p for page in walked for p in page.prefixes] == ["a/", "c/"]
            assert [u.key for page in walked for u in page.uploads] == ["b", "c"]

    def test_a_list_of_uploads_begins_behind_a_key(self, bench: Bench) -> None:
        for key in ("a", "b", "b", "c"):
            begin(bench, key)
        page = bench.multipart.uploads(UploadQuery(after="b"))
        assert [one.key for one in page.uploads] == ["c"]
        assert bench.multipart.uploads(UploadQuery(limit=0)).uploads == ()

    def test_parts_come_from_many_threads(self, bench: Bench) -> None:
        upload = begin(bench)
        refs = together(8, lambda n: send(bench, upload, n + 1, noise(70_000, str(n))))
        wanted = [ref for ref in refs if isinstance(ref, PartRef)]
        bench.multipart.complete("k", upload, wanted)
        assert bench.read("k") == b"".join(noise(70_000, str(n)) for n in range(8))

    def test_a_part_is_copied_from_an_object_or_a_range_of_it(self, bench: Bench) -> None:
        upload, data = begin(bench), noise(200_000)
        bench.put("from", data)
        wants = (Get(), Get(range=Range(5, 9)), Get(range=Range(65_000, 150_000)))
        refs = []
        for number, want in enumerate(wants, 1):
            part = bench.multipart.copy_part("k", upload, number, bench.store, "from", want)
            refs.append(PartRef(number=number, etag=part.etag))
        assert numbers(bench.multipart.parts("k", upload)) == [1, 2, 3]
        bench.delete("from")
        bench.multipart.complete("k", upload, refs)
        assert bench.read("k") == data + data[5:10] + data[65_000:150_001]

    def test_conditions_on_the_source_of_a_part_are_obeyed(self, bench: Bench) -> None:
        upload, info = begin(bench), bench.put("from", b"data")
        for conditions in (
            Conditions(if_match=("0" * 32,)),
            Conditions(if_none_match=(info.etag,)),
        ):
            want = Get(conditions=conditions)
            with pytest.raises(PreconditionFailed):
                bench.multipart.copy_part("k", upload, 1, bench.store, "from", want)
        with pytest.raises(NoSuchKey):
            bench.multipart.copy_part("k", upload, 1, bench.store, "absent")
        assert bench.multipart.parts("k", upload) == ()
