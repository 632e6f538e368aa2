"""Encryption by the server: what a request asks for, and what its bucket says."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.modes.s3_gateway import Served
from tests.modes.test_s3_objects import customer_key, put, refused

SSE = "x-amz-server-side-encryption"
KEY = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}
MANAGED = {"SSEAlgorithm": "AES256"}


def rule(default: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    said = {} if default is None else {"ApplyServerSideEncryptionByDefault": default}
    return {"Rules": [{**said, **more}]}


def configure(s3: Served, bucket: str, said: dict[str, Any]) -> None:
    s3.client().put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=said)


# a bucket's setting


@pytest.mark.parametrize(
    "said",
    [
        rule(MANAGED, BucketKeyEnabled=False),
        rule({"SSEAlgorithm": "aws:kms"}, BucketKeyEnabled=True),
        rule({"SSEAlgorithm": "aws:kms:dsse", "KMSMasterKeyID": "a&b"}, BucketKeyEnabled=False),
        rule(BucketKeyEnabled=False, BlockedEncryptionTypes={"EncryptionType": ["SSE-C"]}),
        rule(MANAGED, BucketKeyEnabled=False, BlockedEncryptionTypes={"EncryptionType": ["NONE"]}),
    ],
)
def test_what_a_bucket_says_comes_back_and_goes(
    s3: Served, bucket: str, said: dict[str, Any]
) -> None:
    client, missing = s3.client(), (404, "ServerSideEncryptionConfigurationNotFoundError")
    assert refused(client.get_bucket_encryption, Bucket=bucket) == missing
    configure(s3, bucket, said)
    found = client.get_bucket_encryption(Bucket=bucket)
    assert found["ServerSideEncryptionConfiguration"] == said
    client.delete_bucket_encryption(Bucket=bucket)
    client.delete_bucket_encryption(Bucket=bucket)
    assert refused(client.get_bucket_encryption, Bucket=bucket) == missing


@pytest.mark.parametrize(
    ("inside", "code"),
    [
        ("", "MalformedXML"),
        ("<Rule/><Rule/>", "MalformedXML"),
        ("<Rule><BucketKeyEnabled>yes</BucketKeyEnabled></Rule>", "MalformedXML"),
        (
            "<Rule><ApplyServerSideEncryptionByDefault/></Rule>",
            "MalformedXML",
        ),
        (
            "<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:backup</SSEAlgorithm>"
            "</ApplyServerSideEncryptionByDefault></Rule>",
            "MalformedXML",
        ),
        (
            "<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm>"
            "<KMSMasterKeyID>k</KMSMasterKeyID></ApplyServerSideEncryptionByDefault></Rule>",
            "InvalidArgument",
        ),
        (
            "<Rule><BlockedEncryptionTypes><EncryptionType>SSE-S3</EncryptionType>"
            "</BlockedEncryptionTypes></Rule>",
            "MalformedXML",
        ),
    ],
)
def test_a_document_that_says_nothing_right_changes_nothing(
    s3: Served, bucket: str, inside: str, code: str
) -> None:
    configure(s3, bucket, rule(MANAGED))
    body = f"<ServerSideEncryptionConfiguration>{inside}</ServerSideEncryptionConfiguration>"
    answer = s3.raw("PUT", f"/{bucket}?encryption", body=body.encode())
    assert answer.code() == code
    found = s3.client().get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
    assert found["Rules"][0]["ApplyServerSideEncryptionByDefault"] == MANAGED


def test_what_says_nothing_itself_is_encrypted_as_its_bucket_says(s3: Served, bucket: str) -> None:
    client = s3.client()
    client.put_object(Bucket=bucket, Key="plain", Body=b"0123456789")
    assert "ServerSideEncryption" not in client.head_object(Bucket=bucket, Key="plain")
    configure(s3, bucket, rule(MANAGED))
    assert "ServerSideEncryption" not in client.head_object(Bucket=bucket, Key="plain")
    answers = [
        client.put_object(Bucket=bucket, Key="put", Body=b"0123456789"),
        client.put_object(Bucket=bucket, Key="told", Body=b"0123456789", CacheControl="no-store"),
        client.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/plain"),
        begun := client.create_multipart_upload(Bucket=bucket, Key="parts"),
    ]
    where = {"Bucket": bucket, "Key": "parts", "UploadId": begun["UploadId"]}
    part = client.upload_part(**where, PartNumber=1, Body=b"0123456789")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    answers += [part, client.complete_multipart_upload(**where, MultipartUpload=parts)]
    for key in ("put", "told", "copy", "parts"):
        answers.append(got := client.get_object(Bucket=bucket, Key=key))
        assert got["Body"].read() == b"0123456789"
    assert {one["ServerSideEncryption"] for one in answers} == {"AES256"}


def test_what_an_object_says_itself_counts_more_than_its_bucket(s3: Served, bucket: str) -> None:
    configure(s3, bucket, rule(MANAGED))
    said = s3.client().put_object(Bucket=bucket, Key="k", Body=b"", **KEY)
    assert said["SSECustomerAlgorithm"] == "AES256"
    assert "ServerSideEncryption" not in said


def test_what_a_bucket_blocks_is_refused_and_stays_readable(s3: Served, bucket: str) -> None:
    client = s3.client()
    client.put_object(Bucket=bucket, Key="before", Body=b"data", **KEY)
    configure(s3, bucket, rule(BlockedEncryptionTypes={"EncryptionType": ["SSE-C"]}))
    where, denied = {"Bucket": bucket, "Key": "k"}, (403, "AccessDenied")
    assert refused(client.put_object, **where, Body=b"data", **KEY) == denied
    assert refused(client.create_multipart_upload, **where, **KEY) == denied
    source = {"CopySource": f"{bucket}/before", **{f"CopySource{k}": v for k, v in KEY.items()}}
    assert refused(client.copy_object, **where, **source, **KEY) == denied
    assert client.get_object(Bucket=bucket, Key="before", **KEY)["Body"].read() == b"data"
    assert client.copy_object(**where, **source)["ResponseMetadata"]["HTTPStatusCode"] == 200
    configure(s3, bucket, rule(BlockedEncryptionTypes={"EncryptionType": ["NONE"]}))
    client.put_object(**where, Body=b"data", **KEY)


# headers


CONTEXT = base64.b64encode(b'{"a": "b"}').decode()


@pytest.mark.parametrize(
    "headers",
    [
        {SSE: "ROT13"},
        {SSE: "AES256", f"{SSE}-aws-kms-key-id": "k"},
        {SSE: "AES256", f"{SSE}-context": CONTEXT},
        {f"{SSE}-aws-kms-key-id": "k"},
        {f"{SSE}-context": CONTEXT},
        {f"{SSE}-bucket-key-enabled": "yes"},
        {SSE: "aws:kms", f"{SSE}-context": "e"},
        {SSE: "aws:kms", f"{SSE}-context": base64.b64encode(b"[1]").decode()},
        {SSE: "aws:kms", f"{SSE}-context": base64.b64encode(b'{"a": 1}').decode()},
        {SSE: "aws:kms", f"{SSE}-context": base64.b64encode(b"[" * 100_0).decode()},
        {SSE: "aws:kms", **customer_key()},
    ],
)
def test_headers_that_contradict_are_refused_by_name(
    s3: Served, bucket: str, headers: dict[str, str]
) -> None:
    for method, path in (("PUT", f"/{bucket}/k"), ("POST", f"/{bucket}/k?uploads")):
        answer = s3.raw(method, path, headers=headers)
        assert (answer.status, answer.code()) == (400, "InvalidArgument")
        assert SSE.encode() in answer.body
    assert s3.raw("HEAD", f"/{bucket}/k").status == 404


def test_what_is_encrypted_already_is_not_to_be_told_how(s3: Served, bucket: str) -> None:
    """Neither an object that is read, nor an upload that goes on."""
    put(s3, bucket, "k")
    upload = s3.client().create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    at = f"/{bucket}/k?uploadId={upload}"
    asked = [
        ("GET", f"/{bucket}/k", {}),
        ("HEAD", f"/{bucket}/k", {}),
        ("GET", f"/{bucket}/k?attributes", {"x-amz-object-attributes": "ETag"}),
        ("PUT", f"{at}&partNumber=1", {}),
        ("PUT", f"{at}&partNumber=1", {"x-amz-copy-source": f"{bucket}/k"}),
        ("POST", at, {}),
    ]
    for method, path, more in asked:
        for said in ({SSE: "AES256"}, {SSE: "aws:kms"}, {f"{SSE}-bucket-key-enabled": "true"}):
            answer = s3.raw(method, path, headers={**more, **said}, body=b"")
            assert answer.status == 400
            assert method == "HEAD" or b"is not supported for this operation" in answer.body
