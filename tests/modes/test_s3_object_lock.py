"""Object lock: what keeps a version, who may override it, and what is refused."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from drivers.indexed.store import IndexedStore
from gateway.modes.s3 import wire
from gateway.modes.s3.configuration.object_lock import DAY
from gateway.storage import Put, Unsupported
from tests.modes.s3_gateway import Served
from tests.modes.test_s3_objects import refused

NOW = datetime.now(UTC).replace(microsecond=0)
LATER, LATEST = NOW + timedelta(days=9), NOW + timedelta(days=20)


def lock(mode: str = "GOVERNANCE", **period: int) -> dict[str, Any]:
    rule = {"DefaultRetention": {"Mode": mode, **(period or {"Days": 3})}}
    return {"ObjectLockEnabled": "Enabled", "Rule": rule}


def retention(mode: str, until: datetime) -> dict[str, Any]:
    return {"Mode": mode, "RetainUntilDate": until}


@pytest.fixture
def locked(s3: Served, bucket: str) -> str:
    """A bucket with object lock and without a default."""
    name = f"{bucket}-locked"
    s3.client().create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    return name


def put(s3: Served, bucket: str, key: str = "k", **more: Any) -> str:
    """The version."""
    done: str = s3.client().put_object(Bucket=bucket, Key=key, Body=b"data", **more)["VersionId"]
    return done


def test_a_bucket_is_made_with_a_lock_and_keeps_versions_from_then_on(
    s3: Served, locked: str
) -> None:
    client = s3.client()
    assert client.get_bucket_versioning(Bucket=locked)["Status"] == "Enabled"
    found = client.get_object_lock_configuration(Bucket=locked)["ObjectLockConfiguration"]
    assert found == {"ObjectLockEnabled": "Enabled"}
    wanted = {"VersioningConfiguration": {"Status": "Suspended"}}
    assert refused(client.put_bucket_versioning, Bucket=locked, **wanted)[1] == "InvalidBucketState"
    assert client.get_bucket_versioning(Bucket=locked)["Status"] == "Enabled"
    client.create_bucket(Bucket=locked, ObjectLockEnabledForBucket=True)  # as it is
    assert refused(client.create_bucket, Bucket=locked)[1] == "BucketAlreadyExists"


def test_a_bucket_whose_making_ends_in_the_middle_does_not_say_that_it_locks(
    s3: Served, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, name = s3.client(), f"{bucket}-cut"

    def killed(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(IndexedStore, "set_versioning", killed)
        call = client.create_bucket
        assert refused(call, Bucket=name, ObjectLockEnabledForBucket=True)[0] == 500
    assert refused(client.get_object_lock_configuration, Bucket=name)[0] == 404
    found = refused(client.create_bucket, Bucket=name, ObjectLockEnabledForBucket=True)
    assert found[1] == "BucketAlreadyExists"  # and not 200 for one that keeps nothing


def test_a_lock_comes_later_where_versions_are_kept(s3: Served, bucket: str) -> None:
    client, wanted = s3.client(), {"ObjectLockConfiguration": lock("COMPLIANCE", Years=2)}
    call = client.put_object_lock_configuration
    assert refused(call, Bucket=bucket, **wanted)[:2] == (409, "InvalidBucketState")
    missing = refused(client.get_object_lock_configuration, Bucket=bucket)[:2]
    assert missing == (404, "ObjectLockConfigurationNotFoundError")
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    call(Bucket=bucket, **wanted)
    found = client.get_object_lock_configuration(Bucket=bucket)
    assert found["ObjectLockConfiguration"] == wanted["ObjectLockConfiguration"]


@pytest.mark.parametrize(
    ("document", "answer"),
    [
        ("", "MalformedXML"),
        ("<ObjectLockEnabled>Disabled</ObjectLockEnabled>", "MalformedXML"),
        ("<ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule/>", "MalformedXML"),
        ("GOVERNANCE", "MalformedXML"),
        ("GOVERNANCE<Days>1</Days><Years>1</Years>", "MalformedXML"),
        ("governance<Days>1</Days>", "MalformedXML"),
        ("GOVERNANCE<Days>a</Days>", "MalformedXML"),
        ("GOVERNANCE<Days>1_0</Days>", "MalformedXML"),
        ("GOVERNANCE<Days>0</Days>", "InvalidArgument"),
        ("GOVERNANCE<Years>-1</Years>", "InvalidArgument"),
        ("COMPLIANCE<Days>36501</Days>", "InvalidArgument"),
        ("COMPLIANCE<Years>101</Years>", "InvalidArgument"),
        ("COMPLIANCE<DefaultEventHold/>", "MalformedXML"),
        ("COMPLIANCE<Days>1</Days><DefaultEventHold/>", "MalformedXML"),
        ("COMPLIANCE<DefaultEventHold><Days>0</Days></DefaultEventHold>", "InvalidArgument"),
        ("<DefaultEventHold><Days>1</Days></DefaultEventHold>", "MalformedXML"),
    ],
)
def test_a_lock_that_is_none_is_refused(
    s3: Served, locked: str, document: str, answer: str
) -> None:
    if document and not document.startswith("<"):
        mode, _, rest = document.partition("<")
        inside = f"<Mode>{mode}</Mode>{'<' if rest else ''}{rest}"
        document = (
            "<ObjectLockEnabled>Enabled</ObjectLockEnabled>"
            f"<Rule><DefaultRetention>{inside}</DefaultRetention></Rule>"
        )
    body = f"<ObjectLockConfiguration>{document}</ObjectLockConfiguration>".encode()
    assert s3.raw("PUT", f"/{locked}?object-lock", body=body).code() == answer


def test_the_bucket_s_default_is_on_all_that_is_made(s3: Served, locked: str) -> None:
    client = s3.client()
    uploads = {"before": client.create_multipart_upload(Bucket=locked, Key="before")["UploadId"]}
    client.put_object_lock_configuration(Bucket=locked, ObjectLockConfiguration=lock(Days=3))
    put(s3, locked, "put")
    put(s3, locked, "held", ObjectLockLegalHoldStatus="ON")
    client.copy_object(Bucket=locked, Key="copied", CopySource=f"{locked}/put")
    uploads["parts"] = client.create_multipart_upload(Bucket=locked, Key="parts")["UploadId"]
    for key, upload in uploads.items():
        given = {"Bucket": locked, "Key": key, "UploadId": upload}
        etag = client.upload_part(**given, PartNumber=1, Body=b"data")["ETag"]
        parts = {"Parts": [{"ETag": etag, "PartNumber": 1}]}
        done = client.complete_multipart_upload(**given, MultipartUpload=parts)
        again = client.complete_multipart_upload(**given, MultipartUpload=parts)
        assert again["VersionId"] == done["VersionId"]
    identity = s3.gateway.keys.credential("main-key").identity  # type: ignore[union-attr]
    for key in ("put", "held", "copied", "before", "parts"):
        head = client.head_object(Bucket=locked, Key=key)
        assert head["ObjectLockMode"] == "GOVERNANCE", key
        left = head["ObjectLockRetainUntilDate"] - datetime.now(UTC)
        assert timedelta(days=2.9) < left <= timedelta(days=3), key
        info = s3.gateway.access(identity, locked).stat(key)
        assert info.protection is not None
        assert info.protection.hold is (key == "held")
    put(
        s3,
        locked,
        "own",
        ObjectLockMode="COMPLIANCE",
        ObjectLockRetainUntilDate=NOW + timedelta(hours=1),
    )
    assert client.head_object(Bucket=locked, Key="own")["ObjectLockMode"] == "COMPLIANCE"


def test_what_is_kept_needs_a_sum_of_its_client(s3: Served, locked: str) -> None:
    def put_raw(**headers: str) -> str:
        return s3.raw("PUT", f"/{locked}/k", body=b"data", headers=headers).code()

    assert put_raw() == ""
    s3.client().put_object_lock_configuration(Bucket=locked, ObjectLockConfiguration=lock())
    assert put_raw() == "InvalidRequest"
    assert put_raw(**{"Content-MD5": "jXd/OF09/siBXSD3SWAm3A=="}) == ""
    assert put_raw(**{"x-amz-checksum-crc32": "rfP1Zw=="}) == "BadDigest"


MODE, UNTIL, HOLD, EVENT = (
    f"x-amz-object-lock-{name}"
    for name in ("mode", "retain-until-date", "legal-hold", "event-hold")
)
DAYS, YEARS = (f"{EVENT}-duration-{unit}" for unit in ("days", "years"))


@pytest.mark.parametrize(
    ("headers", "answer", "argument"),
    [
        ({MODE: "GOVERNANCE"}, "InvalidArgument", UNTIL),
        ({UNTIL: "2100-01-01T00:00:00Z"}, "InvalidArgument", MODE),
        ({MODE: "governance", UNTIL: "2100-01-01T00:00:00Z"}, "InvalidArgument", MODE),
        ({MODE: "GOVERNANCE", UNTIL: "2020-01-01T00:00:00Z"}, "InvalidArgument", UNTIL),
        ({MODE: "GOVERNANCE", UNTIL: "tomorrow"}, "InvalidArgument", UNTIL),
        ({HOLD: "on"}, "InvalidArgument", HOLD),
        ({EVENT: "on", MODE: "GOVERNANCE"}, "InvalidArgument", EVENT),
        ({EVENT: "ON", MODE: "GOVERNANCE"}, "InvalidRequest", ""),
        ({EVENT: "ON", DAYS: "1"}, "InvalidArgument", MODE),
        ({DAYS: "1", MODE: "GOVERNANCE", UNTIL: "2100-01-01T00:00:00Z"}, "InvalidRequest", ""),
        ({EVENT: "OFF", DAYS: "1", MODE: "GOVERNANCE"}, "InvalidRequest", ""),
        ({EVENT: "OFF", MODE: "GOVERNANCE"}, "InvalidRequest", ""),
        ({EVENT: "ON", DAYS: "1", YEARS: "1", MODE: "GOVERNANCE"}, "InvalidRequest", ""),
        ({EVENT: "ON", DAYS: "36501", MODE: "GOVERNANCE"}, "InvalidArgument", DAYS),
        ({EVENT: "ON", YEARS: "0", MODE: "GOVERNANCE"}, "InvalidArgument", YEARS),
        ({EVENT: "ON", YEARS: "a", MODE: "GOVERNANCE"}, "InvalidArgument", YEARS),
    ],
)
def test_headers_that_protect_wrongly_are_refused(
    s3: Served, locked: str, headers: dict[str, str], answer: str, argument: str
) -> None:
    source = {"x-amz-copy-source": f"/{locked}/k"}
    for method, target, more in (("PUT", "k", {}), ("POST", "k?uploads", {}), ("PUT", "k", source)):
        said = s3.raw(method, f"/{locked}/{target}", headers={**headers, **more})
        assert said.code() == answer
        assert argument.encode() in said.body


def test_a_bucket_without_a_lock_protects_nothing(s3: Served, bucket: str) -> None:
    client = s3.client()
    client.put_object(Bucket=bucket, Key="k", Body=b"data")
    given = {"Bucket": bucket, "Key": "k"}
    calls: list[tuple[Any, dict[str, Any]]] = [
        (client.put_object, {"ObjectLockLegalHoldStatus": "OFF"}),
        (client.create_multipart_upload, {"ObjectLockLegalHoldStatus": "ON"}),
        (client.put_object_retention, {"Retention": retention("GOVERNANCE", LATER)}),
        (client.get_object_retention, {}),
        (client.put_object_legal_hold, {"LegalHold": {"Status": "ON"}}),
        (client.get_object_legal_hold, {}),
    ]
    for call, more in calls:
        assert refused(call, **given, **more)[:2] == (400, "InvalidRequest"), call


def test_what_is_not_there_is_said_before_that_nothing_can_be_locked(
    s3: Served, bucket: str
) -> None:
    client = s3.client()
    for call in (client.get_object_retention, client.get_object_legal_hold):
        assert refused(call, Bucket=bucket, Key="absent")[1] == "NoSuchKey"
    assert s3.raw("PUT", f"/{bucket}?object-lock").code() == "MissingRequestBodyError"


def test_a_bucket_whose_upstream_has_a_lock_has_one(
    s3: Served, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, given = s3.client(), {"Bucket": bucket, "Key": "k"}
    monkeypatch.setattr(IndexedStore, "always_protects", True)
    client.put_object(**given, Body=b"data", ObjectLockLegalHoldStatus="ON")
    assert client.get_object_legal_hold(**given)["LegalHold"]["Status"] == "ON"
    client.put_object_retention(**given, Retention=retention("GOVERNANCE", LATER))
    assert client.get_object_retention(**given)["Retention"]["Mode"] == "GOVERNANCE"
    found = client.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
    assert found == {"ObjectLockEnabled": "Enabled"}
    begun = {**given, "UploadId": client.create_multipart_upload(**given)["UploadId"]}
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    client.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=lock())
    etag = client.upload_part(**begun, PartNumber=1, Body=b"data")["ETag"]
    parts = {"Parts": [{"ETag": etag, "PartNumber": 1}]}
    client.complete_multipart_upload(**begun, MultipartUpload=parts)
    assert "ObjectLockMode" not in client.head_object(**given), "it is what it began with"


def test_a_retention_is_given_shown_and_made_longer(s3: Served, locked: str) -> None:
    client, given = s3.client(), {"Bucket": locked, "Key": "k", "VersionId": put(s3, locked)}
    assert refused(client.get_object_retention, **given)[1] == "NoSuchObjectLockConfiguration"
    for until in (LATER, LATEST):
        client.put_object_retention(**given, Retention=retention("GOVERNANCE", until))
        found = client.get_object_retention(**given)["Retention"]
        assert found == retention("GOVERNANCE", until)
    for call in (client.get_object, client.head_object):
        said = call(Bucket=locked, Key="k")
        assert said["ObjectLockRetainUntilDate"] == LATEST
        assert "ObjectLockLegalHoldStatus" not in said


def test_only_who_bypasses_ends_a_governance(s3: Served, locked: str) -> None:
    client, version = s3.client(), put(s3, locked)
    given = {"Bucket": locked, "Key": "k", "VersionId": version}
    client.put_object_retention(**given, Retention=retention("GOVERNANCE", LATEST))
    less = [retention("GOVERNANCE", LATER), retention("COMPLIANCE", LATEST), {}]
    for wanted in less:
        assert refused(client.put_object_retention, **given, Retention=wanted)[1] == "AccessDenied"
    assert refused(client.delete_object, **given)[1] == "AccessDenied"
    one = {"Objects": [{"Key": "k", "VersionId": version}]}
    errors = client.delete_objects(Bucket=locked, Delete=one)["Errors"]
    assert [error["Code"] for error in errors] == ["AccessDenied"]
    for wanted in (less[0], {}):
        client.put_object_retention(**given, Retention=wanted, BypassGovernanceRetention=True)
    assert refused(client.get_object_retention, **given)[1] == "NoSuchObjectLockConfiguration"
    client.put_object_retention(**given, Retention=less[0])
    client.delete_objects(Bucket=locked, Delete=one, BypassGovernanceRetention=True)
    assert refused(client.head_object, **given)[0] == 404


def test_who_may_write_may_not_bypass(s3: Served, locked: str) -> None:
    client, other = s3.client(), s3.client("other-key")
    given = {"Bucket": locked, "Key": "k", "VersionId": put(s3, locked)}
    hold = {"LegalHold": {"Status": "ON"}}
    assert refused(other.put_object_legal_hold, **given, **hold)[1] == "AccessDenied"
    assert refused(other.get_object_legal_hold, **given)[1] == "AccessDenied"
    client.put_object_retention(**given, Retention=retention("GOVERNANCE", LATER))
    client.put_bucket_acl(Bucket=locked, ACL="public-read-write")
    bypass = {"BypassGovernanceRetention": True}
    assert refused(other.delete_object, **given, **bypass)[1] == "AccessDenied"
    wanted = {"Retention": {}, **bypass}
    assert refused(other.put_object_retention, **given, **wanted)[1] == "AccessDenied"


def test_who_may_not_see_a_lock_is_not_told_of_it(s3: Served, locked: str) -> None:
    client, other = s3.client(), s3.client("other-key")
    given = {"Bucket": locked, "Key": "k"}
    put(s3, locked, ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=LATER)
    client.put_object_legal_hold(**given, LegalHold={"Status": "ON"})
    for actions, mode, status in (
        (["s3:GetObject"], None, None),
        (["s3:GetObject", "s3:GetObjectRetention"], "GOVERNANCE", None),
        (["s3:GetObject", "s3:GetObjectLegalHold"], None, "ON"),
    ):
        statement = {
            "Effect": "Allow",
            "Principal": "*",
            "Action": actions,
            "Resource": f"arn:aws:s3:::{locked}/*",
        }
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        client.put_bucket_policy(Bucket=locked, Policy=json.dumps(policy))
        head = other.head_object(**given)
        assert head.get("ObjectLockMode") == mode
        assert head.get("ObjectLockLegalHoldStatus") == status


def awaiting(mode: str, **duration: int) -> dict[str, Any]:
    return {"Mode": mode, "EventHold": "ON", "EventHoldDuration": duration}


def test_an_event_hold_is_given_shown_and_ended(s3: Served, locked: str) -> None:
    client = s3.client()
    given = {"Bucket": locked, "Key": "k", "VersionId": put(s3, locked)}
    client.put_object_retention(**given, Retention=awaiting("COMPLIANCE", Years=2))
    found = client.get_object_retention(**given)["Retention"]
    two_years = timedelta(days=730)
    assert timedelta() <= found.pop("RetainUntilDate") - NOW - two_years < timedelta(hours=1)
    assert found == awaiting("COMPLIANCE", Years=2)
    for call in (client.get_object, client.head_object):
        said = call(**given)
        assert (said["ObjectLockEventHold"], said["ObjectLockEventHoldDurationYears"]) == ("ON", 2)
        assert "ObjectLockEventHoldDurationDays" not in said
        assert said["ObjectLockRetainUntilDate"] - NOW >= two_years
    bypass = {**given, "BypassGovernanceRetention": True}
    assert refused(client.delete_object, **bypass)[1] == "AccessDenied"
    assert refused(client.put_object_retention, **bypass, Retention={})[1] == "AccessDenied"
    client.put_object_retention(**given, Retention={"Mode": "COMPLIANCE", "EventHold": "OFF"})
    ended = client.get_object_retention(**given)["Retention"]
    assert client.get_object_retention(**given)["Retention"] == ended, "it is a time now"
    assert (ended.keys(), ended["Mode"]) == ({"Mode", "RetainUntilDate"}, "COMPLIANCE")
    assert ended["RetainUntilDate"] - NOW >= two_years
    assert "ObjectLockEventHold" not in client.head_object(**given)
    assert refused(client.delete_object, **bypass)[1] == "AccessDenied"


def test_what_is_made_has_the_event_hold_that_it_asks_for(s3: Served, locked: str) -> None:
    client = s3.client()
    asked: dict[str, Any] = {
        "ObjectLockMode": "GOVERNANCE",
        "ObjectLockEventHold": "ON",
        "ObjectLockEventHoldDurationDays": 5,
    }
    version = put(s3, locked, **asked)
    client.copy_object(Bucket=locked, Key="copied", CopySource=f"{locked}/k", **asked)
    given = {"Bucket": locked, "Key": "parts"}
    given["UploadId"] = client.create_multipart_upload(**given, **asked)["UploadId"]
    etag = client.upload_part(**given, PartNumber=1, Body=b"data")["ETag"]
    parts = {"Parts": [{"ETag": etag, "PartNumber": 1}]}
    client.complete_multipart_upload(**given, MultipartUpload=parts)
    for key in ("k", "copied", "parts"):
        head = client.head_object(Bucket=locked, Key=key)
        assert {name: head.get(name) for name in asked} == asked, key
    one = {"Objects": [{"Key": "k", "VersionId": version}]}
    errors = client.delete_objects(Bucket=locked, Delete=one)["Errors"]
    assert [error["Code"] for error in errors] == ["AccessDenied"]
    client.delete_objects(Bucket=locked, Delete=one, BypassGovernanceRetention=True)
    assert refused(client.head_object, Bucket=locked, Key="k")[0] == 404
    fixed = {"ObjectLockEventHold": "OFF", "ObjectLockRetainUntilDate": LATER}
    put(s3, locked, "fixed", ObjectLockMode="GOVERNANCE", **fixed)
    head = client.head_object(Bucket=locked, Key="fixed")
    assert head["ObjectLockRetainUntilDate"] == LATER
    assert "ObjectLockEventHold" not in head


def test_the_bucket_s_default_may_be_an_event_hold(s3: Served, locked: str) -> None:
    client = s3.client()
    for more in ({}, {"Days": 9}):
        wanted = lock(DefaultEventHold={"Days": 3}, **more)  # type: ignore[arg-type]
        client.put_object_lock_configuration(Bucket=locked, ObjectLockConfiguration=wanted)
        found = client.get_object_lock_configuration(Bucket=locked)["ObjectLockConfiguration"]
        assert found == wanted
        put(s3, locked)
        head = client.head_object(Bucket=locked, Key="k")
        assert head["ObjectLockMode"] == "GOVERNANCE"
        assert head["ObjectLockEventHoldDurationDays"] == 3
        left = head["ObjectLockRetainUntilDate"] - datetime.now(UTC)
        assert left <= timedelta(days=more.get("Days", 3)) < left + timedelta(hours=1)
    put(s3, locked, "own", **{"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": LATER})
    assert "ObjectLockEventHold" not in client.head_object(Bucket=locked, Key="own")


def test_an_event_hold_that_the_store_cannot_keep_is_no_default(
    s3: Served, locked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(_: object, options: Put) -> None:
        assert options.protection is not None
        if options.protection.event is not None:
            raise Unsupported("none here", capability="event holds")

    monkeypatch.setattr(IndexedStore, "check_put", check)
    call, given = s3.client().put_object_lock_configuration, {"Bucket": locked}
    wanted = lock(DefaultEventHold={"Days": 3})  # type: ignore[arg-type]
    assert refused(call, **given, ObjectLockConfiguration=wanted)[1] == "NotImplemented"
    call(**given, ObjectLockConfiguration=lock())


def test_policies_see_what_a_document_says_and_not_a_header_beside_it(
    s3: Served, locked: str
) -> None:
    put(s3, locked)
    about = {"Principal": "*", "Resource": f"arn:aws:s3:::{locked}/*", "Effect": "Allow"}
    only = {"StringEquals": {"s3:object-lock-mode": "GOVERNANCE"}}
    statement = {**about, "Action": "s3:PutObjectRetention", "Condition": only}
    s3.client().put_bucket_policy(Bucket=locked, Policy=json.dumps({"Statement": statement}))
    until = datetime.now(UTC) + timedelta(days=1)
    mode = f"<Mode>GOVERNANCE</Mode><RetainUntilDate>{until.isoformat()}</RetainUntilDate>"

    def retains(inside: str) -> int:
        body = f"<Retention>{inside}</Retention>".encode()
        md5 = b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        said = {"content-md5": md5, "x-amz-object-lock-mode": "GOVERNANCE"}
        path = f"/{locked}/k?retention"
        return s3.raw("PUT", path, key="other-key", headers=said, body=body).status

    assert retains("") == 403
    assert retains(mode) == 200


def test_policies_see_event_holds(s3: Served, locked: str) -> None:
    client, other = s3.client(), s3.client("other-key")
    given = {"Bucket": locked, "Key": "k"}
    put(s3, locked)
    about = {"Principal": "*", "Resource": f"arn:aws:s3:::{locked}/*"}
    allowed = {**about, "Effect": "Allow", "Action": ["s3:PutObject*", "s3:GetObject*"]}
    denied = {**about, "Effect": "Deny", "Action": ["s3:PutObject", "s3:PutObjectRetention"]}
    off = {"StringEquals": {"s3:object-lock-event-hold": "OFF"}}
    short = {"NumericLessThan": {"s3:object-lock-event-hold-duration-days": "366"}}
    statements = [allowed, {**denied, "Condition": off}, {**denied, "Condition": short}]
    client.put_bucket_policy(Bucket=locked, Policy=json.dumps({"Statement": statements}))

    def retain(wanted: dict[str, Any]) -> str:
        try:
            other.put_object_retention(**given, Retention=wanted)
        except other.exceptions.ClientError as error:
            return str(error.response["Error"]["Code"])
        return ""

    assert retain(awaiting("GOVERNANCE", Days=365)) == "AccessDenied"
    assert retain(awaiting("GOVERNANCE", Years=1)) == "AccessDenied"
    assert retain(awaiting("GOVERNANCE", Years=2)) == ""
    assert retain({"Mode": "GOVERNANCE", "EventHold": "OFF"}) == "AccessDenied"
    hold = {"ObjectLockMode": "GOVERNANCE", "ObjectLockEventHold": "ON"}
    call, more = other.put_object, {**given, "Body": b"data", **hold}
    assert refused(call, **more, ObjectLockEventHoldDurationYears=1)[1] == "AccessDenied"
    call(**more, ObjectLockEventHoldDurationDays=366)


def test_a_legal_hold_keeps_until_it_is_off(s3: Served, locked: str) -> None:
    client, given = s3.client(), {"Bucket": locked, "Key": "k", "VersionId": put(s3, locked)}
    for status in ("ON", "OFF"):
        client.put_object_legal_hold(**given, LegalHold={"Status": status})
        assert client.get_object_legal_hold(**given)["LegalHold"]["Status"] == status
        if status == "ON":
            assert client.head_object(**given)["ObjectLockLegalHoldStatus"] == "ON"
            bypass = {**given, "BypassGovernanceRetention": True}
            assert refused(client.delete_object, **bypass)[1] == "AccessDenied"
    client.delete_object(**given)


ONE_DAY = "<EventHoldDuration><Days>1</Days></EventHoldDuration>"


@pytest.mark.parametrize(
    ("target", "document", "answer"),
    [
        ("retention", "", "MalformedXML"),
        ("retention", "<Retention><Mode>GOVERNANCE</Mode></Retention>", "MalformedXML"),
        (
            "retention",
            "<Retention><Mode>GOVERNANCE</Mode>"
            "<RetainUntilDate>2020-01-01T00:00:00Z</RetainUntilDate></Retention>",
            "InvalidArgument",
        ),
        ("retention", "<EventHold>ON</EventHold>", "InvalidRequest"),
        ("retention", "<EventHold>on</EventHold>", "MalformedXML"),
        ("retention", f"<EventHold>ON</EventHold>{ONE_DAY}", "MalformedXML"),
        ("retention", f"<EventHold>OFF</EventHold>{ONE_DAY}", "InvalidRequest"),
        ("retention", ONE_DAY, "InvalidRequest"),
        ("retention", "<Mode>GOVERNANCE</Mode><EventHold>OFF</EventHold>", "InvalidRequest"),
        ("legal-hold", "<LegalHold/>", "MalformedXML"),
        ("legal-hold", "<LegalHold><Status>on</Status></LegalHold>", "MalformedXML"),
    ],
)
def test_documents_that_protect_wrongly_are_refused(
    s3: Served, locked: str, target: str, document: str, answer: str
) -> None:
    put(s3, locked)
    if target == "retention" and document and not document.startswith("<Retention>"):
        document = f"<Retention>{document}</Retention>"
    sums = {"x-amz-checksum-sha256": _sha256(document.encode())}
    said = s3.raw("PUT", f"/{locked}/k?{target}", body=document.encode(), headers=sums)
    assert said.code() == answer
    bare = s3.raw("PUT", f"/{locked}/k?{target}", body=b"<LegalHold/>")
    assert bare.code() == "InvalidRequest", "a sum is required"


def _sha256(data: bytes) -> str:
    return b64encode(hashlib.sha256(data).digest()).decode()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1970-01-02", DAY),
        ("1970-01-02T00:00:00Z", DAY),
        ("1970-01-02T00:00", DAY),
        ("1970-01-02T01:00:00+01:00", DAY),
        ("1970-01-02T00:00:00.0014Z", DAY + 2),
        ("1970-01-02T00:00:00.123456789Z", DAY + 124),
        ("9999-12-31T23:59:59Z", 253_402_300_799_000),
        ("1970-13-02", None),
        ("19700102", None),
        ("86400", None),
        ("1970-01-02 00:00", None),
        ("0001-01-01T00:00:00+23:00", None),
        ("", None),
    ],
)
def test_dates_of_documents(text: str, found: int | None) -> None:
    moment = wire.moment(text)
    assert moment == found or (found is None and moment is not None and moment < 0)
    if found is not None:
        assert wire.moment(wire.exact(found)) == found


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59-00:01"])
def test_nothing_is_kept_beyond_what_a_date_can_say(s3: Served, locked: str, text: str) -> None:
    md5 = b64encode(hashlib.md5(b"data").digest()).decode()
    headers = {
        "x-amz-object-lock-mode": "GOVERNANCE",
        "x-amz-object-lock-retain-until-date": text,
        "content-md5": md5,
    }
    answer = s3.raw("PUT", f"/{locked}/k", body=b"data", headers=headers)
    assert (answer.status, answer.code()) == (400, "InvalidArgument")
    put(s3, locked)
    until = f"<RetainUntilDate>{text}</RetainUntilDate>"
    body = f"<Retention><Mode>GOVERNANCE</Mode>{until}</Retention>".encode()
    md5 = b64encode(hashlib.md5(body).digest()).decode()
    answer = s3.raw("PUT", f"/{locked}/k?retention", body=body, headers={"content-md5": md5})
    assert (answer.status, answer.code()) == (400, "MalformedXML")
    last = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    put(s3, locked, ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=last, ContentMD5=MD5)
    found = s3.client().head_object(Bucket=locked, Key="k")
    assert found["ObjectLockRetainUntilDate"] == last


MD5 = b64encode(hashlib.md5(b"data").digest()).decode()


def test_of_each_version_is_told_what_may_be_known_of_it(s3: Served, locked: str) -> None:
    kept: dict[str, Any] = {
        "ObjectLockMode": "GOVERNANCE",
        "ObjectLockRetainUntilDate": LATER,
        "ObjectLockLegalHoldStatus": "ON",
        "ContentMD5": MD5,
    }
    hidden = put(s3, locked, Tagging="show=no", **kept)
    shown = put(s3, locked, Tagging="show=yes", **kept)
    about = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Resource": f"arn:aws:s3:::{locked}/*"}
    told = {"StringEquals": {"s3:ExistingObjectTag/show": "yes"}}
    actions = ["s3:GetObjectRetention", "s3:GetObjectLegalHold"]
    statements = [
        {**about, "Action": "s3:GetObjectVersion"},
        {**about, "Action": actions, "Condition": told},
    ]
    document = json.dumps({"Statement": statements})
    s3.client().put_bucket_policy(Bucket=locked, Policy=document)
    for version, expected in ((hidden, 0), (shown, 3)):
        answer = s3.raw("GET", f"/{locked}/k?versionId={version}", key="other-key")
        found = [name for name in answer.headers if name.startswith("x-amz-object-lock-")]
        assert (answer.status, len(found)) == (200, expected)
