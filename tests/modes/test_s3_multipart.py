"""Uploads in parts: through boto3, with checksums, conditions, copies and mistakes."""

from __future__ import annotations

import base64
import hashlib
import io
import zlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from drivers.indexed.store import IndexedStore
from gateway.storage import UploadPage
from tests.modes.s3_gateway import Answer, Served
from tests.modes.test_s3_objects import SSE_C, customer_key, put, refused

PART = 5 << 20
FIRST, LAST = b"a" * PART, b"z" * 1000


def begin(s3: Served, bucket: str, key: str = "k", **options: Any) -> str:
    started = s3.client().create_multipart_upload(Bucket=bucket, Key=key, **options)
    return str(started["UploadId"])


def upload(s3: Served, bucket: str, upload_id: str, *bodies: bytes) -> list[dict[str, Any]]:
    client, parts = s3.client(), []
    for number, body in enumerate(bodies, 1):
        done = client.upload_part(
            Bucket=bucket, Key="k", UploadId=upload_id, PartNumber=number, Body=body
        )
        parts.append({"PartNumber": number, "ETag": done["ETag"]})
    return parts


def complete(
    s3: Served, bucket: str, upload_id: str, parts: list[dict[str, Any]], **more: Any
) -> Any:
    return s3.client().complete_multipart_upload(
        Bucket=bucket, Key="k", UploadId=upload_id, MultipartUpload={"Parts": parts}, **more
    )


def test_parts_become_one_object(s3: Served, bucket: str) -> None:
    client = s3.client()
    options: dict[str, Any] = {"ContentType": "text/x", "Metadata": {"a": "1"}, "Tagging": "t=1"}
    started = begin(s3, bucket, **options)
    parts = upload(s3, bucket, started, FIRST, LAST)
    done = complete(s3, bucket, started, parts)
    sums = hashlib.md5(FIRST).digest() + hashlib.md5(LAST).digest()
    assert done["ETag"] == f'"{hashlib.md5(sums).hexdigest()}-2"'
    assert (done["Bucket"], done["Key"]) == (bucket, "k")
    assert done["Location"] == f"{s3.url}/{bucket}/k"
    got = client.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == FIRST + LAST
    assert (got["ContentType"], got["ContentLength"]) == ("text/x", PART + 1000)
    assert s3.raw("HEAD", f"/{bucket}/k").headers["x-amz-tagging-count"] == "1"
    again = complete(s3, bucket, started, parts)
    assert again["ETag"] == done["ETag"]
    missing = {"Bucket": bucket, "Key": "k", "UploadId": "none"}
    assert refused(client.list_parts, **missing) == (404, "NoSuchUpload")
    assert refused(client.abort_multipart_upload, **missing) == (404, "NoSuchUpload")


def test_a_part_can_be_read_by_its_number(s3: Served, bucket: str) -> None:
    started = begin(s3, bucket)
    complete(s3, bucket, started, upload(s3, bucket, started, FIRST, LAST))
    path = f"/{bucket}/k"
    for method in ("GET", "HEAD"):
        got = s3.raw(method, f"{path}?partNumber=2")
        assert got.status == 206
        assert got.headers["content-range"] == f"bytes {PART}-{PART + 999}/{PART + 1000}"
        assert got.headers["x-amz-mp-parts-count"] == "2"
        assert got.headers["content-length"] == "1000"
        assert got.body == (LAST if method == "GET" else b"")
        assert s3.raw(method, f"{path}?partNumber=3").status == 416
    beyond = s3.raw("GET", f"{path}?partNumber=3").body
    assert b"<Code>InvalidPartNumber</Code>" in beyond
    assert b"<ActualPartCount>2</ActualPartCount>" in beyond
    assert b"<PartNumberRequested>3</PartNumberRequested>" in beyond
    both = s3.raw("GET", f"{path}?partNumber=1", headers={"Range": "bytes=0-1"})
    assert (both.status, both.code()) == (400, "InvalidRequest")
    plain = put(s3, bucket, "plain")
    assert plain.status == 200
    whole = s3.raw("GET", f"/{bucket}/plain?partNumber=1")
    assert (whole.status, whole.headers["content-range"]) == (206, "bytes 0-9/10")
    attributes = s3.client().get_object_attributes(
        Bucket=bucket, Key="k", ObjectAttributes=["ObjectParts"], MaxParts=1
    )["ObjectParts"]
    assert (attributes["TotalPartsCount"], attributes["IsTruncated"]) == (2, True)
    assert [(one["PartNumber"], one["Size"]) for one in attributes["Parts"]] == [(1, PART)]


def test_the_parts_that_are_there_are_listed(s3: Served, bucket: str) -> None:
    client = s3.client()
    started = begin(s3, bucket)
    where = {"Bucket": bucket, "Key": "k", "UploadId": started}
    upload(s3, bucket, started, b"1", b"22", b"333")
    pages = list(
        client.get_paginator("list_parts").paginate(**where, PaginationConfig={"PageSize": 1})
    )
    found = [one for page in pages for one in page.get("Parts", [])]
    assert [(one["PartNumber"], one["Size"]) for one in found] == [(1, 1), (2, 2), (3, 3)]
    exactly = client.list_parts(**where, MaxParts=3)
    assert (exactly["IsTruncated"], exactly["NextPartNumberMarker"]) == (False, 3)
    assert (exactly["Owner"]["ID"], exactly["StorageClass"]) == ("main", "STANDARD")
    client.abort_multipart_upload(**where)
    assert refused(client.list_parts, **where) == (404, "NoSuchUpload")


def test_of_a_part_that_was_sent_twice_the_one_that_ended_last_is_named_last(
    s3: Served, bucket: str
) -> None:
    """As ceph/s3-tests does it: while one is on its way the other is sent and answered."""
    started = begin(s3, bucket)
    (other,) = upload(s3, bucket, started, b"B" * 8)
    (last,) = upload(s3, bucket, started, b"A" * 8)
    named = {"s3": s3, "bucket": bucket, "upload_id": started}
    assert refused(complete, parts=[last, other], **named) == (400, "InvalidPart")
    complete(s3, bucket, started, [other, last])
    assert s3.client().get_object(Bucket=bucket, Key="k")["Body"].read() == b"A" * 8


def test_what_cannot_be_completed(s3: Served, bucket: str) -> None:
    started = begin(s3, bucket)
    one, two = upload(s3, bucket, started, b"small", b"last")

    def attempt(*parts: dict[str, Any], **more: Any) -> tuple[int, str]:
        return refused(complete, s3=s3, bucket=bucket, upload_id=started, parts=list(parts), **more)

    assert attempt(one, two) == (400, "EntityTooSmall")
    assert attempt(two, one) == (400, "InvalidPartOrder")
    assert attempt({**one, "ETag": '"00"'}) == (400, "InvalidPart")
    assert attempt({**one, "PartNumber": 7}) == (400, "InvalidPart")
    assert attempt(one, MpuObjectSize=6)[0] == 400
    assert attempt(one, ChecksumCRC32="AAAAAA==")[0] == 400
    put(s3, bucket, "k")
    assert attempt(one, IfNoneMatch="*") == (412, "PreconditionFailed")
    target = f"/{bucket}/k?uploadId={started}"
    for body in (b"", b"<CompleteMultipartUpload/>", b"rubbish", b"<Other/>"):
        answer = s3.raw("POST", target, body=body)
        assert (answer.status, answer.code()) == (400, "MalformedXML")
    complete(s3, bucket, started, [one], MpuObjectSize=5)


def test_parts_that_cannot_be(s3: Served, bucket: str) -> None:
    started = begin(s3, bucket)
    for number in ("0", "10001", "x", ""):
        answer = s3.raw("PUT", f"/{bucket}/k?partNumber={number}&uploadId={started}", body=b"x")
        assert (answer.status, answer.code()) == (400, "InvalidArgument")
    target = f"/{bucket}/k?partNumber=1&uploadId={started}"
    wrong = base64.b64encode(bytes(16)).decode()
    answer = s3.raw("PUT", target, body=b"x", headers={"Content-MD5": wrong})
    assert (answer.status, answer.code()) == (400, "BadDigest")
    answer = s3.raw("PUT", f"/{bucket}/k?partNumber=1&uploadId=none", body=b"x")
    assert (answer.status, answer.code()) == (404, "NoSuchUpload")


def test_checksums_of_parts_and_of_the_whole(s3: Served, bucket: str) -> None:
    client = s3.client()
    for kind in ("FULL_OBJECT", "COMPOSITE"):
        started = client.create_multipart_upload(
            Bucket=bucket, Key="k", ChecksumAlgorithm="CRC32", ChecksumType=kind
        )
        assert (started["ChecksumAlgorithm"], started["ChecksumType"]) == ("CRC32", kind)
        parts = upload(s3, bucket, started["UploadId"], FIRST, LAST)
        sums = [zlib.crc32(body).to_bytes(4, "big") for body in (FIRST, LAST)]
        for part, value in zip(parts, sums, strict=True):
            part["ChecksumCRC32"] = base64.b64encode(value).decode()
        whole = zlib.crc32(FIRST + LAST) if kind == "FULL_OBJECT" else zlib.crc32(b"".join(sums))
        text = base64.b64encode(whole.to_bytes(4, "big")).decode()
        expected = text if kind == "FULL_OBJECT" else f"{text}-2"
        wrong = f"AAAAAA=={expected[8:]}"
        call = {"s3": s3, "bucket": bucket, "upload_id": started["UploadId"], "parts": parts}
        assert refused(complete, **call, ChecksumCRC32=wrong) == (400, "BadDigest")
        done = complete(s3, bucket, started["UploadId"], parts, ChecksumCRC32=expected)
        assert (done["ChecksumCRC32"], done["ChecksumType"]) == (expected, kind)
        head = client.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
        assert (head["ChecksumCRC32"], head["ChecksumType"]) == (expected, kind)
        last = client.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED", PartNumber=2)
        assert last["ChecksumCRC32"] == parts[1]["ChecksumCRC32"]


@pytest.mark.parametrize(
    "headers",
    [
        {"x-amz-checksum-algorithm": "MD4"},
        {"x-amz-checksum-type": "COMPOSITE"},
        {"x-amz-checksum-type": "PARTIAL", "x-amz-checksum-algorithm": "CRC32"},
        {"x-amz-checksum-type": "COMPOSITE", "x-amz-checksum-algorithm": "CRC64NVME"},
        {"x-amz-checksum-type": "FULL_OBJECT", "x-amz-checksum-algorithm": "SHA256"},
    ],
)
def test_checksums_that_an_upload_cannot_have(
    s3: Served, bucket: str, headers: dict[str, str]
) -> None:
    answer = s3.raw("POST", f"/{bucket}/k?uploads", headers=headers)
    assert (answer.status, answer.code()) == (400, "InvalidRequest")


def test_parts_copied_from_an_object(s3: Served, bucket: str) -> None:
    client = s3.client()
    client.put_object(Bucket=bucket, Key="source", Body=FIRST + LAST)
    started = begin(s3, bucket)
    call = {"Bucket": bucket, "Key": "k", "UploadId": started, "CopySource": f"{bucket}/source"}
    one = client.upload_part_copy(**call, PartNumber=1, CopySourceRange=f"bytes=0-{PART - 1}")
    two = client.upload_part_copy(**call, PartNumber=2, CopySourceRange=f"bytes={PART}-{PART + 9}")
    parts = [
        {"PartNumber": number, "ETag": part["CopyPartResult"]["ETag"]}
        for number, part in ((1, one), (2, two))
    ]
    complete(s3, bucket, started, parts)
    assert client.get_object(Bucket=bucket, Key="k")["Body"].read() == FIRST + LAST[:10]


def test_a_range_of_a_source_has_both_ends_and_is_within_it(s3: Served, bucket: str) -> None:
    put(s3, bucket, "source")
    put(s3, bucket, "empty", b"")
    started = begin(s3, bucket)
    target = f"/{bucket}/k?partNumber=1&uploadId={started}"

    def code(source: str, text: str) -> tuple[int, str]:
        headers = {"x-amz-copy-source": f"{bucket}/{source}", "x-amz-copy-source-range": text}
        answer = s3.raw("PUT", target, headers=headers)
        return answer.status, answer.code()

    for text in (
        "bytes=5-", "bytes=-5", "0-5", "bytes=5-2", "bytes=0-2,3-5", "bytes= 0-1", "bytes=a-b",
        "bytes=0-b", "bytes=0", "bytes=,", "",  # malformed
        "bytes=0-10", "bytes=10-10", "bytes=10-11", f"bytes=0-{'9' * 5000}",  # beyond
    ):  # fmt: skip
        assert code("source", text) == (400, "InvalidArgument"), text
    assert code("empty", "bytes=0-0") == (400, "InvalidArgument")
    assert code("source", "bytes=9-9") == (200, "")


def test_the_checksum_of_a_whole_is_one(s3: Served, bucket: str) -> None:
    put(s3, bucket, "k")
    target = f"/{bucket}/k?uploadId={begin(s3, bucket, ChecksumAlgorithm='SHA256')}"
    part = "<Part><PartNumber>1</PartNumber><ETag>x</ETag></Part>"
    body = f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>".encode()
    for text, code in (
        ("bad", "BadDigest"),
        ("bad-1", "BadDigest"),
        ("invalid_sha256", "InvalidRequest"),
    ):
        answer = s3.raw("POST", target, body=body, headers={"x-amz-checksum-sha256": text})
        assert (answer.status, answer.code()) == (400, code)


def test_an_upload_under_a_customers_key(s3: Served, bucket: str) -> None:
    def send(method: str, target: str, body: bytes = b"") -> Answer:
        return s3.raw(method, target, body=body, headers=customer_key())

    started = send("POST", f"/{bucket}/k?uploads")
    assert started.headers[f"{SSE_C}-algorithm"] == "AES256"
    name = started.body.partition(b"<UploadId>")[2].partition(b"<")[0].decode()
    part = send("PUT", f"/{bucket}/k?partNumber=1&uploadId={name}", b"secret")
    assert part.status == 200
    document = (
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"
        f"<ETag>{part.headers['etag']}</ETag></Part></CompleteMultipartUpload>"
    )
    complete = f"/{bucket}/k?uploadId={name}"
    for _ in ("the first time", "again"):
        for headers in ({}, customer_key(b"w")):
            refused = s3.raw("POST", complete, body=document.encode(), headers=headers)
            assert (refused.status, refused.code()) == (400, "InvalidRequest")
        assert send("POST", complete, document.encode()).status == 200
    assert send("GET", f"/{bucket}/k").body == b"secret"
    assert s3.raw("GET", f"/{bucket}/k").status == 400


def test_each_part_of_an_encrypted_upload_says_how(s3: Served, bucket: str) -> None:
    client = s3.client()
    put(s3, bucket, "source")
    where = {"Bucket": bucket, "Key": "k"}
    made = client.create_multipart_upload(**where, ServerSideEncryption="AES256")
    where |= {"UploadId": made["UploadId"]}
    sent = client.upload_part(**where, PartNumber=1, Body=b"x")
    copied = client.upload_part_copy(**where, PartNumber=2, CopySource=f"{bucket}/source")
    assert sent["ServerSideEncryption"] == copied["ServerSideEncryption"] == "AES256"


def test_boto3_uploads_and_copies_large_files_by_itself(s3: Served, bucket: str) -> None:
    from boto3.s3.transfer import TransferConfig

    data = bytes(range(256)) * (48 << 10)
    cut = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART, max_concurrency=2)
    client = s3.client()
    client.upload_fileobj(io.BytesIO(data), bucket, "large", Config=cut)
    assert client.head_object(Bucket=bucket, Key="large")["ETag"].endswith('-3"')
    client.copy({"Bucket": bucket, "Key": "large"}, bucket, "copy", Config=cut)
    found = io.BytesIO()
    client.download_fileobj(bucket, "copy", found, Config=cut)
    assert found.getvalue() == data


def test_who_may_not_write_uploads_nothing(s3: Served, bucket: str) -> None:
    other = s3.client("other-key")
    started = begin(s3, bucket)
    where = {"Bucket": bucket, "Key": "k"}
    denied = (403, "AccessDenied")
    assert refused(other.create_multipart_upload, **where) == denied
    assert refused(other.upload_part, **where, UploadId=started, PartNumber=1, Body=b"x") == denied
    assert refused(other.list_parts, **where, UploadId=started) == denied
    assert refused(other.abort_multipart_upload, **where, UploadId=started) == denied
    assert refused(other.list_multipart_uploads, Bucket=bucket) == denied


def test_when_an_upload_began_is_found_in_the_list_where_it_is_not_said(
    s3: Served, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of an upstream's upload that another process began."""
    client, began = s3.client(), begin(s3, bucket)
    begin(s3, bucket, "k2")
    given = {"Bucket": bucket, "Key": "k", "UploadId": began}
    (listed,) = [one for one in client.list_multipart_uploads(Bucket=bucket)["Uploads"]
                 if one["Key"] == "k"]  # fmt: skip
    kind: Any = IndexedStore
    found, list_of = kind.upload, kind.uploads
    monkeypatch.setattr(kind, "upload", lambda *its: replace(found(*its), begun=0))
    other = listed["Initiated"] - timedelta(seconds=60)
    abort = client.abort_multipart_upload
    assert refused(abort, **given, IfMatchInitiatedTime=other)[1] == "PreconditionFailed"
    monkeypatch.setattr(kind, "uploads", lambda *_: UploadPage())
    assert refused(abort, **given, IfMatchInitiatedTime=listed["Initiated"])[0] == 501
    monkeypatch.setattr(kind, "uploads", list_of)
    abort(**given, IfMatchInitiatedTime=listed["Initiated"])
    assert refused(client.list_parts, **given)[1] == "NoSuchUpload"


def test_parts_are_shown_and_given_up_by_who_began_them(s3: Served, bucket: str) -> None:
    client, other, where = s3.client(), s3.client("other-key"), {"Bucket": bucket, "Key": "k"}
    client.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    mine = begin(s3, bucket)
    its = other.create_multipart_upload(**where)["UploadId"]
    denied = (403, "AccessDenied")
    for upload in (mine, "no-such-upload"):
        assert refused(other.list_parts, **where, UploadId=upload) == denied
        assert refused(other.abort_multipart_upload, **where, UploadId=upload) == denied
    for method, target in (("GET", f"/{bucket}/k"), ("DELETE", f"/{bucket}/k")):
        assert s3.raw(method, f"{target}?uploadId={its}", key="").status == 403
    other.upload_part(**where, UploadId=its, PartNumber=1, Body=b"x")
    assert len(other.list_parts(**where, UploadId=its)["Parts"]) == 1
    assert len(client.list_parts(**where, UploadId=its)["Parts"]) == 1
    other.abort_multipart_upload(**where, UploadId=its)
    assert refused(client.list_parts, **where, UploadId=its) == (404, "NoSuchUpload")
    last = other.create_multipart_upload(**where)["UploadId"]
    client.abort_multipart_upload(**where, UploadId=last)
