"""Checksums that are true: verified, computed, kept; those of parts make one of the whole.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
"""

from __future__ import annotations

from functools import partial
from itertools import product

import pytest

from gateway.storage import (
    BadDigest,
    BytesBody,
    Complete,
    InvalidPart,
    InvalidRequest,
    PartRef,
    Put,
)
from gateway.storage.checksums import (
    CHECKSUMS,
    FULL_OBJECT_ONLY,
    UNNAMED,
    composite,
    compute,
)
from gateway.storage.types import Checksum
from gateway.testing.conformance.bench import Bench
from gateway.testing.conformance.completing import BODIES, WHOLE, completed, sent
from gateway.testing.conformance.harness import Conformance
from gateway.testing.faults import noise

SIZES = (0, 1000, 100_000, (1 << 20) + 1)
CRCS = ("CRC32", "CRC32C", "CRC64NVME")


def usual(data: bytes) -> dict[str, str]:
    return {name: compute(name, data) for name in UNNAMED}


class ChecksumsConformance(Conformance):
    @pytest.mark.parametrize("size", SIZES)
    def test_a_checksum_is_verified_and_kept(self, bench: Bench, size: int) -> None:
        for algorithm in CHECKSUMS:
            true = compute(algorithm, noise(size))
            info = bench.put("k", noise(size), Put(checksums={algorithm: true}))
            assert (dict(info.checksums) or None) == bench.kept("checksums", {algorithm: true})
            assert bench.agree(info, bench.store.stat("k"))

    @pytest.mark.parametrize("size", SIZES)
    def test_a_checksum_that_is_only_named_is_computed_and_kept(
        self, bench: Bench, size: int
    ) -> None:
        for algorithm in CHECKSUMS:
            info = bench.put("k", noise(size), Put(checksums={algorithm: ""}))
            true = {algorithm: compute(algorithm, noise(size))}
            assert (dict(info.checksums) or None) == bench.kept("checksums", true)

    def test_the_checksum_of_a_whole_body_is_of_the_full_object(self, bench: Bench) -> None:
        info = bench.put("k", b"data", Put(checksums={"CRC32": ""}))
        assert info.checksum_type in (None, "FULL_OBJECT")

    def test_a_checksum_that_comes_behind_the_body_is_asked_for_at_its_end(
        self, bench: Bench
    ) -> None:
        for size in SIZES:
            source = BytesBody(noise(size))
            asked: list[bytes] = []

            def trailer(
                source: BytesBody = source, asked: list[bytes] = asked, n: int = size
            ) -> str:
                asked.append(source.data)
                return compute("CRC32C", noise(n))

            with bench.able("checksums"):
                info = bench.writable.put(
                    "k", source, Put(size=size, checksums={"CRC32C": trailer})
                )
            assert asked
            assert set(asked) == {b""}, "it was asked before the body had ended"
            true = {"CRC32C": compute("CRC32C", noise(size))}
            assert (dict(info.checksums) or None) == bench.kept("checksums", true)

    def test_several_checksums_are_kept_together(self, bench: Bench) -> None:
        info = bench.put("k", b"data", Put(checksums={"SHA1": "", "CRC64NVME": ""}))
        true = {name: compute(name, b"data") for name in ("SHA1", "CRC64NVME")}
        assert (dict(info.checksums) or None) == bench.kept("checksums", true)

    @pytest.mark.parametrize("key", ["there", "new"])
    def test_a_wrong_checksum_is_BadDigest_and_changes_nothing(
        self, bench: Bench, key: str
    ) -> None:
        bench.put("there", b"old")
        for algorithm, size in product(CHECKSUMS, (10, 200_000)):
            wrong = compute(algorithm, b"other bytes")
            promises: tuple[Checksum, ...] = (wrong, partial(str, wrong))
            for promised in promises:
                with bench.unchanged(), pytest.raises(BadDigest) as raised:
                    bench.put(key, noise(size), Put(checksums={algorithm: promised}))
                error = raised.value
                assert (error.algorithm, error.declared, error.kept) == (algorithm, wrong, True)
                assert error.computed == compute(algorithm, noise(size))

    @pytest.mark.parametrize("algorithm", ["MD5", "SHA256"])
    def test_a_digest_is_verified_and_not_kept(self, bench: Bench, algorithm: str) -> None:
        info = bench.put("k", b"data", Put(digests={algorithm: compute(algorithm, b"data")}))
        assert algorithm not in info.checksums
        assert algorithm not in bench.store.stat("k").checksums

    def test_what_comes_without_a_checksum_has_none_or_the_usual_one(self, bench: Bench) -> None:
        for size in SIZES:
            info = bench.put("k", noise(size))
            assert dict(info.checksums) in ({}, usual(noise(size)))
            assert info.checksum_type == ("FULL_OBJECT" if info.checksums else None)
            assert bench.agree(info, bench.store.stat("k"))

    def test_a_whole_of_parts_without_a_checksum_has_none_or_the_usual_one(
        self, bench: Bench
    ) -> None:
        info = completed(bench, Put())
        assert dict(info.checksums) in ({}, usual(WHOLE))
        assert dict(bench.store.stat("k").checksums) == dict(info.checksums)

    @pytest.mark.parametrize("algorithm", ["MD5", "SHA256"])
    def test_a_wrong_digest_is_BadDigest_and_changes_nothing(
        self, bench: Bench, algorithm: str
    ) -> None:
        for size in (10, 200_000):
            wrong = Put(digests={algorithm: compute(algorithm, b"x")})
            with bench.unchanged(), pytest.raises(BadDigest) as raised:
                bench.put("k", noise(size), wrong)
            assert not raised.value.kept

    def test_a_digest_that_is_none_is_an_invalid_request(self, bench: Bench) -> None:
        for options in (Put(digests={"MD5": "!"}), Put(checksums={"CRC32": "AAAA"})):
            with bench.unchanged(), pytest.raises(InvalidRequest):
                bench.put("k", b"data", options)

    def test_a_composite_checksum_is_that_of_the_parts_checksums(self, bench: Bench) -> None:
        if not bench.driver.keeps_parts:
            pytest.skip("the store does not remember parts")
        for algorithm in sorted({*CHECKSUMS} - FULL_OBJECT_ONLY):
            begun = Put(checksums={algorithm: ""}, checksum_type="COMPOSITE")
            upload, refs = sent(bench, begun)
            of_parts = [compute(algorithm, data) for data in BODIES]
            assert [ref.checksums[algorithm] for ref in refs] == of_parts
            info = bench.multipart.complete("k", upload, refs)
            assert dict(info.checksums) == {algorithm: composite(algorithm, of_parts)}
            assert info.checksum_type == "COMPOSITE"

    @pytest.mark.parametrize("algorithm", CRCS)
    def test_a_full_object_checksum_is_that_of_the_bytes(
        self, bench: Bench, algorithm: str
    ) -> None:
        begun = Put(checksums={algorithm: ""}, checksum_type="FULL_OBJECT")
        true = compute(algorithm, WHOLE)
        for how in (Complete(), Complete(checksums={algorithm: true})):
            info = completed(bench, begun, how)
            assert dict(info.checksums) == {algorithm: true}
            assert info.checksum_type == "FULL_OBJECT"

    @pytest.mark.parametrize("algorithm", CRCS)
    def test_a_wrong_full_object_checksum_is_BadDigest(self, bench: Bench, algorithm: str) -> None:
        upload, refs = sent(bench, Put(checksums={algorithm: ""}, checksum_type="FULL_OBJECT"))
        how = Complete(checksums={algorithm: compute(algorithm, b"x")})
        with bench.unchanged(), pytest.raises(BadDigest):
            bench.multipart.complete("k", upload, refs, how)
        bench.multipart.complete("k", upload, refs)
        assert bench.read("k") == WHOLE

    def test_a_part_named_with_a_wrong_checksum_is_InvalidPart(self, bench: Bench) -> None:
        upload, refs = sent(bench, Put(checksums={"SHA256": ""}, checksum_type="COMPOSITE"))
        wrong = {"SHA256": compute("SHA256", b"x")}
        refs[1] = PartRef(number=2, etag=refs[1].etag, checksums=wrong)
        with bench.unchanged(), pytest.raises((InvalidPart, BadDigest)):
            bench.multipart.complete("k", upload, refs)
