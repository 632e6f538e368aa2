"""Access logs of buckets: what their lines say, where they come to lie, and who gets them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.modes.s3.configuration.access_logging import AccessLogging, parse, render
from gateway.modes.s3.delivery.access_lines import Asked, asked, line, operation
from gateway.modes.s3.delivery.access_logs import LogDelivery, Route, log_key
from gateway.modes.s3.grants import NamedGrant
from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.replies import Reply
from gateway.storage import Secret, Unavailable
from gateway.telemetry.line_spool import SpooledLine
from gateway.telemetry.record import Record
from tests.modes.s3_gateway import Served, serving
from tests.modes.test_s3_objects import refused

GUARD = 60
FIELDS = (
    *("owner", "bucket", "time", "client", "requester", "id", "operation", "key", "target"),
    *("status", "code", "sent", "size", "total", "turn_around", "referer", "agent", "version"),
    *("host_id", "signature", "cipher", "auth", "host", "tls", "access_point", "acl"),
)
_FIELD = re.compile(r'\[[^\]]*\]|"[^"]*"|[^ ]+')


@pytest.fixture(scope="module")
def s3(sockets: None) -> Iterator[Served]:
    with serving() as served:
        yield served


def parsed(text: str) -> dict[str, str]:
    found = _FIELD.findall(text)
    assert len(found) == len(FIELDS), text
    return dict(zip(FIELDS, found, strict=True))


def delivered(s3: Served, bucket: str, waiting: int = 1) -> dict[str, list[dict[str, str]]]:
    """By key, after a run of the job; once so many lines are there, for the last are written
    when their requests are over, which clients do not see."""
    lines, until = s3.gateway.lines, time.monotonic() + GUARD
    while sum(len(lines.page(queue, 99)) for queue in lines.queues()) < waiting:
        assert time.monotonic() < until, "lines are missing"
        time.sleep(0.01)
    for _ in LogDelivery(s3.gateway)():
        pass
    client = s3.client()
    keys = [one["Key"] for one in client.list_objects_v2(Bucket=bucket).get("Contents", ())]
    texts = {key: client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}
    return {key: [*map(parsed, text.decode().splitlines())] for key, text in texts.items()}


def configure(s3: Served, bucket: str, target: str, prefix: str = "log/", **more: Any) -> None:
    status = {"LoggingEnabled": {"TargetBucket": target, "TargetPrefix": prefix, **more}}
    s3.client().put_bucket_logging(Bucket=bucket, BucketLoggingStatus=status)


@pytest.fixture
def target(s3: Served, request: pytest.FixtureRequest) -> str:
    name = "logs-" + re.sub("[^a-z0-9]+", "-", request.node.name.lower())[:50].strip("-")
    s3.client().create_bucket(Bucket=name)
    return name


def test_each_request_to_the_bucket_is_a_line(s3: Served, target: str) -> None:
    client = s3.client()
    client.create_bucket(Bucket="logged")
    client.put_object(Bucket="logged", Key="before", Body=b"x")
    configure(s3, "logged", target)
    client.put_object(Bucket="logged", Key='a "b".txt', Body=b"four")
    client.get_object(Bucket="logged", Key='a "b".txt', Range="bytes=0-1")
    refused(s3.client("other-key").get_object, Bucket="logged", Key="secret")
    s3.raw("GET", "/logged/open?x=1", key="", headers={"User-Agent": 'x" 200 "y', "Referer": "r"})
    signed, headers = s3.presigned("HEAD", "/logged/before")
    s3.send("HEAD", signed, headers)
    client.get_object(Bucket="logged", Key="before")["Body"].read()
    client.list_buckets()

    (key, lines), *others = delivered(s3, target, 7).items()
    assert not others
    assert re.fullmatch(r"log/\d{4}(-\d\d){5}-[0-9A-F]{16}", key)
    said = {one["operation"] + " " + one["key"]: one for one in lines}
    assert len(said) == len(lines) == 7, "that which set it too: it is in effect by then"
    put = said["REST.PUT.OBJECT a%20%22b%22.txt"]
    assert (put["owner"], put["bucket"], put["requester"]) == ("main", "logged", "main")
    assert (put["status"], put["code"], put["size"]) == ("200", "-", "4")
    assert (put["signature"], put["auth"]) == ("SigV4", "AuthHeader")
    assert put["target"].startswith('"PUT /logged/a%20%22b%22.txt ')
    assert re.fullmatch(r"\[\d\d/[A-Z][a-z]{2}/\d{4}(:\d\d){3} \+0000\]", put["time"])
    get = said["REST.GET.OBJECT a%20%22b%22.txt"]
    assert (get["status"], get["sent"], get["size"]) == ("206", "2", "4")
    denied = said["REST.GET.OBJECT secret"]
    assert (denied["status"], denied["code"]) == ("403", "AccessDenied")
    assert denied["requester"] == "other"
    nobody = said["REST.GET.OBJECT open"]
    assert (nobody["requester"], nobody["auth"], nobody["referer"]) == ("-", "-", '"r"')
    assert nobody["agent"] == '"x%22 200 %22y"'
    assert nobody["target"] == '"GET /logged/open?x=1 HTTP/1.1"'
    head = said["REST.HEAD.OBJECT before"]
    assert head["auth"] == "QueryString"
    assert re.search("X-Amz-Signature=[& ]", head["target"]), "no secret is in it"


@pytest.mark.parametrize(
    "name",
    [
        "X-Amz-Security-Token",
        "x-amz-server-side-encryption-customer-key",
        "X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key",
    ],
)
def test_no_secret_of_a_presigned_url_is_in_its_line(name: str) -> None:
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/logged/key",
        "QUERY_STRING": f"a=b&{name}=c2VjcmV0&{name}-MD5=x",
    }
    target = asked(environ, Reply(200)).target
    assert target == f"GET /logged/key?a=b&{name}=&{name}-MD5=x HTTP/1.1"


def test_a_policy_that_wants_tls_is_none_against_logs(s3: Served, target: str) -> None:
    client = s3.client()
    client.create_bucket(Bucket="by-tls")
    configure(s3, "by-tls", target)
    plain = {"Bool": {"aws:SecureTransport": "false"}}
    denial = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Condition": plain}
    said = {"Statement": [{**denial, "Resource": f"arn:aws:s3:::{target}/*"}]}
    client.put_bucket_policy(Bucket=target, Policy=json.dumps(said))
    assert refused(client.put_object, Bucket=target, Key="k") == (403, "AccessDenied")
    client.list_objects_v2(Bucket="by-tls")
    assert delivered(s3, target)


def test_what_a_request_does_beside_is_a_line(s3: Served, target: str) -> None:
    client = s3.client()
    for name in ("many", "from-here", "to-there"):
        client.create_bucket(Bucket=name)
    for key in "ab":
        client.put_object(Bucket="from-here", Key=key, Body=b"x")
    for name in ("many", "from-here"):
        configure(s3, name, target, f"{name}/")
    source = {"Bucket": "from-here", "Key": "a"}
    client.copy_object(Bucket="to-there", Key="copied", CopySource=source)
    wanted = [{"Key": "a"}, {"Key": "b", "VersionId": "no version"}]
    client.delete_objects(Bucket="many", Delete={"Objects": wanted})
    lines = [one for found in delivered(s3, target, 6).values() for one in found]
    said = {(one["bucket"], one["operation"], one["key"]): one for one in lines}
    assert len(said) == 6
    read = said["from-here", "REST.COPY.OBJECT_GET", "a"]
    assert (read["status"], read["requester"], read["target"]) == ("200", "main", "-")
    assert "to-there" not in {one["bucket"] for one in lines}
    removed = said["many", "BATCH.DELETE.OBJECT", "a"]
    assert (removed["status"], removed["code"]) == ("204", "-")
    refused_one = said["many", "BATCH.DELETE.OBJECT", "b"]
    assert (refused_one["status"], refused_one["code"]) == ("400", "InvalidArgument")
    assert removed["id"] == said["many", "REST.POST.MULTI_OBJECT_DELETE", "-"]["id"]


def test_what_was_logged_is_delivered_once_and_after_the_end_of_logging(
    s3: Served, target: str
) -> None:
    client = s3.client()
    client.create_bucket(Bucket="ended")
    assert "LoggingEnabled" not in client.get_bucket_logging(Bucket="ended")
    configure(s3, "ended", target)
    client.put_bucket_logging(Bucket="ended", BucketLoggingStatus={})
    client.head_bucket(Bucket="ended")
    (lines,) = delivered(s3, target).values()
    assert [one["operation"] for one in lines] == ["REST.PUT.LOGGING_STATUS"]
    assert len(delivered(s3, target, 0)) == 1
    assert "LoggingEnabled" not in client.get_bucket_logging(Bucket="ended")


def test_a_log_in_its_own_bucket_tells_of_requests_and_not_of_itself(s3: Served) -> None:
    client = s3.client()
    client.create_bucket(Bucket="of-itself")
    configure(s3, "of-itself", "of-itself")
    client.put_object(Bucket="of-itself", Key="k\t\u202e\\'\n", Body=b"x")
    client.delete_object(Bucket="of-itself", Key="k\t\u202e\\'\n")
    (lines,) = delivered(s3, "of-itself", 3).values()
    assert [(one["operation"], one["key"]) for one in lines] == [
        ("REST.PUT.LOGGING_STATUS", "-"),
        ("REST.PUT.OBJECT", "k%09%E2%80%AE%5C%27%0A"),
        ("REST.DELETE.OBJECT", "k%09%E2%80%AE%5C%27%0A"),
    ]
    later = [one for found in delivered(s3, "of-itself").values() for one in found]
    assert not [one for one in later if one["key"].startswith("log/") and "PUT" in one["operation"]]


def test_grants_and_folders_by_day(s3: Served, target: str) -> None:
    client = s3.client()
    client.create_bucket(Bucket="parted")
    grant = {"Grantee": {"Type": "CanonicalUser", "ID": "other"}, "Permission": "READ"}
    parted = {"PartitionedPrefix": {"PartitionDateSource": "EventTime"}}
    configure(s3, "parted", target, "", TargetGrants=[grant], TargetObjectKeyFormat=parted)
    said = client.get_bucket_logging(Bucket="parted")["LoggingEnabled"]
    assert said["TargetObjectKeyFormat"] == parted
    assert said["TargetGrants"][0]["Grantee"]["ID"] == "other"
    (key,) = delivered(s3, target)
    day = r"(\d{4})/(\d\d)/(\d\d)/\1-\2-\3-00-00-00-[0-9A-F]{16}"
    assert re.fullmatch(f"main/us-east-1/parted/{day}", key)
    assert s3.client("other-key").get_object(Bucket=target, Key=key)["ContentType"] == "text/plain"


def test_targets_that_cannot_be(s3: Served, target: str) -> None:
    s3.client().create_bucket(Bucket="source")
    s3.client("other-key").create_bucket(Bucket="of-another")

    def answer(bucket: str, key: str = "main-key", **more: Any) -> tuple[int, str]:
        enabled = {"TargetBucket": bucket, "TargetPrefix": "", **more}
        status = {"LoggingEnabled": enabled}
        call = s3.client(key).put_bucket_logging
        return refused(call, Bucket="source", BucketLoggingStatus=status)

    assert answer("nowhere") == (400, "InvalidTargetBucketForLogging")
    assert answer("of-another") == (400, "InvalidTargetBucketForLogging")
    assert answer(target, "other-key") == (403, "AccessDenied")
    s3.gateway.catalog.add_key(
        id="source-key",
        secret=Secret("secret of source-key"),
        account="main",
        access={"source": "admin"},
    )
    assert answer(target, "source-key") == (403, "AccessDenied"), "nothing gives it that bucket"
    s3.client().create_bucket(Bucket="under-lock", ObjectLockEnabledForBucket=True)
    assert answer("under-lock") == (400, "InvalidTargetBucketForLogging")
    by_kms = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    s3.client().create_bucket(Bucket="under-kms")
    s3.client().put_bucket_encryption(
        Bucket="under-kms", ServerSideEncryptionConfiguration={"Rules": [by_kms]}
    )
    assert answer("under-kms") == (400, "InvalidTargetBucketForLogging")
    unknown = {"Grantee": {"Type": "CanonicalUser", "ID": "nobody"}, "Permission": "READ"}
    assert answer(target, TargetGrants=[unknown]) == (400, "InvalidArgument")
    known = {**unknown, "Grantee": {"Type": "CanonicalUser", "ID": "other"}}
    assert answer(target, TargetGrants=[known] * 101) == (400, "MalformedACLError")
    assert answer(target, TargetPrefix="x" * 1025) == (400, "KeyTooLongError")
    assert refused(s3.client("other-key").get_bucket_logging, Bucket="source")[0] == 403
    assert "LoggingEnabled" not in s3.client().get_bucket_logging(Bucket="source")


def test_a_target_that_is_gone_costs_its_lines_and_one_that_fails_keeps_them(
    s3: Served, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = s3.client()
    for name in ("losing", "waiting", "goes"):
        client.create_bucket(Bucket=name)
    configure(s3, "losing", "goes")
    configure(s3, "waiting", target)
    client.delete_bucket(Bucket="goes")
    s3.client("other-key").create_bucket(Bucket="goes", ACL="public-read-write")
    with monkeypatch.context() as patch:
        patch.setattr(LogDelivery, "_deliver", failing)
        with pytest.raises(Unavailable):
            delivered(s3, target, 2)
    (lines,) = delivered(s3, target).values()
    assert [one["bucket"] for one in lines] == ["waiting"]
    assert "Contents" not in client.list_objects_v2(Bucket="goes"), "it is another's by now"
    assert not s3.gateway.lines.queues()


def failing(*_: object) -> int:
    raise Unavailable


# pure


@pytest.mark.parametrize(
    ("name", "method", "key", "said"),
    [
        ("ListObjectsV2", "GET", "", "REST.GET.BUCKET"),
        ("HeadBucket", "HEAD", "", "REST.HEAD.BUCKET"),
        ("CopyObject", "PUT", "k", "REST.COPY.OBJECT"),
        ("UploadPart", "PUT", "k", "REST.PUT.PART"),
        ("DeleteObjects", "POST", "", "REST.POST.MULTI_OBJECT_DELETE"),
        ("GetPublicAccessBlock", "GET", "", "REST.GET.PUBLIC_ACCESS_BLOCK"),
        ("PutObjectRetention", "PUT", "k", "REST.PUT.OBJECT_LOCK_RETENTION"),
        ("GetBucketCors", "GET", "", "REST.GET.CORS"),
        ("PutObject", "OPTIONS", "k", "REST.OPTIONS.PREFLIGHT"),
        ("WebsiteGet", "GET", "k", "WEBSITE.GET.OBJECT"),
        ("GetBucketVersioning", "GET", "", "REST.GET.VERSIONING"),
        ("GetObjectTagging", "GET", "k", "REST.GET.OBJECT_TAGGING"),
        ("", "BREW ", "k", "REST.-.OBJECT"),
    ],
)
def test_operations_have_aws_names(name: str, method: str, key: str, said: str) -> None:
    record = Record("id", method, "/", "", operation=name, key=key)
    assert operation(record) == said


def test_nothing_forges_a_line() -> None:
    record = Record("id", "G\xe9T", "/", "::1", sid="b", key='k" x\n\ud800', account="a b")
    about = Asked('GET /"\n HTTP/1.1', '"', "a\r\nb", "v 1", '1 "2', "", 'h" x')
    text = line(record, about, "main")
    assert text.isprintable()
    assert text.isascii()
    assert parsed(text)["agent"] == '"a%0D%0Ab"'


def test_bytes_of_a_head_are_written_as_they_came() -> None:
    agent = "caf\u00e9 \u00ff".encode().decode("latin-1") + "\xff"
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/b/\xc3\xa9\xff",
        "HTTP_USER_AGENT": agent,
        "HTTP_HOST": "\xfe",
    }
    text = line(Record("id", "GET", "/", "::1", sid="b"), asked(environ, Reply(200)), "main")
    said = parsed(text)
    assert said["agent"] == '"caf%C3%A9 %C3%BF%FF"'
    assert said["target"] == '"GET /b/%C3%A9%FF HTTP/1.1"'
    assert said["host"] == "%FE"


def test_a_document_comes_back_as_it_was_meant() -> None:
    grants = (NamedGrant("uri", "http://x", "READ"), NamedGrant("emailAddress", "a@b", "WRITE"))
    for wanted in (
        None,
        AccessLogging("target", "", "", grants),
        AccessLogging("target", " p/", "DeliveryTime"),
    ):
        assert parse(render(wanted)) == wanted
        if wanted is not None:
            route = Route("b", "owner", wanted)
            assert Route.of_queue(route.queue) == route


@pytest.mark.parametrize(
    "inner",
    [
        "<TargetBucket>b</TargetBucket>",
        "<TargetPrefix/>",
        "<TargetBucket>b</TargetBucket><TargetPrefix/><LoggingType>Journal</LoggingType>",
        "<TargetBucket>b</TargetBucket><TargetPrefix/><TargetObjectKeyFormat/>",
        "<TargetBucket>b</TargetBucket><TargetPrefix/><TargetGrants><Grant/></TargetGrants>",
        "<TargetBucket>b</TargetBucket><TargetPrefix/><TargetObjectKeyFormat><PartitionedPrefix>"
        "<PartitionDateSource>x</PartitionDateSource></PartitionedPrefix></TargetObjectKeyFormat>",
    ],
)
def test_documents_that_are_none(inner: str) -> None:
    document = (
        f"<BucketLoggingStatus><LoggingEnabled>{inner}</LoggingEnabled></BucketLoggingStatus>"
    )
    with pytest.raises(S3Problem) as refusal:
        parse(document.encode())
    assert refusal.value.code == "MalformedXML"


def test_a_log_is_named_after_its_lines() -> None:
    route = Route("b", "main", AccessLogging("t", "p/", "EventTime"))
    lines = [SpooledLine(3, 0, "x"), SpooledLine(9, 0, "y")]
    key = log_key(route, "eu-x-1", 86_400_000, lines)
    assert key.startswith("p/main/eu-x-1/b/1970/01/02/1970-01-02-00-00-00-")
    assert key == log_key(route, "eu-x-1", 86_400_000, lines)
    assert key != log_key(route, "eu-x-1", 86_400_000, lines[:1])


def test_neither_signatures_nor_keys_are_in_a_line(s3: Served, target: str) -> None:
    s3.client().create_bucket(Bucket="secretive")
    configure(s3, "secretive", target)
    query = "X-Amz-Signatur%65=S1&x-amz-server-side-encryption-customer-key=S2&a=b&signature=S3"
    headers = {"Referer": f"http://there/?{query}"}
    s3.raw("GET", f"/secretive/k?{query}", key="", headers=headers)
    ((_, lines),) = delivered(s3, target, 2).items()
    line = next(one for one in lines if one["operation"] == "REST.GET.OBJECT")
    bare = "X-Amz-Signatur%65=&x-amz-server-side-encryption-customer-key=&a=b&signature="
    assert line["target"] == f'"GET /secretive/k?{bare} HTTP/1.1"'
    assert line["referer"] == f'"http://there/?{bare}"'


PUBLIC = {
    "Grantee": {"Type": "Group", "URI": "http://acs.amazonaws.com/groups/global/AllUsers"},
    "Permission": "READ",
}


def test_a_target_that_blocks_public_lists_gets_none(s3: Served, target: str) -> None:
    client = s3.client()
    client.create_bucket(Bucket="generous")
    configure(s3, "generous", target, TargetGrants=[PUBLIC])
    blocked = {"BlockPublicAcls": True}
    client.put_public_access_block(Bucket=target, PublicAccessBlockConfiguration=blocked)
    client.list_objects_v2(Bucket="generous")
    for key in delivered(s3, target):
        assert s3.raw("GET", f"/{target}/{key}", key="").status == 403

    status = {"TargetBucket": target, "TargetPrefix": "", "TargetGrants": [PUBLIC]}
    wanted = {"Bucket": "generous", "BucketLoggingStatus": {"LoggingEnabled": status}}
    assert refused(client.put_bucket_logging, **wanted) == (403, "AccessDenied")
    client.delete_public_access_block(Bucket=target)
    client.put_bucket_logging(**wanted)
    controls = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    client.put_bucket_ownership_controls(Bucket=target, OwnershipControls=controls)
    assert refused(client.put_bucket_logging, **wanted) == (400, "AccessControlListNotSupported")
