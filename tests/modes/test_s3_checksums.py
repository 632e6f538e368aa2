"""Checksums of the S3 mode: all algorithms of the model, in headers, trailers, parts and copies;
and the one that is there when nobody sent any."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from gateway.storage.checksums import CHECKSUMS, FULL_OBJECT_ONLY, WIDTHS, composite, compute
from tests.modes.s3_gateway import Answer, Served
from tests.modes.test_s3_multipart import FIRST, LAST, begin
from tests.modes.test_s3_objects import put

BODY = b"0123456789"
ENABLED = {"x-amz-checksum-mode": "ENABLED"}
UNSIGNED = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
DEFAULT = "x-amz-checksum-crc64nvme"

VECTORS = {
    "SHA512": "z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kx"
    "vUdBeoGlODJ6+SfaPg==",
    "MD5": "1B2M2Y8AsgTpgAmY7PhCfg==",
    "XXHASH64": "70bbN1HY6Zk=",
    "XXHASH3": "LQaABTjTlMI=",
    "XXHASH128": "maoG0wFHmNhgAcMkRo1Jfw==",
}
"""Of no bytes, as their authors publish them."""


def header(algorithm: str) -> str:
    return f"x-amz-checksum-{algorithm.lower()}"


def told(answer: Answer) -> dict[str, str]:
    return {
        name: text for name, text in answer.headers.items() if name.startswith("x-amz-checksum-")
    }


def named(parts: Sequence[tuple[str, dict[str, str]]]) -> bytes:
    rows = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag>"
        + "".join(f"<Checksum{name}>{text}</Checksum{name}>" for name, text in sums.items())
        + "</Part>"
        for number, (etag, sums) in enumerate(parts, 1)
    )
    return f"<CompleteMultipartUpload>{rows}</CompleteMultipartUpload>".encode()


def test_the_model_has_no_other_algorithms() -> None:
    import botocore.session

    model = botocore.session.get_session().get_service_model("s3")
    assert set(model.shape_for("ChecksumAlgorithm").enum) == set(CHECKSUMS) == set(WIDTHS)


@pytest.mark.parametrize("algorithm", VECTORS)
def test_a_digest_is_that_of_its_authors(algorithm: str) -> None:
    assert compute(algorithm, b"") == VECTORS[algorithm]


def test_every_algorithm_in_header_and_trailer(s3: Served, bucket: str) -> None:
    for algorithm in CHECKSUMS:
        name, true = header(algorithm), compute(algorithm, BODY)
        expected = {name: true, "x-amz-checksum-type": "FULL_OBJECT"}
        by_header = s3.raw("PUT", f"/{bucket}/k", body=BODY, headers={name: true})
        by_trailer = s3.raw(
            "PUT",
            f"/{bucket}/trailed",
            body=b"a\r\n" + BODY + f"\r\n0\r\n{name}:{true}\r\n\r\n".encode(),
            headers={
                "x-amz-content-sha256": UNSIGNED,
                "x-amz-decoded-content-length": "10",
                "x-amz-trailer": name,
            },
        )
        assert told(by_header) == told(by_trailer) == expected
        for key in ("k", "trailed"):
            assert told(s3.raw("HEAD", f"/{bucket}/{key}", headers=ENABLED)) == expected
            assert told(s3.raw("GET", f"/{bucket}/{key}")) == {}
        attributes = s3.raw(
            "GET", f"/{bucket}/k?attributes", headers={"x-amz-object-attributes": "Checksum"}
        )
        assert f"<Checksum{algorithm}>{true}</Checksum{algorithm}>".encode() in attributes.body
        wrong = s3.raw(
            "PUT", f"/{bucket}/k", body=BODY, headers={name: compute(algorithm, b"other")}
        )
        assert (wrong.status, wrong.code()) == (400, "BadDigest")
        for text in ("", "!", "c2RhZnNhZGZzZGFm"):
            none = s3.raw("PUT", f"/{bucket}/k", body=BODY, headers={name: text})
            assert (none.status, none.code()) == (400, "InvalidRequest"), (algorithm, text)


def test_a_checksum_that_nobody_would_compare_is_refused(s3: Served, bucket: str) -> None:
    name, true = header("CRC32"), compute("CRC32", BODY)
    trailed = {
        "x-amz-content-sha256": UNSIGNED,
        "x-amz-decoded-content-length": "10",
        "x-amz-trailer": name,
    }

    def refused(trailer: str, **more: str) -> str:
        body = b"a\r\n" + BODY + f"\r\n0\r\n{name}:{trailer}\r\n\r\n".encode()
        headers = {**trailed, **{key.replace("_", "-"): text for key, text in more.items()}}
        answer = s3.raw("PUT", f"/{bucket}/none", body=body, headers=headers)
        assert (answer.status, answer.code()) == (400, "InvalidRequest")
        return answer.body.decode()

    assert "Value for x-amz-checksum-crc32 trailing header is invalid." in refused("invalid")
    assert "Expecting a single" in refused(true, x_amz_checksum_crc32=true)
    assert "Expecting a single" in refused(true, x_amz_checksum_sha1=compute("SHA1", BODY))
    unknown = s3.raw("PUT", f"/{bucket}/none", body=BODY, headers={"x-amz-checksum-md4": "AAAA"})
    assert (unknown.status, unknown.code()) == (400, "InvalidRequest")
    assert s3.raw("HEAD", f"/{bucket}/none").status == 404


def test_a_document_may_have_any_checksum(s3: Served, bucket: str) -> None:
    document = b"<Delete><Object><Key>none</Key></Object></Delete>"
    for algorithm in CHECKSUMS:
        sums = {header(algorithm): compute(algorithm, document)}
        assert s3.raw("POST", f"/{bucket}?delete", body=document, headers=sums).status == 200
        sums = {header(algorithm): compute(algorithm, b"another")}
        assert s3.raw("POST", f"/{bucket}?delete", body=document, headers=sums).status == 400


def test_what_comes_without_a_checksum_gets_one(s3: Served, bucket: str) -> None:
    expected = {DEFAULT: compute("CRC64NVME", BODY), "x-amz-checksum-type": "FULL_OBJECT"}
    assert told(put(s3, bucket, "k")) == expected
    assert told(s3.raw("HEAD", f"/{bucket}/k", headers=ENABLED)) == expected
    copied = s3.client().copy_object(Bucket=bucket, Key="to", CopySource=f"{bucket}/k")
    assert copied["CopyObjectResult"]["ChecksumCRC64NVME"] == expected[DEFAULT]
    given = {"x-amz-copy-source": f"/{bucket}/k", "x-amz-checksum-algorithm": "XXHASH3"}
    another = s3.raw("PUT", f"/{bucket}/to", headers=given).body.decode()
    assert f"<ChecksumXXHASH3>{compute('XXHASH3', BODY)}</ChecksumXXHASH3>" in another
    assert "ChecksumCRC64NVME" not in another


def test_an_upload_without_an_algorithm_gets_the_checksum_of_the_whole(
    s3: Served, bucket: str
) -> None:
    name = begin(s3, bucket)
    target = f"/{bucket}/k?uploadId={name}"
    sent = [
        s3.raw("PUT", f"{target}&partNumber={number}", body=body)
        for number, body in ((1, FIRST), (2, LAST))
    ]
    crc = {header("CRC32"): compute("CRC32", LAST)}
    assert [told(one) for one in sent] == [{}, {}]
    assert told(s3.raw("PUT", f"{target}&partNumber=2", body=LAST, headers=crc)) == crc
    listed = s3.raw("GET", target).body
    assert b"<ChecksumAlgorithm>null</ChecksumAlgorithm><ChecksumType>null<" in listed
    assert b"ChecksumCRC64NVME" not in listed
    assert b"ChecksumAlgorithm" not in s3.raw("GET", f"/{bucket}?uploads").body
    parts = named([(one.headers["etag"], {}) for one in sent])
    other = s3.raw("POST", target, body=parts, headers={"x-amz-checksum-type": "COMPOSITE"})
    assert (other.status, other.code()) == (400, "InvalidRequest")
    done = s3.raw("POST", target, body=parts).body.decode()
    whole = compute("CRC64NVME", FIRST + LAST)
    assert f"<ChecksumCRC64NVME>{whole}</ChecksumCRC64NVME><ChecksumType>FULL_OBJECT<" in done
    second = s3.raw("HEAD", f"/{bucket}/k?partNumber=2", headers=ENABLED)
    assert second.headers[DEFAULT] == compute("CRC64NVME", LAST)
    assert header("CRC32") not in second.headers


@pytest.mark.parametrize("algorithm", sorted({*CHECKSUMS} - FULL_OBJECT_ONLY))
def test_a_composite_checksum_is_made_of_those_of_the_parts(
    s3: Served, bucket: str, algorithm: str
) -> None:
    name = begin(s3, bucket, ChecksumAlgorithm=algorithm, ChecksumType="COMPOSITE")
    target, sums = f"/{bucket}/k?uploadId={name}", compute(algorithm, LAST)
    other = "SHA256" if algorithm == "SHA1" else "SHA1"

    def send(given: dict[str, str]) -> Answer:
        return s3.raw("PUT", f"{target}&partNumber=1", body=LAST, headers=given)

    def finish(part: dict[str, str], **headers: str) -> Answer:
        given = {key.replace("_", "-"): text for key, text in headers.items()}
        return s3.raw("POST", target, body=named([(etag, part)]), headers=given)

    for given, said in (({}, "null"), ({header(other): compute(other, LAST)}, other.lower())):
        refused = send(given)
        assert (refused.status, refused.code()) == (400, "InvalidRequest")
        assert f"{algorithm.lower()}, actual checksum Type: {said}".encode() in refused.body
    sent = send({header(algorithm): sums})
    etag = sent.headers["etag"]
    assert told(sent) == {header(algorithm): sums}
    for part, code in (
        ({}, "InvalidRequest"),
        ({other: compute(other, LAST)}, "BadDigest"),
        ({algorithm: sums, other: compute(other, LAST)}, "InvalidArgument"),
        ({algorithm: "no digest"}, "InvalidArgument"),
        ({algorithm: compute(algorithm, b"other")}, "InvalidPart"),
    ):
        refused = finish(part)
        assert (refused.status, refused.code()) == (400, code), part
    part = {algorithm: sums}
    assert finish(part, x_amz_checksum_type="FULL_OBJECT").code() == "InvalidRequest"
    whole = composite(algorithm, [sums])
    for wrong in (sums, whole.replace("-1", "-2")):
        answer = s3.raw(
            "POST", target, body=named([(etag, part)]), headers={header(algorithm): wrong}
        )
        assert (answer.status, answer.code()) == (400, "BadDigest"), wrong
    done = s3.raw("POST", target, body=named([(etag, part)]), headers={header(algorithm): whole})
    assert f"<Checksum{algorithm}>{whole}</Checksum{algorithm}>" in done.body.decode()
    assert b"<ChecksumType>COMPOSITE</ChecksumType>" in done.body
    assert finish(part).body == done.body  # once more


def test_a_part_of_a_full_object_checksum_need_not_bring_its_own(s3: Served, bucket: str) -> None:
    for algorithm in ("CRC32", "CRC32C", "CRC64NVME"):
        name = begin(s3, bucket, ChecksumAlgorithm=algorithm, ChecksumType="FULL_OBJECT")
        target = f"/{bucket}/k?uploadId={name}"
        sent = s3.raw("PUT", f"{target}&partNumber=1", body=LAST)
        assert told(sent) == {header(algorithm): compute(algorithm, LAST)}
        done = s3.raw("POST", target, body=named([(sent.headers["etag"], {})]))
        assert compute(algorithm, LAST).encode() in done.body


def test_the_copy_of_a_part_has_the_checksum_of_its_upload(s3: Served, bucket: str) -> None:
    put(s3, bucket, "from", LAST)
    source: dict[str, Any] = {"x-amz-copy-source": f"/{bucket}/from"}
    for algorithm in ("", "SHA512", "XXHASH128"):
        name = begin(s3, bucket, **({"ChecksumAlgorithm": algorithm} if algorithm else {}))
        target = f"/{bucket}/k?uploadId={name}&partNumber=1"
        body = s3.raw("PUT", target, headers=source).body.decode()
        assert body.count("<Checksum") == bool(algorithm)
        assert not algorithm or compute(algorithm, LAST) in body
