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


def test_what_is_said_of_an_object_needs_no_customers_key(s3: Served, bucket: str) -> None:
    """No SDK can send one there: the model has no members for it."""
    client, one = s3.client(), {"Bucket": bucket, "Key": "k"}
    put(s3, bucket, "k", b"data", **customer_key(), **{"x-amz-tagging": "a=b"})
    assert client.get_object_tagging(**one)["TagSet"] == [{"Key": "a", "Value": "b"}]
    client.put_object_acl(**one, ACL="public-read")
    assert len(client.get_object_acl(**one)["Grants"]) == 2
    for ask in (client.get_object, client.head_object):
        assert refused(ask, **one)[0] == 400


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
        {SSE: "aws:kms", f"{SSE}-context": base64.b64encode(b'{"a": "b", "a": "c"}').decode()},
        {SSE: "aws:kms", f"{SSE}-context": base64.b64encode(b"[" * 1000).decode()},
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
    part = b"<Part><PartNumber>1</PartNumber><ETag>e</ETag></Part>"
    bodies = {"POST": b"<CompleteMultipartUpload>%b</CompleteMultipartUpload>" % part}
    for method, path, more in asked:
        for said in ({SSE: "AES256"}, {SSE: "aws:kms"}, {f"{SSE}-bucket-key-enabled": "true"}):
            answer = s3.raw(method, path, headers={**more, **said}, body=bodies.get(method, b""))
            assert answer.status == 400
            assert method == "HEAD" or b"is not supported for this operation" in answer.body


# a key service: the gateway's own keys


BY_KMS = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "one"}
NO_SUCH_KEY, DISABLED = (400, "KMS.NotFoundException"), (400, "KMS.DisabledException")


@pytest.fixture(scope="module")
def kms(s3: Served) -> Served:
    """The same gateway, with keys called `one` and `two`."""
    for name in ("one", "two"):
        s3.gateway.catalog.add_encryption_key(name)
    return s3


def of_kms(answer: dict[str, Any]) -> tuple[str, str]:
    return answer["ServerSideEncryption"], answer["SSEKMSKeyId"]


@pytest.mark.parametrize("method", ["aws:kms", "aws:kms:dsse"])
def test_an_object_under_a_named_key_says_so_and_is_read_like_any_other(
    kms: Served, bucket: str, method: str
) -> None:
    client, data = kms.client(), bytes(range(256)) * 3000
    by = {"ServerSideEncryption": method, "SSEKMSKeyId": "alias/one"}
    where = {"Bucket": bucket, "Key": "k"}
    stored = client.put_object(
        **where, Body=data, **by, SSEKMSEncryptionContext=CONTEXT, BucketKeyEnabled=True
    )
    assert stored["SSEKMSEncryptionContext"] == CONTEXT
    got, told = client.get_object(**where), client.head_object(**where)
    for answer in (stored, got, told):
        assert of_kms(answer) == (method, "one")
        assert answer["BucketKeyEnabled"] is True
    assert "context" not in str(told["ResponseMetadata"]["HTTPHeaders"])
    assert got["Body"].read() == data
    part = client.get_object(**where, Range="bytes=262140-262150")
    assert part["Body"].read() == data[262140:262151]
    attributes = client.get_object_attributes(**where, ObjectAttributes=["ObjectSize"])
    assert attributes["ObjectSize"] == len(data)


def test_where_no_key_is_named_the_default_one_is_meant(kms: Served, bucket: str) -> None:
    said = kms.client().put_object(Bucket=bucket, Key="k", Body=b"", ServerSideEncryption="aws:kms")
    assert said["SSEKMSKeyId"] == "aws/s3"
    assert "BucketKeyEnabled" not in said


def test_an_unknown_key_is_refused_before_anything_is_stored(kms: Served, bucket: str) -> None:
    client, where = kms.client(), {"Bucket": bucket, "Key": "k"}
    client.put_object(Bucket=bucket, Key="from", Body=b"data")
    other = {**BY_KMS, "SSEKMSKeyId": "none"}
    assert refused(client.put_object, **where, Body=b"data", **other) == NO_SUCH_KEY
    assert refused(client.create_multipart_upload, **where, **other) == NO_SUCH_KEY
    copy = {"CopySource": f"{bucket}/from"}
    assert refused(client.copy_object, **where, **copy, **other) == NO_SUCH_KEY
    configure(kms, bucket, rule({"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "none"}))
    assert refused(client.put_object, **where, Body=b"data") == NO_SUCH_KEY
    assert [one["Key"] for one in client.list_objects_v2(Bucket=bucket)["Contents"]] == ["from"]
    answer = kms.raw("PUT", f"/{bucket}/k", headers={SSE: "aws:kms", f"{SSE}-aws-kms-key-id": "n"})
    assert b"<Message>Key 'n' does not exist</Message>" in answer.body


def test_what_is_under_a_disabled_key_is_neither_read_nor_written(kms: Served, bucket: str) -> None:
    client, where = kms.client(), {"Bucket": bucket, "Key": "k"}
    under = {**BY_KMS, "SSEKMSKeyId": "two"}
    client.put_object(**where, Body=b"data", **under)
    copy = {"Bucket": bucket, "Key": "copy", "CopySource": f"{bucket}/k"}
    kms.gateway.catalog.set_encryption_key_active("two", False)
    try:
        assert refused(client.get_object, **where) == DISABLED
        assert refused(client.copy_object, **copy) == DISABLED
        assert refused(client.copy_object, **copy, **under) == DISABLED
        assert refused(client.put_object, **where, Body=b"", **under) == DISABLED
        asked = {"ObjectAttributes": ["Checksum"]}
        assert refused(client.get_object_attributes, **where, **asked) == DISABLED
        assert refused(client.head_object, **where, ChecksumMode="ENABLED") == (400, "400")
        assert of_kms(client.head_object(**where)) == ("aws:kms", "two"), "as much needs no key"
    finally:
        kms.gateway.catalog.set_encryption_key_active("two", True)
    assert client.get_object(**where)["Body"].read() == b"data"


def test_a_rotated_key_reads_what_it_wrote_before(kms: Served, bucket: str) -> None:
    client = kms.client()
    client.put_object(Bucket=bucket, Key="old", Body=b"data", **BY_KMS)
    kms.gateway.catalog.rotate_encryption_key("one")
    client.put_object(Bucket=bucket, Key="new", Body=b"data", **BY_KMS)
    for key in ("old", "new"):
        assert client.get_object(Bucket=bucket, Key=key)["Body"].read() == b"data"


def test_a_bucket_may_say_which_key_and_a_request_another(kms: Served, bucket: str) -> None:
    client, where = kms.client(), {"Bucket": bucket, "Key": "k", "Body": b"data"}
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "two"}
    configure(kms, bucket, rule(default, BucketKeyEnabled=True))
    said = client.put_object(**where)
    assert of_kms(said) == ("aws:kms", "two") and said["BucketKeyEnabled"] is True
    assert "BucketKeyEnabled" not in client.put_object(**where, BucketKeyEnabled=False)
    said = client.put_object(**where, **BY_KMS)
    assert of_kms(said) == ("aws:kms", "one") and said["BucketKeyEnabled"] is True
    said = client.put_object(**where, ServerSideEncryption="AES256")
    assert said["ServerSideEncryption"] == "AES256" and "SSEKMSKeyId" not in said


def test_an_upload_in_parts_is_under_the_key_that_it_began_with(kms: Served, bucket: str) -> None:
    client, where = kms.client(), {"Bucket": bucket, "Key": "k"}
    begun = client.create_multipart_upload(**where, **BY_KMS, SSEKMSEncryptionContext=CONTEXT)
    assert begun["SSEKMSEncryptionContext"] == CONTEXT
    upload = {**where, "UploadId": begun["UploadId"]}
    kms.client().put_object(Bucket=bucket, Key="from", Body=b"more", **BY_KMS)
    first = client.upload_part(**upload, PartNumber=1, Body=b"5" * (5 << 20))
    kms.gateway.catalog.rotate_encryption_key("one")
    second = client.upload_part_copy(**upload, PartNumber=2, CopySource=f"{bucket}/from")
    etags = [first["ETag"], second["CopyPartResult"]["ETag"]]
    parts = {"Parts": [{"PartNumber": n, "ETag": etag} for n, etag in enumerate(etags, 1)]}
    done = client.complete_multipart_upload(**upload, MultipartUpload=parts)
    for answer in (begun, first, second, done, client.head_object(**where)):
        assert of_kms(answer) == ("aws:kms", "one")
    assert client.get_object(**where, Range="bytes=5242879-")["Body"].read() == b"5more"


def test_a_copy_is_encrypted_as_it_is_asked_for_whatever_its_source_is(
    kms: Served, bucket: str
) -> None:
    client = kms.client()
    kinds: dict[str, dict[str, Any]] = {
        "plain": {},
        "managed": {"ServerSideEncryption": "AES256"},
        "customer": KEY,
        "kms": BY_KMS,
        "other": {**BY_KMS, "SSEKMSKeyId": "two", "SSEKMSEncryptionContext": CONTEXT},
    }
    for source, by in kinds.items():
        client.put_object(Bucket=bucket, Key=source, Body=b"data", **by)
        read = {f"CopySource{k}": v for k, v in by.items()} if by is KEY else {}
        for target, asked in kinds.items():
            key = f"{source} to {target}"
            done = client.copy_object(
                Bucket=bucket, Key=key, CopySource=f"{bucket}/{source}", **read, **asked
            )
            got = client.get_object(Bucket=bucket, Key=key, **(KEY if asked is KEY else {}))
            assert got["Body"].read() == b"data"
            for answer in (done, got):
                assert answer.get("ServerSideEncryption") == asked.get("ServerSideEncryption")
                assert answer.get("SSEKMSKeyId") == asked.get("SSEKMSKeyId")
