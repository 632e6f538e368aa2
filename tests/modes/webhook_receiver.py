"""A webhook of a test, and how buckets are told to use it."""

from __future__ import annotations

import json
import ssl
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, Queue
from typing import Any, NamedTuple

from gateway.access.access import Access
from gateway.access.identity import ANONYMOUS
from gateway.modes.s3.delivery.notifier import Notifications
from gateway.services.runtime import Runtime
from gateway.services.telling import Delivering, Services, Target
from tests.modes.s3_gateway import Served

GUARD = 60
QUEUE = "arn:gateway:sqs:::{}"


class Message(NamedTuple):
    headers: dict[str, str]
    body: bytes

    @property
    def records(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.body)["Records"]
        return found

    @property
    def told(self) -> list[tuple[str, str]]:
        """(event, key) of each."""
        return [(one["eventName"], one["s3"]["object"]["key"]) for one in self.records]


class Receiver(ThreadingHTTPServer):
    """Takes messages; `answers` are statuses for the next ones, then 200. None is answered while
    `answering` is cleared."""

    daemon_threads = True

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._scheme = "http"
        if tls is not None:
            self.socket, self._scheme = tls.wrap_socket(self.socket, server_side=True), "https"
        self.came: Queue[Message] = Queue()
        self.answers: Queue[int] = Queue()
        self.answering = threading.Event()
        self.answering.set()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        host = "127.0.0.1" if self._scheme == "http" else "localhost"
        return f"{self._scheme}://{host}:{self.server_port}/hook?token=1"

    def next(self) -> Message:
        return self.came.get(timeout=GUARD)


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.path == "/hook?token=1"
        said = {name.lower(): value for name, value in self.headers.items()}
        self.server.came.put(Message(said, body))
        self.server.answering.wait(GUARD)
        try:
            status = self.server.answers.get_nowait()
        except Empty:
            status = 200
        with suppress(OSError):  # who asked was killed meanwhile
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def delivering(gateway: Runtime, sid: str, webhook: str) -> Delivering:
    """What hands a bucket's changes to one that it names."""

    def access(sid: str) -> Access:
        return gateway.access(ANONYMOUS, sid)

    services = Services(access, gateway.feed, gateway.followers, gateway.webhooks)
    return Delivering(Target(sid, webhook), "a test's", Notifications(gateway), services)


def queue(name: str, *events: str, prefix: str = "", suffix: str = "") -> dict[str, Any]:
    rules = [{"Name": "prefix", "Value": prefix}] if prefix else []
    rules += [{"Name": "Suffix", "Value": suffix}] if suffix else []
    found: dict[str, Any] = {"QueueArn": QUEUE.format(name), "Events": list(events)}
    return {**found, **({"Filter": {"Key": {"FilterRules": rules}}} if rules else {})}


def configure(s3: Served, bucket: str, *queues: dict[str, Any], **more: Any) -> None:
    s3.client().put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"QueueConfigurations": list(queues)}, **more
    )
