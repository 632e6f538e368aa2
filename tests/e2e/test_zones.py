"""Zones are made, replaced, patched and deleted while two workers are asked for them all the time:
no request is lost, and what is `ready` is served so by both.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from tests.e2e.conftest import KEY, SECRET, Running, serving, workers_of
from tests.e2e.raw import eventually

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="granian is not for Windows")

CONFIG = """
[server]
server = "granian"
workers = 2

[cdn]
suffix = "cdn.test"
allow = ["127.0.0.0/8"]
"""
BODY = b"0123456789" * 20_000
CLIENTS = 4


class Origin(ThreadingHTTPServer):
    """Has the same at every address, fresh for an hour; `asked` are the hosts it was asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.asked: list[str] = []


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        assert isinstance(self.server, Origin)
        self.server.asked.append(self.headers["host"])
        self.send_response(200)
        for name, value in {"Cache-Control": "max-age=3600", "ETag": '"one"'}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@contextmanager
def origin() -> Iterator[Origin]:
    with Origin() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class Api:
    def __init__(self, running: Running) -> None:
        self._place = urlsplit(running.url).netloc
        body = {"username": KEY, "password": SECRET}
        self._token = ""
        self._token = self.ask("POST", "/check/login", body)["token"]

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        connection = HTTPConnection(self._place, timeout=60)
        headers = {"X-UCDN-Token": self._token} if self._token else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        data = None if body is None else json.dumps(body).encode()
        connection.request(method, f"/v3{path}", data, headers)
        answer = connection.getresponse()
        found = json.loads(answer.read())
        connection.close()
        assert answer.status == 200, found
        return found


class Seen(NamedTuple):
    """What a visitor got who began `at` that time: "body", or a status."""

    at: float
    what: str


class Visitors:
    """Ask one host all the time, each time by a connection of its own, which any worker takes."""

    def __init__(self, running: Running, host: str) -> None:
        self._place, self._host = urlsplit(running.url).netloc, host
        self._done, self.seen = threading.Event(), list[Seen]()

    def __enter__(self) -> Visitors:
        self._pool = ThreadPoolExecutor(CLIENTS)
        self._asking = [self._pool.submit(self._keep_asking) for _ in range(CLIENTS)]
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._pool.shutdown()
        for one in self._asking:
            one.result()  # raises for a connection that was refused, or ended in the middle

    def _keep_asking(self) -> None:
        while not self._done.is_set():
            at = time.monotonic()
            connection = HTTPConnection(self._place, timeout=60)
            connection.request("GET", "/k", headers={"Host": self._host})
            answer = connection.getresponse()
            data = answer.read()
            connection.close()
            self.seen.append(Seen(at, "body" if data == BODY else str(answer.status)))

    def settle(self, begun: float, wanted: str, before: str) -> None:
        """From now on all get what is `wanted`; since `begun` nobody got anything but that and what
        there was before."""
        ready, count = time.monotonic(), len(self.seen)
        eventually(lambda: len(self.seen) >= count + 20 * CLIENTS, "visitors")
        since = [one for one in self.seen if one.at >= begun]
        assert {one.what for one in since} <= {wanted, before}
        assert {one.what for one in since if one.at >= ready} == {wanted}


def test_a_zone_changes_in_both_workers_without_a_lost_request(tmp_path_factory: Any) -> None:
    folder = tmp_path_factory.mktemp("zones")
    with origin() as server, serving(folder, config=CONFIG) as running:
        eventually(lambda: len(workers_of(running)) == 2 or sys.platform != "linux", "two workers")
        api = Api(running)
        upstream = {
            "endpoints": [{"host": "127.0.0.1", "port": server.server_port}],
            "type": "own",
            "proto": "http",
            "host_header": "first.test",
        }
        made = api.ask("POST", "/zone", {"object_size": "big", "upstream": upstream})["zone_id"]
        host, at = api.ask("GET", f"/zone/{made}")["cdn_domain"], f"/zone/{made}"

        def ready() -> bool:
            return bool(api.ask("GET", at)["reconfig_status"] == "ready")

        eventually(ready, "ready")
        took: list[float] = []
        with Visitors(running, host) as visitors:
            visitors.settle(time.monotonic(), "body", "body")
            moved = {**upstream, "host_header": "second.test"}
            referers = {"referers": ["friend.test", "!none"]}
            for method, body, wanted, before in (
                ("PATCH", referers, "403", "body"),
                ("PUT", {"upstream": upstream, "custom_domains": ["a.test"]}, "body", "403"),
                ("PUT", {"upstream": moved}, "body", "body"),
                ("PATCH", {"expiration": 3600}, "body", "body"),
            ):
                begun = time.monotonic()
                api.ask(method, at, body)
                eventually(ready, "ready")
                took.append(time.monotonic() - begun)
                visitors.settle(begun, wanted, before)
            begun = time.monotonic()
            api.ask("DELETE", at)
            # Its names are nobody's now: the gateway answers as to any other.
            eventually(lambda: all(one.what == "404" for one in visitors.seen[-200:]), "gone")
            assert {one.what for one in visitors.seen if one.at >= begun} <= {"body", "404"}
        # What the cache had it kept, though its origin is asked for another host.
        assert {*server.asked} == {"first.test"}
        caches = folder / "data" / "cache" / f"zone-{made}"
        eventually(lambda: not [*caches.glob("generation-*")], "its cache is gone")
        print("served by both after", [f"{one:.2f}" for one in took])
