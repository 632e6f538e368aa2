"""Public bindings on real servers: what only they do with paths, bodies and lengths."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection, HTTPResponse

import pytest

from gateway.testing.upstreams import Upstream, answer, unchunked
from tests.e2e.conftest import SERVERS, Running, free_port, serving
from tests.e2e.raw import exchange

GUARD = 60.0


@pytest.fixture(scope="module")
def origin() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


class Doors:
    """`files` and `origin`: ports at which a bucket, and all that an origin takes, are public."""

    def __init__(self, gateway: Running, files: int, origin: int) -> None:
        self.gateway, self.files, self.origin = gateway, files, origin

    def ask(
        self,
        port: int,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: Mapping[str, str] = {},
    ) -> tuple[int, dict[str, str], bytes]:
        connection = HTTPConnection("127.0.0.1", port, timeout=GUARD)
        try:
            found = exchange(connection, method, target, body, headers)
            said = {name.lower(): text for name, text in found.getheaders()}
            return found.status, said, found.read()
        finally:
            connection.close()


@pytest.fixture(scope="module", params=SERVERS)
def doors(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, origin: Upstream
) -> Iterator[Doors]:
    files, web = free_port(), free_port()
    config = f"""
        [services.web]
        driver = "http"
        url = "{origin.url}"
        allow = "127.0.0.0/8"
        [services.files]
        driver = "memory"
        [[bindings]]
        port = {files}
        mode = "public"
        service = "files"
        [[bindings]]
        port = {web}
        mode = "public"
        service = "web"
        methods = "all"
    """
    options = ["--server", request.param, "--workers", "1", "--memory"]
    options += ["--listen", f"127.0.0.1:{files}", "--listen", f"127.0.0.1:{web}"]
    with serving(tmp_path_factory.mktemp("public"), *options, config=config) as gateway:
        client = gateway.client()
        for key in ("/evil.example/index.html", "../up", "big", "a//b"):
            client.put_object(Bucket="files", Key=key, Body=b"0" * 1_000_000)
        yield Doors(gateway, files, web)


def test_a_path_is_a_key_and_a_redirect_stays_here(doors: Doors) -> None:
    status, headers, _ = doors.ask(doors.files, "GET", "//evil.example")
    assert (status, headers["location"]) == (301, "./evil.example/")
    for target, found in (("/../up", 200), ("/a//b", 200), ("/a/b", 404), ("/x/../big", 404)):
        assert doors.ask(doors.files, "GET", target)[0] == found


def test_lengths_are_right_with_and_without_bodies(doors: Doors) -> None:
    status, headers, body = doors.ask(doors.files, "GET", "/big")
    assert (status, headers["content-length"], len(body)) == (200, "1000000", 1_000_000)
    status, head, body = doors.ask(doors.files, "HEAD", "/big")
    assert (status, head["content-length"], body) == (200, "1000000", b"")
    said = {"If-None-Match": headers["etag"]}
    assert doors.ask(doors.files, "GET", "/big", headers=said)[::2] == (304, b"")
    part = doors.ask(doors.files, "GET", "/big", headers={"Range": "bytes=5-9"})
    assert (part[0], part[1]["content-range"], part[2]) == (206, "bytes 5-9/1000000", b"00000")


def test_a_body_is_passed_on_whole(doors: Doors, origin: Upstream) -> None:
    origin.requests.clear()
    origin.always(answer(201, b"made"))
    data = b"1" * 300_000
    assert doors.ask(doors.origin, "POST", "/a?b", body=data)[::2] == (201, b"made")
    (seen,) = origin.requests
    assert (seen.method, seen.target) == ("POST", "/a?b")
    chunked = seen.headers.get("transfer-encoding") == "chunked"
    assert (unchunked(seen.body) if chunked else seen.body) == data


def test_a_body_without_a_length_is_passed_on_whole_or_refused(
    doors: Doors, origin: Upstream
) -> None:
    """waitress has read all of it before; on granian nobody could tell where it ends."""
    origin.requests.clear()
    origin.always(answer(201))
    body = b"3E8\r\n%b\r\n" % (b"a" * 1000) * 2 + b"0\r\n\r\n"
    head = b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", doors.origin), GUARD) as connection:
        connection.sendall(head + body)  # at once: it may be refused before it is read
        found = HTTPResponse(connection)
        found.begin()
        status = found.status
        found.close()
    assert status in (201, 411)
    assert [len(seen.body) for seen in origin.requests] == ([2000] if status == 201 else [])
