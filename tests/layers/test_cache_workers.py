"""A disk cache that several processes share: really several, and one is really killed."""

from __future__ import annotations

import http.server
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from drivers.cache.fills import BLOCK
from gateway.testing.faults import noise
from tests.layers.origin import until
from tests.starting import ROOT, Popen

pytestmark = pytest.mark.usefixtures("sockets", "processes")

DATA = noise(6 * BLOCK + 11)


class Upstream:
    """A server of one object: `asked` counts, `stop` holds bodies back until `go`."""

    def __init__(self) -> None:
        self.asked, self.stop = 0, len(DATA)
        self.go, self.reached = threading.Event(), threading.Event()
        self.generation = "1"
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def data(self) -> bytes:
        return DATA if self.generation == "1" else noise(len(DATA), self.generation)

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        upstream = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                upstream.asked += 1
                data, first = upstream.data(), int(self.headers["X-First"])
                self.send_response(200)
                self.send_header("X-Generation", upstream.generation)
                self.send_header("Content-Length", str(len(data) - first))
                self.end_headers()
                self.wfile.write(data[first : max(first, upstream.stop)])
                if upstream.stop < len(data):
                    self.wfile.flush()
                    upstream.reached.set()
                    upstream.go.wait(60)
                    self.wfile.write(data[max(first, upstream.stop) :])

            def log_message(self, *_: object) -> None:
                """Nothing."""

        return Handler

    def close(self) -> None:
        self.go.set()
        self._server.shutdown()
        self._server.server_close()


WORKER = """
import hashlib, sys, urllib.request
from pathlib import Path
from drivers.cache import Cache, claims
from gateway.storage import *
from gateway.storage.checksums import HASHERS

class Http(Store):
    def get(self, key, want=Get()):
        first = (want.range.first if want.range else 0) or 0
        request = urllib.request.Request(sys.argv[2] + key, headers={"X-First": str(first)})
        answer = urllib.request.urlopen(request)
        length = int(answer.headers["Content-Length"])
        info = ObjectInfo(key=key, size=first + length, modified=0,
                          etag=answer.headers["X-Generation"])
        if want.conditions:
            want.conditions.check_read(info)
        return Opened(info=info, body=answer, start=first, length=length)

claims.LEASE = 3_600_000  # nobody waits for the end of a dead one's
cache = Cache(source=Http())
cache.open(Context(sid="c", folder=Path(sys.argv[1])))
print("ready", flush=True)
for line in sys.stdin:
    word, _, key = line.strip().partition(" ")
    try:
        if word == "read":
            with cache.get(key) as opened:
                md5 = hashlib.md5()
                for piece in pieces(opened.body):
                    md5.update(piece)
                print(md5.hexdigest(), flush=True)
        elif word == "begin":
            opened = cache.get(key)
            print(len(opened.body.read()), flush=True)
        else:
            print(cache.purge().point, flush=True)
    except StorageError as error:
        print(type(error).__name__, error, flush=True)
cache.close()
"""


class Worker:
    def __init__(self, folder: Path, port: int, instance: str = "kit") -> None:
        self.process = Popen(
            [sys.executable, "-c", WORKER, str(folder), f"http://127.0.0.1:{port}/"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "GATEWAY_INSTANCE": instance, "PYTHONPATH": str(ROOT)},
        )

    def say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        assert self.process.stdout is not None
        return str(self.process.stdout.readline()).strip()

    def ask(self, line: str) -> str:
        self.say(line)
        return self.hear()

    def close(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        with suppress(BrokenPipeError):  # it was killed
            self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()

    def kill(self) -> None:
        self.process.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
        self.process.wait(60)


@contextmanager
def workers(folder: Path, port: int, count: int) -> Iterator[list[Worker]]:
    made = [Worker(folder, port) for _ in range(count)]
    try:
        for worker in made:
            assert worker.hear() == "ready"
        yield made
    finally:
        for worker in made:
            worker.close()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    upstream = Upstream()
    yield upstream
    upstream.close()


def md5(data: bytes) -> str:
    import hashlib

    return hashlib.md5(data).hexdigest()


def test_workers_fetch_a_cold_object_once(tmp_path: Path, upstream: Upstream) -> None:
    upstream.stop = 2 * BLOCK + 5
    with workers(tmp_path, upstream.port, 3) as (one, two, three):
        for worker in (one, two, three):
            worker.say("read k")
        assert upstream.reached.wait(60)
        upstream.go.set()
        assert [worker.hear() for worker in (one, two, three)] == [md5(DATA)] * 3
        assert upstream.asked == 1
        assert [worker.ask("read k") for worker in (one, two, three)] == [md5(DATA)] * 3
        assert upstream.asked == 1


def test_another_worker_reads_what_is_stored_before_the_source_is_done(
    tmp_path: Path, upstream: Upstream
) -> None:
    upstream.stop = 5 * BLOCK
    with workers(tmp_path, upstream.port, 2) as (one, two):
        assert int(one.ask("begin k")) > 0
        assert int(two.ask("begin k")) > 0
        assert not upstream.go.is_set()
        assert upstream.asked == 1
        upstream.go.set()


def test_a_flush_in_one_worker_counts_in_all_at_once(tmp_path: Path, upstream: Upstream) -> None:
    with workers(tmp_path, upstream.port, 2) as (one, two):
        for worker in (one, two, one, two):
            assert worker.ask("read k") == md5(DATA)
        assert upstream.asked == 1
        for number in range(2, 8):
            upstream.generation = str(number)
            flushing, reading = (one, two) if number % 2 else (two, one)
            flushing.ask("purge")
            assert reading.ask("read k") == md5(noise(len(DATA), str(number)))
            assert flushing.ask("read k") == md5(noise(len(DATA), str(number)))
        assert upstream.asked == 7


def test_what_a_killed_worker_was_fetching_is_taken_over(
    tmp_path: Path, upstream: Upstream
) -> None:
    upstream.stop = 5 * BLOCK
    with workers(tmp_path, upstream.port, 2) as (one, two):
        assert int(one.ask("begin k")) > 0
        two.say("read k")
        until(lambda: list((tmp_path / "cache/c/blobs").glob("*/*")))
        one.kill()
        upstream.stop = len(DATA)
        assert two.hear() == md5(DATA)
        upstream.go.set()
        assert two.ask("read k") == md5(DATA)
        assert upstream.asked == 2


def test_a_cache_is_warm_and_whole_after_kill_9(tmp_path: Path, upstream: Upstream) -> None:
    """Again and again, in the middle of what it does."""
    for round in range(4):
        with workers(tmp_path, upstream.port, 1) as (worker,):
            for number in range(3):
                assert worker.ask(f"read k{round}-{number}") == md5(DATA)
            worker.say("read half")
            asked = upstream.asked
            worker.kill()
    with workers(tmp_path, upstream.port, 1) as (worker,):
        asked = upstream.asked
        for round in range(4):
            for number in range(3):
                assert worker.ask(f"read k{round}-{number}") == md5(DATA)
        assert upstream.asked == asked
        assert worker.ask("read half") == md5(DATA)


def test_a_second_gateway_is_refused_while_the_first_runs(
    tmp_path: Path, upstream: Upstream
) -> None:
    with workers(tmp_path, upstream.port, 1):
        other = Worker(tmp_path, upstream.port, "other")
        assert other.hear() == ""
        other.process.wait(60)
        assert other.process.returncode == 1
        other.close()
