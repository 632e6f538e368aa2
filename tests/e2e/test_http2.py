"""HTTP/2 on TLS, where `[server] http2` asks for it: by granian itself, and by way of the front
that shows certificates by name.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing, suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, ResponseReceived, StreamEnded, StreamReset
from h2.exceptions import StreamClosedError

from gateway.telemetry.report_file import ReportFile
from gateway.telemetry.reports import Asked, Period, Split
from gateway.testing.certificates import certificate
from tests.e2e.conftest import SECRET, Running, serving
from tests.e2e.raw import GUARD, eventually, log_of
from tests.e2e.test_tls import write_certificate

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="granian is not for Windows")
MIB = 1 << 20
BIG = os.urandom(3 * MIB)


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """One, as a browser has it; `spoken` is what ALPN chose."""

    def __init__(self, gateway: Running, *offers: str) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(offers or ("h2", "http/1.1"))
        address = urlsplit(gateway.url)
        plain = socket.create_connection((address.hostname, address.port), timeout=GUARD)
        self.socket = context.wrap_socket(plain, server_hostname="localhost")
        self.spoken = self.socket.selected_alpn_protocol()
        self.authority = address.netloc
        self.h2 = H2Connection()
        self.answers: dict[int, int] = {}
        self.headers: dict[int, dict[str, str]] = {}
        self.bodies: dict[int, bytes] = defaultdict(bytes)
        self.ended: set[int] = set()
        self.over = False
        if self.spoken == "h2":
            self.h2.initiate_connection()
            self.h2.increment_flow_control_window(64 * MIB)
            self.flush()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def flush(self) -> None:
        self.socket.sendall(self.h2.data_to_send())

    def begin(
        self, method: str, path: str, headers: Mapping[str, str] = {}, *, body: bool = False
    ) -> int:
        """The stream of a request whose body is to come, if it has one."""
        stream = self.h2.get_next_available_stream_id()
        head = {":method": method, ":path": path, ":scheme": "https", ":authority": self.authority}
        self.h2.send_headers(stream, list({**head, **headers}.items()), end_stream=not body)
        self.flush()
        return stream

    def send(self, stream: int, data: bytes) -> None:
        """The whole of a body, as far as the other side takes it: it may have answered before."""
        with suppress(StreamClosedError):
            self._send(stream, data)

    def _send(self, stream: int, data: bytes) -> None:
        left = memoryview(data)
        while left:
            size = min(
                len(left),
                self.h2.local_flow_control_window(stream),
                self.h2.max_outbound_frame_size,
            )
            if not size:
                self.hear()
                continue
            self.h2.send_data(stream, bytes(left[:size]))
            left = left[size:]
            self.flush()
        self.h2.end_stream(stream)
        self.flush()

    def hear(self) -> None:
        try:
            data = self.socket.recv(1 << 16)
        except OSError:  # it was cut
            data = b""
        self.over = self.over or not data
        for event in self.h2.receive_data(data) if data else ():
            if isinstance(event, ResponseReceived):
                found = {name.decode(): value.decode() for name, value in event.headers or ()}
                self.headers[event.stream_id] = found
            elif isinstance(event, DataReceived):
                self.bodies[event.stream_id] += event.data
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, StreamEnded | StreamReset):
                self.ended.add(event.stream_id)
            elif isinstance(event, ConnectionTerminated):
                self.over = True
        self.flush()

    def answer(self, stream: int) -> Answer:
        while stream not in self.ended:
            assert not self.over, "the connection ended"
            self.hear()
        headers = self.headers[stream]
        return Answer(int(headers[":status"]), headers, self.bodies[stream])

    def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] = {},
        body: bytes | None = None,
    ) -> Answer:
        stream = self.begin(method, path, headers, body=body is not None)
        if body is not None:
            self.send(stream, body)
        return self.answer(stream)


@pytest.fixture(scope="module", params=["by granian", "by name"])
def gateway(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("http2"), by_name=request.param == "by name") as one:
        yield one
        assert "Traceback" not in log_of(one)


def running(folder: Path, *, by_name: bool = False) -> AbstractContextManager[Running]:
    files = [write_certificate(folder)]
    if by_name:
        files.append(certificate(folder))
    tls = ", ".join(f"{{ certificate = '{one}', key = '{key}' }}" for one, key in files)
    config = f'[server]\ntls = [{tls}]\nhttp2 = true\nbody_timeout = "2s"\n'
    config += '[reports]\nflush = "0.2s"\n'
    return serving(folder, "--workers", "1", config=config, scheme="https")


@pytest.fixture
def key() -> dict[str, str]:
    return {"x-owncdn-key": SECRET}


@pytest.fixture(scope="module")
def bucket(gateway: Running) -> str:
    return with_bucket(gateway)


def with_bucket(gateway: Running) -> str:
    gateway.client(verify=str(gateway.folder / "certificate.pem")).create_bucket(Bucket="photos")
    return "photos"


def upload(path: str) -> str:
    return f"/uploadfile?sid=photos&path={path}"


def test_a_connection_has_many_requests(gateway: Running, bucket: str, key: dict[str, str]) -> None:
    with Connection(gateway) as connection:
        assert connection.spoken == "h2"
        sized = {**key, "content-length": str(len(BIG))}
        assert connection.ask("POST", upload("big"), sized, BIG).status < 300
        wanted = f"/getfile?sid={bucket}&path=big"
        streams = [connection.begin("GET", wanted, key) for _ in range(8)]
        for stream in streams:
            found = connection.answer(stream)
            assert (found.status, found.body) == (200, BIG)
            assert "connection" not in found.headers
        assert connection.ask("HEAD", wanted, key).headers["content-length"] == str(len(BIG))
        part = connection.ask("GET", wanted, {**key, "range": "bytes=5-9"})
        assert (part.status, part.body) == (206, BIG[5:10])
        sized["x-owncdn-key"] = "another"
        refused = connection.ask("POST", upload("x"), sized, BIG)
        assert refused.status == 401, "and the connection goes on"
        assert connection.ask("GET", "/-/health/ready").status == 200


def test_a_body_may_come_without_its_length(
    gateway: Running, bucket: str, key: dict[str, str]
) -> None:
    """RFC 9113 §8.1.1; a request without a body says nothing of it either."""
    place, head = "/api/v1/buckets", {"x-api-key": SECRET}
    with Connection(gateway) as connection:
        for body in (b'{"name": 7, "owner_id": 1}', b'{"name":', b""):
            found = connection.ask("POST", place, head, body)
            assert found.status in {400, 422}, found
            said = found.body.decode()
            assert ("text" in said) == (b"7" in body), said
            assert ("JSON" in said) == (body == b'{"name":'), said
        assert b"missing" in connection.ask("POST", place, head).body
        assert connection.ask("POST", upload("x"), key, b"some").status == 411


def test_what_stands_still_is_ended(gateway: Running, bucket: str, key: dict[str, str]) -> None:
    """More uploads of which nothing comes than one client may have under way."""
    with Connection(gateway) as still:
        for number in range(30):
            still.begin("POST", upload(f"s{number}"), {**key, "content-length": "10"}, body=True)
        while not still.over and len(still.ended) < 30:
            still.hear()
    with Connection(gateway) as connection:
        assert connection.ask("GET", "/-/health/ready").status == 200


def test_http_1_is_spoken_to_who_wants_it(gateway: Running) -> None:
    with Connection(gateway, "http/1.1") as connection:
        assert connection.spoken == "http/1.1"


def test_reports_tell_by_what_it_came(gateway: Running, bucket: str, key: dict[str, str]) -> None:
    """What made the bucket came by HTTP/1.1."""
    with Connection(gateway) as connection:
        assert connection.ask("GET", f"/getfile?sid={bucket}&path=none", key).status == 404
    by_day = Period(since=1, until=int(time.time()) + 86_400, by="day")
    splits: tuple[tuple[Split, set[str]], ...] = (("http", {"1.1", "2"}), ("tls", {"tls"}))
    with closing(ReportFile(gateway.folder / "data")) as file:

        def told() -> bool:
            return all(
                {name for _, name, *_ in file.read(Asked(names=[bucket], split=split), by_day)}
                == names
                for split, names in splits
            )

        eventually(told, "what came by HTTP/2 and TLS is counted so")


@pytest.mark.skipif(shutil.which("curl") is None, reason="it needs curl")
def test_a_stop_answers_what_was_begun(tmp_path: Path) -> None:
    with running(tmp_path, by_name=True) as gateway:
        with_bucket(gateway)
        key = f"x-owncdn-key: {SECRET}"
        with Connection(gateway) as connection:
            sized = {"x-owncdn-key": SECRET, "content-length": str(len(BIG))}
            assert connection.ask("POST", upload("big"), sized, BIG).status == 201
        url = f"{gateway.url}/getfile?sid=photos&path=big"
        command = ["curl", "-sk", "--http2", "--limit-rate", "2M", "-H", key, url]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as slow:
            assert slow.stdout is not None
            begun = slow.stdout.read(1000)
            gateway.process.send_signal(signal.SIGTERM)
            assert begun + slow.stdout.read() == BIG
        assert slow.returncode == 0
