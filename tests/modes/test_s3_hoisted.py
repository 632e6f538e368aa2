"""A parameter of a signed query has the effect that it has as a header."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from gateway.storage import NOTHING
from tests.modes.s3_gateway import Answer, Served
from tests.modes.test_s3_objects import customer_key

Headers = Mapping[str, str]
WAYS = ["url", "authorization"]
"""In which of the two ways the query is signed."""


def target_of(path: str, parameters: Headers) -> str:
    query = urlencode(parameters, quote_via=quote)
    return f"{path}{'&' if '?' in path else '?'}{query}" if query else path


def ask(
    s3: Served,
    way: str,
    method: str,
    path: str,
    parameters: Headers,
    headers: Headers = NOTHING,
    body: bytes = b"",
) -> Answer:
    target = target_of(path, parameters)
    if way == "authorization":
        return s3.raw(method, target, body=body, headers=dict(headers))
    target, given = s3.presigned(method, target, headers=dict(headers))
    return s3.send(method, target, given, body)


def state(s3: Served, bucket: str) -> Any:
    """What a user sees of the object `k`: its answer to HEAD, tags, list and bytes."""
    shown = s3.raw("GET", f"/{bucket}/k")
    if shown.status == 400:  # it is under that key
        shown = s3.raw("GET", f"/{bucket}/k", headers=customer_key())
    kept = {
        name: value
        for name, value in shown.headers.items()
        if name not in ("date", "last-modified", "x-amz-request-id", "etag")
    }
    tags = s3.raw("GET", f"/{bucket}/k?tagging").body.partition(b"<TagSet>")[2]
    grants = s3.raw("GET", f"/{bucket}/k?acl").body.partition(b"<AccessControlList>")[2]
    return shown.status, shown.code() or shown.body, kept, tags, grants


PUTS: list[Headers] = [
    {"x-amz-meta-owner": "team-a", "x-amz-meta-b": "ü  2", "x-amz-meta-c_d": "3"},
    {"X-Amz-Meta-Owner": "team-a"},
    {"x-amz-acl": "public-read"},
    {"X-AMZ-ACL": "purple"},
    {"x-amz-grant-read": "id=other"},
    {"x-amz-tagging": "a=1&b=2%203"},
    {"x-amz-storage-class": "STANDARD_IA"},
    {"x-amz-storage-class": "WARM"},
    {"x-amz-server-side-encryption": "AES256"},
    {"x-amz-server-side-encryption": "aws:kms"},
    customer_key(),
    {"x-amz-object-lock-mode": "GOVERNANCE"},
    {"x-amz-object-lock-legal-hold": "ON"},
    {"x-amz-website-redirect-location": "/x"},
    {"x-amz-write-offset-bytes": "10"},
    {"x-amz-expected-bucket-owner": "other"},
    {"x-amz-expected-bucket-owner": "main"},
    {"x-amz-security-token": "token"},
    {"x-amz-meta-a": "x" * 2048},
    {"x-amz-decoded-content-length": "5"},
    {"x-amz-nothing": "known"},
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("given", PUTS, ids=" ".join)
def test_a_put_by_parameters_is_as_one_by_headers(
    s3: Served, bucket: str, way: str, given: Headers
) -> None:
    token = "x-amz-security-token" in given
    found: list[Any] = []
    for parameters, headers in (({}, given), (given, {}), (given, given)):
        sent = {name: quote(value, safe=" /=&%:+") for name, value in headers.items()}
        if parameters and headers and sent != parameters:
            continue  # text outside ASCII is sent encoded in a header
        answer = ask(s3, way, "PUT", f"/{bucket}/k", parameters, headers, b"hello")
        found.append((answer.status, "" if token else answer.code(), state(s3, bucket)))
        s3.raw("DELETE", f"/{bucket}/k")
    if "x-amz-meta-b" in given:
        assert found[1][2][2]["x-amz-meta-b"] == "=?UTF-8?B?w7wgIDI=?="
        assert found[1][2][2]["x-amz-meta-c_d"] == "3"
        assert found[1][2][2]["x-amz-meta-owner"] == "team-a"
    else:
        assert found.count(found[0]) == len(found)
    assert found[0][0] in (200, 400, 403, 501)


@pytest.mark.parametrize("way", WAYS)
def test_a_copys_source_may_be_a_parameter(s3: Served, bucket: str, way: str) -> None:
    s3.client().put_object(Bucket=bucket, Key="a b/ü", Body=b"hello", Metadata={"a": "1"})
    source = {"X-Amz-Copy-Source": f"/{bucket}/" + quote("a b/ü", safe="/")}
    more = {"x-amz-metadata-directive": "REPLACE", "x-amz-meta-b": "2"}
    answer = ask(s3, way, "PUT", f"/{bucket}/copy", source | more)
    assert (answer.status, b"<CopyObjectResult" in answer.body) == (200, True)
    assert s3.records[-1].operation == "CopyObject"
    copied = s3.raw("GET", f"/{bucket}/copy")
    assert (copied.body, copied.headers.get("x-amz-meta-b")) == (b"hello", "2")
    assert "x-amz-meta-a" not in copied.headers
    begun = s3.client().create_multipart_upload(Bucket=bucket, Key="copy")["UploadId"]
    part = f"/{bucket}/copy?partNumber=1&uploadId={begun}"
    answer = ask(s3, way, "PUT", part, source | {"x-amz-copy-source-range": "bytes=1-2"})
    assert b"<CopyPartResult" in answer.body


@pytest.mark.parametrize("way", WAYS)
def test_what_is_asked_by_parameters_is_answered(s3: Served, bucket: str, way: str) -> None:
    s3.client().put_object(Bucket=bucket, Key="k", Body=b"hello", ChecksumAlgorithm="CRC32")
    path = f"/{bucket}/k"
    answer = ask(s3, way, "GET", path, {"x-amz-checksum-mode": "ENABLED"})
    assert answer.headers["x-amz-checksum-crc32"] == "NhCmhg=="
    answer = ask(s3, way, "GET", f"{path}?attributes", {"x-amz-object-attributes": "ObjectSize"})
    assert b"<ObjectSize>5</ObjectSize>" in answer.body
    answer = ask(s3, way, "GET", path, {"x-amz-expected-bucket-owner": "other"})
    assert (answer.status, answer.code()) == (403, "AccessDenied")
    answer = ask(s3, way, "DELETE", path, {"x-amz-if-match-size": "4"})
    assert (answer.status, answer.code()) == (412, "PreconditionFailed")
    assert s3.raw("GET", path).body == b"hello"


@pytest.mark.parametrize("way", WAYS)
def test_checksums_of_a_body_that_was_not_there_yet_are_left_alone(
    s3: Served, bucket: str, way: str
) -> None:
    given = {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-sdk-checksum-algorithm": "CRC32"}
    assert ask(s3, way, "PUT", f"/{bucket}/k", given, body=b"hello").status == 200


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"x-amz-checksum-crc32": "NhCmhg==", "x-amz-sdk-checksum-algorithm": "CRC32"}, ""),
        ({"x-amz-checksum-crc32": "NhCmhw=="}, "BadDigest"),
        ({"x-amz-checksum-sha256": "AAAA"}, "InvalidRequest"),
        ({"x-amz-checksum-next": "AAAAAA=="}, "InvalidRequest"),
        ({"x-amz-sdk-checksum-algorithm": "perhaps"}, "InvalidRequest"),
    ],
)
def test_checksums_of_what_will_be_sent_are_compared(
    s3: Served, bucket: str, way: str, given: Headers, code: str
) -> None:
    answer = ask(s3, way, "PUT", f"/{bucket}/k", given, body=b"hello")
    assert answer.status == (400 if code else 200)
    assert not code or answer.code() == code


@pytest.mark.parametrize("way", WAYS)
def test_the_algorithm_of_an_upload_may_be_a_parameter(s3: Served, bucket: str, way: str) -> None:
    named = {"x-amz-checksum-algorithm": "CRC32C", "x-amz-checksum-type": "FULL_OBJECT"}
    answer = ask(s3, way, "POST", f"/{bucket}/k?uploads", named)
    said = ("x-amz-checksum-algorithm", "x-amz-checksum-type")
    assert [answer.headers.get(name) for name in said] == ["CRC32C", "FULL_OBJECT"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("parameters", "headers"),
    [
        ({"x-amz-meta-a": "1"}, {"x-amz-meta-a": "2"}),
        ({"x-amz-meta-a": ""}, {"x-amz-meta-a": "2"}),
        ({"X-Amz-Acl": "public-read"}, {"x-amz-acl": "private"}),
        ({"x-amz-meta-a": "1", "X-Amz-Meta-A": "1"}, {}),
        ({"x-amz-meta-a": "1\r\nx-amz-acl: public-read"}, {}),
        ({"x-amz-meta-a": "1\0"}, {}),
        ({"x-amz-meta-a b": "1"}, {}),
        ({"x-amz-meta-ü": "1"}, {}),
        ({"x-amz-signature": "0" * 64}, {}),
        ({"x-amz-date": "20130524T000000Z"}, {}),
        ({"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}, {}),
    ],
)
def test_what_cannot_be_meant_is_refused(
    s3: Served, bucket: str, way: str, parameters: Headers, headers: Headers
) -> None:
    answer = ask(s3, way, "PUT", f"/{bucket}/k", parameters, headers, b"hello")
    assert answer.status == 400
    assert answer.code() in ("InvalidArgument", "AuthorizationQueryParametersError")
    assert s3.raw("HEAD", f"/{bucket}/k").status == 404


def test_a_payloads_hash_in_a_url_is_the_headers(s3: Served, bucket: str) -> None:
    unsigned = {"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD"}
    assert ask(s3, "url", "PUT", f"/{bucket}/k", unsigned, unsigned, b"hello").status == 200
    other = {"x-amz-content-sha256": "0" * 64}
    answer = ask(s3, "url", "PUT", f"/{bucket}/k", unsigned, other, b"hello")
    assert (answer.status, answer.code()) == (400, "InvalidArgument")


@pytest.mark.parametrize("name", ["x-amz-acl", "X%2DAmz-Meta-A", "x-amz-copy-source"])
def test_a_parameter_that_nothing_signed_is_refused(s3: Served, bucket: str, name: str) -> None:
    s3.client().put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    answer = s3.raw("PUT", f"/{bucket}/k?{name}=public-read", body=b"x", key="")
    assert (answer.status, answer.code()) == (403, "AccessDenied")
    assert b"<ParametersNotSigned>x-amz-" in answer.body
    assert s3.raw("HEAD", f"/{bucket}/k").status == 404


def test_a_name_may_be_percent_encoded(s3: Served, bucket: str) -> None:
    signed = s3.signed("PUT", f"/{bucket}/k?x-amz-meta-a=1", f"127.0.0.1:{s3.port}", body=b"x")
    assert s3.send("PUT", f"/{bucket}/k?x%2damz%2Dmeta-a=1", signed, b"x").status == 200
    assert s3.raw("HEAD", f"/{bucket}/k").headers["x-amz-meta-a"] == "1"


def test_a_parameter_that_nobody_knows_is_told_once(
    s3: Served, bucket: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING", "gateway.s3")
    for way in WAYS:
        assert ask(s3, way, "PUT", f"/{bucket}/k", {"X-Amz-Fly": "high"}).status == 200
    told = [one.message for one in caplog.records if "x-amz-fly" in one.message]
    assert len(told) == 1
