"""Doors, crashes, admission and the access log, without a server in between."""

from __future__ import annotations

import io
import json
import re
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import Binding
from gateway.config.texts import HostPattern
from gateway.modes import Gateway, WSGIApp
from gateway.servers.sockets import make_impatient
from gateway.storage import Busy
from gateway.telemetry.access_log import FORMATS, AccessLog, as_json, as_text
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.record import Record
from gateway.web import request_head
from gateway.web.accel import Accel
from gateway.web.admission import Admission, Need
from gateway.web.app import App, Routes
from gateway.web.doors import Doors
from gateway.web.forwarded import Proxies
from gateway.web.health import create_pages, writable
from tests.tiny_mode import TinyMode

NO_GATEWAY = cast(Gateway, None)


def environ(path: str = "/", query: str = "", method: str = "GET", **more: Any) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_PORT": "9000",
        "REMOTE_ADDR": "192.0.2.1",
        "wsgi.input": io.BytesIO(),
        **more,
    }


class Called:
    """What an application answered: the body is iterated, then closed."""

    def __init__(self, app: WSGIApp, request: dict[str, Any]) -> None:
        self.status = ""
        self.headers: dict[str, str] = {}
        body = app(request, self._start)
        self.body = b"".join(body)
        if hasattr(body, "close"):
            body.close()

    def _start(self, status: str, headers: list[tuple[str, str]]) -> None:
        self.status, self.headers = status, dict(headers)


class Kept:
    """An access log that keeps its records."""

    shed = 0

    def __init__(self) -> None:
        self.records: list[Record] = []

    def add(self, record: Record) -> None:
        self.records.append(record)


def make(
    apps: dict[str, WSGIApp] | None = None,
    *,
    admission: Admission | None = None,
    metrics: Metrics | None = None,
    bindings: Iterable[Binding] = (),
    domains: tuple[str, ...] = (),
    proxies: Proxies = Proxies(),
    accel: Accel | None = None,
    more: Iterable[TinyMode] = (),
) -> tuple[App, Kept]:
    modes = [TinyMode("one", "HTTP_X_ONE"), TinyMode("two", "HTTP_X_TWO"), *more]
    made = {mode.name: mode.app(NO_GATEWAY) for mode in modes} | (apps or {})
    metrics, kept = metrics or Metrics(), Kept()
    doors = Doors(
        modes,
        made,
        default="one",
        bindings=list(bindings),
        domains=domains,
        own=create_pages(metrics, []),
    )
    app = App(
        Routes(doors, proxies, accel),
        admission=admission or Admission(8),
        metrics=metrics,
        access_log=cast(AccessLog, kept),
    )
    return app, kept


# doors


@pytest.mark.parametrize(
    ("request_", "mode"),
    [
        (environ("/k"), "one"),
        (environ("/k", HTTP_X_TWO="1"), "two"),
        (environ("/k", HTTP_X_ONE="1", HTTP_X_TWO="1"), "one"),
        (environ("/-/health/live", HTTP_X_TWO="1"), "gateway"),
        (environ("/-", HTTP_X_TWO="1"), "two"),
        (environ("/-/health/live", HTTP_HOST="s3.example"), "gateway"),
        (environ("/-/health/live", HTTP_HOST="bucket.s3.example:9000"), "one"),
        (environ("/-/health/live", HTTP_HOST="Bucket.S3.EXAMPLE"), "one"),
        (environ("/-/health/live", HTTP_HOST="images.example"), "two"),
        (environ("/k", HTTP_HOST="images.example", HTTP_X_ONE="1"), "two"),
        (environ("/k", HTTP_HOST="images.example.:80"), "one"),
        (environ("/k", SERVER_PORT="9001"), "two"),
        (environ("/two"), "two"),
        (environ("/two/k"), "two"),
        (environ("/twofold"), "one"),
        (environ("/k", HTTP_HOST="[::1]:9000"), "one"),
    ],
)
def test_the_door_of_a_request(request_: dict[str, Any], mode: str) -> None:
    bindings = [
        Binding(host=HostPattern("images.example"), mode="two"),
        Binding(port=9001, mode="two"),
        Binding(prefix="/two/", mode="two"),
    ]
    app, kept = make(bindings=bindings, domains=("s3.example",))
    Called(app, request_)
    assert kept.records[0].mode == mode


def test_a_binding_takes_its_prefix_off_the_path() -> None:
    binding = Binding(prefix="/images", mode="two", service="thumbs")
    app, _ = make(bindings=[binding])
    request = environ("/images/a//b", "environ")
    found = json.loads(Called(app, request).body)
    assert (found["path"], found["SCRIPT_NAME"]) == ("/a//b", "/images")
    assert request["gateway.binding"] is binding


def test_the_more_exact_binding_wins() -> None:
    bindings = [
        Binding(prefix="/a", mode="one"),
        Binding(prefix="/a/b", mode="two"),
        Binding(host=HostPattern("h"), mode="one"),
        Binding(host=HostPattern("h"), prefix="/a", mode="two"),
    ]
    app, kept = make(bindings=bindings)
    for request in (
        environ("/a/x"),
        environ("/a/b/x"),
        environ("/a/b/x", HTTP_HOST="h"),
        environ("/b", HTTP_HOST="h"),
    ):
        Called(app, request)
    assert [record.mode for record in kept.records] == ["one", "two", "two", "one"]


def test_a_binding_of_all_hosts_below_a_domain() -> None:
    bindings = [
        Binding(host=HostPattern("*.example"), mode="two"),
        Binding(host=HostPattern("*.inner.example"), mode="one"),
        Binding(host=HostPattern("own.inner.example"), mode="two"),
    ]
    app, kept = make(bindings=bindings)
    hosts = ("a.example", "a.b.example:80", "example", "a.inner.example", "own.inner.example", "")
    for host in hosts:
        Called(app, environ("/", HTTP_HOST=host))
    modes = [record.mode for record in kept.records]
    assert modes == ["two", "two", "one", "one", "two", "one"]


class AtPlaces(TinyMode):
    """One with paths of its own, where it claims what has its header."""

    def __init__(self, name: str, *paths: str, header: str = "PATH_INFO") -> None:
        super().__init__(name, header)
        self.paths = paths


@pytest.mark.parametrize(
    ("request_", "mode", "path"),
    [
        (environ("/api"), "api", "/api"),
        (environ("/api/k"), "api", "/api/k"),
        (environ("/api/k", HTTP_X_ONE="1"), "api", "/api/k"),
        (environ("/apis"), "one", "/apis"),
        (environ("/k/api"), "one", "/k/api"),
        (environ("/-/pages/k"), "pages", "/-/pages/k"),
        (environ("/-/pages/picky", HTTP_X_PICKY="1"), "picky", "/-/pages/picky"),
        (environ("/-/pages/picky"), "pages", "/-/pages/picky"),
        (environ("/-/health/live"), "gateway", ""),
        (environ("/", HTTP_X_PICKY="1"), "picky", "/"),
        (environ("/"), "one", "/"),
        (environ("/k", HTTP_X_PICKY="1"), "one", "/k"),
        (environ("/api/k", HTTP_HOST="bucket.s3.example"), "one", "/api/k"),
        (environ("/", HTTP_HOST="bucket.s3.example", HTTP_X_PICKY="1"), "one", "/"),
        (environ("/api/k", HTTP_HOST="images.example"), "two", "/api/k"),
        (environ("/mine/k"), "api", "/mine/k"),
    ],
)
def test_the_door_of_a_mode_at_paths(request_: dict[str, Any], mode: str, path: str) -> None:
    places = [
        AtPlaces("pages", "/-/pages"),
        AtPlaces("picky", "/", "/-/pages/picky", header="HTTP_X_PICKY"),
        AtPlaces("api", "/api"),
    ]
    bindings = [
        Binding(host=HostPattern("images.example"), mode="two"),
        Binding(prefix="/mine", mode="api"),
    ]
    app, kept = make(bindings=bindings, domains=("s3.example",), more=places)
    answered = Called(app, request_).body.decode()
    assert kept.records[0].mode == mode
    if path:
        assert answered == f"{mode} GET {path}"


def test_the_path_of_a_mode_is_taken_off_the_request() -> None:
    app, _ = make(more=[AtPlaces("api", "/api")])
    found = json.loads(Called(app, environ("/api//a", "environ")).body)
    assert (found["path"], found["SCRIPT_NAME"]) == ("//a", "/api")


# measuring


def test_bytes_are_counted_in_both_directions() -> None:
    app, kept = make()
    body = io.BytesIO(b"x" * 100_000)
    request = environ("/k", "read", "PUT", CONTENT_LENGTH="100000", **{"wsgi.input": body})
    assert Called(app, request).body == b"100000"
    Called(app, environ("/k", "stream=3"))
    assert [(one.received, one.sent) for one in kept.records] == [(100_000, 6), (0, 3 * 65536)]
    assert [one.status for one in kept.records] == [200, 200]
    assert not any(one.aborted for one in kept.records)


def test_a_request_without_a_body_keeps_its_input() -> None:
    app, _ = make()
    body = io.BytesIO()
    request = environ("/k", "", "PUT", CONTENT_LENGTH="0", **{"wsgi.input": body})
    Called(app, request)
    assert request["wsgi.input"] is body


def test_what_came_by_no_http_is_counted_and_logged() -> None:
    metrics = Metrics()
    app, log = make(metrics=metrics)
    told = list[Record]()
    record = Record("id", "STOR", "/a", "192.0.2.1", mode="ftp", operation="STOR", status=200)
    record.sid, record.received, record.then = "files", 7, told.append
    app.note(record)
    assert log.records == told == [record]
    assert metrics.in_flight == 0
    text = metrics.exposition()[1].decode()
    assert 'gateway_received_bytes_total{mode="ftp"} 7.0' in text
    assert 'gateway_service_received_bytes_total{service="files"} 7.0' in text


def test_input_can_be_read_by_lines() -> None:
    lines: list[bytes] = []

    def by_lines(request: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        lines.extend(request["wsgi.input"])
        start("200 OK", [])
        return []

    app, kept = make({"one": by_lines})
    body = io.BytesIO(b"a\nb\nc")
    Called(app, environ(method="PUT", CONTENT_LENGTH="5") | {"wsgi.input": body})
    assert lines == [b"a\n", b"b\n", b"c"]
    assert kept.records[0].received == 5


def test_a_body_ends_where_it_was_announced_to_end() -> None:
    """A server's input may go on with the next request."""

    def reading(request: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        start("200 OK", [])
        body = request["wsgi.input"]
        return [body.read(2), body.read(), body.read(5), body.readline()]

    app, kept = make({"one": reading})
    request = environ(CONTENT_LENGTH="3") | {"wsgi.input": io.BytesIO(b"abcGET /")}
    assert Called(app, request).body == b"abc"
    assert kept.records[0].received == 3


def test_an_answer_is_no_longer_than_it_announced() -> None:
    def streaming(_: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        start("200 OK", [("content-length", "4")])
        return iter([b"abc", b"def", b"ghi"])

    app, kept = make({"one": streaming})
    assert Called(app, environ()).body == b"abcd"
    assert (kept.records[0].sent, kept.records[0].aborted) == (4, False)


def test_a_client_that_goes_away_closes_the_body() -> None:
    app, kept = make()
    closed: list[bool] = []

    def streaming(request: dict[str, Any], start: Callable[..., Any]) -> Iterator[bytes]:
        start("200 OK", [("Content-Length", "20")])

        def body() -> Iterator[bytes]:
            try:
                yield b"x" * 10
                yield b"x" * 10
            finally:
                closed.append(True)

        return body()

    app, kept = make({"one": streaming})
    answer = iter(app(environ(), lambda *_: None))
    next(answer)
    answer.close()  # type: ignore[attr-defined]  # as a server does
    assert closed == [True]
    assert [(one.sent, one.aborted) for one in kept.records] == [(10, True)]


def test_a_crash_is_answered_without_saying_what(caplog: pytest.LogCaptureFixture) -> None:
    app, kept = make()
    answer = Called(app, environ("/k", "crash"))
    assert answer.status == "500 Internal Server Error"
    assert b"a bug" not in answer.body
    record = kept.records[0]
    assert (record.status, record.code) == (500, "InternalError")
    assert record.request_id in answer.body.decode()
    assert record.request_id in caplog.text
    assert "RuntimeError: a bug" in caplog.text


def test_a_mode_that_does_not_start_its_response_is_a_crash() -> None:
    app, _ = make({"one": lambda *_: []})
    assert Called(app, environ()).status.startswith("500")


# admission


def test_a_place_is_given_back_when_the_body_has_been_read() -> None:
    admission, seen = Admission(8), []

    def reads(request: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        request["gateway.admission"]()
        request["gateway.admission"]()
        seen.append(admission.held)
        request["wsgi.input"].read(3)
        seen.append(admission.held)
        request["wsgi.input"].read(3)
        seen.append(admission.held)
        start("200 OK", [])
        return []

    app, _ = make({"one": reads}, admission=admission)
    body = io.BytesIO(b"abcdef")
    Called(app, environ(method="PUT", CONTENT_LENGTH="6") | {"wsgi.input": body})
    assert seen == [1, 1, 0]


@pytest.mark.parametrize("query", ["stream=3", "break", "short", "crash", "read"])
def test_places_and_counts_come_back_however_a_request_ends(query: str) -> None:
    admission, metrics = Admission(8), Metrics()
    app, _ = make(admission=admission, metrics=metrics)
    body = io.BytesIO(b"abc")
    request = environ("/k", query, "PUT", CONTENT_LENGTH="6", **{"wsgi.input": body})
    try:
        Called(app, request)
    except OSError:
        assert query == "break"
    assert (admission.held, metrics.in_flight, admission.under_way) == (0, 0, set())


def test_a_long_answer_without_a_place_is_refused_and_closed() -> None:
    admission, closed = Admission(1), []

    def streaming(request: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        start("200 OK", [("Content-Length", "1")])

        class Body:
            def __iter__(self) -> Iterator[bytes]:
                return iter([b"x"])

            def close(self) -> None:
                closed.append(True)

        return Body()

    app, kept = make({"one": streaming}, admission=admission)
    first = app(environ(), lambda *_: None)
    second = Called(app, environ())
    assert second.status == "503 Slow Down"
    assert second.headers["Retry-After"] == "1"
    assert closed == [True]
    assert kept.records[0].code == "SlowDown"
    first.close()  # type: ignore[attr-defined]  # as a server does
    assert Called(app, environ()).status == "200 OK"


@pytest.mark.parametrize(
    ("length", "need"), [("1000", Need.SMALL), ("100000", Need.LARGE), ("", Need.LARGE)]
)
def test_the_announced_length_says_what_is_small(length: str, need: Need) -> None:
    admission = Admission(16)
    with suppress(Busy):
        for _ in range(100):
            admission.take("192.0.2.1")

    def admits(request: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        request["gateway.admission"]()
        start("200 OK", [])
        return []

    app, _ = make({"one": admits}, admission=admission)
    request = environ(method="PUT", CONTENT_LENGTH=length, HTTP_TRANSFER_ENCODING="chunked")
    assert Called(app, request).status[:3] == ("200" if need is Need.SMALL else "503")


@pytest.mark.parametrize(
    ("more", "reads", "spools", "closes"),
    [
        ({"HTTP_EXPECT": "100-continue"}, 0, False, True),
        ({"HTTP_EXPECT": "100-continue"}, 1, False, False),  # it was asked for
        ({"HTTP_EXPECT": "100-continue"}, 0, True, False),  # it is here
        ({}, 0, False, False),  # it comes unasked
        ({"HTTP_EXPECT": "100-continue", "CONTENT_LENGTH": "0"}, 0, False, False),
    ],
)
def test_a_body_that_is_never_asked_for_ends_its_connection(
    more: dict[str, str], reads: int, spools: bool, closes: bool
) -> None:
    shared = [("x", "y")]

    def answers(request: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        request["wsgi.input"].read(reads)
        start("403 Forbidden", shared)
        return []

    app, _ = make({"one": answers}, admission=Admission(16, spools=spools))
    request = environ(method="PUT", **{"CONTENT_LENGTH": "2"} | more)
    request["wsgi.input"] = io.BytesIO(b"ab")
    said = {"x": "y"} | ({"Connection": "close"} if closes else {})
    assert (Called(app, request).headers, shared) == (said, [("x", "y")])


@pytest.mark.parametrize("spools", [True, False])
def test_an_answer_takes_a_large_place_whatever_came_with_the_request(spools: bool) -> None:
    """A body of one byte, which nobody reads, does not make a long answer a small need."""
    admission, held = Admission(16, spools=spools), []

    def streaming(request: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        start("200 OK", [])
        request["gateway.admission"]()  # as a mode that means its body, or does not know better

        def body() -> Iterator[bytes]:
            held.append(admission.held)
            request["wsgi.input"].read()
            held.append(admission.held)
            yield b"x"

        return body()

    app, _ = make({"one": streaming}, admission=admission)
    with suppress(Busy):
        for _ in range(100):
            admission.take("192.0.2.1")
    request = environ(CONTENT_LENGTH="1") | {"wsgi.input": io.BytesIO(b"x")}
    assert Called(app, request).status == "503 Slow Down"
    for _ in range(admission.held):
        admission.release("192.0.2.1")
    request = environ(CONTENT_LENGTH="1") | {"wsgi.input": io.BytesIO(b"x")}
    assert Called(app, request).status == "200 OK"
    assert (held, admission.held) == ([1, 1], 0)


# who and where


@pytest.mark.parametrize("peer", ["10.0.0.1", "192.0.2.1"])
def test_what_a_trusted_proxy_says_decides_the_door_the_log_and_what_modes_see(peer: str) -> None:
    bindings = [Binding(host=HostPattern("images.example"), mode="two")]
    proxies = Proxies((ip_network("10.0.0.0/8"),))
    app, kept = make(bindings=bindings, domains=("s3.example",), proxies=proxies)
    said = {"REMOTE_ADDR": peer, "HTTP_HOST": "inside:9000", "wsgi.url_scheme": "http"}
    said |= {"HTTP_X_FORWARDED_FOR": "198.51.100.7", "HTTP_X_FORWARDED_PROTO": "https"}
    seen = []
    for path, host in (("/k", "images.example"), ("/-/health/live", "bucket.s3.example")):
        request = environ(path, **said, HTTP_X_FORWARDED_HOST=host)
        Called(app, request)
        names = ("gateway.client", "HTTP_HOST", "wsgi.url_scheme")
        seen.append((kept.records[-1].mode, kept.records[-1].client, *map(request.get, names)))
    if peer == "10.0.0.1":
        client = "198.51.100.7"
        assert seen == [
            ("two", client, client, "images.example", "https"),
            ("one", client, client, "bucket.s3.example", "https"),
        ]
    else:
        inside = (peer, peer, "inside:9000", "http")
        assert seen == [("one", *inside), ("gateway", *inside)]


def test_a_request_that_names_two_hosts_is_refused() -> None:
    app, kept = make()
    answer = Called(app, environ("/k", HTTP_HOST="a.example,b.example"))
    assert (answer.status, answer.body[:26]) == ("400 Bad Request", b"A request names one host. ")
    assert kept.records[-1].status == 400


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_path_comes_back_from_its_bytes(text: str) -> None:
    request = environ("/" + text.encode().decode("latin-1"))
    assert request_head.path(request) == "/" + text


# the access log


def record(**values: Any) -> Record:
    one = Record("0123456789ABCDEF", "GET", "/a", "192.0.2.1")
    for name, value in values.items():
        setattr(one, name, value)
    return one


def test_a_line_of_text_and_one_of_json() -> None:
    one = record(
        mode="s3",
        operation="GetObject",
        path="/photos/a b",
        key_id="reader",
        sid="photos",
        status=200,
        sent=10,
        started=1_700_000_000.25,
        duration=0.0123,
    )
    assert as_text(one) == (
        "2023-11-14T22:13:20.250Z 0123456789ABCDEF 192.0.2.1 s3 GetObject GET /photos/a%20b"
        " 200 0 10 12.3ms key=reader service=photos code=-"
    )
    assert json.loads(as_json(one)) == {
        "time": "2023-11-14T22:13:20.250Z",
        "request_id": "0123456789ABCDEF",
        "client": "192.0.2.1",
        "mode": "s3",
        "operation": "GetObject",
        "method": "GET",
        "path": "/photos/a%20b",
        "status": 200,
        "bytes_in": 0,
        "bytes_out": 10,
        "duration_ms": 12.3,
        "key_id": "reader",
        "service": "photos",
        "code": "",
        "cache": "",
        "aborted": False,
    }
    one.cache = "thumbs; hit; ttl=30, other; fwd=stale"
    assert as_text(one).endswith(" code=- cache=thumbs;hit;ttl=30,other;fwd=stale")
    assert json.loads(as_json(one))["cache"] == one.cache


@given(st.text(), st.binary(), st.text())
def test_nothing_that_a_client_sends_can_forge_a_line(key: str, path: bytes, method: str) -> None:
    one = record(key_id=key, path=path.decode("latin-1"), method=method)
    text = as_text(one)
    assert re.fullmatch("[ -~]+", text)
    assert len(text.split(" ")) == len(as_text(record()).split(" "))
    assert re.fullmatch("[ -~]+", as_json(one))
    assert json.loads(as_json(one))["key_id"] == key


def test_there_is_no_query_string_in_a_line() -> None:
    app, kept = make()
    Called(app, environ("/k", "X-Amz-Signature=secret"))
    assert all("secret" not in form(kept.records[0]) for form in FORMATS.values())


def test_lines_are_written_behind_and_shed_when_too_many_wait() -> None:
    stream = io.StringIO()
    log = AccessLog(stream, capacity=3)
    for _ in range(5):
        log.add(record())
    assert (log.shed, stream.getvalue()) == (2, "")
    log.start()
    log.stop()
    assert len(stream.getvalue().splitlines()) == 3


def test_a_log_that_nobody_reads_does_not_stop_requests() -> None:
    stream = io.StringIO()
    stream.close()
    log = AccessLog(stream)
    log.start()
    log.add(record())
    log.stop()
    assert log.shed == 1


# health


def test_ready_says_what_is_wrong(tmp_path: Path) -> None:
    pages = create_pages(Metrics(), [writable(tmp_path), writable(tmp_path / "gone")])
    answer = Called(pages, environ("/-/health/ready"))
    assert answer.status.startswith("503")
    assert answer.body == b"The data folder cannot be written: No such file or directory.\n"
    assert Called(create_pages(Metrics(), [writable(tmp_path)]), environ("/-/health/ready")).body
    assert Called(pages, environ("/-/health/live")).status == "200 OK"
    assert Called(pages, environ("/-/health/live", method="POST")).status.startswith("405")
    assert Called(pages, environ("/-/health/live", method="HEAD")).body == b""


def test_metrics_name_services_where_that_is_said() -> None:
    metrics = Metrics()
    metrics.know(["hidden"])
    for by_service in (True, False):
        pages = create_pages(metrics, [], by_service=by_service)
        assert (b'"hidden"' in Called(pages, environ("/-/metrics")).body) is by_service


@pytest.mark.skipif(sys.platform != "linux", reason="TCP_USER_TIMEOUT is Linux's")
@pytest.mark.usefixtures("sockets")
def test_connections_of_a_socket_are_dropped_when_they_stall() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        make_impatient(listening)
        with socket.create_connection(listening.getsockname()), listening.accept()[0] as accepted:
            found = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    assert found == 60_000


# what a proxy in front is told


def test_a_mode_does_not_tell_the_proxy_which_file_to_send() -> None:
    def passing_on(environ: dict[str, Any], start: Any) -> list[bytes]:
        start("200 OK", [("X-Accel-Redirect", "/-files/catalog.db"), ("X-Own", "1")])
        return [b"its own"]

    app, _ = make({"one": passing_on}, accel=Accel("/srv/gateway"))
    answer = Called(app, environ("/k"))
    assert answer.headers == {"X-Own": "1"}
