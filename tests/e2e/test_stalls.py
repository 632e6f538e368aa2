"""Clients that stand still, trickle or vanish, more of them than there are threads.

Nothing is measured in seconds, but that what stands still ends by itself. More
of them, and longer: GATEWAY_STALLED=500.
"""

from __future__ import annotations

import os
import re
import select
import socket
import struct
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.conftest import SERVERS, Running, serving
from tests.e2e.raw import (
    GUARD,
    KIB,
    MIB,
    Answer,
    ask,
    connect,
    eventually,
    head,
    log_of,
    signed,
    statuses,
)
from tests.windows.gateways import ON_WINDOWS

STALLED = int(os.environ.get("GATEWAY_STALLED", "100"))
BIG = 24 * MIB
"""More than the kernel takes for a client that does not."""
PLACES = 9
"""Of 16 threads 14 may be held, two of those by small bodies only; of the twelve others one
address may have three quarters."""
SMALL_PLACES = 10
"""Three quarters of all fourteen."""

CONFIG = """
[server]
workers = 1
threads = 16
header_timeout = "2s"
body_timeout = "2s"
"""

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="granian's watch needs TCP_INFO")


@pytest.fixture(scope="module", params=SERVERS)
def gateway(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("stalls")
    (folder / "tmp").mkdir()
    more = {"TMPDIR": str(folder / "tmp")}
    with serving(folder, "--server", request.param, config=CONFIG, more=more) as running:
        running.client().create_bucket(Bucket="stalls")
        running.client().put_object(Bucket="stalls", Key="big", Body=bytes(BIG))
        running.client().put_object(Bucket="stalls", Key="small", Body=b"quick")
        yield running
        assert "Traceback" not in log_of(running)


def upload(gateway: Running, target: str, sent: int = 70 * KIB, **more: str) -> socket.socket:
    """A PUT of 1 MiB whose client sends so much of it, and then nothing."""
    headers = signed(gateway.url, "PUT", target, {"Content-Length": str(MIB), **more})
    connection = connect(gateway)
    connection.sendall(head("PUT", target, headers) + bytes(sent))
    return connection


def beginning(gateway: Running, target: str) -> socket.socket:
    """A small PUT of which nothing comes."""
    connection = connect(gateway)
    length = {"Content-Length": str(KIB)}
    connection.sendall(head("PUT", target, signed(gateway.url, "PUT", target, length)))
    return connection


def download(gateway: Running, target: str) -> socket.socket:
    """A GET whose client takes nothing."""
    connection = connect(gateway, receive=4096)
    connection.sendall(head("GET", target, signed(gateway.url, "GET", target)))
    return connection


def half_head(gateway: Running, _target: str) -> socket.socket:
    connection = connect(gateway)
    connection.sendall(b"GET /stalls/small HTTP/1.1\r\nHost: a\r\nX-Slow: ")
    return connection


STALLS: dict[str, tuple[Callable[[Running, str], socket.socket], str]] = {
    "uploads": (upload, "/stalls/stalled"),
    "downloads": (download, "/stalls/big"),
    "beginnings": (beginning, "/stalls/stalled"),
    "heads": (half_head, ""),
}


def ended(connection: socket.socket) -> bool:
    """Whether the server has closed it, or answered and will close it. Reads nothing else."""
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP | select.POLLHUP | select.POLLERR)
    return bool(poll.poll(0))


def first(connection: socket.socket) -> bytes:
    """What has come first; b"" when the connection was cut."""
    with suppress(ConnectionError):
        return connection.recv(4096)
    return b""


def holds(gateway: Running, kind: str) -> bool:
    """Whether such a client holds a place. waitress reads bodies without a thread."""
    return kind == "downloads" or (kind != "heads" and on_granian(gateway))


def places(gateway: Running, kind: str = "") -> int:
    """That one address may have. waitress keeps none for small bodies."""
    return SMALL_PLACES if kind == "beginnings" or not on_granian(gateway) else PLACES


def on_granian(gateway: Running) -> bool:
    return "granian" in str(gateway.process.args)


def held(gateway: Running) -> int:
    """Places that slow clients hold."""
    with urllib.request.urlopen(f"{gateway.url}/-/metrics", timeout=GUARD) as answer:
        (number,) = re.findall(r"^gateway_slow_places_held (\d+)", answer.read().decode(), re.M)
    return int(number)


def put(gateway: Running, key: str, size: int = 300 * KIB) -> Answer:
    return ask(gateway.url, "PUT", f"/stalls/{key}", body=bytes(size))


@linux_only
@pytest.mark.parametrize("kind", STALLS)
def test_those_who_stand_still_do_not_stop_others(gateway: Running, kind: str) -> None:
    """Not even others at the same address: small requests are answered at once, large
    ones as soon as those who stand still have been cut."""
    stall, target = STALLS[kind]
    stalled = [stall(gateway, target) for _ in range(STALLED)]
    answers = []
    try:
        if holds(gateway, kind):
            eventually(
                lambda: held(gateway) == places(gateway, kind), "all places for one are held"
            )
        for _ in range(600):
            if all(map(ended, stalled)) or (kind == "downloads" and not held(gateway)):
                break
            small = ask(gateway.url, "GET", "/stalls/small")
            assert (small.status, small.body) == (200, b"quick")
            answers.append(put(gateway, "healthy"))
            assert answers[-1].status in (200, 503)
            time.sleep(0.05)
        else:
            raise AssertionError("some still stand")
        assert put(gateway, "healthy").status == 200
        assert ask(gateway.url, "GET", "/stalls/big").status == 200
        assert {one.code for one in answers if one.status == 503} <= {"SlowDown"}
        if holds(gateway, kind):
            refused = [got for got in map(first, stalled) if got.startswith(b"HTTP/1.1 503 ")]
            assert refused
            assert all(b"<Code>SlowDown</Code>" in got for got in refused)
            assert all(b"retry-after: 1" in got.lower() for got in refused)
    finally:
        for connection in stalled:
            connection.close()
    eventually(lambda: held(gateway) == 0, "all places are free")
    assert ask(gateway.url, "HEAD", "/stalls/stalled").status == 404


@linux_only
def test_who_moves_too_little_is_cut_and_who_moves_is_not(gateway: Running) -> None:
    trickling = [stall(gateway, target) for stall, target in (STALLS["uploads"], STALLS["heads"])]
    silent = upload(gateway, "/stalls/stalled")
    asked = upload(gateway, "/stalls/asked", 0, Expect="100-continue")
    assert statuses(asked.recv(4096)) == [100]
    slow = upload(gateway, "/stalls/slow", MIB - 50 * KIB)
    for _ in range(50):  # for more than twice the patience
        slow.sendall(bytes(KIB))
        trickling = [one for one in trickling if not refuses(one, b"x")]
        time.sleep(0.1)
    assert statuses(slow.recv(4096)) == [200]
    for one in trickling:
        eventually(partial(refuses, one, b"x"), "who trickles is cut")
    if on_granian(gateway):
        assert statuses(silent.recv(4096)) == [400]  # it may still listen
    assert all(map(ended, (silent, asked)))
    for connection in (silent, asked, slow):
        connection.close()
    eventually(lambda: held(gateway) == 0, "all places are free")


def refuses(connection: socket.socket, data: bytes) -> bool:
    if not ended(connection):
        with suppress(ConnectionError):
            connection.sendall(data)
            return False
    connection.close()
    return True


# room for those who ask


@pytest.fixture(scope="module", params=SERVERS)
def patient(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """Time-outs as they come: within them only those are cut who have to make room."""
    config = "[server]\nworkers = 1\nthreads = 16\n"
    with serving(
        tmp_path_factory.mktemp("patient"), "--server", request.param, config=config
    ) as running:
        running.client().create_bucket(Bucket="stalls")
        running.client().put_object(Bucket="stalls", Key="big", Body=bytes(BIG))
        running.client().put_object(Bucket="stalls", Key="small", Body=b"quick")
        yield running
        assert "Traceback" not in log_of(running)


@contextmanager
def crowd(gateway: Running, kinds: tuple[str, ...]) -> Iterator[None]:
    """Many who stand still, from the address that all others here have."""
    before = held(gateway)
    stalls = [STALLS[kind] for kind in kinds for _ in range(STALLED)]
    stalled = [stall(gateway, target) for stall, target in stalls]
    try:
        eventually(lambda: held(gateway) >= places(gateway), "all places for one client are held")
        yield
    finally:
        for connection in stalled:
            connection.close()
    eventually(lambda: held(gateway) <= before, "all places are free")


@linux_only
def test_small_requests_never_notice_a_crowd(patient: Running) -> None:
    with crowd(patient, ("uploads", "downloads")):
        for _ in range(20):
            assert put(patient, "healthy", 60 * KIB).status == 200
            small = ask(patient.url, "GET", "/stalls/small")
            assert (small.status, small.body) == (200, b"quick")
        assert held(patient) == places(patient)


@linux_only
@pytest.mark.parametrize("kinds", [("uploads", "downloads"), ("beginnings", "downloads")])
def test_who_asks_gets_the_place_of_one_that_stood_still(
    patient: Running, kinds: tuple[str, ...]
) -> None:
    """No more are cut than that; and who moves, if little, is not."""
    slow, enough = upload(patient, "/stalls/slow", 0), threading.Event()
    sent = [0]
    if holds(patient, "uploads"):  # as long as it moves, so it has to be there before the crowd
        eventually(lambda: held(patient) == 1, "it has its place")

    def move() -> None:
        while not enough.wait(0.1):
            slow.sendall(bytes(KIB))
            sent[0] += KIB

    moving = threading.Thread(target=move)
    moving.start()
    try:
        with crowd(patient, kinds):
            insist(lambda: put(patient, "large"))
            insist(lambda: put(patient, "small", KIB))
            insist(lambda: ask(patient.url, "GET", "/stalls/big"))
            assert held(patient) >= PLACES // 2
    finally:
        enough.set()
        moving.join()
    slow.sendall(bytes(MIB - sent[0]))
    assert statuses(slow.recv(4096)) == [200]
    slow.close()


def insist(request: Callable[[], Answer]) -> None:
    """As a client does that obeys Retry-After, and is refused a few times at most."""
    for _ in range(5):
        answer = request()
        if answer.status == 200:
            return
        assert (answer.status, answer.code) == (503, "SlowDown")
        time.sleep(1)
    raise AssertionError("still refused")


# those who vanish


def vanish(connection: socket.socket, *, abrupt: bool) -> None:
    if abrupt:
        linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    connection.close()


def spooled(gateway: Running) -> list[str]:
    """Files that the server's processes have open and that are gone from their folders, or
    wait to be stored. On Windows no file is gone that is open."""
    if ON_WINDOWS:
        return list(map(str, (gateway.folder / "tmp").iterdir()))
    found = []
    for process in processes(gateway.process.pid):
        for entry in Path(f"/proc/{process}/fd").iterdir():
            try:
                name = str(entry.readlink())
            except OSError:
                continue
            if "(deleted)" in name or "/blobs/" in name:
                found.append(name)
    return found


def processes(pid: int) -> list[int]:
    """That one and all below it."""
    below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in below for one in processes(int(child)))]


def blobs(gateway: Running) -> set[Path]:
    return {path for path in (gateway.folder / "data" / "blobs").rglob("*") if path.is_file()}


@linux_only
@pytest.mark.parametrize("abrupt", [False, True], ids=["closed", "reset"])
def test_those_who_vanish_leave_nothing(gateway: Running, abrupt: bool) -> None:
    client = gateway.client()
    place = {"Bucket": "stalls", "Key": "parts"}
    place["UploadId"] = client.create_multipart_upload(**place)["UploadId"]
    part = f"/stalls/parts?partNumber=1&uploadId={place['UploadId']}"
    before, open_before = blobs(gateway), len(spooled(gateway))
    for _ in range(STALLED // 10):
        gone = [upload(gateway, "/stalls/gone") for _ in range(3)]
        gone += [upload(gateway, part) for _ in range(3)]
        gone += [download(gateway, "/stalls/big") for _ in range(3)]
        for connection in gone:
            vanish(connection, abrupt=abrupt)
    eventually(lambda: held(gateway) == 0, "all places are free")
    eventually(lambda: len(spooled(gateway)) <= open_before, "all temporary files are gone")
    eventually(lambda: blobs(gateway) <= before, "nothing is left in the store")
    assert ask(gateway.url, "HEAD", "/stalls/gone").status == 404
    assert "Parts" not in client.list_parts(**place)
    together(gateway)


def together(gateway: Running) -> None:
    """All threads are there: as many slow requests as have places are served at once."""
    answers: list[int] = []

    def one(number: int) -> None:
        answers.append(put(gateway, f"together{number}").status)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 8
