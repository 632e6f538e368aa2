"""Objects through real clients and raw requests: put, get, ask, copy, tag, delete."""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.modes.s3_gateway import Answer, Served, encoded

many = settings(
    deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SSE_C = "x-amz-server-side-encryption-customer"


def refused(call: Any, **arguments: Any) -> tuple[int, str]:
    """(status, code) with which the call is refused."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def put(s3: Served, bucket: str, key: str, body: bytes = b"0123456789", **more: str) -> Answer:
    headers = {name.replace("_", "-"): value for name, value in more.items()}
    return s3.raw("PUT", f"/{bucket}/{encoded(key)}", body=body, headers=headers)


def customer_key(byte: bytes = b"k", prefix: str = SSE_C) -> dict[str, str]:
    key = byte * 32
    return {
        f"{prefix}-algorithm": "AES256",
        f"{prefix}-key": base64.b64encode(key).decode(),
        f"{prefix}-key-md5": base64.b64encode(hashlib.md5(key).digest()).decode(),
    }


# PutObject, GetObject, HeadObject


def test_an_object_comes_back_with_all_that_was_given(s3: Served, bucket: str) -> None:
    client = s3.client()
    client.put_object(
        Bucket=bucket,
        Key="k",
        Body=b"hello",
        ContentType="text/plain; charset=utf-8",
        CacheControl="no-cache",
        ContentDisposition='attachment; filename="x"',
        ContentEncoding="gzip",
        ContentLanguage="de",
        Expires=datetime(2030, 1, 1, tzinfo=UTC),
        Metadata={"colour": "blue"},
        StorageClass="STANDARD_IA",
        Tagging="a=1&b=%C3%A9",
    )
    for got in (
        client.get_object(Bucket=bucket, Key="k"),
        client.head_object(Bucket=bucket, Key="k"),
    ):
        assert got["ContentType"] == "text/plain; charset=utf-8"
        assert got["CacheControl"] == "no-cache"
        assert got["ContentDisposition"] == 'attachment; filename="x"'
        assert got["ContentEncoding"] == "gzip"
        assert got["ContentLanguage"] == "de"
        assert got["ExpiresString"] == "Tue, 01 Jan 2030 00:00:00 GMT"
        assert {name.lower(): text for name, text in got["Metadata"].items()} == {"colour": "blue"}
        assert got["StorageClass"] == "STANDARD_IA"
        assert got["ContentLength"] == 5
        assert got["ETag"] == f'"{hashlib.md5(b"hello").hexdigest()}"'
    assert client.get_object(Bucket=bucket, Key="k")["Body"].read() == b"hello"
    assert s3.raw("HEAD", f"/{bucket}/k").headers["x-amz-tagging-count"] == "2"


def test_a_large_object_is_streamed(s3: Served, bucket: str) -> None:
    data = bytes(range(256)) * 12_000
    s3.client().put_object(Bucket=bucket, Key="large", Body=data)
    assert s3.client().get_object(Bucket=bucket, Key="large")["Body"].read() == data


def test_keys_are_what_the_client_says(s3: Served, bucket: str) -> None:
    keys = [
        "a",
        "a/",
        "a/b",
        "a//b",
        "../x",
        ".",
        "/lead",
        "sp ace",
        "+%~@()é📁",
        "e\u0301",
        "\u00e9",
    ]
    for key in keys:
        assert put(s3, bucket, key, key.encode()).status == 200
    for key in keys:
        assert s3.raw("GET", f"/{bucket}/{encoded(key)}").body == key.encode()
    listed = s3.client().list_objects_v2(Bucket=bucket)["Contents"]
    assert [one["Key"] for one in listed] == sorted(keys, key=str.encode)


def test_a_key_has_at_most_1024_bytes(s3: Served, bucket: str) -> None:
    assert put(s3, bucket, "é" * 512).status == 200
    answer = put(s3, bucket, "é" * 512 + "x")
    assert (answer.status, answer.code()) == (400, "KeyTooLongError")


def test_a_path_that_is_not_utf8_is_an_invalid_uri(s3: Served, bucket: str) -> None:
    answer = s3.raw("GET", f"/{bucket}/%ff", key="")
    assert (answer.status, answer.code()) == (400, "InvalidURI")


@pytest.mark.parametrize(
    ("range_", "status", "body", "content_range"),
    [
        ("bytes=5-15", 206, b"56789", "bytes 5-9/10"),
        ("bytes=0-0", 206, b"0", "bytes 0-0/10"),
        ("bytes=4-", 206, b"456789", "bytes 4-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=-30", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=10-", 416, None, "bytes */10"),
        ("bytes=-0", 416, None, "bytes */10"),
        ("bytes=0-1,3-4", 200, b"0123456789", None),
        ("bytes=5-2", 200, b"0123456789", None),
        ("bytes=a-b", 200, b"0123456789", None),
        ("lines=1-2", 200, b"0123456789", None),
    ],
)
def test_ranges(
    s3: Served, bucket: str, range_: str, status: int, body: bytes | None, content_range: str | None
) -> None:
    put(s3, bucket, "k")
    got = s3.raw("GET", f"/{bucket}/k", headers={"Range": range_})
    assert got.status == status
    assert got.headers.get("content-range") == content_range
    if body is None:
        assert got.code() == "InvalidRange"
    else:
        assert got.body == body
    head = s3.raw("HEAD", f"/{bucket}/k", headers={"Range": range_})
    assert (head.status, head.headers.get("content-range"), head.body) == (
        status,
        content_range,
        b"",
    )
    if body is not None:
        assert head.headers["content-length"] == str(len(body))


def test_an_empty_object_has_no_range(s3: Served, bucket: str) -> None:
    put(s3, bucket, "empty", b"")
    got = s3.raw("GET", f"/{bucket}/empty", headers={"Range": "bytes=0-5"})
    assert (got.status, got.code()) == (416, "InvalidRange")
    assert s3.raw("GET", f"/{bucket}/empty?partNumber=1").status == 200


@pytest.mark.parametrize("text", ["0", "10001", "x", "-1", "", "1.5", "９"])
def test_a_part_number_must_be_one(s3: Served, bucket: str, text: str) -> None:
    put(s3, bucket, "k")
    answer = s3.raw("GET", f"/{bucket}/k?partNumber={encoded(text)}")
    assert (answer.status, answer.code()) == (400, "InvalidArgument")


def test_reading_on_conditions(s3: Served, bucket: str) -> None:
    client = s3.client()
    etag = client.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"]
    past, future = (datetime.now(UTC) + timedelta(hours=h) for h in (-1, 1))
    get, head = client.get_object, client.head_object
    where = {"Bucket": bucket, "Key": "k"}
    assert get(**where, IfMatch=etag, IfUnmodifiedSince=past)["Body"].read() == b"x"
    assert get(**where, IfModifiedSince=past)["Body"].read() == b"x"
    assert refused(get, **where, IfMatch='"other"') == (412, "PreconditionFailed")
    assert refused(get, **where, IfUnmodifiedSince=past) == (412, "PreconditionFailed")
    assert refused(get, **where, IfNoneMatch=etag)[0] == 304
    assert refused(head, **where, IfNoneMatch="*")[0] == 304
    assert refused(get, **where, IfModifiedSince=future)[0] == 304


def test_a_304_has_validators_and_no_body(s3: Served, bucket: str) -> None:
    etag = put(s3, bucket, "k", Cache_Control="max-age=5").headers["etag"]
    answer = s3.raw("GET", f"/{bucket}/k", headers={"If-None-Match": f'"x", W/{etag}'})
    assert (answer.status, answer.body) == (304, b"")
    assert answer.headers["etag"] == etag
    assert answer.headers["cache-control"] == "max-age=5"
    assert "last-modified" in answer.headers


def test_response_headers_can_be_overridden_by_who_signs(s3: Served, bucket: str) -> None:
    put(s3, bucket, "k", x_amz_acl="public-read", Content_Type="text/plain")
    url = s3.client().generate_presigned_url(
        "get_object",
        Params={
            "Bucket": bucket,
            "Key": "k",
            "ResponseContentType": "image/x",
            "ResponseContentDisposition": "é; x",
            "ResponseCacheControl": "no-store",
        },
    )
    got = s3.raw("GET", url.removeprefix(s3.url), key="")
    assert got.status == 200
    assert got.headers["content-type"] == "image/x"
    assert got.headers["cache-control"] == "no-store"
    assert got.headers["content-disposition"].encode("latin-1").decode() == "é; x"
    answer = s3.raw("GET", f"/{bucket}/k?response-content-type=image/x", key="")
    assert (answer.status, answer.code()) == (400, "InvalidRequest")
    split = s3.raw("GET", f"/{bucket}/k?response-content-type=a%0D%0Aset-cookie%3A%20b")
    assert (split.status, split.code()) == (400, "InvalidArgument")


# what a body must be


def test_content_md5_is_checked(s3: Served, bucket: str) -> None:
    good = base64.b64encode(hashlib.md5(b"0123456789").digest()).decode()
    assert put(s3, bucket, "k", Content_MD5=good).status == 200
    wrong = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    answer = put(s3, bucket, "none", Content_MD5=wrong)
    assert (answer.status, answer.code()) == (400, "BadDigest")
    for bad in ("rubbish", "", "YWJj"):
        answer = put(s3, bucket, "none", Content_MD5=bad)
        assert (answer.status, answer.code()) == (400, "InvalidDigest")
    assert s3.raw("HEAD", f"/{bucket}/none").status == 404


def test_a_payload_hash_must_be_the_bodys(s3: Served, bucket: str) -> None:
    wrong = hashlib.sha256(b"other").hexdigest()
    answer = put(s3, bucket, "none", x_amz_content_sha256=wrong)
    assert (answer.status, answer.code()) == (400, "XAmzContentSHA256Mismatch")
    assert s3.raw("HEAD", f"/{bucket}/none").status == 404


def test_checksums_are_checked_kept_and_said(s3: Served, bucket: str) -> None:
    crc = base64.b64encode(zlib.crc32(b"0123456789").to_bytes(4, "big")).decode()
    stored = put(s3, bucket, "k", x_amz_checksum_crc32=crc)
    assert stored.headers["x-amz-checksum-crc32"] == crc
    mode = {"x-amz-checksum-mode": "ENABLED"}
    got = s3.raw("GET", f"/{bucket}/k", headers=mode)
    assert got.headers["x-amz-checksum-crc32"] == crc
    assert got.headers["x-amz-checksum-type"] == "FULL_OBJECT"
    assert "x-amz-checksum-crc32" not in s3.raw("GET", f"/{bucket}/k").headers
    part = s3.raw("GET", f"/{bucket}/k", headers={**mode, "Range": "bytes=0-1"})
    assert "x-amz-checksum-crc32" not in part.headers


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"x-amz-checksum-crc32": "AAAAAA=="}, "BadDigest"),
        ({"x-amz-checksum-crc32": "rubbish!"}, "InvalidRequest"),
        ({"x-amz-checksum-crc32": ""}, "InvalidRequest"),
        ({"x-amz-checksum-crc32": "c2RhZnNhZGZzZGFm"}, "InvalidRequest"),  # of another length
        ({"x-amz-checksum-sha256": "bad"}, "BadDigest"),  # without its padding
        ({"x-amz-checksum-crc64nvme": "bad"}, "BadDigest"),
        (
            {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-crc32c": "AAAAAA=="},
            "InvalidRequest",
        ),
        ({"x-amz-checksum-sha512": "AAAA"}, "InvalidRequest"),
        ({"x-amz-sdk-checksum-algorithm": "CRC32"}, "InvalidRequest"),
        (
            {"x-amz-sdk-checksum-algorithm": "SHA1", "x-amz-checksum-crc32": "AAAAAA=="},
            "InvalidRequest",
        ),
        ({"x-amz-storage-class": "WARM"}, "InvalidStorageClass"),
        ({"x-amz-object-lock-mode": "GOVERNANCE"}, "InvalidArgument"),
        ({"x-amz-object-lock-legal-hold": "ON"}, "InvalidRequest"),
        ({"x-amz-website-redirect-location": "x"}, "InvalidRedirectLocation"),
        ({"x-amz-write-offset-bytes": "10"}, "NotImplemented"),
        ({"x-amz-acl": "purple"}, "InvalidArgument"),
        ({"x-amz-acl": "private", "x-amz-grant-read": "id=main"}, "InvalidRequest"),
        ({"x-amz-tagging": "a=1&a=2"}, "InvalidArgument"),
        ({"x-amz-tagging": f"{'k' * 129}=1"}, "InvalidTag"),
        ({"x-amz-meta-a": "x" * 2048}, "MetadataTooLarge"),
        (
            {
                "x-amz-server-side-encryption": "aws:kms",
                "x-amz-server-side-encryption-aws-kms-key-id": "some-key",
            },
            "KMS.NotFoundException",
        ),
        ({"x-amz-server-side-encryption": "ROT13"}, "InvalidArgument"),
        ({f"{SSE_C}-algorithm": "AES256"}, "InvalidArgument"),
        ({f"{SSE_C}-key": "AAAA"}, "InvalidArgument"),
        ({**customer_key(), f"{SSE_C}-algorithm": "AES128"}, "InvalidEncryptionAlgorithmError"),
        ({**customer_key(), f"{SSE_C}-key": "AAAA"}, "InvalidArgument"),
        ({**customer_key(), f"{SSE_C}-key-md5": "AAAA"}, "InvalidArgument"),
        ({**customer_key(), "x-amz-server-side-encryption": "AES256"}, "InvalidArgument"),
        ({"x-amz-expected-bucket-owner": "other"}, "AccessDenied"),
    ],
)
def test_a_put_that_is_refused_stores_nothing(
    s3: Served, bucket: str, headers: dict[str, str], code: str
) -> None:
    answer = s3.raw("PUT", f"/{bucket}/none", body=b"0123456789", headers=headers)
    assert answer.code() == code
    assert 400 <= answer.status < 600
    assert answer.status != 500
    assert s3.raw("HEAD", f"/{bucket}/none").status == 404


def test_a_put_names_no_version(s3: Served, bucket: str) -> None:
    answer = s3.raw("PUT", f"/{bucket}/k?versionId=null", body=b"x")
    assert (answer.status, answer.code()) == (400, "InvalidArgument")


@pytest.mark.parametrize("version", ["%EF%BF%BF", "a%0D%0Ax-two%3A%20b", "%00"])
def test_a_version_that_cannot_be_a_header_is_not_made_one(
    s3: Served, bucket: str, version: str
) -> None:
    answer = s3.raw("DELETE", f"/{bucket}/k?versionId={version}")
    assert (answer.status, answer.code()) == (400, "InvalidArgument")
    assert "x-two" not in answer.headers


def test_aws_chunked_is_not_stored_as_an_encoding(s3: Served, bucket: str) -> None:
    put(s3, bucket, "both", Content_Encoding="gzip,aws-chunked")
    put(s3, bucket, "alone", Content_Encoding="aws-chunked")
    put(s3, bucket, "several", Content_Encoding="br, AWS-chunked, gzip")
    assert s3.raw("HEAD", f"/{bucket}/both").headers["content-encoding"] == "gzip"
    assert s3.raw("HEAD", f"/{bucket}/several").headers["content-encoding"] == "br, gzip"
    assert "content-encoding" not in s3.raw("HEAD", f"/{bucket}/alone").headers


def test_an_unsigned_stream_with_a_trailer_is_decoded(s3: Served, bucket: str) -> None:
    crc = base64.b64encode(zlib.crc32(b"hello").to_bytes(4, "big")).decode()

    def send(key: str, trailer: str) -> Answer:
        return s3.raw(
            "PUT",
            f"/{bucket}/{key}",
            body=f"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:{trailer}\r\n\r\n".encode(),
            headers={
                "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
                "x-amz-decoded-content-length": "5",
                "x-amz-trailer": "x-amz-checksum-crc32",
                "x-amz-sdk-checksum-algorithm": "CRC32",
            },
        )

    assert send("good", crc).headers["x-amz-checksum-crc32"] == crc
    assert s3.raw("GET", f"/{bucket}/good").body == b"hello"
    answer = send("bad", "AAAAAA==")
    assert (answer.status, answer.code()) == (400, "BadDigest")
    answer = send("bad", "rubbish")
    assert (answer.status, answer.code()) == (400, "InvalidRequest")
    assert s3.raw("HEAD", f"/{bucket}/bad").status == 404


def test_metadata_outside_ascii_comes_back_as_an_encoded_word(s3: Served, bucket: str) -> None:
    put(s3, bucket, "k", x_amz_meta_name="Grüße 📁")
    said = s3.raw("HEAD", f"/{bucket}/k").headers["x-amz-meta-name"]
    match = re.fullmatch(r"=\?UTF-8\?B\?(.*)\?=", said)
    assert match
    assert base64.b64decode(match[1]).decode() == "Grüße 📁"


def test_writing_on_conditions(s3: Served, bucket: str) -> None:
    client = s3.client()
    where = {"Bucket": bucket, "Key": "k"}
    assert refused(client.put_object, **where, Body=b"", IfMatch="*") == (404, "NoSuchKey")
    etag = client.put_object(**where, Body=b"1", IfNoneMatch="*")["ETag"]
    failed = (412, "PreconditionFailed")
    assert refused(client.put_object, **where, Body=b"2", IfNoneMatch="*") == failed
    assert refused(client.put_object, **where, Body=b"2", IfMatch='"stale"') == failed
    client.put_object(**where, Body=b"2", IfMatch=etag)
    assert client.get_object(**where)["Body"].read() == b"2"


def test_of_many_writers_one_succeeds(s3: Served, bucket: str) -> None:
    def write(number: int) -> int:
        return put(s3, bucket, "k", b"%d" % number, If_None_Match="*").status

    with ThreadPoolExecutor(16) as pool:
        statuses = sorted(pool.map(write, range(32)))
    assert statuses == [200] + [412] * 31


# encryption


def test_an_object_under_a_customers_key_needs_that_key(s3: Served, bucket: str) -> None:
    path, good = f"/{bucket}/k", customer_key()
    stored = s3.raw("PUT", path, body=b"secret", headers=good)
    assert stored.headers[f"{SSE_C}-algorithm"] == "AES256"
    got = s3.raw("GET", path, headers=good)
    assert got.body == b"secret"
    assert got.headers[f"{SSE_C}-key-md5"] == good[f"{SSE_C}-key-md5"]
    missing = s3.raw("GET", path)
    assert (missing.status, missing.code()) == (400, "InvalidRequest")
    wrong = s3.raw("GET", path, headers=customer_key(b"w"))
    assert (wrong.status, wrong.code()) == (400, "InvalidRequest")
    assert s3.raw("HEAD", path, headers=good).status == 200
    assert s3.raw("HEAD", path).status == 400
    part = s3.raw("GET", f"{path}?partNumber=2", headers=good)
    assert (part.status, part.code()) == (416, "InvalidPartNumber")
    part = s3.raw("GET", f"{path}?partNumber=1")
    assert (part.status, part.code()) == (400, "InvalidRequest")


def test_managed_encryption_is_said(s3: Served, bucket: str) -> None:
    stored = put(s3, bucket, "k", x_amz_server_side_encryption="AES256")
    assert stored.headers["x-amz-server-side-encryption"] == "AES256"
    assert s3.raw("GET", f"/{bucket}/k").headers["x-amz-server-side-encryption"] == "AES256"
    asked = s3.raw("GET", f"/{bucket}/k", headers={"x-amz-server-side-encryption": "AES256"})
    assert (asked.status, asked.code()) == (400, "InvalidArgument")


def test_a_kms_key_is_never_dropped_in_silence(s3: Served, bucket: str) -> None:
    for method, code in (("AES256", "InvalidArgument"), ("aws:kms", "KMS.NotFoundException")):
        headers = {
            "x-amz-server-side-encryption": method,
            "x-amz-server-side-encryption-aws-kms-key-id": "some-key",
        }
        for path, verb in ((f"/{bucket}/k", "PUT"), (f"/{bucket}/k?uploads", "POST")):
            assert s3.raw(verb, path, headers=headers).code() == code
    assert s3.raw("HEAD", f"/{bucket}/k").status == 404


# CopyObject


def test_a_copy_has_its_sources_headers_or_its_own(s3: Served, bucket: str) -> None:
    client = s3.client()
    client.put_object(
        Bucket=bucket,
        Key="a/é +?",
        Body=b"data",
        ContentType="text/a",
        Metadata={"x": "1"},
        Tagging="t=1",
    )
    source = {"Bucket": bucket, "Key": "a/é +?"}
    done = client.copy_object(Bucket=bucket, Key="same", CopySource=source)
    assert done["CopyObjectResult"]["ETag"] == f'"{hashlib.md5(b"data").hexdigest()}"'
    assert done["CopyObjectResult"]["ChecksumCRC32"]
    client.copy_object(
        Bucket=bucket,
        Key="own",
        CopySource=source,
        MetadataDirective="REPLACE",
        TaggingDirective="REPLACE",
        ContentType="text/b",
        Metadata={"y": "2"},
        Tagging="u=2",
    )
    same, own = (client.head_object(Bucket=bucket, Key=key) for key in ("same", "own"))
    assert (same["ContentType"], own["ContentType"]) == ("text/a", "text/b")
    assert [list(one["Metadata"].values()) for one in (same, own)] == [["1"], ["2"]]
    tags = [client.get_object_tagging(Bucket=bucket, Key=key)["TagSet"] for key in ("same", "own")]
    assert tags == [[{"Key": "t", "Value": "1"}], [{"Key": "u", "Value": "2"}]]
    assert client.get_object(Bucket=bucket, Key="same")["Body"].read() == b"data"


def test_a_plus_is_a_blank_in_sources_and_tags(s3: Served, bucket: str) -> None:
    """Go's QueryEscape and PHP's urlencode send it, and Amazon S3 takes it so."""
    for key, body in (("my file", b"blank"), ("my+file", b"plus")):
        s3.client().put_object(Bucket=bucket, Key=key, Body=body)
    for source, body in (("my+file", b"blank"), ("my%20file", b"blank"), ("my%2Bfile", b"plus")):
        headers = {"x-amz-copy-source": f"{bucket}/{source}", "x-amz-tagging-directive": "REPLACE"}
        headers["x-amz-tagging"] = "a+b=c%2Bd+e"
        assert s3.raw("PUT", f"/{bucket}/copy", headers=headers).status == 200
        assert s3.raw("GET", f"/{bucket}/copy").body == body
        tags = s3.client().get_object_tagging(Bucket=bucket, Key="copy")["TagSet"]
        assert tags == [{"Key": "a b", "Value": "c+d e"}]


def test_a_copy_onto_itself_must_change_something(s3: Served, bucket: str) -> None:
    put(s3, bucket, "k", x_amz_meta_a="1")
    source = {"x-amz-copy-source": f"{bucket}/k"}
    path = f"/{bucket}/k"
    answer = s3.raw("PUT", path, headers=source)
    assert (answer.status, answer.code()) == (400, "InvalidRequest")
    assert (
        s3.raw("PUT", path, headers={**source, "x-amz-metadata-directive": "REPLACE"}).status == 200
    )
    assert "x-amz-meta-a" not in s3.raw("HEAD", path).headers
    assert s3.raw("PUT", path, headers={**source, "x-amz-storage-class": "GLACIER"}).status == 200
    assert s3.raw("HEAD", path).headers["x-amz-storage-class"] == "GLACIER"


@pytest.mark.parametrize(
    ("source", "status", "code"),
    [
        ("", 400, "InvalidArgument"),
        ("only-a-bucket", 400, "InvalidArgument"),
        ("/BUCKET/", 400, "InvalidArgument"),
        ("BUCKET/%ff", 400, "InvalidArgument"),
        ("BUCKET/k?versionId=", 400, "InvalidArgument"),
        ("BUCKET/missing", 404, "NoSuchKey"),
        ("no-such-bucket/k", 404, "NoSuchBucket"),
    ],
)
def test_a_copys_source_must_be_there(
    s3: Served, bucket: str, source: str, status: int, code: str
) -> None:
    put(s3, bucket, "k")
    headers = {"x-amz-copy-source": source.replace("BUCKET", bucket)}
    answer = s3.raw("PUT", f"/{bucket}/target", headers=headers)
    assert (answer.status, answer.code()) == (status, code)


def test_a_copy_on_conditions_of_its_source_and_target(s3: Served, bucket: str) -> None:
    client = s3.client()
    etag = client.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"]
    call = {"Bucket": bucket, "Key": "t", "CopySource": f"/{bucket}/k"}
    failed = (412, "PreconditionFailed")
    assert refused(client.copy_object, **call, CopySourceIfMatch='"other"') == failed
    assert refused(client.copy_object, **call, CopySourceIfNoneMatch=etag) == failed
    client.copy_object(**call, CopySourceIfMatch=etag)
    answer = s3.raw(
        "PUT",
        f"/{bucket}/t",
        headers={"x-amz-copy-source": f"{bucket}/k", "If-None-Match": "*"},
    )
    assert (answer.status, answer.code()) == failed


def test_a_copy_needs_the_right_to_read_its_source(s3: Served, bucket: str) -> None:
    put(s3, bucket, "private")
    put(s3, bucket, "public", x_amz_acl="public-read")
    s3.client("other-key").create_bucket(Bucket=f"{bucket}-other")
    target = {"Bucket": f"{bucket}-other", "Key": "t"}
    copy = s3.client("other-key").copy_object
    assert refused(copy, **target, CopySource=f"{bucket}/private") == (403, "AccessDenied")
    assert refused(copy, **target, CopySource=f"{bucket}/missing") == (403, "AccessDenied")
    copy(**target, CopySource=f"{bucket}/public")


def test_a_copy_under_a_customers_key_is_read_and_written_with_it(s3: Served, bucket: str) -> None:
    s3.raw("PUT", f"/{bucket}/k", body=b"secret", headers=customer_key())
    prefix = "x-amz-copy-source-server-side-encryption-customer"
    headers = {
        "x-amz-copy-source": f"{bucket}/k",
        **customer_key(prefix=prefix),
        **customer_key(b"n"),
    }
    assert s3.raw("PUT", f"/{bucket}/t", headers=headers).status == 200
    assert s3.raw("GET", f"/{bucket}/t", headers=customer_key(b"n")).body == b"secret"


# tags


def test_tags_are_replaced_and_removed(s3: Served, bucket: str) -> None:
    client = s3.client()
    where = {"Bucket": bucket, "Key": "k"}
    client.put_object(**where, Body=b"")
    assert client.get_object_tagging(**where)["TagSet"] == []
    tags = [{"Key": "a", "Value": ""}, {"Key": "é x", "Value": "+-=._:/@"}]
    client.put_object_tagging(**where, Tagging={"TagSet": tags})
    assert client.get_object_tagging(**where)["TagSet"] == tags
    client.delete_object_tagging(**where)
    assert client.get_object_tagging(**where)["TagSet"] == []


@pytest.mark.parametrize(
    "tags",
    [
        [(str(number), "") for number in range(11)],
        [("a", "1"), ("a", "2")],
        [("k" * 129, "")],
        [("", "")],
        [("k", "v" * 257)],
        [("aws:x", "")],
        [("k", "<>")],
    ],
)
def test_tags_beyond_the_limits(s3: Served, bucket: str, tags: list[tuple[str, str]]) -> None:
    put(s3, bucket, "k", x_amz_tagging="kept=1")
    escape = {"<": "&lt;", ">": "&gt;"}
    rows = "".join(
        f"<Tag><Key>{key}</Key><Value>{''.join(escape.get(c, c) for c in value)}</Value></Tag>"
        for key, value in tags
    )
    body = f"<Tagging><TagSet>{rows}</TagSet></Tagging>".encode()
    answer = s3.raw("PUT", f"/{bucket}/k?tagging", body=body)
    assert (answer.status, answer.code()) == (400, "BadRequest" if len(tags) > 10 else "InvalidTag")
    assert b"kept" in s3.raw("GET", f"/{bucket}/k?tagging").body


# GetObjectAttributes


def test_attributes_are_those_asked_for(s3: Served, bucket: str) -> None:
    client = s3.client()
    client.put_object(Bucket=bucket, Key="k", Body=b"foo")
    ask = client.get_object_attributes
    wanted = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
    got = ask(Bucket=bucket, Key="k", ObjectAttributes=wanted)
    assert got["ETag"] == hashlib.md5(b"foo").hexdigest()
    assert got["ObjectSize"] == 3
    assert got["StorageClass"] == "STANDARD"
    assert got["Checksum"]["ChecksumCRC32"]
    assert "ObjectParts" not in got
    assert "ETag" not in ask(Bucket=bucket, Key="k", ObjectAttributes=["ObjectSize"])
    assert refused(ask, Bucket=bucket, Key="k", ObjectAttributes=["Colour"])[0] == 400


# DeleteObject, DeleteObjects


def test_deleting_what_is_not_there_is_fine(s3: Served, bucket: str) -> None:
    assert s3.raw("DELETE", f"/{bucket}/none").status == 204


def test_deleting_on_conditions(s3: Served, bucket: str) -> None:
    etag = put(s3, bucket, "k").headers["etag"]
    path = f"/{bucket}/k"
    for headers in (
        {"If-Match": '"stale"'},
        {"x-amz-if-match-size": "11"},
        {"x-amz-if-match-last-modified-time": "Tue, 01 Jan 2030 00:00:00 GMT"},
    ):
        answer = s3.raw("DELETE", path, headers=headers)
        assert (answer.status, answer.code()) == (412, "PreconditionFailed")
    for headers in ({"x-amz-if-match-size": "many"}, {"x-amz-if-match-last-modified-time": "soon"}):
        answer = s3.raw("DELETE", path, headers=headers)
        assert (answer.status, answer.code()) == (400, "InvalidArgument")
    modified = s3.raw("HEAD", path).headers["last-modified"]
    headers = {
        "If-Match": etag,
        "x-amz-if-match-size": "10",
        "x-amz-if-match-last-modified-time": modified,
    }
    assert s3.raw("DELETE", path, headers=headers).status == 204
    assert s3.raw("HEAD", path).status == 404


def test_what_is_not_there_fits_any_size_and_time_and_no_etag(s3: Served, bucket: str) -> None:
    path = f"/{bucket}/none"
    past = "Tue, 01 Jan 2030 00:00:00 GMT"
    for headers in ({"x-amz-if-match-size": "11"}, {"x-amz-if-match-last-modified-time": past}):
        assert s3.raw("DELETE", path, headers=headers).status == 204
        answer = s3.raw("DELETE", path, headers={**headers, "If-Match": "*"})
        assert (answer.status, answer.code()) == (404, "NoSuchKey")


def test_a_condition_that_says_nothing_is_none_the_less(s3: Served, bucket: str) -> None:
    put(s3, bucket, "k")
    for name in ("x-amz-if-match-size", "x-amz-if-match-last-modified-time"):
        assert s3.raw("DELETE", f"/{bucket}/k", headers={name: ""}).code() == "InvalidArgument"
    for member, code in (("ETag", "PreconditionFailed"), ("Size", ""), ("LastModifiedTime", "")):
        body = f"<Delete><Object><Key>k</Key><{member}></{member}></Object></Delete>".encode()
        md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
        answer = s3.raw("POST", f"/{bucket}?delete", body=body, headers={"Content-MD5": md5})
        assert answer.code() == (code or "InvalidArgument"), member
    assert s3.raw("HEAD", f"/{bucket}/k").status == 200


def test_many_are_deleted_at_once(s3: Served, bucket: str) -> None:
    client = s3.client()
    for key in ("a", "b & <c>", "c"):
        client.put_object(Bucket=bucket, Key=key, Body=b"")
    objects = [
        {"Key": "a"},
        {"Key": "b & <c>"},
        {"Key": "c", "ETag": '"stale"'},
        {"Key": "none"},
    ]
    got = client.delete_objects(Bucket=bucket, Delete={"Objects": objects})
    assert [one["Key"] for one in got["Deleted"]] == ["a", "b & <c>", "none"]
    assert [(one["Key"], one["Code"]) for one in got["Errors"]] == [("c", "PreconditionFailed")]
    quiet = client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "c"}], "Quiet": True})
    assert "Deleted" not in quiet
    assert "Contents" not in client.list_objects_v2(Bucket=bucket)


def test_who_may_not_delete_is_told_for_each_key(s3: Served, bucket: str) -> None:
    put(s3, bucket, "a")
    wanted = {"Objects": [{"Key": "a"}, {"Key": "none", "VersionId": "null"}], "Quiet": True}
    for key in ("other-key", "reader-key"):
        got = s3.client(key).delete_objects(Bucket=bucket, Delete=wanted)
        assert [(one["Key"], one["Code"]) for one in got["Errors"]] == [
            ("a", "AccessDenied"),
            ("none", "AccessDenied"),
        ]
        assert "Deleted" not in got
    body = b"<Delete><Object><Key>a</Key></Object></Delete>"
    anonymous = s3.raw("POST", f"/{bucket}?delete", body=body, key="")
    assert (anonymous.status, anonymous.code()) == (403, "AccessDenied")
    assert s3.raw("HEAD", f"/{bucket}/a").status == 200


def test_a_deletion_of_many_must_be_checked_and_bounded(s3: Served, bucket: str) -> None:
    put(s3, bucket, "k")
    target = f"/{bucket}?delete"

    def send(count: int, md5: str | None = None) -> Answer:
        rows = "<Object><Key>k</Key></Object>" * count
        body = f"<Delete>{rows}</Delete>".encode()
        right = base64.b64encode(hashlib.md5(body).digest()).decode()
        headers = {} if md5 == "" else {"Content-MD5": md5 or right}
        return s3.raw("POST", target, body=body, headers=headers)

    unchecked = send(1, "")
    assert (unchecked.status, unchecked.code()) == (400, "InvalidRequest")
    wrong = send(1, base64.b64encode(bytes(16)).decode())
    assert (wrong.status, wrong.code()) == (400, "BadDigest")
    for count in (0, 1001):
        assert send(count).code() == "MalformedXML"
    assert s3.raw("HEAD", f"/{bucket}/k").status == 200
    assert send(1000).status == 200
    assert s3.raw("HEAD", f"/{bucket}/k").status == 404


# whatever a client sends


_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)
_ODD = _TEXT.map(str.strip) | st.sampled_from(
    ["9" * 30, "-1", "bytes=" + "9" * 40 + "-", "\u00e9", "Tue, 99 Foo 2020 00:00:00 GMT", "*", '"']
)


@pytest.fixture(scope="module")
def fuzzed(s3: Served) -> Served:
    """With a bucket of this name."""
    s3.client().create_bucket(Bucket="fuzzed")
    return s3


@many
@given(
    name=st.sampled_from(
        [
            "Range",
            "If-Match",
            "If-None-Match",
            "If-Modified-Since",
            "If-Unmodified-Since",
            "x-amz-checksum-mode",
            "x-amz-object-attributes",
            "x-amz-max-parts",
            "x-amz-tagging",
            "x-amz-acl",
            "x-amz-grant-read",
            "x-amz-copy-source",
            "x-amz-checksum-sha256",
            "x-amz-sdk-checksum-algorithm",
            "x-amz-storage-class",
            "x-amz-if-match-size",
            "x-amz-metadata-directive",
            "x-amz-copy-source-range",
            "Content-Encoding",
            "x-amz-server-side-encryption-customer-key",
            "Content-MD5",
            "x-amz-decoded-content-length",
            "x-amz-content-sha256",
            "x-amz-trailer",
            "Expires",
        ]
    ),
    value=_ODD,
    method=st.sampled_from(["GET", "HEAD", "PUT", "DELETE", "POST"]),
    target=st.sampled_from(
        ["k", "k?attributes", "k?acl", "k?uploads", "k?partNumber=1&uploadId=x"]
    ),
)
def test_no_header_makes_a_mistake_of_the_server(
    fuzzed: Served, name: str, value: str, method: str, target: str
) -> None:
    body = b"0123" if method in ("PUT", "POST") else b""
    answer = fuzzed.raw(method, f"/fuzzed/{target}", body=body, headers={name: value})
    assert answer.status < 500 or answer.status == 501, answer


@many
@given(
    query=st.dictionaries(
        st.sampled_from(
            [
                "max-keys",
                "prefix",
                "delimiter",
                "marker",
                "continuation-token",
                "start-after",
                "list-type",
                "versions",
                "key-marker",
                "version-id-marker",
                "uploads",
                "max-uploads",
                "upload-id-marker",
                "encoding-type",
                "fetch-owner",
                "acl",
                "location",
                "versioning",
                "partNumber",
                "versionId",
                "uploadId",
                "tagging",
                "response-content-type",
                "x-id",
                "policy",
            ]
        ),
        _ODD | st.sampled_from(["2", "", "url", "%00", "%ff", "%", "a%2fb"]),
        max_size=4,
    ),
    method=st.sampled_from(["GET", "HEAD", "PUT", "DELETE", "POST", "PATCH"]),
    key=st.sampled_from(["", "k"]),
)
def test_no_query_makes_a_mistake_of_the_server(
    s3: Served, query: dict[str, str], method: str, key: str
) -> None:
    if method in ("PUT", "POST") and not key:
        method = "GET"
    text = "&".join(f"{name}={encoded(value)}" for name, value in query.items())
    answer = s3.raw(method, f"/fuzzed-too/{key}?{text}")
    if answer.status == 404 and answer.code() == "NoSuchBucket":
        s3.client().create_bucket(Bucket="fuzzed-too")
        answer = s3.raw(method, f"/fuzzed-too/{key}?{text}")
    assert answer.status < 500 or answer.status == 501, answer
