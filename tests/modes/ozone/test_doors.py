"""The same keys by S3 and by the standard mode; what is allowed and counted is so by all doors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from gateway.access.identity import Account
from gateway.storage import Secret
from tests.modes.ozone.trusting import HOST, ROOT, Ozone, done, outcome, refused, said, trusting
from tests.modes.public_gateway import Answer

USERS = ("bilbo", "frodo")


def secret(user: str) -> str:
    return ROOT[1] if user == "root" else f"secret-of-{user}-00000000"


@pytest.fixture(scope="module")
def ozone() -> Iterator[Ozone]:
    """Its users have keys by which they come through the other doors."""
    with trusting() as found:
        for user in USERS:
            found.runtime.catalog.add_account(Account(id=user))
            found.runtime.catalog.add_key(
                account=user, id=user, secret=Secret(secret(user)), access="own"
            )
        yield found


def by_s3(
    ozone: Ozone, method: str, target: str, user: str, body: bytes | None = None, copied: str = ""
) -> Answer:
    """`copied`: the path of what is copied there."""
    request = AWSRequest(method=method, url=f"http://{HOST}{target}", data=body)
    request.headers["x-amz-content-sha256"] = hashlib.sha256(body or b"").hexdigest()
    if copied:
        request.headers["x-amz-copy-source"] = copied
    S3SigV4Auth(Credentials(user, secret(user)), "s3", "us-east-1").add_auth(request)
    sent = {name.lower(): value for name, value in request.headers.items()}
    return ozone.site.ask(target, method, sent, host=HOST, body=body)


def by_standard(
    ozone: Ozone, method: str, target: str, user: str, body: bytes | None = None
) -> Answer:
    return ozone.site.ask(target, method, {"x-owncdn-key": secret(user)}, host=HOST, body=body)


def test_what_one_door_puts_all_give(ozone: Ozone) -> None:
    bucket = ozone.bucket()
    sid = ozone.sid(bucket)
    assert sid == bucket[1:].replace("/", ".")
    ozone.put(bucket, "by/ozone", b"ozone")
    assert by_s3(ozone, "PUT", f"/{sid}/by/s3", "bilbo", b"s3").status == 200
    target = f"/uploadfile?sid={sid}&path=by/standard"
    assert by_standard(ozone, "PUT", target, "bilbo", b"standard").status == 201
    for name in ("ozone", "s3", "standard"):
        found = {
            ozone.ask("GET", f"{bucket}/by/{name}", "bilbo").body,
            by_s3(ozone, "GET", f"/{sid}/by/{name}", "bilbo").body,
            by_standard(ozone, "GET", f"/getfile?sid={sid}&path=by/{name}", "bilbo").body,
        }
        assert found == {name.encode()}
    assert ozone.keys(bucket) == ["by/ozone", "by/s3", "by/standard"]
    assert b"<KeyCount>3<" in by_s3(ozone, "GET", f"/{sid}?list-type=2", "bilbo").body
    etag = by_s3(ozone, "HEAD", f"/{sid}/by/ozone", "bilbo").headers["etag"]
    info = said(ozone.ask("GET", f"{bucket}/by/ozone", "bilbo", info="key"))
    assert etag == f'"{info["md5hash"]}"'


def test_what_has_no_md5_shows_none(ozone: Ozone) -> None:
    """As S3's uploads in parts."""
    bucket = ozone.bucket()
    at = f"/{ozone.sid(bucket)}/parts"
    begun = by_s3(ozone, "POST", f"{at}?uploads=", "bilbo").body.decode()
    upload = begun.partition("<UploadId>")[2].partition("<")[0]
    tag = by_s3(ozone, "PUT", f"{at}?partNumber=1&uploadId={upload}", "bilbo", b"part").headers[
        "etag"
    ]
    part = f"<Part><PartNumber>1</PartNumber><ETag>{tag}</ETag></Part>"
    body = f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>".encode()
    completed = by_s3(ozone, "POST", f"{at}?uploadId={upload}", "bilbo", body)
    assert completed.status == 200, completed.body
    assert said(ozone.ask("GET", f"{bucket}/parts", "bilbo", info="key"))["md5hash"] is None


def test_lists_of_control_are_obeyed_by_every_door(ozone: Ozone) -> None:
    bucket = ozone.bucket()
    sid = ozone.sid(bucket)
    ozone.put(bucket, "key")

    def found() -> list[int]:
        return [
            by_s3(ozone, "GET", f"/{sid}/key", "frodo").status,
            by_s3(ozone, "PUT", f"/{sid}/new", "frodo", b"1").status,
            by_standard(ozone, "GET", f"/getfile?sid={sid}&path=key", "frodo").status,
            by_standard(ozone, "PUT", f"/uploadfile?sid={sid}&path=new", "frodo", b"1").status,
            ozone.ask("GET", f"{bucket}/key", "frodo").status,
            ozone.ask("PUT", f"{bucket}/new", "frodo", body=b"1").status,
        ]

    assert found() == [403, 403, 404, 404, 404, 404]
    done(ozone.ask("PUT", bucket, "bilbo", headers={"x-ozone-acl": "ADD user:frodo:r"}))
    assert found() == [200, 403, 200, 403, 200, 403]
    done(ozone.ask("PUT", bucket, "bilbo", headers={"x-ozone-acl": "ADD group:frodo:w"}))
    assert found() == [200, 200, 200, 200, 200, 201]
    acls = ("REMOVE user:frodo:r", "REMOVE group:frodo:w")
    done(ozone.ask("PUT", bucket, "bilbo", headers={"x-ozone-acl": ",".join(acls)}))
    assert found() == [403, 403, 404, 404, 404, 404]


def denied(ozone: Ozone, bucket: str, action: str) -> None:
    """To everybody, by a bucket policy."""
    sid = ozone.sid(bucket)
    deny = {
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Deny", "Principal": "*", "Action": action,
            "Resource": f"arn:aws:s3:::{sid}/*",
        }],
    }  # fmt: skip
    answer = by_s3(ozone, "PUT", f"/{sid}?policy=", "bilbo", json.dumps(deny).encode())
    assert answer.status == 204, answer.body


def test_what_s3_says_of_a_bucket_is_obeyed_here(ozone: Ozone) -> None:
    bucket = ozone.bucket()
    ozone.put(bucket, "key")
    done(ozone.ask("PUT", bucket, "bilbo", headers={"x-ozone-acl": "ADD user:frodo:rw"}))
    denied(ozone, bucket, "s3:PutObject")
    refused(ozone.ask("PUT", f"{bucket}/key", "frodo", body=b""), 403, "accessDenied")
    refused(ozone.ask("PUT", f"{bucket}/key", "bilbo", body=b""), 403, "accessDenied")
    assert ozone.ask("GET", f"{bucket}/key", "frodo").status == 200


def test_who_may_not_delete_does_not_rename(ozone: Ozone) -> None:
    """Else both were there afterwards."""
    bucket = ozone.bucket()
    ozone.put(bucket, "key")
    denied(ozone, bucket, "s3:DeleteObject")
    answer = ozone.ask("POST", f"{bucket}/key", "bilbo", toKey="other")
    refused(answer, 403, "accessDenied")
    assert ozone.keys(bucket) == ["key"]


def test_the_world_is_shut_out_where_s3_blocks_public_access(ozone: Ozone) -> None:
    bucket = ozone.bucket()
    sid = ozone.sid(bucket)
    ozone.put(bucket, "key")
    done(ozone.ask("PUT", bucket, "bilbo", headers={"x-ozone-acl": "ADD world::r"}))
    assert ozone.ask("GET", f"{bucket}/key", "frodo").status == 200
    block = (
        b"<PublicAccessBlockConfiguration><RestrictPublicBuckets>true</RestrictPublicBuckets>"
        b"<IgnorePublicAcls>true</IgnorePublicAcls></PublicAccessBlockConfiguration>"
    )
    assert by_s3(ozone, "PUT", f"/{sid}?publicAccessBlock=", "bilbo", block).status == 200
    assert ozone.ask("GET", f"{bucket}/key", "frodo").status in (403, 404)
    assert ozone.ask("GET", f"{bucket}/key", "bilbo").status == 200


def test_a_bucket_that_s3_drops_is_gone_here(ozone: Ozone) -> None:
    bucket = ozone.bucket()
    assert by_s3(ozone, "DELETE", f"/{ozone.sid(bucket)}", "bilbo").status == 204
    refused(ozone.ask("GET", bucket, "bilbo"), 400, "invalidBucketName")
    done(ozone.ask("DELETE", bucket.rpartition("/")[0], "bilbo"))


def test_a_bucket_that_s3_makes_is_in_no_volume(ozone: Ozone) -> None:
    volume = ozone.volume()
    assert by_s3(ozone, "PUT", f"/{volume}.mine", "bilbo").status == 200
    refused(ozone.ask("GET", f"/{volume}/mine", "bilbo"), 400, "invalidBucketName")
    assert said(ozone.ask("GET", f"/{volume}", "bilbo")) == {"buckets": []}


# the quota


def room(ozone: Ozone, used: int = 0) -> tuple[str, str, str]:
    """Of 1000 bytes: two buckets, and what the second is elsewhere."""
    bucket = ozone.bucket("bilbo", "1000BYTES")
    beside = f"{bucket}-2"
    done(ozone.ask("POST", beside, "bilbo"), 201)
    if used:
        ozone.put(bucket, "there", bytes(used))
    return bucket, beside, ozone.sid(beside)


def test_a_quota_spans_buckets_and_doors(ozone: Ozone) -> None:
    bucket, beside, sid = room(ozone, 900)
    answer = ozone.ask("PUT", f"{beside}/key", "bilbo", body=bytes(101))
    refused(answer, 413, "quotaExceeded", "1000")
    answer = by_s3(ozone, "PUT", f"/{sid}/key", "bilbo", bytes(101))
    assert (answer.status, b"<Code>QuotaExceeded<" in answer.body) == (403, True)
    answer = by_standard(ozone, "PUT", f"/uploadfile?sid={sid}&path=key", "bilbo", bytes(101))
    assert (answer.status, json.loads(answer.body)["error"]) == (507, "quota_exceeded")
    assert ozone.keys(beside) == []
    ozone.put(beside, "key", bytes(100))
    refused(ozone.ask("PUT", f"{bucket}/more", "bilbo", body=b"1"), 413, "quotaExceeded")
    ozone.put(bucket, "empty", b"")
    done(ozone.ask("DELETE", f"{bucket}/there", "bilbo"))
    ozone.put(beside, "more", bytes(900))


def test_every_way_that_adds_bytes_is_bounded(ozone: Ozone) -> None:
    bucket, _, sid = room(ozone, 600)
    there = f"/{ozone.sid(bucket)}/there"
    copied = by_s3(ozone, "PUT", f"/{sid}/copy", "bilbo", b"", there)
    assert b"<Code>QuotaExceeded<" in copied.body
    begun = by_s3(ozone, "POST", f"/{sid}/parts?uploads=", "bilbo").body.decode()
    upload = begun.partition("<UploadId>")[2].partition("<")[0]
    at = f"/{sid}/parts?partNumber={{}}&uploadId={upload}"
    assert by_s3(ozone, "PUT", at.format(1), "bilbo", bytes(300)).status == 200
    part = by_s3(ozone, "PUT", at.format(2), "bilbo", bytes(300))
    assert b"<Code>QuotaExceeded<" in part.body
    refused(ozone.ask("PUT", f"{bucket}/k", "bilbo", body=bytes(101)), 413, "quotaExceeded")
    assert by_s3(ozone, "DELETE", f"/{sid}/parts?uploadId={upload}", "bilbo").status == 204
    ozone.put(bucket, "k", bytes(400))


def test_renaming_needs_no_room(ozone: Ozone) -> None:
    bucket, _, _ = room(ozone, 900)
    answer = ozone.ask("POST", f"{bucket}/there", "bilbo", toKey="elsewhere")
    assert outcome(answer) in ("200", "413 quotaExceeded")
    assert ozone.keys(bucket) in (["elsewhere"], ["there"])


def test_a_quota_that_is_less_than_there_is_stops_writing_alone(ozone: Ozone) -> None:
    bucket, _, _ = room(ozone, 900)
    volume = bucket.rpartition("/")[0]
    done(ozone.ask("PUT", volume, quota="10BYTES"))
    assert len(ozone.ask("GET", f"{bucket}/there", "bilbo").body) == 900
    refused(ozone.ask("PUT", f"{bucket}/k", "bilbo", body=b"1"), 413, "quotaExceeded")
    done(ozone.ask("PUT", volume, quota="remove"))
    ozone.put(bucket, "k", bytes(2000))
    done(ozone.ask("PUT", volume, quota="0MB"))
    refused(ozone.ask("PUT", f"{bucket}/k2", "bilbo", body=b"1"), 413, "quotaExceeded")


def test_a_quota_is_told_before_the_body_is_read(ozone: Ozone) -> None:
    bucket, _, _ = room(ozone, 900)
    answer = ozone.ask(
        "PUT", f"{bucket}/k", "bilbo", body=b"", headers={"content-length": str(1 << 20)}
    )
    refused(answer, 413, "quotaExceeded")
