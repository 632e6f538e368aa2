"""Policies of buckets: what they give and deny, through every door, and who may set them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gateway.access.access import Access
from gateway.access.actions import Action
from gateway.access.authorizer import Authorizer
from gateway.access.identity import ANONYMOUS, Identity
from gateway.access.rules import Unknown
from gateway.modes.s3.configuration.policy.document import SETTING
from gateway.services.service import Service
from gateway.storage import Forbidden, Get, ObjectInfo
from tests.modes.s3_gateway import Served
from tests.modes.test_s3_objects import refused

EVERYBODY = {"AWS": "*"}
OTHER = {"AWS": "arn:aws:iam::other:root"}
DENIED = (403, "AccessDenied")
SINGLE: dict[str, Any] = {"Effect": "Allow", "Principal": EVERYBODY}


def arns(bucket: str, *keys: str) -> list[str]:
    return [f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}" for key in keys]


def statement(action: Any, resource: Any, **more: Any) -> dict[str, Any]:
    return {**SINGLE, "Action": action, "Resource": resource, **more}


def said(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def put_policy(s3: Served, bucket: str, *statements: dict[str, Any]) -> None:
    s3.client().put_bucket_policy(Bucket=bucket, Policy=said(*statements))


@pytest.fixture
def filled(s3: Served, bucket: str) -> str:
    for key in ("open/a", "open/b", "closed/a"):
        s3.client().put_object(Bucket=bucket, Key=key, Body=key.encode())
    return bucket


def may(s3: Served, call: str, key: str = "other-key", **arguments: Any) -> bool:
    try:
        getattr(s3.client(key), call)(**arguments)
    except ClientError as error:
        found = (
            error.response["ResponseMetadata"]["HTTPStatusCode"],
            error.response["Error"]["Code"],
        )
        assert found == DENIED
        return False
    return True


def reads(s3: Served, bucket: str, name: str, key: str = "other-key", **more: Any) -> bool:
    return may(s3, "get_object", key, Bucket=bucket, Key=name, **more)


def test_a_policy_comes_back_as_it_was_given_and_goes(s3: Served, bucket: str) -> None:
    client = s3.client()
    document = said(statement("s3:GetObject", arns(bucket, "*"))) + "\n \n"
    assert refused(client.get_bucket_policy, Bucket=bucket) == (404, "NoSuchBucketPolicy")
    answer = s3.raw("PUT", f"/{bucket}?policy", body=document.encode())
    assert (answer.status, answer.body) == (204, b"")
    answer = s3.raw("GET", f"/{bucket}?policy")
    assert (answer.headers["content-type"], answer.body) == ("application/json", document.encode())
    client.delete_bucket_policy(Bucket=bucket)
    client.delete_bucket_policy(Bucket=bucket)
    assert refused(client.get_bucket_policy, Bucket=bucket) == (404, "NoSuchBucketPolicy")


def test_resources_are_patterns_of_the_bucket_and_of_keys(s3: Served, filled: str) -> None:
    put_policy(
        s3, filled, statement("s3:GetObject", [*arns(filled, "open/*"), *arns(filled, "?losed/b")])
    )
    assert reads(s3, filled, "open/a") and not reads(s3, filled, "closed/a")
    assert not may(s3, "list_objects_v2", Bucket=filled)
    put_policy(s3, filled, statement(["s3:List*", "s3:GetO*"], f"arn:aws:s3:::{filled[:-1]}*"))
    assert reads(s3, filled, "closed/a") and may(s3, "list_objects_v2", Bucket=filled)
    put_policy(s3, filled, {**statement("s3:GetObject", ""), "Resource": "arn:aws:s3:::*/open/b"})
    assert reads(s3, filled, "open/b") and not reads(s3, filled, "open/a")
    del (left := statement("s3:GetObject", ""))["Resource"]
    put_policy(s3, filled, {**left, "NotResource": arns(filled, "closed/*")})
    assert reads(s3, filled, "open/a") and not reads(s3, filled, "closed/a")


def test_principals_are_everybody_accounts_and_keys(s3: Served, filled: str) -> None:
    about = ("s3:GetObject", arns(filled, "*"))
    for principal, other, nobody in (
        ("*", True, True),
        (EVERYBODY, True, True),
        (OTHER, True, False),
        ({"AWS": ["main", "other"]}, True, False),
        ({"CanonicalUser": "other"}, True, False),
        ({"AWS": "arn:aws:iam::other:user/other-key"}, True, False),
        ({"AWS": "arn:aws:iam::main:user/other-key"}, False, False),
        ({"AWS": "arn:aws:iam::other:user/another-key"}, False, False),
        ({"AWS": "arn:aws:iam::unknown:root"}, False, False),
        ({"Service": "logging.s3.amazonaws.com"}, False, False),
    ):
        put_policy(s3, filled, statement(*about, Principal=principal))
        assert reads(s3, filled, "open/a") is other, principal
        assert reads(s3, filled, "open/a", "") is nobody, principal


def test_a_denial_counts_for_all_but_those_it_leaves_out(s3: Served, filled: str) -> None:
    del (denial := statement("s3:GetObject", arns(filled, "*"), Effect="Deny"))["Principal"]
    put_policy(
        s3, filled, statement("s3:GetObject", arns(filled, "*")), {**denial, "NotPrincipal": OTHER}
    )
    assert reads(s3, filled, "open/a")
    assert not reads(s3, filled, "open/a", "") and not reads(s3, filled, "open/a", "main-key")
    s3.client().put_bucket_acl(Bucket=filled, ACL="public-read")
    put_policy(
        s3, filled, statement("s3:ListBucket", arns(filled, ""), Effect="Deny", Principal=OTHER)
    )
    assert not may(s3, "list_objects_v2", Bucket=filled), "whatever its list gives"
    assert may(s3, "list_objects_v2", "", Bucket=filled)
    assert not may(s3, "list_objects_v2", "reader-key", Bucket=filled), "whatever its key may do"


def test_all_actions_but_some(s3: Served, filled: str) -> None:
    del (given := statement("", [*arns(filled, "", "*")]))["Action"]
    put_policy(s3, filled, {**given, "NotAction": ["s3:Put*", "s3:Delete*"]})
    assert reads(s3, filled, "open/a") and may(s3, "get_object_acl", Bucket=filled, Key="open/a")
    assert not may(s3, "put_object", Bucket=filled, Key="open/a", Body=b"")
    assert not may(s3, "delete_object", Bucket=filled, Key="open/a")


def test_what_an_object_is_made_with_needs_its_own_words(s3: Served, bucket: str) -> None:
    here: dict[str, Any] = {"Bucket": bucket, "Key": "k", "Body": b""}
    put_policy(s3, bucket, statement("s3:PutObject", arns(bucket, "*")))
    assert may(s3, "put_object", **here)
    assert not may(s3, "put_object", **here, ACL="public-read")
    assert not may(s3, "put_object", **here, Tagging="a=b")
    to_owner = {"ACL": "bucket-owner-full-control"}
    assert may(s3, "put_object", **here, **to_owner), "who could see to what is done here anyway"
    denial = statement("s3:PutObjectAcl", arns(bucket, "*"), Effect="Deny")
    put_policy(s3, bucket, statement("s3:PutObject", arns(bucket, "*")), denial)
    assert may(s3, "put_object", **here)
    assert not may(s3, "put_object", **here, **to_owner)
    words = ["s3:PutObject", "s3:PutObjectAcl", "s3:PutObjectTagging"]
    put_policy(s3, bucket, statement(words, arns(bucket, "*")))
    assert may(s3, "put_object", **here, ACL="public-read", Tagging="a=b")


Call = tuple[str, dict[str, Any]]
LIST: Call = ("list_objects_v2", {})
READ: Call = ("get_object", {"Key": "open/a"})
PUT: Call = ("put_object", {"Key": "k"})
AMZ = "s3:x-amz-"
COLD, ENCRYPTED = {"StorageClass": "GLACIER"}, {"ServerSideEncryption": "AES256"}
TO_OWNER = {"GrantFullControl": "id=main"}
CONDITIONS: list[tuple[str, str, str, str, Call, dict[str, Any]]] = [
    ("ListBucket", "StringLike", "s3:prefix", "open/*", LIST, {"Prefix": "open/x"}),
    ("ListBucket", "NumericLessThanEquals", "s3:max-keys", "10", LIST, {"MaxKeys": 10}),
    ("ListBucket", "StringEquals", "s3:delimiter", "/", LIST, {"Delimiter": "/"}),
    ("GetObject", "StringLike", "aws:UserAgent", "*Botocore*", READ, {}),
    ("GetObject", "Bool", "aws:SecureTransport", "false", READ, {}),
    ("GetObject", "DateGreaterThan", "aws:CurrentTime", "2020-01-01T00:00:00Z", READ, {}),
    ("GetObject", "ArnLike", "aws:PrincipalArn", "arn:aws:iam::other:user/other-*", READ, {}),
    ("GetObject", "StringEquals", "s3:authType", "REST-HEADER", READ, {}),
    ("GetObject", "NumericLessThan", "s3:signatureAge", "600000", READ, {}),
    ("PutObject", "StringEquals", f"{AMZ}storage-class", "GLACIER", PUT, COLD),
    ("PutObject", "StringEquals", f"{AMZ}server-side-encryption", "AES256", PUT, ENCRYPTED),
    ("PutObject", "StringEquals", f"{AMZ}grant-full-control", "id=main", PUT, TO_OWNER),
    ("PutObject", "StringEquals", "s3:if-none-match", "*", PUT, {"IfNoneMatch": "*"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("action", "operator", "key", "value", "call", "more"),
    CONDITIONS,
    ids=[one[2] for one in CONDITIONS],
)
def test_conditions_ask_the_request(
    s3: Served,
    filled: str,
    action: str,
    operator: str,
    key: str,
    value: str,
    call: Call,
    more: dict[str, Any],
) -> None:
    name, arguments = call
    about = (f"s3:{action}", arns(filled, "", "*"))
    for null, allowed in (("false", True), ("true", False)):
        wanted = {operator: {key: value}, "Null": {key: null}}
        put_policy(s3, filled, statement(*about, Condition=wanted))
        assert may(s3, name, Bucket=filled, **arguments, **more) is allowed


def test_addresses(s3: Served, filled: str) -> None:
    for operator, allowed in (("IpAddress", True), ("NotIpAddress", False)):
        wanted = {operator: {"aws:SourceIp": ["192.0.2.1", "127.0.0.0/8"]}}
        about = ("s3:GetObject", arns(filled, "*"))
        put_policy(s3, filled, statement(*about, Condition=wanted))
        assert reads(s3, filled, "open/a") is allowed


def test_variables_are_what_the_request_has(s3: Served, bucket: str) -> None:
    put_policy(s3, bucket, statement("s3:*", arns(bucket, "home/${aws:username}/*")))
    assert may(s3, "put_object", Bucket=bucket, Key="home/other-key/a", Body=b"")
    assert not may(s3, "put_object", Bucket=bucket, Key="home/main-key/a", Body=b"")
    assert not may(s3, "put_object", "", Bucket=bucket, Key="home//a", Body=b"")


TAGGED = {"StringEquals": {"s3:ExistingObjectTag/class": "open"}}


def tag(s3: Served, bucket: str, key: str, value: str) -> None:
    tags = {"TagSet": [{"Key": "class", "Value": value}]}
    s3.client().put_object_tagging(Bucket=bucket, Key=key, Tagging=tags)


def test_tags_of_the_object_decide_and_tell_nothing_of_others(s3: Served, filled: str) -> None:
    words = ["s3:GetObject", "s3:PutObjectTagging", "s3:GetObjectTagging"]
    put_policy(s3, filled, statement(words, arns(filled, "*"), Condition=TAGGED))
    tag(s3, filled, "open/a", "open")
    tag(s3, filled, "closed/a", "closed")
    assert reads(s3, filled, "open/a") and not reads(s3, filled, "closed/a")
    assert not reads(s3, filled, "open/b") and not reads(s3, filled, "not-there")
    here, tags = {"Bucket": filled, "Key": "open/a"}, {"TagSet": [{"Key": "class", "Value": "x"}]}
    assert may(s3, "put_object_tagging", **here, Tagging=tags)
    assert not may(s3, "put_object_tagging", **here, Tagging=tags)
    assert not reads(s3, filled, "open/a")


def test_what_is_opened_is_what_was_decided_about(s3: Served, filled: str) -> None:
    """It is another object by the time that it is opened."""
    put_policy(s3, filled, statement("s3:GetObject", arns(filled, "*"), Condition=TAGGED))
    service = s3.gateway.access(ANONYMOUS, filled).service
    rules, store = s3.gateway.service_settings.rules(service), service.store

    class Changing:
        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        def stat(self, key: str, want: Get = Get()) -> ObjectInfo:
            found = store.stat(key, want)
            tag(s3, filled, "open/a", "closed")
            return found

    changing: Any = Changing()
    for seen, opens in ((store, True), (changing, False)):
        tag(s3, filled, "open/a", "open")
        access = Access(Service(service.about, seen), ANONYMOUS, rules=rules, facts=Unknown())
        if opens:
            access.get("open/a").close()
        else:
            with pytest.raises(Forbidden):
                access.get("open/a")


def test_requested_tags_are_those_of_header_and_document(s3: Served, bucket: str) -> None:
    wanted = {"StringEquals": {"s3:RequestObjectTag/class": "open"}}
    words = ["s3:PutObject", "s3:PutObjectTagging"]
    put_policy(s3, bucket, statement(words, arns(bucket, "*"), Condition=wanted))
    here = {"Bucket": bucket, "Key": "k"}
    assert may(s3, "put_object", **here, Tagging="class=open")
    assert not may(s3, "put_object", **here, Tagging="class=closed")
    assert not may(s3, "put_object", **here)
    for value in ("open", "closed"):
        tags = {"TagSet": [{"Key": "class", "Value": value}]}
        assert may(s3, "put_object_tagging", **here, Tagging=tags) is (value == "open")


def test_attributes_need_a_word_of_their_own(s3: Served, filled: str) -> None:
    asked: dict[str, Any] = {"Bucket": filled, "Key": "open/a", "ObjectAttributes": ["ETag"]}
    for words, allowed in ((["s3:GetObject"], False), (["s3:GetObject*"], True)):
        put_policy(s3, filled, statement(words, arns(filled, "*")))
        assert may(s3, "get_object_attributes", **asked) is allowed
    put_policy(s3, filled, statement("s3:GetObjectAttributes", arns(filled, "*"), Effect="Deny"))
    assert not may(s3, "get_object_attributes", "main-key", **asked)


@pytest.mark.parametrize("call", ["get_object", "head_object"])
def test_how_many_tags_there_are_is_for_who_may_read_them(
    s3: Served, filled: str, call: str
) -> None:
    tag(s3, filled, "open/a", "open")
    for words, expected in (("s3:GetObject", None), (["s3:GetObject", "s3:GetObjectTagging"], "1")):
        put_policy(s3, filled, statement(words, arns(filled, "*")))
        answer = getattr(s3.client("other-key"), call)(Bucket=filled, Key="open/a")
        headers = answer["ResponseMetadata"]["HTTPHeaders"]
        assert headers.get("x-amz-tagging-count") == expected


def test_a_copys_source_is_one_condition_and_its_bucket_another(s3: Served, filled: str) -> None:
    target = f"{filled}-copies"
    s3.client().create_bucket(Bucket=target)
    put_policy(s3, filled, statement("s3:GetObject", arns(filled, "*")))
    put_policy(
        s3,
        target,
        statement(
            "s3:PutObject",
            arns(target, "*"),
            Condition={"StringLike": {"s3:x-amz-copy-source": f"{filled}/open/*"}},
        ),
    )
    for source, allowed in (
        ("open/a", True),
        ("closed/a", False),
        ("open%2Fa", True),
        ("/x", False),
    ):
        headers = {"x-amz-copy-source": f"/{filled}/{source}"}
        answer = s3.raw("PUT", f"/{target}/k", key="other-key", headers=headers)
        assert answer.status == (200 if allowed else 403), source


def test_only_the_owner_has_to_do_with_a_policy(s3: Served, bucket: str) -> None:
    put_policy(s3, bucket, statement("s3:*", arns(bucket, "", "*")))
    for key in ("other-key", ""):
        for call in ("get_bucket_policy", "delete_bucket_policy"):
            status = refused(getattr(s3.client(key), call), Bucket=bucket)
            assert status == (405, "MethodNotAllowed")
        assert s3.raw("PUT", f"/{bucket}?policy", key=key, body=b"{}").status == 405
    put_policy(s3, bucket, statement("s3:*", arns(bucket, "", "*"), Effect="Deny"))
    assert not may(s3, "list_objects_v2", "main-key", Bucket=bucket)
    assert not may(s3, "get_public_access_block", "main-key", Bucket=bucket)
    put_policy(s3, bucket, statement("s3:*", arns(bucket, "", "*"), Effect="Deny", Sid="again"))
    assert "again" in s3.client().get_bucket_policy(Bucket=bucket)["Policy"]
    s3.client().delete_bucket_policy(Bucket=bucket)
    assert may(s3, "list_objects_v2", "main-key", Bucket=bucket)


def test_a_denied_list_is_denied_in_all_of_its_forms(s3: Served, bucket: str) -> None:
    owner = Identity(key="main-key", account="main")
    for action in ("s3:ListBucket", "*"):
        put_policy(s3, bucket, statement(action, arns(bucket, "", "*"), Effect="Deny"))
        access = s3.gateway.access(owner, bucket)
        assert not any(access.may(one) for one in ("read-changes", "read-requests"))
        assert access.may("flush") is (action != "*")
    put_policy(s3, bucket, statement("s3:*", arns(bucket, "", "*")))
    assert not s3.gateway.access(ANONYMOUS, bucket).may("read-changes")


READING = statement("s3:GetObject", "")
STATUS: list[tuple[dict[str, Any], bool]] = [
    ({}, True),
    ({"Principal": OTHER}, False),
    ({"Effect": "Deny"}, False),
    ({"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}, False),
    ({"Condition": {"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "0.0.0.0/1"]}}}, True),
    ({"Condition": {"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}, True),
    ({"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}, False),
    ({"Condition": {"StringLike": {"aws:SourceVpc": "vpc-*"}}}, True),
    ({"Condition": {"StringEqualsIfExists": {"aws:SourceVpc": "vpc-1"}}}, True),
    ({"Condition": {"StringEquals": {"aws:Referer": "x"}}}, True),
]


def test_who_has_not_signed_is_everybody(s3: Served, bucket: str) -> None:
    block = {"BlockPublicPolicy": True}
    s3.client().put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block)
    for operator in ("StringEquals", "StringEqualsIgnoreCase"):
        condition = {operator: {"aws:userid": "anonymous"}}
        document = said(statement("s3:GetObject", arns(bucket, "*"), Condition=condition))
        assert not may(s3, "put_bucket_policy", "main-key", Bucket=bucket, Policy=document)


def test_the_status_says_whether_a_policy_is_public(s3: Served, bucket: str) -> None:
    client = s3.client()
    missing = refused(client.get_bucket_policy_status, Bucket=bucket)
    assert missing == (404, "NoSuchBucketPolicy")
    for one, public in STATUS:
        put_policy(s3, bucket, {**READING, **one, "Resource": arns(bucket, "*")})
        found = client.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"]
        assert found is public, one


def test_a_policy_is_compiled_once_and_costs_the_owner_nothing(s3: Served, filled: str) -> None:
    owner = Identity(key="main-key", account="main")
    put_policy(s3, filled, statement("s3:GetObject", arns(filled, "*")))
    first, again = s3.gateway.access(owner, filled), s3.gateway.access(owner, filled)
    assert first._rules is again._rules
    assert {"read", "list", "write"} <= first._rules.always
    assert s3.gateway.obeyed(first, SETTING.kind) is s3.gateway.obeyed(again, SETTING.kind)


def test_how_long_an_object_may_be_locked_is_read_of_header_and_document(s3: Served) -> None:
    client, bucket = s3.client(), "policy-of-locks"
    client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    wanted = {"NumericGreaterThan": {"s3:object-lock-remaining-retention-days": "10"}}
    words = ["s3:PutObject", "s3:PutObjectRetention"]
    about = statement(words, arns(bucket, "*"), Effect="Deny", Condition=wanted)
    put_policy(s3, bucket, about)
    here = {"Bucket": bucket, "Key": "k"}
    client.put_object(**here)
    now = datetime.now(UTC)
    for days, allowed in ((2, True), (20, False)):
        until = now + timedelta(days=days)
        retention = {"Mode": "GOVERNANCE", "RetainUntilDate": until}
        assert may(s3, "put_object_retention", "main-key", **here, Retention=retention) is allowed
        locked = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until}
        assert may(s3, "put_object", "main-key", **here, **locked) is allowed


def tagged_only(bucket: str) -> dict[str, Any]:
    condition = {"StringEquals": {"s3:RequestObjectTag/project": "open"}}
    actions = ["s3:PutObject", "s3:PutObjectTagging"]
    return statement(actions, arns(bucket, "*"), Condition=condition)


def test_the_tags_that_a_copy_gets_are_those_that_are_asked_about(s3: Served, bucket: str) -> None:
    other, mine = s3.client("other-key"), f"{bucket}-mine"
    other.create_bucket(Bucket=mine)
    for name in ("open", "closed"):
        other.put_object(Bucket=mine, Key=name, Body=b"", Tagging=f"project={name}&a+b=c+%2B")
    put_policy(s3, bucket, tagged_only(bucket))

    def copies(source: str, **more: Any) -> bool:
        place = {"Bucket": bucket, "Key": "copy", "CopySource": f"{mine}/{source}"}
        return may(s3, "copy_object", **place, **more)

    assert not copies("closed")
    assert not copies("closed", Tagging="project=open"), "which has no effect on a copy like this"
    assert copies("closed", Tagging="project=open", TaggingDirective="REPLACE")
    assert not copies("open", Tagging="project=closed", TaggingDirective="REPLACE")
    assert copies("open")
    tags = s3.client().get_object_tagging(Bucket=bucket, Key="copy")["TagSet"]
    assert {one["Key"]: one["Value"] for one in tags} == {"project": "open", "a b": "c +"}


def test_who_may_read_current_objects_may_copy_them(s3: Served, bucket: str) -> None:
    client, other, mine = s3.client(), s3.client("other-key"), f"{bucket}-mine"
    state = {"Status": "Enabled"}
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=state)
    old = client.put_object(Bucket=bucket, Key="k", Body=b"old")["VersionId"]
    client.put_object(Bucket=bucket, Key="k", Body=b"new")
    put_policy(s3, bucket, statement("s3:GetObject", arns(bucket, "*")))
    other.create_bucket(Bucket=mine)
    other.copy_object(Bucket=mine, Key="k", CopySource=f"{bucket}/k")
    assert other.get_object(Bucket=mine, Key="k")["Body"].read() == b"new"
    upload = other.create_multipart_upload(Bucket=mine, Key="m")["UploadId"]
    part = {"Bucket": mine, "Key": "m", "UploadId": upload, "PartNumber": 1}
    other.upload_part_copy(**part, CopySource=f"{bucket}/k")
    for source in (f"{bucket}/k?versionId={old}",):
        assert not may(s3, "copy_object", Bucket=mine, Key="k", CopySource=source)
        assert not may(s3, "upload_part_copy", **part, CopySource=source)


def test_what_is_compared_is_for_who_may_read(s3: Served, bucket: str) -> None:
    client = s3.client()
    etag = client.put_object(Bucket=bucket, Key="k", Body=b"secret")["ETag"]
    put_policy(s3, bucket, statement(["s3:PutObject", "s3:DeleteObject"], arns(bucket, "*")))

    def answers(method: str, header: str, value: str) -> list[int]:
        return [
            s3.raw(method, f"/{bucket}/{key}", key="other-key", headers={header: value}).status
            for key in ("k", "missing")
        ]

    assert answers("PUT", "if-match", '"00"') == [403, 403]
    assert answers("PUT", "if-none-match", etag) == [403, 403]
    assert answers("PUT", "if-unmodified-since", "Mon, 01 Jan 2001 00:00:00 GMT") == [403, 403]
    assert answers("DELETE", "if-match", '"00"') == [403, 403]
    assert answers("DELETE", "x-amz-if-match-size", "1") == [403, 403]
    asked = {"Objects": [{"Key": "k", "ETag": "00"}, {"Key": "missing", "ETag": "00"}]}
    failed = s3.client("other-key").delete_objects(Bucket=bucket, Delete=asked)["Errors"]
    assert [one["Code"] for one in failed] == ["AccessDenied", "AccessDenied"]
    assert answers("PUT", "if-match", "*") == [200, 404]

    actions = ["s3:PutObject", "s3:DeleteObject", "s3:GetObject"]
    put_policy(s3, bucket, statement(actions, arns(bucket, "*")))
    assert answers("PUT", "if-match", '"00"') == [412, 404]
    assert answers("DELETE", "x-amz-if-match-size", "1") == [412, 204]
    client.delete_bucket_policy(Bucket=bucket)
    client.put_bucket_acl(Bucket=bucket, GrantWrite="id=other", GrantFullControl="id=main")
    s3.client("other-key").put_object(Bucket=bucket, Key="k", Body=b"its own")
    assert answers("PUT", "if-match", '"00"') == [412, 403]


def overtake(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Have `act` done between the look at an object and what is done to it."""
    looked = Authorizer.object

    def overtaken(self: Authorizer, *arguments: Any) -> ObjectInfo:
        found = looked(self, *arguments)
        act()
        return found

    def unhindered(self: Access, action: Action, key: str, version: str | None) -> ObjectInfo:
        return looked(self._authorizer, action, key, Get())

    monkeypatch.setattr(Access, "authorize", unhindered)
    monkeypatch.setattr(Authorizer, "object", overtaken)


def test_a_list_is_given_to_the_version_that_was_looked_at(
    s3: Served, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, other = s3.client(), s3.client("other-key")
    state = {"Status": "Enabled"}
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=state)
    client.put_bucket_acl(Bucket=bucket, GrantWrite="id=other", GrantFullControl="id=main")
    theirs = other.put_object(Bucket=bucket, Key="k", Body=b"theirs")["VersionId"]
    overtake(monkeypatch, lambda: client.put_object(Bucket=bucket, Key="k", Body=b"secret"))
    other.put_object_acl(Bucket=bucket, Key="k", ACL="public-read")
    assert s3.raw("GET", f"/{bucket}/k", key="").status == 403
    answer = s3.raw("GET", f"/{bucket}/k?versionId={theirs}", key="")
    assert (answer.status, answer.body) == (200, b"theirs")


def test_a_tag_that_nothing_has_is_no_if_none_match(s3: Served, bucket: str) -> None:
    once = {"Null": {"s3:if-none-match": "false"}}
    put_policy(s3, bucket, statement("s3:PutObject", arns(bucket, "*"), Condition=once))

    def puts(**headers: str) -> int:
        return s3.raw("PUT", f"/{bucket}/k", key="other-key", headers=headers).status

    assert puts() == puts(**{"if-none-match": '"x"'}) == 403
    assert [puts(**{"if-none-match": "*"}) for _ in range(2)] == [200, 412]
    assert puts(**{"if-none-match": '"x", *'}) == 403


def test_a_list_is_not_given_to_an_object_that_came_meanwhile(
    s3: Served, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, other = s3.client(), s3.client("other-key")
    client.put_bucket_acl(Bucket=bucket, GrantWrite="id=other", GrantFullControl="id=main")
    other.put_object(Bucket=bucket, Key="k", Body=b"theirs")
    overtake(monkeypatch, lambda: client.put_object(Bucket=bucket, Key="k", Body=b"secret"))
    assert not may(s3, "put_object_acl", Bucket=bucket, Key="k", ACL="public-read")
    assert s3.raw("GET", f"/{bucket}/k", key="").status == 403
