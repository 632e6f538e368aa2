"""Bindings by listener: with several of them, a port chooses the door."""

from __future__ import annotations

import http.client
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.e2e.conftest import SERVERS, free_port, serving


def get(host: str, target: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(host, timeout=30)
    try:
        connection.request("GET", target)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("server", SERVERS)
def test_a_listener_has_doors_of_its_own(tmp_path: Path, server: str) -> None:
    other, third = free_port(), free_port()
    config = f"""
        [[bindings]]
        port = {other}
        mode = "standard"
        [[bindings]]
        port = {third}
        prefix = "/api"
        mode = "standard"
    """
    options = ["--server", server, "--workers", "1", "--memory"]
    options += ["--listen", f"127.0.0.1:{other}", "--listen", f"127.0.0.1:{third}"]
    with serving(tmp_path, *options, config=config) as gateway:
        first = urlsplit(gateway.url).netloc
        s3, standard = get(first, "/"), get(f"127.0.0.1:{other}", "/")
        assert b"<Error>" in s3[1] and b"<Error>" not in standard[1]
        assert get(f"127.0.0.1:{third}", "/")[1].startswith(b"<?xml")
        assert get(f"127.0.0.1:{third}", "/api/")[1][:20] == standard[1][:20]
        assert get(first, "/-/health/live") == (200, b"ok\n")
        assert get(f"127.0.0.1:{other}", "/-/health/live")[0] != 200
