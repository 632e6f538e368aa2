"""systemd is told when a gateway serves, and not before; and why it does not."""

from __future__ import annotations

import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.commands.service_managers import VARIABLE
from tests.e2e.conftest import SERVERS, environment, free_port
from tests.starting import Popen

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="systemd is not there")


@pytest.fixture
def told(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(60)
        yield listening


@pytest.mark.parametrize("server", SERVERS)
def test_it_is_ready_when_it_answers(tmp_path: Path, told: socket.socket, server: str) -> None:
    address = f"127.0.0.1:{free_port()}"
    gateway = start(tmp_path, "--memory", "--server", server, "--listen", address)
    try:
        assert told.recv(1000) == f"READY=1\nSTATUS=serves at http://{address}".encode()
        urllib.request.urlopen(f"http://{address}/-/health/live").close()
        gateway.terminate()
        assert told.recv(1000) == b"STOPPING=1"
        assert gateway.wait(60) == 0
    finally:
        gateway.kill()
        gateway.wait()


def test_why_it_does_not_start(tmp_path: Path, told: socket.socket) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        gateway = start(tmp_path, "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
        assert told.recv(1000).startswith(b"STATUS=")
        assert gateway.wait(60) == 1


def start(folder: Path, *options: str) -> subprocess.Popen[Any]:
    environ = environment() | {VARIABLE: str(folder / "notify")}
    log = (folder / "log").open("w", encoding="utf-8")
    words = [sys.executable, "-m", "gateway", "serve", *options]
    if "--memory" not in options:
        words += ["--data", str(folder / "data")]
    with log:
        return Popen(words, env=environ, stdout=log, stderr=log, text=True, cwd=folder)
