"""One object through both doors: what one of them does, the other sees."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.modes.standard_gateway import Served


@pytest.fixture
def s3(api: Served) -> Any:
    return api.s3()


def test_what_s3_puts_getfile_gives(api: Served, s3: Any, folder: str) -> None:
    path = f"{folder}ü &+.txt"
    put = s3.put_object(
        Bucket="files",
        Key=path,
        Body=b"by S3",
        ContentType="text/plain",
        CacheControl="max-age=9",
        Metadata={"one": "1"},
    )
    got = api.call("getfile", sid="files", path=path)
    assert got.body == b"by S3"
    assert got.headers["etag"] == put["ETag"]
    assert got.headers["content-type"] == "text/plain"
    assert got.headers["cache-control"] == "max-age=9"
    assert got.headers["x-meta-one"] == "1"
    (listed,) = api.call("filelist", sid="files", prefix=path).json["files"]
    assert f'"{listed["etag"]}"' == put["ETag"]
    assert listed["contentType"] == "text/plain"


def test_what_uploadfile_stores_s3_gives(api: Served, s3: Any, folder: str) -> None:
    path = f"{folder}a+b c.txt"
    headers = {"Content-Type": "text/x-odd", "x-meta-two": "2", "Expires": "0"}
    stored = api.put("files", path, b"by standard", headers=headers)
    got = s3.get_object(Bucket="files", Key=path)
    assert got["Body"].read() == b"by standard"
    assert got["ETag"] == f'"{stored.json["etag"]}"'
    assert got["ContentType"] == "text/x-odd"
    assert got["Metadata"] == {"two": "2"}
    assert got["ResponseMetadata"]["HTTPHeaders"]["expires"] == "0"
    head = api.call("getfile", method="HEAD", sid="files", path=path)
    assert head.headers["last-modified"] == got["ResponseMetadata"]["HTTPHeaders"]["last-modified"]


def test_what_a_bucket_says_of_encryption_holds_through_both(
    api: Served, s3: Any, folder: str
) -> None:
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    s3.put_bucket_encryption(Bucket="files", ServerSideEncryptionConfiguration={"Rules": [rule]})
    try:
        api.put("files", f"{folder}k", b"data")
    finally:
        s3.delete_bucket_encryption(Bucket="files")
    assert s3.head_object(Bucket="files", Key=f"{folder}k")["SSEKMSKeyId"] == "aws/s3"
    assert api.call("getfile", sid="files", path=f"{folder}k").body == b"data"


def test_what_a_bucket_keeps_it_keeps_through_both(api: Served, s3: Any, folder: str) -> None:
    s3.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    default = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}
    lock = {"ObjectLockEnabled": "Enabled", "Rule": default}
    s3.put_object_lock_configuration(Bucket="locked", ObjectLockConfiguration=lock)
    api.put("locked", "k", b"data")
    kept = s3.head_object(Bucket="locked", Key="k")
    assert kept["ObjectLockMode"] == "COMPLIANCE"
    version = kept["VersionId"]
    gone = api.call("deletefile", method="POST", sid="locked", path="k", version=version)
    assert gone.status == 403
    assert api.call("getfile", sid="locked", path="k").body == b"data"


def test_what_a_policy_says_holds_through_both(api: Served, s3: Any, folder: str) -> None:
    for name in ("open", "shut"):
        s3.put_object(Bucket="files", Key=f"{folder}{name}", Body=b"data", Tagging=f"is={name}")
    about = {"Effect": "Deny", "Principal": "*", "Resource": f"arn:aws:s3:::files/{folder}*"}
    shut = {"StringEquals": {"s3:ExistingObjectTag/is": "shut"}}
    there = {"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}
    statements = [
        {**about, "Action": "s3:GetObject", "Condition": shut},
        {**about, "Action": "s3:DeleteObject", "Condition": there},
    ]
    s3.put_bucket_policy(Bucket="files", Policy=json.dumps({"Statement": statements}))
    try:
        found = [
            api.call("getfile", sid="files", path=f"{folder}{name}").status
            for name in ("open", "shut")
        ]
        gone = api.call("deletefile", method="POST", sid="files", path=f"{folder}open")
    finally:
        s3.delete_bucket_policy(Bucket="files")
    assert (found, gone.status) == ([200, 403], 403)
    assert api.call("getfile", sid="files", path=f"{folder}shut").body == b"data"


def test_headers_of_s3_fulfil_no_rule_where_they_have_no_effect(
    api: Served, s3: Any, folder: str
) -> None:
    condition = {"StringNotEquals": {"s3:x-amz-server-side-encryption": "AES256"}}
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::files/{folder}*",
        "Condition": condition,
    }
    s3.put_bucket_policy(Bucket="files", Policy=json.dumps({"Statement": [statement]}))
    try:
        headers = {"x-amz-server-side-encryption": "AES256"}
        assert api.put("files", f"{folder}a", b"1", headers=headers).status == 403
        s3.put_object(Bucket="files", Key=f"{folder}a", Body=b"1", ServerSideEncryption="AES256")
    finally:
        s3.delete_bucket_policy(Bucket="files")


def test_versions_are_the_same(api: Served, s3: Any, folder: str) -> None:
    path = f"{folder}v"
    one = s3.put_object(Bucket="kept", Key=path, Body=b"1")["VersionId"]
    two = api.put("kept", path, b"22").json["version"]
    three = s3.delete_object(Bucket="kept", Key=path)["VersionId"]
    ours = api.call("versionlist", sid="kept", path=path).json["versions"]
    assert [(v["version"], v["deleted"]) for v in ours] == [
        (three, True),
        (two, False),
        (one, False),
    ]
    theirs = s3.list_object_versions(Bucket="kept", Prefix=path)
    assert [v["VersionId"] for v in theirs["Versions"]] == [two, one]
    assert api.call("getfile", sid="kept", path=path, version=one).body == b"1"
    assert s3.get_object(Bucket="kept", Key=path, VersionId=two)["Body"].read() == b"22"
    api.call("deletefile", method="POST", sid="kept", path=path, version=three)
    assert s3.get_object(Bucket="kept", Key=path)["VersionId"] == two


def test_deletes_and_conditions_hold_through_both(api: Served, s3: Any, folder: str) -> None:
    path = f"{folder}d"
    etag = s3.put_object(Bucket="files", Key=path, Body=b"1")["ETag"]
    assert api.put("files", path, b"2", headers={"If-None-Match": "*"}).status == 412
    assert api.put("files", path, b"2", headers={"If-Match": etag}).status == 200
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket="files", Key=path, Body=b"3", IfMatch=etag)
    assert api.call("deletefile", method="POST", sid="files", path=path).json["deleted"] is True
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(Bucket="files", Key=path)


def test_parts_and_tags_are_seen_by_followers(api: Served, s3: Any, folder: str) -> None:
    path = f"{folder}p"
    start = api.call("syncnext", sid="kept", syncid=1 << 62).json["lastSyncId"]
    upload = s3.create_multipart_upload(Bucket="kept", Key=path, ContentType="a/b")["UploadId"]
    part = s3.upload_part(Bucket="kept", Key=path, UploadId=upload, PartNumber=1, Body=b"part")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    done = s3.complete_multipart_upload(
        Bucket="kept", Key=path, UploadId=upload, MultipartUpload=parts
    )
    tags = {"TagSet": [{"Key": "a", "Value": "b"}]}
    s3.put_object_tagging(Bucket="kept", Key=path, Tagging=tags)
    updates = api.call("syncnext", sid="kept", syncid=start, limit=10).json["updates"]
    assert [one["kind"] for one in updates] == ["put", "update"]
    assert {one["version"] for one in updates} == {done["VersionId"]}
    assert updates[0]["contentType"] == "a/b"
    got = api.call("getfile", sid="kept", path=path)
    assert (got.body, got.headers["etag"]) == (b"part", done["ETag"])


def test_a_bucket_that_s3_makes_is_a_service(api: Served, s3: Any) -> None:
    s3.create_bucket(Bucket="made-by-s3")
    api.put("made-by-s3", "before")
    found = {one["sid"]: one for one in api.call("servicelist").json["services"]}
    assert found["made-by-s3"]["type"] == "memory"
    api.call("deletefile", method="POST", sid="made-by-s3", path="before")
    s3.delete_bucket(Bucket="made-by-s3")
    assert api.call("filelist", sid="made-by-s3").error == "service_not_found"


def test_requests_to_a_service_that_is_gone_are_not_shown_to_its_successor(
    api: Served, s3: Any
) -> None:
    import time

    s3.create_bucket(Bucket="again")
    api.put("again", "first-life")
    api.call("deletefile", method="POST", sid="again", path="first-life")
    s3.delete_bucket(Bucket="again")
    time.sleep(0.01)
    s3.create_bucket(Bucket="again")
    api.put("again", "second-life")
    for _ in range(200):
        paths = {one["path"] for one in api.call("reqlist", sid="again").json["requests"]}
        if "second-life" in paths:
            break
        time.sleep(0.05)
    assert "second-life" in paths
    assert "first-life" not in paths
