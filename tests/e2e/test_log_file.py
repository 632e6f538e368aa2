"""`[logs] file`: all that a gateway logs is there, whichever of its processes says it."""

from __future__ import annotations

import json
import socket
import sys
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.e2e.conftest import SERVERS, environment, free_port, serving
from tests.starting import run

CONFIG = """
[server]
log_format = "json"
[logs]
file = "logs/gateway.log"
max_size = "64KB"
keep = 40
"""


@pytest.mark.parametrize("server", SERVERS)
def test_every_request_is_in_one_of_the_files(tmp_path: Path, server: str) -> None:
    with serving(tmp_path, "--server", server, config=CONFIG) as gateway:
        for connection in (HTTPConnection(urlsplit(gateway.url).netloc) for _ in range(4)):
            for number in range(200):
                connection.request("GET", f"/a-bucket/{number}")
                connection.getresponse().read()
            connection.close()
    files = sorted((tmp_path / "logs").glob("gateway.log*"))
    assert len(files) > 3
    found = [json.loads(line) for one in files for line in one.read_text("utf-8").splitlines()]
    asked = [one["path"] for one in found if one.get("path", "").startswith("/a-bucket")]
    assert sorted(asked) == sorted(4 * [f"/a-bucket/{number}" for number in range(200)])
    said = [one["message"] for one in found if "message" in one]
    assert any(one.startswith("storage-gateway") and gateway.url in one for one in said)
    assert "storage-gateway has ended" in said
    assert "a-bucket" not in (tmp_path / "log").read_text("utf-8")  # stdout and stderr


def test_why_it_does_not_start_is_there_as_well(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        said = gateway(tmp_path, "--listen", address, "--log-file", "its.log")
    assert said.startswith("gateway: ")
    assert said.removeprefix("gateway: ").strip() in (tmp_path / "its.log").read_text("utf-8")


def test_a_file_that_cannot_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = gateway(tmp_path, "--listen", f"127.0.0.1:{free_port()}", "--log-file", "file/its.log")
    assert said.startswith(f"gateway: The log file {tmp_path / 'file' / 'its.log'} cannot be")
    assert not (tmp_path / "data").exists()


def gateway(folder: Path, *options: str) -> str:
    """What one says on stderr that does not start."""
    command = [sys.executable, "-m", "gateway", "serve", "--data", "data", *options]
    done = run(command, env=environment(), capture_output=True, text=True, cwd=folder)
    assert done.returncode == 1, done
    said: str = done.stderr
    return said
