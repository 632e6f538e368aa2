"""What buckets tell webhooks: who is told of what, in which order, and what comes again."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from gateway.config import ConfigurationError, WebhookOptions, load
from gateway.modes.s3.configuration.notification import EVENTS, Notification, event_of, parse
from gateway.modes.s3.delivery.events import Bucket, record
from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.resources import notification
from gateway.services.webhooks import Webhook
from gateway.storage import Change, Delivery, Secret, Unavailable
from gateway.storage.objects import now
from gateway.testing.certificates import certificate
from tests.modes.s3_gateway import Served, serving
from tests.modes.test_s3_objects import refused
from tests.modes.webhook_receiver import GUARD, Message, Receiver, configure, delivering, queue

SECRET = "whsec_" + base64.b64encode(b"a key of webhooks").decode()


@pytest.fixture(scope="module")
def receivers(sockets: None) -> Iterator[dict[str, Receiver]]:
    found = {name: Receiver() for name in ("one", "two")}
    yield found
    for one in found.values():
        one.shutdown()
        one.server_close()


@pytest.fixture(scope="module")
def s3(receivers: dict[str, Receiver]) -> Iterator[Served]:
    tables: dict[str, dict[str, Any]] = {
        "one": {"url": receivers["one"].url, "secret": SECRET, "accounts": "main"},
        "two": {"url": receivers["two"].url, "batch": 100, "accounts": ["main"]},
        "gone": {"url": "http://127.0.0.1:1/", "timeout": "1s", "accounts": ["*"]},
    }
    with serving(webhooks=tables, delay=lambda failures: 0.05) as served:
        yield served


def test_a_target_is_tested_and_told_of_what_it_asked_for(
    s3: Served, receivers: dict[str, Receiver]
) -> None:
    client, one = s3.client(), receivers["one"]
    client.create_bucket(Bucket="told")
    client.put_object(Bucket="told", Key="in/before.txt", Body=b"x")
    made, removed = "s3:ObjectCreated:*", "s3:ObjectRemoved:Delete"
    configure(s3, "told", queue("one", made, removed, prefix="in/", suffix=".txt"))
    test = json.loads(one.next().body)
    assert (test["Event"], test["Bucket"]) == ("s3:TestEvent", "told")

    client.put_object(Bucket="told", Key="in/a b.txt", Body=b"four")
    client.put_object(Bucket="told", Key="out/c.txt", Body=b"x")
    client.put_object(Bucket="told", Key="in/d.bin", Body=b"x")
    client.delete_object(Bucket="told", Key="in/a b.txt")
    first, second = one.next(), one.next()
    assert first.told == [("ObjectCreated:Put", "in/a+b.txt")]
    assert second.told == [("ObjectRemoved:Delete", "in/a+b.txt")]
    (said,) = first.records
    assert said["eventVersion"] == "2.1"
    assert said["s3"]["bucket"]["arn"] == "arn:aws:s3:::told"
    assert said["s3"]["bucket"]["ownerIdentity"] == {"principalId": "main"}
    assert said["s3"]["object"]["size"] == 4
    assert said["s3"]["object"]["eTag"] == hashlib.md5(b"four").hexdigest()
    assert (
        first.records[0]["s3"]["object"]["sequencer"]
        < (second.records[0]["s3"]["object"]["sequencer"])
    )
    assert "size" not in second.records[0]["s3"]["object"]
    assert signature(first) == first.headers["webhook-signature"]
    assert "x-gateway-repeated" not in first.headers
    assert one.came.empty()


def signature(message: Message) -> str:
    said = message.headers
    content = f"{said['webhook-id']}.{said['webhook-timestamp']}.".encode() + message.body
    digest = hmac.new(b"a key of webhooks", content, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


@pytest.mark.parametrize("status", [500, 302, 404, 410])
def test_what_is_not_taken_comes_again_in_order_and_marked(
    s3: Served, receivers: dict[str, Receiver], status: int
) -> None:
    client, one = s3.client(), receivers["one"]
    bucket = f"again-{status}"
    client.create_bucket(Bucket=bucket)
    configure(s3, bucket, queue("one", "s3:ObjectCreated:*"), SkipDestinationValidation=True)
    one.answers.put(200)
    one.answers.put(status)
    for key in "abc":
        client.put_object(Bucket=bucket, Key=key, Body=b"x")
    came = [one.next() for _ in range(4)]
    assert [key for each in came for _, key in each.told] == ["a", "b", "b", "c"]
    assert "x-gateway-repeated" not in came[1].headers
    assert came[2].headers["x-gateway-repeated"] == "true"
    assert came[1].headers["webhook-id"] == came[2].headers["webhook-id"]


def test_what_was_taken_does_not_come_again_because_the_next_was_not(
    s3: Served, receivers: dict[str, Receiver]
) -> None:
    one = receivers["one"]
    s3.client().create_bucket(Bucket="page")
    skip = {"SkipDestinationValidation": True}
    configure(s3, "page", queue("one", "s3:ObjectCreated:*"), **skip)
    teller = delivering(s3.gateway, "page", "one")
    changes = tuple(Change(n, "put", n, f"k{n}", None, 1, "e", "") for n in range(1, 4))
    one.answers.put(200)
    one.answers.put(503)
    with pytest.raises(Unavailable):
        teller(Delivery(changes=changes))
    teller(Delivery(changes=changes, repeated=True))
    assert [key for _ in range(4) for _, key in one.next().told] == ["k1", "k2", "k2", "k3"]


def test_one_target_that_is_gone_holds_up_nobody_else(
    s3: Served, receivers: dict[str, Receiver]
) -> None:
    client, two = s3.client(), receivers["two"]
    client.create_bucket(Bucket="several")
    configure(
        s3,
        "several",
        queue("gone", "s3:ObjectCreated:*"),
        queue("two", "s3:ObjectRemoved:*"),
        SkipDestinationValidation=True,
    )
    client.put_bucket_versioning(Bucket="several", VersioningConfiguration={"Status": "Enabled"})
    version = client.put_object(Bucket="several", Key="k", Body=b"x")["VersionId"]
    marker = client.delete_object(Bucket="several", Key="k")["VersionId"]
    client.delete_object(Bucket="several", Key="k", VersionId=version)
    told: list[dict[str, Any]] = []
    while len(told) < 2:
        told += two.next().records
    assert [one["eventName"] for one in told] == [
        "ObjectRemoved:DeleteMarkerCreated",
        "ObjectRemoved:Delete",
    ]
    assert [one["s3"]["object"]["versionId"] for one in told] == [marker, version]


def test_how_an_object_was_made_and_changed_is_told(
    s3: Served, receivers: dict[str, Receiver]
) -> None:
    client, one = s3.client(), receivers["one"]
    client.create_bucket(Bucket="ways")
    events = ("s3:ObjectCreated:*", "s3:ObjectTagging:*", "s3:ObjectAcl:Put")
    configure(s3, "ways", queue("one", *events), SkipDestinationValidation=True)
    named = {"Bucket": "ways", "Key": "k"}
    client.put_object(**named, Body=b"x")
    client.copy_object(Bucket="ways", Key="copy", CopySource=named)
    post_form(s3, "ways", "form")
    client.put_object_tagging(**named, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    client.delete_object_tagging(**named)
    client.put_object_acl(**named, ACL="public-read")
    upload = {**named, "UploadId": client.create_multipart_upload(**named)["UploadId"]}
    etag = client.upload_part(**upload, PartNumber=1, Body=b"x")["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    client.complete_multipart_upload(**upload, MultipartUpload=parts)
    assert [told for _ in range(7) for told in one.next().told] == [
        ("ObjectCreated:Put", "k"),
        ("ObjectCreated:Copy", "copy"),
        ("ObjectCreated:Post", "form"),
        ("ObjectTagging:Put", "k"),
        ("ObjectTagging:Delete", "k"),
        ("ObjectAcl:Put", "k"),
        ("ObjectCreated:CompleteMultipartUpload", "k"),
    ]


def post_form(s3: Served, bucket: str, key: str) -> None:
    form = s3.client().generate_presigned_post(bucket, key)
    fields = {name: (None, value) for name, value in form["fields"].items()}
    answer = requests.post(form["url"], files={**fields, "file": b"x"}, timeout=GUARD)
    assert answer.status_code == 204


def test_who_asks_no_more_is_told_no_more(s3: Served, receivers: dict[str, Receiver]) -> None:
    client, one = s3.client(), receivers["one"]
    client.create_bucket(Bucket="quiet")
    skip = {"SkipDestinationValidation": True}
    configure(s3, "quiet", queue("one", "s3:ObjectCreated:*"), **skip)
    configure(s3, "quiet")
    found = client.get_bucket_notification_configuration(Bucket="quiet")
    assert "QueueConfigurations" not in found
    client.put_object(Bucket="quiet", Key="a", Body=b"x")
    configure(s3, "quiet", queue("one", "s3:ObjectCreated:*"), **skip)
    client.put_object(Bucket="quiet", Key="b", Body=b"x")
    assert one.next().told == [("ObjectCreated:Put", "b")]


def test_what_was_asked_for_is_answered_and_what_cannot_be_is_refused(s3: Served) -> None:
    client = s3.client()
    client.create_bucket(Bucket="asked")
    skip = {"SkipDestinationValidation": True}
    topic = {
        "Id": "mine",
        "TopicArn": "arn:gateway:sns:::two",
        "Events": ["s3:ObjectCreated:Put"],
    }
    often = {**topic, "Events": ["s3:ObjectCreated:Put"] * 3}  # each change would look at all
    client.put_bucket_notification_configuration(
        Bucket="asked", NotificationConfiguration={"TopicConfigurations": [often]}, **skip
    )
    assert client.get_bucket_notification_configuration(Bucket="asked")["TopicConfigurations"] == [
        topic
    ]
    wrong = {"QueueConfigurations": [queue("unknown", "s3:ObjectCreated:*")]}
    call = client.put_bucket_notification_configuration
    asked = {"Bucket": "asked", "NotificationConfiguration": wrong}
    assert refused(call, **asked, **skip) == (400, "InvalidArgument")
    wrong["QueueConfigurations"] = [queue("gone", "s3:ObjectCreated:*")]
    assert refused(call, **asked) == (400, "InvalidArgument"), "it takes no test event"
    assert refused(
        s3.client("other-key").get_bucket_notification_configuration, Bucket="asked"
    ) == (
        403,
        "AccessDenied",
    )
    assert refused(s3.client("other-key").put_bucket_notification_configuration, **asked) == (
        403,
        "AccessDenied",
    )
    assert "TopicConfigurations" in client.get_bucket_notification_configuration(Bucket="asked")


def test_not_all_buckets_may_take_threads(s3: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    client = s3.client()
    for name in ("first-of-many", "one-too-many"):
        client.create_bucket(Bucket=name)
    skip, wanted = {"SkipDestinationValidation": True}, queue("two", "s3:ObjectCreated:*")
    configure(s3, "first-of-many", wanted, **skip)
    monkeypatch.setattr(notification, "MOST_BUCKETS", 1)
    configure(s3, "first-of-many", wanted, **skip)
    with pytest.raises(ClientError, match="TooManyConfigurations"):
        configure(s3, "one-too-many", wanted, **skip)


@pytest.mark.usefixtures("sockets")
def test_a_webhook_by_https_shows_who_it_is(tmp_path: Path) -> None:
    named, key = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(named, key)
    receiver = Receiver(context)
    url = Secret(receiver.url)
    try:
        Webhook("known", WebhookOptions(url=url, ca=named), now).post("id", b"{}")
        assert receiver.next().body == b"{}"
        with pytest.raises(Unavailable, match="certificate"):
            Webhook("unknown", WebhookOptions(url=url), now).post("id", b"{}")
    finally:
        receiver.shutdown()
        receiver.server_close()
    assert receiver.came.empty()


# the configuration


@pytest.mark.parametrize(
    ("table", "place"),
    [
        ({}, "webhooks.one.url"),
        ({"url": "ftp://example.com"}, "webhooks.one"),
        ({"url": "https://user:word@example.com"}, "webhooks.one"),
        ({"url": "https://example.com/#x"}, "webhooks.one"),
        ({"url": "https://example.com/a b"}, "webhooks.one"),
        ({"url": "https://example.com:99999/"}, "webhooks.one"),
        ({"url": "https://example.com", "timeout": "2m"}, "webhooks.one"),
        ({"url": "https://example.com", "batch": 0}, "webhooks.one.batch"),
        ({"url": "https://example.com", "accounts": ["nobody"]}, "webhooks.one.accounts"),
        ({"url": "https://example.com", "ca": "nowhere.pem"}, "webhooks.one.ca"),
        ("https://example.com", "webhooks.one"),
    ],
)
def test_webhooks_that_cannot_be(table: Any, place: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        load(tables={"server": {"memory": True}, "webhooks": {"one": table}}, environ={})
    (problem,) = refusal.value.problems
    assert problem.place.startswith(place)


# the document


def document(*inner: str) -> bytes:
    return f"<NotificationConfiguration>{''.join(inner)}</NotificationConfiguration>".encode()


def configuration(
    arn: str = "arn:gateway:sqs:::one", event: str = "s3:ObjectCreated:*", more: str = ""
) -> str:
    return (
        f"<QueueConfiguration><Queue>{arn}</Queue><Event>{event}</Event>{more}</QueueConfiguration>"
    )


def rule(name: str, value: str) -> str:
    return f"<FilterRule><Name>{name}</Name><Value>{value}</Value></FilterRule>"


def filtered(*rules: str) -> str:
    return f"<Filter><S3Key>{''.join(rules)}</S3Key></Filter>"


@pytest.mark.parametrize(
    ("inner", "code"),
    [
        ([configuration("arn:aws:sqs:us-east-1:123456789012:q")], "InvalidArgument"),
        ([configuration("arn:gateway:sns:::one")], "InvalidArgument"),
        ([configuration("")], "MalformedXML"),
        (
            ["<QueueConfiguration><Queue>arn:gateway:sqs:::one</Queue></QueueConfiguration>"],
            "MalformedXML",
        ),
        ([configuration(event="s3:ObjectRestore:*")], "NotImplemented"),
        ([configuration(event="s3:Replication:*")], "NotImplemented"),
        ([configuration(event="s3:Something")], "InvalidArgument"),
        (["<EventBridgeConfiguration/>"], "NotImplemented"),
        ([configuration(more=filtered(rule("middle", "x")))], "InvalidArgument"),
        (
            [configuration(more=filtered(rule("prefix", "a"), rule("Prefix", "b")))],
            "InvalidArgument",
        ),
        ([configuration(more=filtered(rule("prefix", "a" * 1025)))], "InvalidArgument"),
        ([configuration(more=f"<Id>{'i' * 256}</Id>")], "InvalidArgument"),
        ([configuration(), configuration()], "InvalidArgument"),
        (
            [
                configuration(more=filtered(rule("prefix", "a"))),
                configuration(more=filtered(rule("prefix", "ab"))),
            ],
            "InvalidArgument",
        ),
    ],
)
def test_documents_that_s3_or_the_gateway_refuses(inner: list[str], code: str) -> None:
    with pytest.raises(S3Problem) as refusal:
        parse(document(*inner))
    assert refusal.value.code == code


def test_configurations_that_never_meet_are_taken() -> None:
    found = parse(
        document(
            configuration(more=filtered(rule("prefix", "a"))),
            configuration(more=filtered(rule("prefix", "b"))),
            configuration(event="s3:ObjectRemoved:*"),
        )
    )
    assert [one.prefix for one in found] == ["a", "b", None]
    assert len({one.id for one in found}) == 3
    assert found == parse(
        document(
            *(configuration(more=filtered(rule("prefix", p))) for p in "ab"),
            configuration(event="s3:ObjectRemoved:*"),
        )
    )


@pytest.mark.parametrize(
    ("kind", "cause", "version", "etag", "event"),
    [
        ("put", "", "v", "a" * 32, "s3:ObjectCreated:Put"),
        ("put", "", "v", "a" * 32 + "-2", "s3:ObjectCreated:CompleteMultipartUpload"),
        ("put", "copy", "v", "a" * 32 + "-2", "s3:ObjectCreated:Copy"),
        ("put", "form", "v", "a" * 32, "s3:ObjectCreated:Post"),
        ("delete", "", "null", "a" * 32, "s3:ObjectRemoved:Delete"),
        ("delete", "", "v", "", "s3:ObjectRemoved:DeleteMarkerCreated"),
        ("delete", "lifecycle", "v", "", "s3:LifecycleExpiration:DeleteMarkerCreated"),
        ("purge", "", "v", "", "s3:ObjectRemoved:Delete"),
        ("purge", "lifecycle", "v", "a" * 32, "s3:LifecycleExpiration:Delete"),
        ("update", "tags", "v", "a" * 32, "s3:ObjectTagging:Put"),
        ("update", "no tags", "v", "a" * 32, "s3:ObjectTagging:Delete"),
        ("update", "attributes grants", "v", "a" * 32, "s3:ObjectAcl:Put"),
        ("update", "attributes other", "v", "a" * 32, None),
        ("update", "annotation retention", "v", "a" * 32, "s3:ObjectAnnotation:Put"),
        ("update", "no annotation tags", "v", "a" * 32, "s3:ObjectAnnotation:Delete"),
        ("update", "retention", "v", "a" * 32, "s3:ObjectRetention:Put"),
        ("update", "hold", "v", "a" * 32, None),
        ("update", "", "v", "a" * 32, None),
    ],
)
def test_what_a_change_is_called(
    kind: Any, cause: str, version: str, etag: str, event: str | None
) -> None:
    change = Change(7, kind, 1_000, "k/é +", version, 1, etag, "", cause)
    assert event_of(change) == event
    if event is not None:
        told = Notification("id", "QueueConfiguration", "", "one", ("s3:ObjectCreated:*",))
        said = record(change, event, told, Bucket("b", "main", "us-east-1"))
        assert said["s3"]["object"]["key"] == "k/%C3%A9+%2B"
        assert ("versionId" in said["s3"]["object"]) is (version != "null")
        assert said["eventTime"] == "1970-01-01T00:00:01.000Z"
        assert told.covers(event, "x", str) is (event in EVENTS["s3:ObjectCreated:*"])


@pytest.mark.parametrize(
    "answer", [b"\x1b[2J\rforged\r\n\r\n", b"HTTP/1.1 \x1b[2J\rforged\r\n\r\n"]
)
def test_what_is_no_http_is_not_repeated(sockets: None, answer: bytes) -> None:
    class Odd(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Odd) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = Secret(f"http://127.0.0.1:{server.server_port}/")
        with pytest.raises(Unavailable) as error:
            Webhook("odd", WebhookOptions(url=url), now).post("id", b"{}")
        server.shutdown()
    assert str(error.value).isprintable()
    assert "forged" not in str(error.value)
