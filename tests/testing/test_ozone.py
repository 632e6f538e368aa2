"""The test server by the REST API of Ozone: a configuration file switches that on."""

from __future__ import annotations

from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from gateway.storage import Busy
from gateway.testing import Server

pytestmark = pytest.mark.usefixtures("sockets")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    file = tmp_path / "gateway.toml"
    file.write_text("[ozone]\n", "utf-8")
    with Server(config=file) as server:
        yield server


def ask(server: Server, method: str, path: str, body: str | None = None) -> tuple[int, str]:
    connection = HTTPConnection(server.endpoint_url.partition("//")[2], timeout=30)
    headers = {
        "x-ozone-version": "v1",
        "Date": "Mon, 26 Jun 2017 04:23:30 GMT",
        "x-ozone-user": "root",
        "Authorization": f"OZONE {server.access_key}:{server.secret_key}",
    }
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_it_is_reset_with_its_volumes(server: Server) -> None:
    for _ in range(3):
        assert ask(server, "POST", "/shire") == (201, "")
        assert ask(server, "POST", "/shire/bucket") == (201, "")
        assert ask(server, "PUT", "/shire/bucket/key", "data") == (201, "")
        assert ask(server, "GET", "/shire/bucket/key") == (200, "data")
        assert server.objects("shire.bucket").keys() == {"key"}
        server.reset()
        assert ask(server, "GET", "/") == (200, '{"volumes": []}')


@pytest.mark.parametrize(
    ("operation", "method", "path"),
    [
        ("createvolume", "POST", "/other"),
        ("createbucket", "POST", "/shire/other"),
        ("putkey", "PUT", "/shire/bucket/other"),
        ("listbuckets", "GET", "/shire"),
    ],
)
def test_faults_strike_before_anything_is_done(
    server: Server, operation: str, method: str, path: str
) -> None:
    ask(server, "POST", "/shire")
    ask(server, "POST", "/shire/bucket")
    body = "data" if method == "PUT" else None
    with server.fail(Busy(), operation=operation) as fault:
        status, said = ask(server, method, path, body)
        assert (status, fault.hits) == (503, 1)
        assert '"slowDown"' in said
    assert ask(server, method, path, body)[0] in (200, 201)
