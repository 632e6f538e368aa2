"""What the S3 mode can on which store: the table of docs/s3.md, row by row, on each store and
through a cache in front of it; on this gateway and on moto as upstreams."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from drivers.s3.deleting import Deleting
from gateway.modes.s3.configuration.access_logging import AccessLogging
from gateway.modes.s3.delivery.access_logs import LogDelivery, Route
from gateway.modes.s3.lifecycle.carrying_out import LifecycleJob
from gateway.storage import Delete
from gateway.storage.checksums import compute
from tests.modes.model_requests import Mode
from tests.modes.s3_gateway import serving
from tests.modes.store_kinds import (
    BODY,
    KINDS,
    Case,
    RefusedWith,
    Stores,
    Upstream,
    account,
    opened,
    stores,
)

PAGE = Path(__file__).resolve().parents[2] / "docs" / "s3.md"
HEADING = "## On which store\n"
DAY = 86_400_000
SECRET = "whsec_" + base64.b64encode(b"a key of webhooks").decode()
WEBHOOKS = {"hook": {"url": "http://127.0.0.1:9/", "secret": SECRET, "accounts": ["main"]}}

Shown = Callable[[Upstream, str], object]
"""Whether the upstream's own clients see it, too."""

Probe = Callable[[Case], Shown | None]
"""Does it, and asserts that it is done. Raises `RefusedWith`."""

ROWS: dict[str, Probe] = {}


def row(name: str) -> Callable[[Probe], Probe]:
    def add(probe: Probe) -> Probe:
        ROWS[name] = probe
        return probe

    return add


def kept(condition: bool) -> None:
    if not condition:
        raise RefusedWith("no")


def headed(member: str, value: object, **more: Any) -> Shown:
    return lambda upstream, key: upstream.head(key, **more).get(member) == value


# objects


@row("PutObject, GetObject, HeadObject, ranges, lists")
def objects(case: Case) -> Shown:
    case.put()
    assert case.do("GetObject", Range="bytes=2-4").body == "234"
    assert f"<Key>{case.key}</Key>" in case.do("ListObjectsV2", Prefix=case.key).body
    assert case.do("HeadObject").headers["content-length"] == "10"
    return headed("ContentLength", 10)


@row("CopyObject")
def copies(case: Case) -> Shown:
    case.put()
    case.do("CopyObject", Key=f"{case.key}-copy", CopySource=f"{case.sid}/{case.key}")
    assert case.do("GetObject", Key=f"{case.key}-copy").body == BODY.decode()
    return lambda upstream, key: upstream.head(f"{key}-copy")


def uploaded(case: Case) -> None:
    upload = case.do("CreateMultipartUpload").element("UploadId")
    etag = case.do("UploadPart", UploadId=upload, PartNumber=1, Body=BODY).headers["etag"]
    parts = {"Parts": [{"ETag": etag, "PartNumber": 1}]}
    case.do("CompleteMultipartUpload", UploadId=upload, MultipartUpload=parts)


@row("Uploads in parts")
def parts(case: Case) -> Shown:
    uploaded(case)
    assert case.do("GetObject").body == BODY.decode()
    return headed("ContentLength", 10)


@row("… whose parts are known afterwards (`partNumber`)")
def numbered(case: Case) -> Shown:
    uploaded(case)
    kept(case.do("HeadObject", PartNumber=1).headers.get("x-amz-mp-parts-count") == "1")
    return headed("PartsCount", 1, PartNumber=1)


def holds(case: Case, operation: str, **params: Any) -> None:
    """A condition that does not."""
    heard = case.hear(operation, **params)
    if heard.code != "PreconditionFailed":
        raise RefusedWith(heard.code, heard.element("Message"))


@row("Conditions of PutObject, CopyObject, CompleteMultipartUpload")
def writes(case: Case) -> Shown:
    case.put()
    holds(case, "PutObject", Body=b"x", IfNoneMatch="*")
    source = f"{case.sid}/{case.key}"
    holds(case, "CopyObject", CopySource=source, IfNoneMatch="*", MetadataDirective="REPLACE")
    upload = case.do("CreateMultipartUpload").element("UploadId")
    etag = case.do("UploadPart", UploadId=upload, PartNumber=1, Body=b"x").headers["etag"]
    made = {"UploadId": upload, "MultipartUpload": {"Parts": [{"ETag": etag, "PartNumber": 1}]}}
    holds(case, "CompleteMultipartUpload", **made, IfMatch='"another"')
    return headed("ContentLength", 10)


@row("Conditions of DeleteObject, also on size and time")
def deletes(case: Case) -> Shown:
    case.put()
    ago = datetime(2001, 1, 1, tzinfo=UTC)
    for one in ({"IfMatch": '"x"'}, {"IfMatchSize": 5}, {"IfMatchLastModifiedTime": ago}):
        holds(case, "DeleteObject", **one)
    return headed("ContentLength", 10)


@row("Content headers, metadata")
def metadata(case: Case) -> Shown:
    case.put(ContentType="text/x", CacheControl="no-cache", Metadata={"a": "1"})
    said = case.do("HeadObject").headers
    assert (said["content-type"], said["cache-control"], said["x-amz-meta-a"]) == (
        "text/x", "no-cache", "1",
    )  # fmt: skip
    return headed("Metadata", {"a": "1"})


@row("Tags")
def tags(case: Case) -> Shown:
    case.put(Tagging="a=1")
    assert "<Value>1</Value>" in case.do("GetObjectTagging").body
    wanted = {"TagSet": [{"Key": "a", "Value": "2"}]}
    case.do("PutObjectTagging", Tagging=wanted)
    assert "<Value>2</Value>" in case.do("GetObjectTagging").body
    return lambda upstream, key: (
        upstream.client.get_object_tagging(Bucket=upstream.bucket, Key=key)["TagSet"]
        == wanted["TagSet"]
    )


@row("The list that an object has anyway (`private`, `bucket-owner-full-control`)")
def private(case: Case) -> None:
    for canned in ("private", "bucket-owner-full-control"):
        case.put(ACL=canned)
        case.do("PutObjectAcl", ACL=canned)
    assert case.do("GetObjectAcl").body.count("<ID>main</ID>") == 2
    assert "<ID>main</ID>" in case.do("ListObjects", Prefix=case.key).body


@row("Other lists of an object")
def lists(case: Case) -> None:
    case.put(ACL="public-read")
    assert "AllUsers" in case.do("GetObjectAcl").body


def summed(case: Case, name: str) -> Shown:
    value = compute(name, BODY)
    case.put(**{f"Checksum{name}": value})
    said = case.do("HeadObject", ChecksumMode="ENABLED").headers
    kept(said.get(f"x-amz-checksum-{name.lower()}") == value)
    return headed(f"Checksum{name}", value, ChecksumMode="ENABLED")


@row("Checksums: CRC32, CRC32C, SHA1, SHA256")
def checksums(case: Case) -> Shown:
    shown = [summed(case, name) for name in ("CRC32", "CRC32C", "SHA1", "SHA256")]
    return shown[-1]


@row("… CRC64NVME, SHA512, MD5, XXHASH64, XXHASH3, XXHASH128")
def newer(case: Case) -> Shown:
    names = ("CRC64NVME", "MD5", "XXHASH64", "XXHASH3", "XXHASH128", "SHA512")
    return [summed(case, name) for name in names][-1]


@row("Storage class, told again")
def storage_class(case: Case) -> Shown:
    case.put(StorageClass="STANDARD_IA")
    assert case.do("HeadObject").headers["x-amz-storage-class"] == "STANDARD_IA"
    return headed("StorageClass", "STANDARD_IA")


@row("`x-amz-website-redirect-location`")
def redirect(case: Case) -> Shown:
    case.put(WebsiteRedirectLocation="/there")
    assert case.do("HeadObject").headers["x-amz-website-redirect-location"] == "/there"
    return headed("WebsiteRedirectLocation", "/there")


@row("SSE-S3")
def managed(case: Case) -> Shown:
    case.put(ServerSideEncryption="AES256")
    assert case.do("HeadObject").headers["x-amz-server-side-encryption"] == "AES256"
    return headed("ServerSideEncryption", "AES256")


@row("SSE-KMS")
def named_keys(case: Case) -> Shown:
    case.put(ServerSideEncryption="aws:kms")
    assert case.do("HeadObject").headers["x-amz-server-side-encryption"] == "aws:kms"
    return headed("ServerSideEncryption", "aws:kms")


@row("SSE-C")
def customers(case: Case) -> Shown:
    key = b"k" * 32
    digest = base64.b64encode(hashlib.md5(key, usedforsecurity=False).digest()).decode()
    given: dict[str, Any] = {
        "SSECustomerAlgorithm": "AES256",
        "SSECustomerKey": base64.b64encode(key).decode(),
        "SSECustomerKeyMD5": digest,
    }
    case.put(**given)
    assert case.hear("GetObject").status == 400
    assert case.do("GetObject", **given).body == BODY.decode()
    return headed("SSECustomerKeyMD5", digest, **given)


@row("Versions, delete markers")
def versions(case: Case) -> Shown:
    old = case.put()
    kept(bool(old))
    case.put(Body=b"new")
    assert case.do("GetObject", VersionId=old).body == BODY.decode()
    case.do("DeleteObject")
    assert case.do("ListObjectVersions", Prefix=case.key).body.count("<VersionId>") == 3
    return lambda upstream, key: upstream.head(key, VersionId=old)


@row("Object lock: retention, legal hold")
def locks(case: Case) -> Shown:
    case = case.locked()
    if case.upstream is None:
        case.do(
            "PutObjectLockConfiguration", ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}
        )
    version = case.put()
    until = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
    case.do("PutObjectRetention", Retention={"Mode": "GOVERNANCE", "RetainUntilDate": until})
    case.do("PutObjectLegalHold", LegalHold={"Status": "ON"})
    assert "GOVERNANCE" in case.do("GetObjectRetention").body
    assert case.hear("DeleteObject", VersionId=version).code == "AccessDenied"
    behind = case.upstream
    return lambda _, key: behind and headed("ObjectLockLegalHoldStatus", "ON")(behind, key)


@row("… event holds")
def event_holds(case: Case) -> None:
    case = case.locked()
    if case.upstream is None:
        case.do(
            "PutObjectLockConfiguration", ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}
        )
    case.put()
    wanted = {"Mode": "GOVERNANCE", "EventHold": "ON", "EventHoldDuration": {"Days": 1}}
    case.do("PutObjectRetention", Retention=wanted)
    assert "<EventHold>ON</EventHold>" in case.do("GetObjectRetention").body


@row("Annotations")
def annotated(case: Case) -> None:
    case.put()
    case.do("PutObjectAnnotation", AnnotationName="a", AnnotationPayload=BODY)
    assert case.do("GetObjectAnnotation", AnnotationName="a").body.encode() == BODY


# buckets


@row("Policy, and the settings beside it (public access block, ownership)")
def policy(case: Case) -> None:
    case.put()
    resource = f"arn:aws:s3:::{case.sid}/{case.key}"
    case.do(
        "PutBucketPolicy",
        Policy='{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*",'
        f' "Action": "s3:GetObject", "Resource": "{resource}"}}]}}',
    )
    assert case.hear("GetObject").code == "AccessDenied"
    case.do("DeleteBucketPolicy")
    case.do("PutPublicAccessBlock", PublicAccessBlockConfiguration={"BlockPublicAcls": True})
    assert case.hear("PutObject", Body=b"", ACL="public-read").code == "AccessDenied"
    case.do("DeletePublicAccessBlock")


@row("CORS")
def cors(case: Case) -> None:
    case.put()
    rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["https://a.example"]}
    case.do("PutBucketCors", CORSConfiguration={"CORSRules": [rule]})
    heard = case.do("GetObject", {"Origin": "https://a.example"})
    assert heard.headers["access-control-allow-origin"] == "https://a.example"
    case.do("DeleteBucketCors")


@row("Tags of a bucket, website")
def settings(case: Case) -> None:
    case.do("PutBucketTagging", Tagging={"TagSet": [{"Key": "a", "Value": "1"}]})
    assert "<Key>a</Key>" in case.do("GetBucketTagging").body
    case.do("PutBucketWebsite", WebsiteConfiguration={"IndexDocument": {"Suffix": "index.html"}})
    assert "index.html" in case.do("GetBucketWebsite").body


@row("Default encryption")
def default_encryption(case: Case) -> Shown:
    by_default = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    case.do(
        "PutBucketEncryption",
        ServerSideEncryptionConfiguration={"Rules": [by_default]},
    )
    case.put()
    case.do("DeleteBucketEncryption")
    assert case.do("HeadObject").headers["x-amz-server-side-encryption"] == "AES256"
    return headed("ServerSideEncryption", "AES256")


def expire(case: Case) -> None:
    """What begins with its key, three days later."""
    rule = {"ID": "a", "Status": "Enabled", "Filter": {"Prefix": case.key}}
    rules = [{**rule, "Expiration": {"Days": 1}}]
    case.do("PutBucketLifecycleConfiguration", LifecycleConfiguration={"Rules": rules})
    case.clock.ahead = 3 * DAY
    try:
        for _ in LifecycleJob(case.mode.gateway).run():
            pass
    finally:
        case.clock.ahead = 0
        case.do("DeleteBucketLifecycle")


@row("Lifecycle, carried out")
def lifecycle(case: Case) -> None:
    case.put()
    expire(case)
    assert case.hear("HeadObject").status == 404


@row("Notifications")
def notifications(case: Case) -> None:
    told = [{"QueueArn": "arn:gateway:sqs:::hook", "Events": ["s3:ObjectCreated:*"]}]
    for wanted in ({"QueueConfigurations": told}, {}):
        case.do(
            "PutBucketNotificationConfiguration",
            NotificationConfiguration=wanted,
            SkipDestinationValidation=True,
        )


@row("Access logs, delivered into it")
def logs(case: Case) -> Shown:
    to = {"TargetBucket": case.sid, "TargetPrefix": f"{case.key}/"}
    case.do("PutBucketLogging", BucketLoggingStatus={"LoggingEnabled": to})
    gateway = case.mode.gateway
    route = Route(case.sid, "main", AccessLogging(bucket=case.sid, prefix=f"{case.key}/"))
    gateway.lines.add(route.queue, gateway.clock(), "a line")
    for _ in LogDelivery(gateway)():
        pass
    case.do("PutBucketLogging", BucketLoggingStatus={})
    key = case.do("ListObjectsV2", Prefix=f"{case.key}/").element("Key")
    assert case.do("GetObject", Key=key).body == "a line\n"
    return lambda upstream, _: upstream.head(key)


@row("… with `TargetGrants`")
def logs_with_lists(case: Case) -> None:
    grant = {"Grantee": {"Type": "CanonicalUser", "ID": "main"}, "Permission": "READ"}
    to = {"TargetBucket": case.sid, "TargetPrefix": "", "TargetGrants": [grant]}
    case.do("PutBucketLogging", BucketLoggingStatus={"LoggingEnabled": to})
    case.do("PutBucketLogging", BucketLoggingStatus={})


# the table


def outcome(case: Case, probe: Probe) -> str:
    try:
        shown = probe(case)
    except RefusedWith as error:
        if error.code == "NotImplemented":
            assert named(case, error.message), error.message
        return error.code
    if shown is None or case.upstream is None:
        return "yes"
    assert shown(case.upstream, case.key), "the upstream knows nothing of it"
    return "upstream"


def named(case: Case, message: str) -> bool:
    """Whether it names what cannot do that."""
    names = (f"service '{case.sid}", "upstream", "file system", "plain file")
    return any(one in message for one in names)


def table() -> Mapping[str, tuple[str, ...]]:
    """Row → what stands below each of `KINDS`."""
    lines = PAGE.read_text("utf-8").partition(HEADING)[2].partition("\n## ")[0].splitlines()
    rows = [[one.strip() for one in line.strip("|").split("|")] for line in lines if "|" in line]
    return {name: tuple(one.strip("`") for one in cells) for name, *cells in rows[2:]}


@pytest.fixture(scope="module")
def on_gateway(sockets: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    with (
        serving() as upstream,
        stores(upstream.url, tmp_path_factory.mktemp("on"), WEBHOOKS) as found,
    ):
        yield found


def test_the_table_has_each_row() -> None:
    assert list(table()) == list(ROWS)


@pytest.mark.parametrize("before", ["on", "cached"], ids=["store", "cache"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_the_table_says_is_so(on_gateway: Stores, kind: str, before: str) -> None:
    """A cache does what is behind it."""
    said, found = {name: cells[KINDS.index(kind)] for name, cells in table().items()}, {}
    for number, (name, probe) in enumerate(ROWS.items()):
        found[name] = outcome(on_gateway.case(f"{before}-{kind}", number), probe)
    assert found == said


def test_a_bucket_that_is_made_with_a_lock_has_it_upstream(on_gateway: Stores) -> None:
    """Where `[buckets]` is an account upstream."""
    client, bucket = on_gateway.upstream.client, "made-with-a-lock"
    with opened({"buckets": account(client.meta.endpoint_url)}) as gateway:
        mode = Mode(gateway)
        mode.call("CreateBucket", {"Bucket": bucket, "ObjectLockEnabledForBucket": True})
        assert mode.call("GetObjectLockConfiguration", {"Bucket": bucket}).status == 200
        mode.call("CreateBucket", {"Bucket": "made-without"})
        lock = {"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}}
        refused = mode.call("PutObjectLockConfiguration", {"Bucket": "made-without", **lock})
        assert (refused.code, "'made-without'" in refused.body) == ("NotImplemented", True)
    assert client.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
    with pytest.raises(ClientError):
        client.get_object_lock_configuration(Bucket="made-without")


def test_a_lifecycle_over_an_upstream_leaves_what_is_written_meanwhile(
    on_gateway: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Upstream, beside the gateway, when all was looked at."""
    case = on_gateway.case("on-s3", 900)
    keys = [f"{case.key}-{one}" for one in "abc"]
    for key in keys:
        case.put(Key=key)
    delete = Deleting.delete

    def late(store: Any, key: str, options: Delete = Delete()) -> Any:
        if key == keys[1] and options.version is None:
            on_gateway.upstream.client.put_object(Bucket="behind", Key=key, Body=b"new")
        return delete(store, key, options)

    monkeypatch.setattr(Deleting, "delete", late)
    expire(case)
    found = [case.hear("GetObject", Key=key) for key in keys]
    assert [one.body if one.status == 200 else one.code for one in found] == [
        "NoSuchKey", "new", "NoSuchKey",
    ]  # fmt: skip
    tried = on_gateway.upstream.client.list_object_versions(Bucket="behind", Prefix=".gateway-")
    assert not {"Versions", "DeleteMarkers"} & set(tried), "what was tried with is gone"
