"""Annotations: put, read, listed, deleted and copied as S3's model says."""

from __future__ import annotations

import hashlib
import json
import os
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import quote

import pytest

from drivers.indexed.store import IndexedStore
from gateway.modes.s3.resources import annotating
from gateway.storage import Annotates
from gateway.storage.annotations import LARGEST
from gateway.storage.checksums import CHECKSUMS, compute
from tests.modes.s3_gateway import Served
from tests.modes.test_s3_objects import refused

C = TypeVar("C")


@pytest.fixture
def here(s3: Served, bucket: str) -> dict[str, str]:
    """An object."""
    s3.client().put_object(Bucket=bucket, Key="k", Body=b"data")
    return {"Bucket": bucket, "Key": "k"}


def annotate(s3: Served, where: dict[str, Any], *names: str, **more: Any) -> None:
    for name in names:
        given = {"AnnotationName": name, "AnnotationPayload": f"of {name}".encode()}
        s3.client().put_object_annotation(**where, **given, **more)


def names(s3: Served, **where: Any) -> list[str]:
    found = s3.client().list_object_annotations(**where)
    return [one["AnnotationName"] for one in found.get("Annotations", ())]


def read(s3: Served, name: str, **where: Any) -> bytes:
    found = s3.client().get_object_annotation(**where, AnnotationName=name)
    data: bytes = found["AnnotationPayload"].read()
    return data


def path(where: dict[str, str], name: str, query: str = "") -> str:
    of = f"/{where['Bucket']}/{where['Key']}?annotation&annotationName={quote(name, safe='')}"
    return of + query


def test_an_annotation_is_put_told_and_read(s3: Served, here: dict[str, str]) -> None:
    client = s3.client()
    data = "ключ: «значение» \U0001f600\0".encode()
    etag = f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
    name = "Größe_1.a-२"
    made = client.put_object_annotation(**here, AnnotationName=name, AnnotationPayload=data)
    assert (made["Key"], made["AnnotationName"], made["ETag"]) == ("k", name, etag)
    assert made["ChecksumType"] == "FULL_OBJECT"
    found = client.get_object_annotation(**here, AnnotationName=name, ChecksumMode="ENABLED")
    assert found["AnnotationPayload"].read() == data
    assert (found["ContentLength"], found["ETag"]) == (len(data), etag)
    assert abs(found["LastModified"] - datetime.now(UTC)) < timedelta(minutes=5)
    (one,) = client.list_object_annotations(**here)["Annotations"]
    assert (one["AnnotationName"], one["Size"], one["ETag"]) == (name, len(data), etag)
    assert len(one["ChecksumAlgorithm"]) == 1
    assert client.get_object(**here)["Body"].read() == b"data"
    client.delete_object_annotation(**here, AnnotationName=name)
    client.delete_object_annotation(**here, AnnotationName=name)
    call = client.get_object_annotation
    assert refused(call, **here, AnnotationName=name) == (404, "NoSuchAnnotation")
    assert names(s3, **here) == []


@pytest.mark.parametrize("algorithm", CHECKSUMS)
def test_each_checksum_is_compared_kept_and_told(
    s3: Served, here: dict[str, str], algorithm: str
) -> None:
    header = f"x-amz-checksum-{algorithm.lower()}"
    good, bad = (compute(algorithm, data) for data in (b"text", b"other"))
    answer = s3.raw("PUT", path(here, "a"), body=b"text", headers={header: bad})
    assert (answer.status, answer.code()) == (400, "BadDigest")
    answer = s3.raw("PUT", path(here, "a"), body=b"text", headers={header: good})
    assert (answer.status, answer.headers[header]) == (200, good)
    plain = s3.raw("GET", path(here, "a"))
    assert header not in plain.headers
    asked = s3.raw("GET", path(here, "a"), headers={"x-amz-checksum-mode": "ENABLED"})
    assert (asked.headers[header], asked.body) == (good, b"text")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("a" * 512, ""),
        ("é" * 256, ""),
        ("a" * 513, "AnnotationNameTooLong"),
        ("é" * 257, "AnnotationNameTooLong"),
        ("awesome", ""),
        *((one, "InvalidAnnotationName") for one in ("", "aws", "AwS.x", "s3", "S3-x")),
        *((one, "InvalidAnnotationName") for one in ("a/b", "a b", "a\0", "a\n", "a:b", "a²", "½")),
        *((one, "InvalidAnnotationName") for one in ("a\ufffe", "a\u202e", "\U0001f600", "..\\a")),
    ],
)
def test_names(s3: Served, here: dict[str, str], name: str, code: str) -> None:
    answer = s3.raw("PUT", path(here, name), body=b"x")
    assert (answer.status, answer.code()) == (400 if code else 200, code)
    assert names(s3, **here) == ([] if code else [name])
    if code:
        for method in ("GET", "DELETE"):
            assert s3.raw(method, path(here, name)).code() == code


def test_a_name_that_is_no_unicode_is_no_request(s3: Served, here: dict[str, str]) -> None:
    for text in ("%ED%A0%80", "%FF"):
        target = f"/{here['Bucket']}/k?annotation&annotationName={text}"
        assert s3.raw("PUT", target, body=b"x").status == 400


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "InvalidRequest"),
        (b"x" * LARGEST, 200, ""),
        (b"x" * (LARGEST + 1), 400, "EntityTooLarge"),
        (b"\xff", 415, "UnsupportedMediaType"),
        ("\ud800".encode("utf-8", "surrogatepass"), 415, "UnsupportedMediaType"),
        (b"\xc0\x80", 415, "UnsupportedMediaType"),
        ("é".encode()[:1], 415, "UnsupportedMediaType"),
    ],
)
def test_payloads(s3: Served, here: dict[str, str], body: bytes, status: int, code: str) -> None:
    answer = s3.raw("PUT", path(here, "a"), body=body)
    assert (answer.status, answer.code()) == (status, code)
    assert names(s3, **here) == ([] if code else ["a"])


def test_a_name_is_needed_and_nothing_else_is_done_without(
    s3: Served, here: dict[str, str]
) -> None:
    for method in ("PUT", "DELETE", "POST", "HEAD"):
        assert s3.raw(method, f"/{here['Bucket']}/k?annotation", body=b"").status == 405
    assert s3.client().get_object(**here)["Body"].read() == b"data"


def test_pages_prefixes_and_tokens(s3: Served, here: dict[str, str]) -> None:
    wanted = ["B", "a", "b.1", "b.2", "b.3", "é"]
    annotate(s3, here, *wanted)
    client = s3.client()
    pages = client.get_paginator("list_object_annotations").paginate(
        **here, PaginationConfig={"PageSize": 2}
    )
    assert [[one["AnnotationName"] for one in page["Annotations"]] for page in pages] == [
        wanted[:2],
        wanted[2:4],
        wanted[4:],
    ]
    page = client.list_object_annotations(**here, AnnotationPrefix="b.", MaxAnnotationResults=2)
    assert (page["AnnotationPrefix"], page["AnnotationCount"]) == ("b.", 2)
    assert (page["Bucket"], page["Key"], page["MaxAnnotationResults"]) == (here["Bucket"], "k", 2)
    rest = client.list_object_annotations(
        **here, AnnotationPrefix="b.", ContinuationToken=page["NextContinuationToken"]
    )
    assert [one["AnnotationName"] for one in rest["Annotations"]] == ["b.3"]
    assert "NextContinuationToken" not in rest
    target = f"/{here['Bucket']}/k?annotation&"
    for query, code in (
        ("annotation-prefix=a%2F", "InvalidPrefix"),
        (f"annotation-prefix={'a' * 513}", "InvalidPrefix"),
        ("max-annotation-results=0", "InvalidArgument"),
        ("max-annotation-results=x", "InvalidArgument"),
        ("continuation-token=none", "InvalidArgument"),
    ):
        assert s3.raw("GET", target + query).code() == code


def test_versions_have_their_own_and_markers_none(s3: Served, here: dict[str, str]) -> None:
    client, bucket = s3.client(), here["Bucket"]
    annotate(s3, here, "null")
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = client.put_object(**here, Body=b"two")["VersionId"]
    annotate(s3, here, "two")
    annotate(s3, here, "one", VersionId="null")
    assert names(s3, **here) == ["two"]
    found = client.list_object_annotations(**here, VersionId="null")
    assert [one["AnnotationName"] for one in found["Annotations"]] == ["null", "one"]
    assert found["ObjectVersionId"] == "null"
    given = {"AnnotationName": "a", "AnnotationPayload": b"x"}
    marker = client.delete_object(**here)["VersionId"]
    put = client.put_object_annotation
    assert refused(put, **here, **given) == (404, "NoSuchKey")
    assert refused(put, **here, **given, VersionId=marker) == (405, "MethodNotAllowed")
    assert refused(put, **here, **given, VersionId="x") == (400, "InvalidArgument")
    assert refused(client.list_object_annotations, **here) == (404, "NoSuchKey")
    assert read(s3, "two", **here, VersionId=version) == b"of two"
    client.delete_object(**here, VersionId=version)
    gone = refused(client.list_object_annotations, **here, VersionId=version)
    assert gone == (404, "NoSuchVersion")
    assert refused(put, Bucket=bucket, Key="none", **given) == (404, "NoSuchKey")
    assert refused(put, Bucket="no-such-bucket", Key="k", **given) == (404, "NoSuchBucket")


def test_the_object_must_be_the_one_that_is_meant(s3: Served, here: dict[str, str]) -> None:
    client = s3.client()
    etag = client.head_object(**here)["ETag"]
    annotate(s3, here, "a", ObjectIfMatch=etag)
    client.put_object(**here, Body=b"other")
    given = {"AnnotationName": "a", "ObjectIfMatch": etag}
    put = client.put_object_annotation
    assert refused(put, **here, **given, AnnotationPayload=b"x") == (412, "PreconditionFailed")
    answer = s3.raw("DELETE", path(here, "a"), headers={"x-amz-object-if-match": etag})
    assert b"<Condition>x-amz-object-if-match</Condition>" in answer.body
    assert names(s3, **here) == []


def test_there_are_no_more_than_a_thousand(
    s3: Served, here: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert annotating.MOST == 1000
    monkeypatch.setattr(annotating, "MOST", 3)
    annotate(s3, here, "a", "b", "c", "a")
    given = {"AnnotationName": "d", "AnnotationPayload": b"x"}
    call = s3.client().put_object_annotation
    assert refused(call, **here, **given) == (400, "AnnotationLimitExceeded")
    assert names(s3, **here) == ["a", "b", "c"]


# copies


def test_a_copy_has_them_unless_it_excludes_them(s3: Served, here: dict[str, str]) -> None:
    client, bucket = s3.client(), here["Bucket"]
    annotate(s3, here, "a", "b")
    source = {"CopySource": here, "Bucket": bucket}
    for directive, found in ((None, ["a", "b"]), ("COPY", ["a", "b"]), ("EXCLUDE", [])):
        said = {"AnnotationDirective": directive} if directive else {}
        client.copy_object(**source, Key="to", **said)
        assert names(s3, Bucket=bucket, Key="to") == found
    headers = {"x-amz-copy-source": f"/{bucket}/k"}
    target = f"/{bucket}/by-query?x-amz-object-annotation-directive=EXCLUDE"
    assert s3.raw("PUT", target, headers=headers).status == 200
    assert names(s3, Bucket=bucket, Key="by-query") == []
    wrong = {**headers, "x-amz-object-annotation-directive": "REPLACE"}
    assert s3.raw("PUT", f"/{bucket}/to", headers=wrong).code() == "InvalidArgument"
    client.copy_object(**source, Key="k", MetadataDirective="REPLACE")
    assert (names(s3, **here), read(s3, "b", **here)) == (["a", "b"], b"of b")
    client.copy_object(
        **source, Key="k", MetadataDirective="REPLACE", AnnotationDirective="EXCLUDE"
    )
    assert names(s3, **here) == []


def test_a_copy_of_parts_has_none(s3: Served, here: dict[str, str]) -> None:
    client, to = s3.client(), {"Bucket": here["Bucket"], "Key": "to"}
    annotate(s3, here, "a")
    upload = client.create_multipart_upload(**to)["UploadId"]
    part = client.upload_part_copy(**to, UploadId=upload, PartNumber=1, CopySource=here)
    parts = [{"ETag": part["CopyPartResult"]["ETag"], "PartNumber": 1}]
    client.complete_multipart_upload(**to, UploadId=upload, MultipartUpload={"Parts": parts})
    assert names(s3, **to) == []


def test_a_copy_may_read_them_there_and_write_them_here(s3: Served, here: dict[str, str]) -> None:
    client, bucket = s3.client(), here["Bucket"]
    annotate(s3, here, "a")
    for action, key in (("GetObjectAnnotation", "k"), ("PutObjectAnnotation", "to")):
        denied = {"Effect": "Deny", "Principal": "*", "Action": f"s3:{action}"}
        statement = {**denied, "Resource": f"arn:aws:s3:::{bucket}/{key}"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        client.put_bucket_policy(Bucket=bucket, Policy=policy)
        copy = {"Bucket": bucket, "Key": "to", "CopySource": here}
        assert refused(client.copy_object, **copy) == (403, "AccessDenied")
        client.copy_object(**copy, AnnotationDirective="EXCLUDE")
        client.put_object(Bucket=bucket, Key="plain", Body=b"")
        client.copy_object(**{**copy, "CopySource": {"Bucket": bucket, "Key": "plain"}})
        client.delete_bucket_policy(Bucket=bucket)


def test_who_may_not_is_told_nothing(s3: Served, here: dict[str, str]) -> None:
    annotate(s3, here, "a")
    stranger = s3.client("other-key")
    given = {**here, "AnnotationName": "a"}
    for call, more in (
        (stranger.get_object_annotation, given),
        (stranger.get_object_annotation, {**given, "Key": "none"}),
        (stranger.list_object_annotations, here),
        (stranger.put_object_annotation, {**given, "AnnotationPayload": b"x"}),
        (stranger.delete_object_annotation, given),
    ):
        assert refused(call, **more) == (403, "AccessDenied")
    assert read(s3, "a", **here) == b"of a"


def test_a_list_gives_nothing_of_them(s3: Served, here: dict[str, str]) -> None:
    client = s3.client()
    annotate(s3, here, "a")
    client.put_object_acl(**here, ACL="public-read")
    client.put_bucket_acl(Bucket=here["Bucket"], ACL="public-read-write")
    for stranger in map(s3.client, ("", "other-key")):
        assert stranger.get_object(**here)["Body"].read() == b"data"
        given = {**here, "AnnotationName": "a"}
        assert refused(stranger.list_object_annotations, **here) == (403, "AccessDenied")
        assert refused(stranger.get_object_annotation, **given) == (403, "AccessDenied")
        put = {**given, "AnnotationPayload": b"x"}
        assert refused(stranger.put_object_annotation, **put) == (403, "AccessDenied")
    reader = s3.client("reader-key")
    found = reader.get_object_annotation(**here, AnnotationName="a")
    assert found["AnnotationPayload"].read() == b"of a"
    assert refused(reader.delete_object_annotation, **here, AnnotationName="a")[0] == 403


# encryption and protection


def test_they_are_encrypted_as_their_object(s3: Served, bucket: str) -> None:
    client, where = s3.client(), {"Bucket": bucket, "Key": "k"}
    client.put_object(**where, Body=b"data", ServerSideEncryption="AES256")
    given = {"AnnotationName": "a", "AnnotationPayload": b"x" * 100_000}
    assert client.put_object_annotation(**where, **given)["ServerSideEncryption"] == "AES256"
    found = client.get_object_annotation(**where, AnnotationName="a")
    assert found["ServerSideEncryption"] == "AES256"
    assert found["AnnotationPayload"].read() == b"x" * 100_000
    client.copy_object(Bucket=bucket, Key="to", CopySource=where)
    assert read(s3, "a", Bucket=bucket, Key="to") == b"x" * 100_000


def test_under_a_key_of_the_key_service_they_are_too(s3: Served, bucket: str) -> None:
    s3.gateway.catalog.add_encryption_key("annotated")
    client, where = s3.client(), {"Bucket": bucket, "Key": "k"}
    by = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "annotated"}
    client.put_object(**where, Body=b"data", **by)
    given = {"AnnotationName": "a", "AnnotationPayload": b"x" * 100_000}
    made = client.put_object_annotation(**where, **given)
    assert made["ServerSideEncryption"] == "aws:kms"
    assert hashlib.md5(b"x" * 100_000, usedforsecurity=False).hexdigest() not in made["ETag"]
    client.copy_object(Bucket=bucket, Key="to", CopySource=where)
    for key in ("k", "to"):
        assert read(s3, "a", Bucket=bucket, Key=key) == b"x" * 100_000


def test_under_a_customers_key_there_are_none(s3: Served, here: dict[str, str]) -> None:
    client, secret = s3.client(), os.urandom(32)
    headers = {
        "x-amz-server-side-encryption-customer-algorithm": "AES256",
        "x-amz-server-side-encryption-customer-key": b64encode(secret).decode(),
        "x-amz-server-side-encryption-customer-key-md5": b64encode(
            hashlib.md5(secret, usedforsecurity=False).digest()
        ).decode(),
    }
    target = f"/{here['Bucket']}/secret"
    assert s3.raw("PUT", target, body=b"data", headers=headers).status == 200
    secret_one = {**here, "Key": "secret"}
    answer = s3.raw("PUT", path(secret_one, "a"), body=b"x")
    assert (answer.status, answer.code()) == (400, "InvalidRequest")
    annotate(s3, here, "a")
    copy = {**headers, "x-amz-copy-source": f"/{here['Bucket']}/k"}
    assert s3.raw("PUT", f"{target}-copy", headers=copy).code() == "InvalidRequest"
    copy["x-amz-object-annotation-directive"] = "EXCLUDE"
    assert s3.raw("PUT", f"{target}-copy", headers=copy).status == 200
    client.delete_object(**secret_one)


def test_a_locked_version_keeps_what_it_has(s3: Served, bucket: str) -> None:
    client, where = s3.client(), {"Bucket": f"{bucket}-locked", "Key": "k"}
    client.create_bucket(Bucket=where["Bucket"], ObjectLockEnabledForBucket=True)
    client.put_object(**where, Body=b"data")
    annotate(s3, where, "a", "b")
    until = datetime.now(UTC) + timedelta(days=1)
    retention = {"Mode": "GOVERNANCE", "RetainUntilDate": until}
    client.put_object_retention(**where, Retention=retention)
    annotate(s3, where, "c")
    assert refused(client.delete_object_annotation, **where, AnnotationName="a")[0] == 403
    given = {"AnnotationName": "a", "AnnotationPayload": b"other"}
    assert refused(client.put_object_annotation, **where, **given)[0] == 403
    bypass = {"x-amz-bypass-governance-retention": "true"}
    assert s3.raw("DELETE", path(where, "a"), headers=bypass).status == 204
    client.put_object_legal_hold(**where, LegalHold={"Status": "ON"})
    assert s3.raw("DELETE", path(where, "b"), headers=bypass).status == 403
    assert names(s3, **where) == ["b", "c"]


# stores without


def test_a_store_without_says_so(
    s3: Served, here: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    find = IndexedStore.find

    def without(self: IndexedStore, capability: type[C]) -> C | None:
        return None if capability is Annotates else find(self, capability)

    monkeypatch.setattr(IndexedStore, "find", without)
    answer = s3.raw("PUT", path(here, "a"), body=b"x")
    assert (answer.status, answer.code()) == (501, "NotImplemented")
    assert f"The service '{here['Bucket']}'".encode() in answer.body
    assert s3.raw("GET", f"/{here['Bucket']}/k?annotation").code() == "NotImplemented"
    copy = {"Bucket": here["Bucket"], "Key": "to", "CopySource": here}
    call = s3.client().copy_object
    assert refused(call, **copy, AnnotationDirective="COPY") == (501, "NotImplemented")
    call(**copy)
    call(**copy, AnnotationDirective="EXCLUDE")
