"""Buckets, their access control lists and versions, and who may do what to them."""

from __future__ import annotations

import io
import logging
from contextlib import closing
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from gateway.access.grants import Grant
from gateway.access.identity import Identity
from gateway.access.rules import EVERYONE
from gateway.common import sigv4
from gateway.modes import Options
from gateway.modes.s3 import S3Mode
from gateway.modes.s3.operations import NOT_HERE, TABLE
from tests.modes.s3_gateway import CREDENTIALS, Answer, Served, serving, small_gateway, wrapped
from tests.modes.test_s3_objects import put, refused

ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"
XSI = "http://www.w3.org/2001/XMLSchema-instance"


def names(client: Any, **options: Any) -> list[str]:
    return [one["Name"] for one in client.list_buckets(**options)["Buckets"]]


# making, listing, removing


def test_a_bucket_is_made_listed_and_removed(s3: Served) -> None:
    client = s3.client()
    client.create_bucket(Bucket="short-lived")
    assert "short-lived" in names(client)
    head = client.head_bucket(Bucket="short-lived")
    assert head["BucketRegion"] == "us-east-1"
    assert client.get_bucket_location(Bucket="short-lived")["LocationConstraint"] is None
    put(s3, "short-lived", "k")
    assert refused(client.delete_bucket, Bucket="short-lived") == (409, "BucketNotEmpty")
    client.delete_object(Bucket="short-lived", Key="k")
    client.delete_bucket(Bucket="short-lived")
    assert "short-lived" not in names(client)
    assert refused(client.head_bucket, Bucket="short-lived")[0] == 404
    assert refused(client.delete_bucket, Bucket="short-lived") == (404, "NoSuchBucket")


def test_the_name_of_a_service_that_is_gone_is_taken_while_it_has_something(s3: Served) -> None:
    s3.gateway.chain.buckets.create("undeclared")  # as the `local` driver leaves it
    said: ClientError | None = None
    try:
        s3.client().create_bucket(Bucket="undeclared")
    except ClientError as error:
        said = error
    assert said is not None
    assert said.response["ResponseMetadata"]["HTTPStatusCode"] == 409
    assert said.response["Error"]["Code"] == "BucketAlreadyExists"
    assert "what it stored is kept" in said.response["Error"]["Message"]
    assert refused(s3.client().head_bucket, Bucket="undeclared")[0] == 404


def test_buckets_are_listed_in_pages(s3: Served) -> None:
    client = s3.client()
    for number in range(3):
        client.create_bucket(Bucket=f"paged-{number}")
    first = client.list_buckets(MaxBuckets=2, Prefix="paged-")
    assert [one["Name"] for one in first["Buckets"]] == ["paged-0", "paged-1"]
    assert first["Owner"] == {"ID": "main", "DisplayName": "Main account"}
    rest = {"Prefix": "paged-", "ContinuationToken": first["ContinuationToken"]}
    last = client.list_buckets(MaxBuckets=2, **rest)
    assert [one["Name"] for one in last["Buckets"]] == ["paged-2"]
    assert "ContinuationToken" not in last
    assert refused(client.list_buckets, ContinuationToken="rubbish") == (400, "InvalidArgument")
    assert names(client, BucketRegion="eu-west-1") == []
    assert "paged-0" in names(client, BucketRegion="us-east-1")
    for limit in ("0", "10001", "-3", "x", ""):
        said = s3.raw("GET", f"/?max-buckets={limit}&x-id=ListBuckets")
        assert (said.status, said.code()) == (400, "InvalidArgument")
        assert b"<ArgumentName>max-buckets</ArgumentName>" in said.body


def test_nobody_lists_buckets(s3: Served, bucket: str) -> None:
    """Whose they were could not be said; and who forgot to sign is told."""
    s3.gateway.set_grants(CREDENTIALS["main-key"].identity, bucket, [Grant(EVERYONE, "read")])
    answer = s3.raw("GET", "/", key="")
    assert (answer.status, answer.code()) == (403, "AccessDenied")
    assert bucket.encode() not in answer.body


def test_who_lists_buckets_sees_their_own_and_what_their_key_reaches(
    s3: Served, bucket: str
) -> None:
    s3.client().put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    assert bucket in names(s3.client())
    assert bucket not in names(s3.client("other-key"))
    assert bucket in names(s3.client("reader-key"))


@pytest.mark.parametrize(
    "name",
    [
        "ab",
        "Upper",
        "a_b",
        "a..b",
        "a.-b",
        "a-.b",
        "-ab",
        "ab-",
        "192.168.0.1",
        "xn--abc",
        "abc-s3alias",
        "a" * 64,
    ],
)
def test_bucket_names_are_s3s(s3: Served, name: str) -> None:
    answer = s3.raw("PUT", f"/{name}")
    assert (answer.status, answer.code()) == (400, "InvalidBucketName")


def create(s3: Served, name: str, body: str = "", **headers: str) -> Answer:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return s3.raw("PUT", f"/{name}", body=body.encode(), headers=named)


def test_who_has_a_bucket_may_make_it_again_in_us_east_1(s3: Served, bucket: str) -> None:
    put(s3, bucket, "kept")
    assert create(s3, bucket).status == 200
    assert create(s3, bucket, x_amz_acl="private").status == 200
    assert s3.raw("HEAD", f"/{bucket}/kept").status == 200
    other_list = create(s3, bucket, x_amz_acl="public-read")
    assert (other_list.status, other_list.code()) == (409, "BucketAlreadyExists")
    others = refused(s3.client("other-key").create_bucket, Bucket=bucket)
    assert others == (409, "BucketAlreadyExists")


@pytest.mark.usefixtures("sockets")
def test_in_another_region_a_bucket_is_made_once() -> None:
    with serving(Options(region="eu-central-1")) as s3:
        body = (
            "<CreateBucketConfiguration><LocationConstraint>{}</LocationConstraint>"
            "</CreateBucketConfiguration>"
        )
        wrong = create(s3, "bucket", body.format("us-west-2"))
        assert (wrong.status, wrong.code()) == (400, "IllegalLocationConstraintException")
        assert create(s3, "bucket", body.format("moon")).code() == "InvalidLocationConstraint"
        assert create(s3, "bucket", body.format("eu-central-1")).status == 200
        again = create(s3, "bucket")
        assert (again.status, again.code()) == (409, "BucketAlreadyOwnedByYou")
        location = s3.client().get_bucket_location(Bucket="bucket")
        assert location["LocationConstraint"] == "eu-central-1"


def test_settings_that_are_not_there_are_refused(s3: Served) -> None:
    assert create(s3, "new-one", x_amz_bucket_object_lock_enabled="maybe").status == 400
    assert create(s3, "new-one", x_amz_object_ownership="Nobody").code() == "InvalidArgument"
    assert create(s3, "new-one", "<not xml").code() == "MalformedXML"
    assert refused(s3.client().head_bucket, Bucket="new-one")[0] == 404
    assert create(s3, "new-one", x_amz_object_ownership="ObjectWriter").status == 200


def test_a_bucket_is_made_with_its_tags(s3: Served) -> None:
    client, tags = s3.client(), [{"Key": "team", "Value": "blue"}]
    wanted = {"CreateBucketConfiguration": {"Tags": tags}}
    made = client.create_bucket(Bucket="tagged", **wanted)
    assert (made["Location"], made["BucketArn"]) == ("/tagged", "arn:aws:s3:::tagged")
    assert client.head_bucket(Bucket="tagged")["BucketArn"] == made["BucketArn"]
    assert client.get_bucket_tagging(Bucket="tagged")["TagSet"] == tags
    client.create_bucket(Bucket="tagged", **wanted)
    assert create(s3, "tagged").code() == "BucketAlreadyExists", "with other tags"
    client.delete_bucket(Bucket="tagged")
    for wrong in (
        [{"Key": "a!", "Value": ""}],
        [tags[0], tags[0]],
        [{"Key": "aws:a", "Value": ""}],
    ):
        wanted = {"CreateBucketConfiguration": {"Tags": wrong}}
        assert refused(client.create_bucket, Bucket="tagged", **wanted) == (400, "InvalidTag")
    directory = {"CreateBucketConfiguration": {"Bucket": {"Type": "Directory"}}}
    assert refused(client.create_bucket, Bucket="tagged", **directory) == (501, "NotImplemented")
    assert create(s3, "tagged", x_amz_bucket_namespace="account-regional").status == 501
    assert create(s3, "tagged", x_amz_bucket_namespace="moon").code() == "InvalidArgument"
    assert refused(client.head_bucket, Bucket="tagged")[0] == 404


def test_who_may_not_make_or_remove_buckets(s3: Served, bucket: str) -> None:
    assert refused(s3.client("reader-key").create_bucket, Bucket="denied") == (403, "AccessDenied")
    assert s3.raw("PUT", "/denied", key="").code() == "AccessDenied"
    assert refused(s3.client("other-key").delete_bucket, Bucket=bucket) == (403, "AccessDenied")
    assert s3.raw("GET", "/", key="").code() == "AccessDenied"


@pytest.mark.usefixtures("sockets")
def test_a_declared_bucket_is_not_removed() -> None:
    with serving(declared=["bucket"]) as s3:
        answer = s3.raw("DELETE", "/bucket")
    assert (answer.status, answer.code()) == (409, "OperationAborted")
    assert b"configuration" in answer.body


@pytest.mark.usefixtures("sockets")
def test_a_bucket_by_its_host_name() -> None:
    with serving(Options(domains=("s3.example.com",))) as s3:
        create(s3, "bucket")
        host = "bucket.s3.example.com"
        assert s3.raw("PUT", "/a/b", body=b"x", host=host).status == 200
        assert s3.raw("GET", "/a/b", host=f"{host}:9000").body == b"x"
        assert b"<Key>a/b</Key>" in s3.raw("GET", "/", host=host).body
        assert s3.raw("GET", "/bucket/a/b", host="s3.example.com").body == b"x"
        target, headers = s3.presigned("GET", "/a/b", host=host)
        assert s3.send("GET", target, headers).body == b"x"
        assert s3.send("GET", target, headers | {"Host": "other.s3.example.com"}).status == 403


# access


def test_what_is_private_does_not_show_whether_it_is_there(s3: Served, bucket: str) -> None:
    put(s3, bucket, "private")
    for key in ("", "other-key"):
        seen = [s3.raw("GET", f"/{bucket}/{name}", key=key) for name in ("private", "missing")]
        assert [(one.status, one.code()) for one in seen] == [(403, "AccessDenied")] * 2
        assert s3.raw("HEAD", f"/{bucket}/missing", key=key).status == 403
    assert s3.raw("GET", "/no-such-bucket/k", key="").code() == "NoSuchBucket"
    assert s3.raw("GET", f"/{bucket}", key="").code() == "AccessDenied"
    assert s3.raw("PUT", f"/{bucket}/k", body=b"x", key="").code() == "AccessDenied"
    assert s3.raw("DELETE", f"/{bucket}/private", key="").code() == "AccessDenied"


def test_the_expected_owner_must_be_the_owner(s3: Served, bucket: str) -> None:
    client = s3.client()
    client.head_bucket(Bucket=bucket, ExpectedBucketOwner="main")
    assert refused(client.delete_bucket, Bucket=bucket, ExpectedBucketOwner="other")[0] == 403
    client.head_bucket(Bucket=bucket)


def test_a_canned_list_on_a_bucket(s3: Served, bucket: str) -> None:
    client = s3.client()
    assert [one["Permission"] for one in client.get_bucket_acl(Bucket=bucket)["Grants"]] == [
        "FULL_CONTROL"
    ]
    put(s3, bucket, "k")
    client.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    assert s3.raw("GET", f"/{bucket}", key="").status == 200
    assert s3.raw("PUT", f"/{bucket}/theirs", body=b"x", key="").status == 200
    assert s3.raw("GET", f"/{bucket}/k", key="").status == 403
    grants = client.get_bucket_acl(Bucket=bucket)["Grants"]
    assert [(one["Grantee"].get("URI"), one["Permission"]) for one in grants] == [
        (ALL_USERS, "READ"),
        (ALL_USERS, "WRITE"),
        (None, "FULL_CONTROL"),
    ]
    client.put_bucket_acl(Bucket=bucket, ACL="private")
    assert s3.raw("GET", f"/{bucket}", key="").status == 403


def test_a_list_that_comes_with_an_object(s3: Served, bucket: str) -> None:
    put(s3, bucket, "public", x_amz_acl="public-read")
    assert s3.raw("GET", f"/{bucket}/public", key="").body == b"0123456789"
    s3.client().put_object(
        Bucket=bucket,
        Key="granted",
        Body=b"",
        GrantRead=f'id="other", uri="{ALL_USERS}"',
        GrantFullControl="id=main",
    )
    found = s3.client().get_object_acl(Bucket=bucket, Key="granted")
    assert found["Owner"] == {"ID": "main", "DisplayName": "Main account"}
    assert [
        (one["Grantee"].get("ID") or one["Grantee"]["URI"], one["Permission"])
        for one in found["Grants"]
    ] == [(ALL_USERS, "READ"), ("other", "READ"), ("main", "FULL_CONTROL")]
    assert refused(s3.client("other-key").get_object_acl, Bucket=bucket, Key="public")[0] == 403


def test_a_list_for_one_account_only(s3: Served, bucket: str) -> None:
    client, other = s3.client(), s3.client("other-key")
    put(s3, bucket, "k")
    client.put_object_acl(Bucket=bucket, Key="k", GrantRead='id="other"')
    assert other.get_object(Bucket=bucket, Key="k")["Body"].read() == b"0123456789"
    assert s3.raw("GET", f"/{bucket}/k", key="").status == 403
    client.put_object_acl(Bucket=bucket, Key="k", ACL="private")
    (own,) = client.get_object_acl(Bucket=bucket, Key="k")["Grants"]
    assert (own["Grantee"]["ID"], own["Permission"]) == ("main", "FULL_CONTROL")
    assert refused(other.get_object, Bucket=bucket, Key="k")[0] == 403


def test_what_another_account_writes_is_theirs(s3: Served, bucket: str) -> None:
    s3.client().put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    other = s3.client("other-key")
    other.put_object(Bucket=bucket, Key="k", Body=b"", ACL="bucket-owner-full-control")
    found = other.get_object_acl(Bucket=bucket, Key="k")
    assert found["Owner"]["ID"] == "other"
    assert [(one["Grantee"]["ID"], one["Permission"]) for one in found["Grants"]] == [
        ("main", "FULL_CONTROL"),
        ("other", "FULL_CONTROL"),
    ]


def test_a_list_as_a_document_comes_back_as_it_was_given(s3: Served, bucket: str) -> None:
    client = s3.client()
    put(s3, bucket, "k")
    grant = {"Grantee": {"Type": "CanonicalUser", "ID": "other"}, "Permission": "WRITE_ACP"}
    policy = {"Owner": {"ID": "main"}, "Grants": [grant]}
    client.put_object_acl(Bucket=bucket, Key="k", AccessControlPolicy=policy)
    (found,) = client.get_object_acl(Bucket=bucket, Key="k")["Grants"]
    assert (found["Grantee"]["ID"], found["Permission"]) == ("other", "WRITE_ACP")
    client.put_bucket_acl(Bucket=bucket, AccessControlPolicy=policy)
    (found,) = client.get_bucket_acl(Bucket=bucket)["Grants"]
    assert found["Grantee"]["DisplayName"] == "Other account"


def test_an_account_is_granted_by_its_email_address(s3: Served, bucket: str) -> None:
    client = s3.client()
    client.put_bucket_acl(Bucket=bucket, GrantRead='emailAddress="other@example.com"')
    (found,) = client.get_bucket_acl(Bucket=bucket)["Grants"]
    assert (found["Grantee"]["ID"], found["Permission"]) == ("other", "READ")
    assert s3.client("other-key").list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    put(s3, bucket, "k")
    body = acl(EMAIL.format("other@example.com"), kind=BY_EMAIL)
    assert s3.raw("PUT", f"/{bucket}/k?acl", body=body).status == 200
    (found,) = client.get_object_acl(Bucket=bucket, Key="k")["Grants"]
    assert found["Grantee"]["ID"] == "other"


def test_an_empty_list_stays_empty_and_locks_nobody_out(s3: Served, bucket: str) -> None:
    client = s3.client()
    put(s3, bucket, "k")
    empty = {"Owner": {"ID": "main"}, "Grants": []}
    client.put_bucket_acl(Bucket=bucket, AccessControlPolicy=empty)
    client.put_object_acl(Bucket=bucket, Key="k", AccessControlPolicy=empty)
    assert client.get_bucket_acl(Bucket=bucket)["Grants"] == []
    assert client.get_object_acl(Bucket=bucket, Key="k")["Grants"] == []
    assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
    for key in ("", "other-key"):
        assert s3.raw("GET", f"/{bucket}", key=key).status == 403
        assert s3.raw("GET", f"/{bucket}/k", key=key).status == 403
    client.put_bucket_acl(Bucket=bucket, ACL="private")
    assert len(client.get_bucket_acl(Bucket=bucket)["Grants"]) == 1


EMAIL, BY_EMAIL = "<EmailAddress>{}</EmailAddress>", "AmazonCustomerByEmail"


def acl(
    grantee: str, permission: str = "READ", owner: str = "main", kind: str = "CanonicalUser"
) -> bytes:
    return (
        f"<AccessControlPolicy><Owner><ID>{owner}</ID></Owner><AccessControlList><Grant>"
        f'<Grantee xmlns:xsi="{XSI}" xsi:type="{kind}">{grantee}</Grantee>'
        f"<Permission>{permission}</Permission></Grant></AccessControlList></AccessControlPolicy>"
    ).encode()


ONE = acl("<ID>main</ID>").partition(b"<Grant>")[2].partition(b"</Grant>")[0]
MANY = (ONE + b"</Grant><Grant>") * 100


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "MissingSecurityHeader"),
        (b"<x/>", "MalformedACLError"),
        (b"rubbish", "MalformedACLError"),
        (acl("", "READ"), "MalformedACLError"),
        (acl("<ID>main</ID>", "FLY"), "MalformedACLError"),
        (acl("<ID>nobody</ID>"), "InvalidArgument"),
        (acl("<URI>http://groups/none</URI>", kind="Group"), "InvalidArgument"),
        (acl(EMAIL.format("a@b.c"), kind=BY_EMAIL), "UnresolvableGrantByEmailAddress"),
        (acl("<ID>main</ID>").replace(b"<Grant>", b"<Grant>" + MANY), "MalformedACLError"),
        (acl("<ID>main</ID>", owner="other"), "AccessDenied"),
        (acl("<ID>main</ID>", "FLY", owner="other"), "MalformedACLError"),
        (acl("<ID>main</ID>", owner=""), "MalformedACLError"),
        (acl("<ID>main</ID>").replace(b"CanonicalUser", b"Nobody"), "MalformedACLError"),
        (acl("<ID>main</ID>").replace(b"CanonicalUser", b"Group"), "MalformedACLError"),
    ],
)
def test_a_list_that_cannot_be(s3: Served, bucket: str, body: bytes, code: str) -> None:
    put(s3, bucket, "k")
    for target in (f"/{bucket}?acl", f"/{bucket}/k?acl"):
        answer = s3.raw("PUT", target, body=body)
        assert answer.code() == code
        assert answer.status in (400, 403)


def test_acl_headers_that_cannot_be(s3: Served, bucket: str) -> None:
    for value in ("id", "id=nobody", "mail=x", 'id="main" x', "emailAddress=a@b.c"):
        answer = s3.raw("PUT", f"/{bucket}?acl", headers={"x-amz-grant-read": value})
        assert answer.status == 400, value
    for name, value in (("x-amz-acl", "private"), ("x-amz-grant-read", "nobody at all")):
        body, headers = acl("<ID>main</ID>"), {name: value}
        both = s3.raw("PUT", f"/{bucket}?acl", body=body, headers=headers)
        assert (both.status, both.code()) == (400, "UnexpectedContent")
    many = ", ".join(["id=main"] * 101)
    answer = s3.raw("PUT", f"/{bucket}?acl", headers={"x-amz-grant-read": many})
    assert answer.code() == "MalformedACLError"


def test_groups_are_the_first_of_a_list(s3: Served, bucket: str) -> None:
    group = acl(f"<URI>{ALL_USERS}</URI>", "READ", kind="Group")
    both = group.replace(b"<Grant>", b"<Grant>" + ONE + b"</Grant><Grant>")
    assert s3.raw("PUT", f"/{bucket}?acl", body=both).status == 200
    listed = s3.client().get_bucket_acl(Bucket=bucket)["Grants"]
    assert [one["Grantee"].get("URI") for one in listed] == [ALL_USERS, None]


LOG_DELIVERY = "http://acs.amazonaws.com/groups/s3/LogDelivery"


def test_lists_for_services_of_aws_are_kept(s3: Served, bucket: str) -> None:
    client, here = s3.client(), {"Bucket": bucket, "Key": "k"}
    client.put_bucket_acl(Bucket=bucket, ACL="log-delivery-write")
    found = client.get_bucket_acl(Bucket=bucket)
    assert [(one["Grantee"].get("URI"), one["Permission"]) for one in found["Grants"]] == [
        (LOG_DELIVERY, "WRITE"),
        (LOG_DELIVERY, "READ_ACP"),
        (None, "FULL_CONTROL"),
    ]
    delivery = Identity(key="logs", account="service:logging.s3.amazonaws.com")
    assert s3.gateway.access(delivery, bucket).may("write", "k")
    assert refused(client.put_object, **here, ACL="log-delivery-write")[1] == "InvalidArgument"
    client.put_object(**here, ACL="aws-exec-read")
    found = client.get_object_acl(**here)
    assert [one["Permission"] for one in found["Grants"]] == ["READ", "FULL_CONTROL"]
    policy = {"Owner": found["Owner"], "Grants": found["Grants"]}
    client.put_object_acl(**here, AccessControlPolicy=policy)


def test_what_nobody_does_who_signs_nothing(s3: Served, bucket: str) -> None:
    put(s3, bucket, "k", x_amz_acl="public-read-write")
    s3.client().put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    for method, target, headers in (
        ("PUT", "/a-new-bucket", {}),
        ("PUT", f"/{bucket}?acl", {"x-amz-acl": "private"}),
        ("PUT", f"/{bucket}/k?acl", {"x-amz-acl": "private"}),
        ("PUT", f"/{bucket}/copy", {"x-amz-copy-source": f"/{bucket}/k"}),
        ("POST", f"/{bucket}/parts?uploads", {}),
        ("GET", f"/{bucket}?ownershipControls", {}),
        ("GET", f"/{bucket}?replication", {}),
    ):
        answer = s3.raw(method, target, key="", headers=headers)
        assert (answer.status, answer.code()) == (403, "AccessDenied"), target
    assert s3.raw("PUT", f"/{bucket}/put", key="", body=b"1").status == 200


# versions


def test_versions_are_switched_on_and_suspended(s3: Served, bucket: str) -> None:
    client = s3.client()
    assert "Status" not in client.get_bucket_versioning(Bucket=bucket)
    for status in ("Enabled", "Suspended"):
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})
        assert client.get_bucket_versioning(Bucket=bucket)["Status"] == status
    for body, code in (
        (b"", "MalformedXML"),
        (b"<VersioningConfiguration/>", "MalformedXML"),
        (
            b"<VersioningConfiguration><Status>Enabled</Status><MfaDelete>Enabled</MfaDelete>"
            b"</VersioningConfiguration>",
            "NotImplemented",
        ),
    ):
        assert s3.raw("PUT", f"/{bucket}?versioning", body=body).code() == code
    stranger = s3.client("other-key").put_bucket_versioning
    call = {"Bucket": bucket, "VersioningConfiguration": {"Status": "Enabled"}}
    assert refused(stranger, **call) == (403, "AccessDenied")


def versioned(s3: Served, bucket: str) -> Any:
    client = s3.client()
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return client


def test_each_version_can_be_read_and_removed(s3: Served, bucket: str) -> None:
    client = versioned(s3, bucket)
    where = {"Bucket": bucket, "Key": "k"}
    first, second = (client.put_object(**where, Body=body)["VersionId"] for body in (b"1", b"2"))
    assert client.get_object(**where)["VersionId"] == second
    assert client.get_object(**where, VersionId=first)["Body"].read() == b"1"
    gone = client.delete_object(**where)
    assert gone["DeleteMarker"] is True
    missing = s3.raw("GET", f"/{bucket}/k")
    assert (missing.status, missing.code()) == (404, "NoSuchKey")
    assert missing.headers["x-amz-delete-marker"] == "true"
    assert missing.headers["x-amz-version-id"] == gone["VersionId"]
    marker = s3.raw("GET", f"/{bucket}/k?versionId={gone['VersionId']}")
    assert (marker.status, marker.code()) == (405, "MethodNotAllowed")
    assert (marker.headers["allow"], marker.headers["x-amz-delete-marker"]) == ("DELETE", "true")
    removed = client.delete_object(**where, VersionId=gone["VersionId"])
    assert (removed["DeleteMarker"], removed["VersionId"]) == (True, gone["VersionId"])
    client.delete_object(**where, VersionId=second)
    assert client.get_object(**where)["Body"].read() == b"1"
    empty = s3.raw("GET", f"/{bucket}/k?versionId=")
    assert (empty.status, empty.code()) == (400, "InvalidArgument")
    unknown = s3.raw("GET", f"/{bucket}/k?versionId={second}")
    assert (unknown.status, unknown.code()) == (404, "NoSuchVersion")


def test_many_versions_are_deleted_at_once(s3: Served, bucket: str) -> None:
    client = versioned(s3, bucket)
    version = client.put_object(Bucket=bucket, Key="k", Body=b"1")["VersionId"]
    objects = [{"Key": "k"}, {"Key": "k", "VersionId": version}]
    marked, removed = client.delete_objects(Bucket=bucket, Delete={"Objects": objects})["Deleted"]
    assert (marked["DeleteMarker"], "VersionId" in marked) == (True, False)
    assert removed == {"Key": "k", "VersionId": version}
    again = [{"Key": "k", "VersionId": marked["DeleteMarkerVersionId"]}]
    (done,) = client.delete_objects(Bucket=bucket, Delete={"Objects": again})["Deleted"]
    assert done["DeleteMarker"] is True
    assert done["DeleteMarkerVersionId"] == done["VersionId"] == marked["DeleteMarkerVersionId"]
    client.delete_bucket(Bucket=bucket)


def test_a_version_is_copied_tagged_and_listed_by_its_id(s3: Served, bucket: str) -> None:
    client = versioned(s3, bucket)
    where = {"Bucket": bucket, "Key": "k"}
    old = client.put_object(**where, Body=b"old")["VersionId"]
    client.put_object(**where, Body=b"new")
    done = client.copy_object(**where, CopySource={**where, "VersionId": old})
    assert done["CopySourceVersionId"] == old
    assert client.get_object(**where)["Body"].read() == b"old"
    tags = {"TagSet": [{"Key": "a", "Value": "1"}]}
    assert client.put_object_tagging(**where, VersionId=old, Tagging=tags)["VersionId"] == old
    assert client.get_object_tagging(**where, VersionId=old)["TagSet"] == tags["TagSet"]
    assert client.get_object_tagging(**where)["TagSet"] == []
    marker = client.delete_object(**where)["VersionId"]
    source = {**where, "VersionId": marker}
    assert refused(client.copy_object, Bucket=bucket, Key="t", CopySource=source) == (
        400,
        "InvalidRequest",
    )


# requests that are nobody's


@pytest.mark.parametrize("name", sorted(NOT_HERE["bucket"]))
def test_what_is_not_implemented_says_so_and_does_nothing(
    s3: Served, bucket: str, name: str
) -> None:
    here = {one.method for one in TABLE if one.scope == "bucket" and name in one.query}
    for method in {"GET", "PUT", "DELETE"} - here:
        answer = s3.raw(method, f"/{bucket}?{name}", body=b"<x/>" if method == "PUT" else b"")
        assert (answer.status, answer.code()) == (501, "NotImplemented")
    assert s3.raw("HEAD", f"/{bucket}").status == 200


def test_a_sub_resource_never_falls_through(s3: Served, bucket: str) -> None:
    put(s3, bucket, "k")
    for method, target in (
        ("DELETE", f"/{bucket}?acl"),
        ("DELETE", f"/{bucket}?versions"),
        ("DELETE", f"/{bucket}/k?acl"),
        ("PUT", f"/{bucket}/k?uploads"),
        ("PUT", f"/{bucket}/k?partNumber=1"),
        ("POST", f"/{bucket}?acl"),
        ("PATCH", f"/{bucket}/k"),
        ("POST", "/"),
        ("BREW", f"/{bucket}"),
        ("WEBSOCKET", f"/{bucket}"),
    ):
        answer = s3.raw(method, target)
        assert (answer.status, answer.code()) == (405, "MethodNotAllowed"), target
        assert "GET" in answer.headers["allow"]
    assert s3.raw("GET", f"/{bucket}/k?x-id=GetObject&unknown=1").body == b"0123456789"


def test_errors_say_which_request_and_what_about(s3: Served, bucket: str) -> None:
    answer = s3.raw("GET", f"/{bucket}/a%26b")
    assert answer.headers["content-type"] == "application/xml"
    request = answer.headers["x-amz-request-id"]
    for text in ("<Code>NoSuchKey</Code>", f"<RequestId>{request}</RequestId>"):
        assert text in answer.body.decode()
    assert f"<Resource>/{bucket}/a&amp;b</Resource>" in answer.body.decode()
    assert "<HostId>" in answer.body.decode()
    assert len(request) == 16
    head = s3.raw("HEAD", f"/{bucket}/a%26b")
    assert (head.status, head.body) == (404, b"")


def test_a_request_is_recorded(s3: Served, bucket: str) -> None:
    s3.raw("GET", f"/{bucket}/missing")
    record = s3.records[-1]
    assert (record.operation, record.sid, record.key_id, record.code) == (
        "GetObject",
        bucket,
        "main-key",
        "NoSuchKey",
    )


@pytest.mark.usefixtures("sockets")
def test_a_write_needs_a_length_within_limits() -> None:
    with serving(Options(max_body=100)) as s3:
        create(s3, "bucket")
        large = s3.raw("PUT", "/bucket/k", body=b"x" * 101)
        assert (large.status, large.code()) == (400, "EntityTooLarge")
        assert s3.raw("PUT", "/bucket/k", body=b"x" * 100).status == 200


@pytest.mark.usefixtures("sockets")
def test_behind_a_proxy_the_outer_host_is_what_was_signed() -> None:
    with serving(Options(external_url="https://files.example.com")) as s3:
        create(s3, "bucket")
        target, headers = "/bucket/k", {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
        assert s3.raw("GET", target, headers=headers, host="files.example.com").status == 404
        signed = s3.signed("GET", target, host="files.example.com")
        inner = s3.send("GET", target, {**signed, "Host": f"127.0.0.1:{s3.port}"})
        assert inner.status == 404
        signed = s3.signed("GET", target, host="elsewhere.example.com")
        outer = s3.send("GET", target, {**signed, "Host": f"127.0.0.1:{s3.port}"})
        assert (outer.status, outer.code()) == (403, "SignatureDoesNotMatch")


@pytest.mark.usefixtures("sockets")
def test_behind_a_proxy_a_signature_is_verified_once_and_nothing_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made: list[str] = []
    signature = sigv4.signature

    def counted(key: bytes, text: str) -> str:
        made.append(text)
        return signature(key, text)

    monkeypatch.setattr(sigv4, "signature", counted)
    outside = Options(external_url="https://files.example.com", domains=("s3.example.com",))
    with serving(outside) as s3, caplog.at_level(logging.INFO, "gateway.s3"):
        inside = f"127.0.0.1:{s3.port}"
        for host, asked, times in (
            ("files.example.com", inside, 1),  # the proxy changes it
            ("files.example.com", "files.example.com", 1),
            ("bucket.s3.example.com", "bucket.s3.example.com", 1),
            (inside, inside, 2),  # past the proxy
        ):
            made.clear()
            signed = s3.signed("GET", "/none/k", host)
            assert s3.send("GET", "/none/k", {**signed, "Host": asked}).code() == "NoSuchBucket"
            assert len(made) == times
    assert not caplog.messages


def test_a_place_to_read_a_body_is_taken_by_who_may_write_only() -> None:
    gateway = small_gateway()
    app = wrapped(S3Mode().app(gateway))
    gateway.create(CREDENTIALS["main-key"].identity, "bucket")
    taken = []

    def put_as_nobody(query: str = "") -> str:
        statuses: list[str] = []
        environ = {
            "REQUEST_METHOD": "PUT",
            "PATH_INFO": "/bucket/k",
            "QUERY_STRING": query,
            "CONTENT_LENGTH": "3",
            "HTTP_HOST": "localhost",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(b"abc"),
            "wsgi.errors": io.StringIO(),
            "gateway.admission": lambda: taken.append(1),
        }
        app(environ, lambda status, _headers, _exc=None: statuses.append(status))
        return statuses[0][:3]

    with closing(gateway):
        for query in ("", "partNumber=1&uploadId=x", "tagging", "acl"):
            assert put_as_nobody(query) == "403"
        assert not taken
        gateway.set_grants(CREDENTIALS["main-key"].identity, "bucket", [Grant(EVERYONE, "write")])
        assert put_as_nobody() == "200"
        assert taken


# what a HEAD is told


def test_who_signs_for_another_region_is_told_the_right_one(s3: Served, bucket: str) -> None:
    s3.client().put_object(Bucket=bucket, Key="k", Body=b"x")
    elsewhere = boto3.client(
        "s3",
        endpoint_url=s3.url,
        region_name="eu-west-1",
        aws_access_key_id="main-key",
        aws_secret_access_key="secret of main-key",
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    )
    for ask in (elsewhere.head_object, elsewhere.get_object):
        assert ask(Bucket=bucket, Key="k")["ContentLength"] == 1
    assert elsewhere.head_bucket(Bucket=bucket)["BucketRegion"] == "us-east-1"


@pytest.mark.parametrize(
    ("key", "target", "status", "code", "region"),
    [
        ("main-key", "/{bucket}/none", 404, "NoSuchKey", None),
        ("main-key", "/none", 404, "NoSuchBucket", None),
        ("main-key", "/{bucket}/k?partNumber=x", 400, "InvalidArgument", "us-east-1"),
        ("other-key", "/{bucket}", 403, "AccessDenied", "us-east-1"),
        ("", "/{bucket}", 403, "AccessDenied", "us-east-1"),
    ],
)
def test_a_head_that_is_refused_says_why_in_headers(
    s3: Served, bucket: str, key: str, target: str, status: int, code: str, region: str | None
) -> None:
    said = s3.raw("HEAD", target.format(bucket=bucket), key=key)
    assert (said.status, said.body) == (status, b"")
    assert said.headers["x-amz-error-code"] == code
    assert said.headers["x-amz-error-message"].isprintable()
    assert said.headers.get("x-amz-bucket-region") == region
    assert said.headers["x-amz-request-id"]
    got = s3.raw("GET", target.format(bucket=bucket), key=key)
    assert "x-amz-error-code" not in got.headers  # it has a document


def test_a_head_on_condition_is_told_nothing_of_errors(s3: Served, bucket: str) -> None:
    s3.client().put_object(Bucket=bucket, Key="k", Body=b"x")
    said = s3.raw("HEAD", f"/{bucket}/k", headers={"If-None-Match": "*"})
    assert (said.status, "x-amz-error-code" in said.headers) == (304, False)


def test_who_made_a_bucket_is_in_the_audit(s3: Served) -> None:
    s3.client().create_bucket(Bucket="audited")
    s3.client().put_bucket_acl(Bucket="audited", ACL="public-read")
    s3.client().delete_bucket(Bucket="audited")
    found = s3.gateway.catalog.audit(subject="audited")
    requests = [one.request_id for one in s3.records][-3:]
    assert [(one.action, one.key, one.account, one.client, one.mode) for one in found] == [
        (action, "main-key", "main", "127.0.0.1", "s3")
        for action in ("bucket.drop", "grants.put", "bucket.add")
    ]
    assert [one.request for one in reversed(found)] == requests
