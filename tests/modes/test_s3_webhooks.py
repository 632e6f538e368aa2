"""Webhooks that misbehave, whose they are, and what comes of it when things end in the middle."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gateway.config import WebhookOptions
from gateway.services.telling import Delivering
from gateway.services.webhooks import Webhook
from gateway.storage import Change, Delivery, Secret, Unavailable
from gateway.storage.objects import now
from tests.modes.s3_gateway import Served, serving
from tests.modes.webhook_receiver import Receiver, configure, delivering, queue

MADE = "s3:ObjectCreated:*"
SKIP = {"SkipDestinationValidation": True}


@pytest.fixture(scope="module")
def receiver(sockets: None) -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.shutdown()
    found.server_close()


@pytest.fixture(scope="module")
def s3(receiver: Receiver) -> Iterator[Served]:
    tables: dict[str, dict[str, Any]] = {
        "roots": {"url": receiver.url},
        "theirs": {"url": receiver.url, "accounts": ["root", "other"]},
        "everybodys": {"url": receiver.url, "accounts": "*", "batch": 100},
    }
    with serving(webhooks=tables, delay=lambda failures: 0.05) as served:
        yield served


def changes(*numbers: int) -> tuple[Change, ...]:
    return tuple(Change(n, "put", n, f"k{n}", None, 1, "e", "") for n in numbers)


class Noting:
    """In the place of a webhook. `then` is called once something came; `fails` makes it refuse
    what begins with the key of that number."""

    def __init__(self, *, batch: int = 1, accounts: str = "main", fails: int = 0) -> None:
        self.batch, self._accounts, self.fails = batch, accounts, fails
        self.came: list[tuple[str, bytes, bool]] = []
        self.then: Callable[[], object] = lambda: None

    def is_open_to(self, account: str) -> bool:
        return account == self._accounts

    def post(
        self, id: str, document: bytes, *, content_type: str = "", repeated: bool = False
    ) -> None:
        self.came.append((id, document, repeated))
        self.then()
        if self.fails and f'"k{self.fails}"'.encode() in document:
            raise Unavailable


@pytest.fixture
def noting(s3: Served, monkeypatch: pytest.MonkeyPatch) -> Noting:
    found = Noting()
    monkeypatch.setitem(s3.gateway.webhooks, "everybodys", found)
    return found


def bucket(s3: Served, name: str) -> Delivering:
    """One that tells `everybodys`."""
    s3.client().create_bucket(Bucket=name)
    configure(s3, name, queue("everybodys", MADE), **SKIP)
    return delivering(s3.gateway, name, "everybodys")


# whose they are


def test_only_buckets_of_its_accounts_name_a_webhook(s3: Served, receiver: Receiver) -> None:
    s3.client().create_bucket(Bucket="mains")
    said = []
    for name in ("roots", "theirs", "unknown"):
        with pytest.raises(ClientError) as refusal:
            configure(s3, "mains", queue(name, MADE), **SKIP)
        error = refusal.value.response["Error"]
        assert error["Code"] == "InvalidArgument"
        said.append(error["ArgumentValue1"])
    assert len(set(said)) == 1, "it is not told which names there are"
    found = s3.client().get_bucket_notification_configuration(Bucket="mains")
    assert "QueueConfigurations" not in found
    assert receiver.came.empty(), "nothing was tested"
    configure(s3, "mains", queue("everybodys", MADE), **SKIP)

    s3.client("other-key").create_bucket(Bucket="others")
    wanted = {"QueueConfigurations": [queue("theirs", MADE)]}
    s3.client("other-key").put_bucket_notification_configuration(
        Bucket="others", NotificationConfiguration=wanted, **SKIP
    )
    s3.client("other-key").put_object(Bucket="others", Key="k", Body=b"x")
    assert receiver.next().told == [("ObjectCreated:Put", "k")]


def test_an_account_that_is_taken_off_is_told_no_more_and_that_is_said_once(
    s3: Served, noting: Noting, caplog: pytest.LogCaptureFixture
) -> None:
    teller = bucket(s3, "taken-off")
    teller(Delivery(changes=changes(1)))
    noting._accounts = "another"
    teller(Delivery(changes=changes(2)))
    assert len(noting.came) == 1
    for _ in range(2):
        s3.gateway.look()
    said = [one for one in caplog.messages if "of taken-off " in one]
    assert len(said) == 1
    assert "is not open to the account main" in said[0]


# what does not go well


@pytest.mark.usefixtures("sockets", "seconds")
def test_one_that_sends_its_answer_byte_by_byte_is_waited_for_with_an_end() -> None:
    class Dripping(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100 + b"\r\n\r\n":
                try:
                    self.wfile.write(bytes((byte,)))
                except OSError:  # it was waited for long enough
                    return
                time.sleep(0.02)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Dripping) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = Secret(f"http://127.0.0.1:{server.server_port}/")
        with pytest.raises(Unavailable, match="timed out"):
            Webhook("slow", WebhookOptions(url=url, timeout=0.1), now).post("id", b"{}")
        server.shutdown()


def test_who_ends_a_notification_is_not_sent_what_waits(s3: Served, noting: Noting) -> None:
    teller = bucket(s3, "removed")
    noting.then = lambda: configure(s3, "removed")
    teller(Delivery(changes=changes(1, 2, 3)))
    assert len(noting.came) == 1


def test_after_a_crash_the_same_messages_have_the_same_ids(s3: Served, noting: Noting) -> None:
    first = bucket(s3, "crash")
    noting.batch, noting.fails = 2, 3
    with pytest.raises(Unavailable):
        first(Delivery(changes=changes(1, 2, 3, 4, 5)))
    noting.fails = 0
    another = delivering(s3.gateway, "crash", "everybodys")  # of another process
    another(Delivery(changes=changes(1, 2, 3, 4, 5), repeated=True))
    before, after = noting.came[:2], noting.came[2:]
    assert [one[:2] for one in before] == [one[:2] for one in after[:2]]
    assert [repeated for *_, repeated in noting.came] == [False] * 2 + [True] * 3
    assert len({id for id, *_ in after}) == 3


def test_what_another_worker_began_anew_is_sent_whatever_was_sent_before(
    s3: Served, noting: Noting
) -> None:
    teller = bucket(s3, "led-twice")
    teller(Delivery(changes=changes(1, 2, 3)))
    teller(Delivery(changes=changes(1, 2)))  # of the feed that another worker was told of
    assert len(noting.came) == 5


def test_each_key_is_told_of_in_the_order_of_its_writes(s3: Served, receiver: Receiver) -> None:
    bucket(s3, "ordered")
    client, written = s3.client(), 15

    def write(number: int) -> None:
        for n in range(written):
            client.put_object(Bucket="ordered", Key=f"k{n % 2}", Body=b"%d %d" % (number, n))

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for one in writers:
        one.start()
    told: list[dict[str, Any]] = []
    while len(told) < 4 * written:
        told += [one["s3"]["object"] for one in receiver.next().records]
    for one in writers:
        one.join()
    for key in ("k0", "k1"):
        mine = [one for one in told if one["key"] == key]
        assert len({one["eTag"] for one in mine}) == len(mine)
        assert sorted(mine, key=lambda one: one["sequencer"]) == mine
        last = client.head_object(Bucket="ordered", Key=key)["ETag"]
        assert last == f'"{mine[-1]["eTag"]}"'
    assert receiver.came.empty()
