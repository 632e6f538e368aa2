"""A stop while clients are busy on kept-alive connections: what was begun is answered.

A client whose connection ends without an answer repeats its request
elsewhere. So what is not answered must not have been begun: nothing of it is
in the store or in the log. Longer: GATEWAY_STOP_ROUNDS=20.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gateway.testing.upstreams import Upstream, hang
from tests.e2e.conftest import SECRET, Running, serving
from tests.e2e.raw import GUARD, KIB, connect, eventually, everything, head, log_of, signed
from tests.stopping import stop

ROUNDS = int(os.environ.get("GATEWAY_STOP_ROUNDS", "2"))
CLIENTS = 16
SERVERS = [
    pytest.param(
        ("--server", "granian", "--workers", "2"),
        id="granian",
        marks=pytest.mark.skipif(sys.platform == "win32", reason="granian is not for Windows"),
    ),
    pytest.param(("--server", "waitress"), id="waitress"),
]


class Client:
    """Puts one new object after the other on one connection, until that ends."""

    def __init__(self, gateway: Running, number: int) -> None:
        self._gateway, self._number = gateway, number
        self.answered: set[str] = set()
        self.refused: list[int] = []
        self.lost = ""

    def run(self) -> None:
        connection = HTTPConnection(urlsplit(self._gateway.url).netloc, timeout=GUARD)
        for target in self._targets():
            headers = signed(self._gateway.url, "PUT", target, {"Content-Length": str(KIB)})
            self.lost = target
            try:
                connection.request("PUT", target, bytes(KIB), headers)
                answer = connection.getresponse()
                answer.read()
            except (OSError, HTTPException):
                break
            self.lost = ""
            if answer.status == 200:
                self.answered.add(target)
            else:
                self.refused.append(answer.status)
            if answer.will_close:
                break
        connection.close()

    def _targets(self) -> Iterator[str]:
        number = 0
        while True:
            number += 1
            yield f"/stops/{self._number}-{number}"


@pytest.mark.parametrize("server", SERVERS)
def test_a_stop_answers_those_who_wait_for_a_change(
    tmp_path: Path, server: tuple[str, ...]
) -> None:
    """As if they had waited in vain: they come again, wherever."""
    with serving(tmp_path, *server, config='[server]\ndrain = "600s"') as gateway:
        gateway.client().create_bucket(Bucket="followed")
        followers = [HTTPConnection(urlsplit(gateway.url).netloc, timeout=GUARD) for _ in range(4)]
        for one in followers:
            target = "/syncnext?sid=followed&syncid=0&wait=60"
            one.request("GET", target, headers={"x-owncdn-key": SECRET})
        eventually(lambda: waiting(gateway) == len(followers), "all wait")
        stop(gateway.process)
        for one in followers:
            answer = one.getresponse()
            assert answer.status == 200
            told = json.load(answer)
            one.close()
            assert (told["updates"], told["lastSyncId"]) == ([], 0)
        assert gateway.process.wait(60) == 0


def waiting(gateway: Running) -> int:
    with urllib.request.urlopen(f"{gateway.url}/-/metrics") as answer:
        found = re.search(r"^gateway_slow_places_held (\S+)", answer.read().decode(), re.MULTILINE)
    return 0 if found is None else int(float(found[1]))


@pytest.mark.parametrize("server", SERVERS)
def test_a_stop_fails_nothing_that_was_begun(tmp_path: Path, server: tuple[str, ...]) -> None:
    for number in range(ROUNDS):
        stopped_under_load(tmp_path / str(number), server)


def stopped_under_load(folder: Path, server: tuple[str, ...]) -> None:
    with serving(folder, *server) as gateway:
        gateway.client().create_bucket(Bucket="stops")
        idle = connect(gateway)
        idle.sendall(head("GET", "/-/health/live", {"Host": "a"}))
        assert idle.recv(4096).startswith(b"HTTP/1.1 200 ")
        clients = [Client(gateway, one) for one in range(CLIENTS)]
        threads = [threading.Thread(target=one.run) for one in clients]
        for thread in threads:
            thread.start()
        eventually(lambda: sum(len(one.answered) for one in clients) > 200, "some load")
        stop(gateway.process)
        for thread in threads:
            thread.join()
        everything(idle)  # until it is closed
        idle.close()
        with pytest.raises(OSError):
            connect(gateway)
        assert gateway.process.wait(60) == 0
    answered = set().union(*(one.answered for one in clients))
    assert not [one.refused for one in clients if one.refused]
    seen = re.findall(r" PUT (/stops/\S+) (\d+) ", log_of(gateway))
    assert {target for target, _ in seen} == answered
    assert {status for _, status in seen} == {"200"}


@pytest.mark.parametrize("server", SERVERS)
def test_a_stop_that_is_asked_for_again_waits_for_an_upload_all_the_same(
    tmp_path: Path, server: tuple[str, ...]
) -> None:
    with serving(tmp_path, *server) as gateway, connect(gateway) as uploading:
        gateway.client().create_bucket(Bucket="stops")
        headers = signed(gateway.url, "PUT", "/stops/late", {"Content-Length": str(2 * KIB)})
        uploading.sendall(head("PUT", "/stops/late", headers) + bytes(KIB))
        eventually(lambda: under_way(gateway), "it has begun")
        stop(gateway.process)
        eventually(lambda: not accepts(gateway), "it accepts no more")
        stop(gateway.process)
        uploading.sendall(bytes(KIB))
        assert everything(uploading).startswith(b"HTTP/1.1 200 ")
        assert gateway.process.wait(60) == 0


def under_way(gateway: Running) -> bool:
    """Whether the upload is, where that can be told: waitress counts none whose body is to come."""
    return "on waitress" in log_of(gateway) or waiting(gateway) > 0


def accepts(gateway: Running) -> bool:
    try:
        connect(gateway).close()
    except OSError:
        return False
    return True


HANGING = """
[services.source{0}]
driver = "s3"
bucket = "b{0}"
endpoint_url = "{1}"
access_key = "key"
secret_key = "very-secret"
read_timeout = "10m"
timeout = "10m"
[services.cache{0}]
driver = "cache"
source = "source{0}"
"""


@pytest.mark.parametrize("server", SERVERS)
def test_a_stop_waits_for_no_source_that_hangs(tmp_path: Path, server: tuple[str, ...]) -> None:
    """Beyond `drain`. (Where each cache waited for its own by itself it took a minute.)"""
    with Upstream() as upstream:
        upstream.always(hang)
        config = "[server]\ndrain = '1s'\n"
        config += "".join(HANGING.format(number, upstream.url) for number in range(5))
        with serving(tmp_path, *server, config=config) as gateway, ExitStack() as stack:
            for number in range(5):
                connection = stack.enter_context(connect(gateway))
                target = f"/cache{number}/k"
                headers = signed(gateway.url, "GET", target)
                connection.sendall(head("GET", target, headers))
            eventually(lambda: len(upstream.requests) == 5, "all are asked for")
            stop(gateway.process)
            assert gateway.process.wait(30) == 0
