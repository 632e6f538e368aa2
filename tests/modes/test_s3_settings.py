"""A bucket's settings: documents that come back as S3 writes them, and are gone with the bucket."""

from __future__ import annotations

import re
from typing import Any

import pytest

from gateway.modes.s3.operations import TABLE
from gateway.modes.s3.resources import absent
from tests.modes.s3_gateway import Served
from tests.modes.test_s3_objects import refused

TAGS = [{"Key": "team", "Value": "blue"}, {"Key": "stage", "Value": "test"}]


def code(s3: Served, call: str, bucket: str, key: str = "main-key", **arguments: Any) -> str:
    return refused(getattr(s3.client(key), call), Bucket=bucket, **arguments)[1]


def test_tags_of_a_bucket_come_back_and_go(s3: Served, bucket: str) -> None:
    client = s3.client()
    assert code(s3, "get_bucket_tagging", bucket) == "NoSuchTagSet"
    client.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": TAGS})
    found = client.get_bucket_tagging(Bucket=bucket)["TagSet"]
    assert sorted(found, key=str) == sorted(TAGS, key=str)
    client.delete_bucket_tagging(Bucket=bucket)
    assert code(s3, "get_bucket_tagging", bucket) == "NoSuchTagSet"


def test_a_bucket_of_the_same_name_has_none_of_them(s3: Served, bucket: str) -> None:
    client = s3.client()
    client.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": TAGS})
    client.delete_bucket(Bucket=bucket)
    client.create_bucket(Bucket=bucket)
    assert code(s3, "get_bucket_tagging", bucket) == "NoSuchTagSet"


def test_who_may_not_learns_and_changes_nothing(s3: Served, bucket: str) -> None:
    wanted = {"Tagging": {"TagSet": TAGS}}
    assert code(s3, "get_bucket_tagging", bucket, "other-key") == "AccessDenied"
    assert code(s3, "put_bucket_tagging", bucket, "other-key", **wanted) == "AccessDenied"
    assert code(s3, "delete_bucket_tagging", bucket, "other-key") == "AccessDenied"
    assert code(s3, "get_bucket_tagging", bucket) == "NoSuchTagSet"


def test_who_may_not_is_refused_before_anything_is_parsed(s3: Served, bucket: str) -> None:
    puts = [one for one in TABLE if (one.method, one.scope) == ("PUT", "bucket") and one.query]
    assert len(puts) > 12
    for one in puts:
        answer = s3.raw("PUT", f"/{bucket}?{one.query[0]}", key="other-key", body=b"?")
        assert answer.code() == "AccessDenied", one.name


def test_bad_documents_are_refused_and_keep_what_was_there(s3: Served, bucket: str) -> None:
    s3.client().put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": TAGS})
    twice = {"TagSet": [TAGS[0], TAGS[0]]}
    assert code(s3, "put_bucket_tagging", bucket, Tagging=twice) == "InvalidTag"
    many = {"TagSet": [{"Key": str(n), "Value": ""} for n in range(51)]}
    assert code(s3, "put_bucket_tagging", bucket, Tagging=many) == "BadRequest"
    assert s3.raw("PUT", f"/{bucket}?tagging").code() == "MissingRequestBodyError"
    for body in (b"<Tagging/>", b"\xff", b"<CORSConfiguration/>"):
        assert s3.raw("PUT", f"/{bucket}?tagging", body=body).code() == "MalformedXML"
    assert len(s3.client().get_bucket_tagging(Bucket=bucket)["TagSet"]) == 2


def test_what_is_always_the_same_is_answered_and_nothing_else_is_taken(
    s3: Served, bucket: str
) -> None:
    client = s3.client()
    assert client.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"
    assert client.get_bucket_abac(Bucket=bucket)["AbacStatus"] == {"Status": "Disabled"}
    assert "Status" not in client.get_bucket_accelerate_configuration(Bucket=bucket)
    payer, status = "RequestPaymentConfiguration", "AccelerateConfiguration"
    client.put_bucket_request_payment(Bucket=bucket, **{payer: {"Payer": "BucketOwner"}})
    client.put_bucket_accelerate_configuration(Bucket=bucket, **{status: {"Status": "Suspended"}})
    assert client.get_bucket_accelerate_configuration(Bucket=bucket)["Status"] == "Suspended"
    client.put_bucket_abac(Bucket=bucket, AbacStatus={"Status": "Disabled"})
    for call, name, wanted in (
        ("put_bucket_request_payment", payer, {"Payer": "Requester"}),
        ("put_bucket_accelerate_configuration", status, {"Status": "Enabled"}),
        ("put_bucket_abac", "AbacStatus", {"Status": "Enabled"}),
    ):
        asked: dict[str, Any] = {name: wanted}
        other: dict[str, Any] = {name: {next(iter(wanted)): "x"}}
        assert code(s3, call, bucket, **asked) == "NotImplemented"
        assert code(s3, call, bucket, **other) == "MalformedXML"
        assert code(s3, call, bucket, key="other-key", **asked) == "AccessDenied"


@pytest.mark.parametrize("one", absent.TABLE, ids=lambda one: one.name)
def test_what_no_bucket_has_is_missing_and_is_not_made(
    s3: Served, bucket: str, one: absent.Absent
) -> None:
    call = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", one.name).lower()
    named = {"Id": "x"} if "id" in one.query else {}
    if one.name.startswith("List"):
        assert getattr(s3.client(), call)(Bucket=bucket)["IsTruncated"] is False
    elif one.name == "DeleteBucketReplication":
        s3.client().delete_bucket_replication(Bucket=bucket)
    else:
        assert code(s3, call, bucket, **named) in (
            "NoSuchConfiguration",
            "MetadataConfigurationNotFound",
            "ReplicationConfigurationNotFoundError",
        )
    assert code(s3, call, bucket, "other-key", **named) == "AccessDenied"
    for method in ("PUT", "POST"):
        assert s3.raw(method, f"/{bucket}?{'&'.join(one.query)}").code() == "NotImplemented"


def test_a_parameter_that_selects_with_another_means_nothing_alone(s3: Served, bucket: str) -> None:
    s3.client().put_object(Bucket=bucket, Key="key", Body=b"x")
    assert s3.raw("GET", f"/{bucket}/key?id=1").body == b"x"
    assert s3.raw("GET", f"/{bucket}?id=1").status == 200
    assert s3.raw("DELETE", f"/{bucket}?analytics").status == 501


def test_nothing_is_archived_that_could_be_restored(s3: Served, bucket: str) -> None:
    s3.client().put_object(Bucket=bucket, Key="key", Body=b"x")
    wanted = {"Key": "key", "RestoreRequest": {"Days": 1}}
    assert refused(s3.client().restore_object, Bucket=bucket, **wanted) == (
        403,
        "InvalidObjectState",
    )
    assert code(s3, "restore_object", bucket, Key="none") == "NoSuchKey"
    assert code(s3, "restore_object", bucket, "other-key", **wanted) == "AccessDenied"
    select = b"<RestoreRequest><SelectParameters/></RestoreRequest>"
    assert s3.raw("POST", f"/{bucket}/key?restore", body=select).code() == "NotImplemented"


@pytest.mark.parametrize(
    ("query", "document"),
    [
        ("logging", "<BucketLoggingStatus><LogingEnabled/></BucketLoggingStatus>"),
        ("notification", "<NotificationConfiguration><Queue/></NotificationConfiguration>"),
        (
            "encryption",
            "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryption/></Rule>"
            "</ServerSideEncryptionConfiguration>",
        ),
    ],
)
def test_what_is_misspelled_removes_nothing(
    s3: Served, bucket: str, query: str, document: str
) -> None:
    answer = s3.raw("PUT", f"/{bucket}?{query}", body=document.encode())
    assert (answer.status, answer.code()) == (400, "MalformedXML")
