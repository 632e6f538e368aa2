"""The sending half of a connection, over real sockets: who waits for whom, and how long."""

from __future__ import annotations

import errno
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.servers.crew import Crew
from gateway.servers.sending import NotSent, Sender
from gateway.servers.stretches import SENDS_FILES
from gateway.storage import Stretch
from gateway.web.rates import Rate

pytestmark = pytest.mark.usefixtures("sockets")
LARGE = os.urandom(3 << 20)
FILES = pytest.mark.skipif(not SENDS_FILES, reason="the system sends no files")


class Ends:
    """A sender, and the other end of its connection."""

    def __init__(self) -> None:
        here, self.there = socket.socketpair()
        here.setblocking(False)
        self.there.settimeout(60)
        for end in (here, self.there):
            for which in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                end.setsockopt(socket.SOL_SOCKET, which, 1 << 16)
        self.here = here
        self.sender = Sender(here, Crew(1, time.sleep, lambda: None))

    def receive(self, size: int) -> bytes:
        found = bytearray()
        while len(found) < size and (piece := self.there.recv(1 << 16)):
            found += piece
        return bytes(found)

    def close(self) -> None:
        self.here.close()
        self.there.close()


@pytest.fixture
def ends() -> Iterator[Ends]:
    ends = Ends()
    yield ends
    ends.close()


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "file").write_bytes(LARGE)
    with (tmp_path / "file").open("rb") as file:
        yield file.fileno()


def test_a_thread_waits_for_what_is_more_than_is_kept_of_an_answer(ends: Ends) -> None:
    ends.sender.write_soon(LARGE[: 1 << 20])
    ends.sender.push(waits=True)  # so much it leaves to the loop
    assert ends.sender.waiting
    found: list[bytes] = []
    reading = threading.Thread(target=lambda: found.append(ends.receive(len(LARGE))))
    reading.start()
    ends.sender.write_soon(LARGE[1 << 20 :])
    ends.sender.push(waits=True)
    assert ends.sender.waiting <= 1 << 20
    while ends.sender.waiting:
        ends.sender._send_rest()
    reading.join(60)
    assert found == [LARGE]


def test_one_that_is_cut_ends_the_wait(ends: Ends) -> None:
    threading.Timer(0.1, ends.here.shutdown, (socket.SHUT_RDWR,)).start()
    ends.sender.write_soon(LARGE)
    with pytest.raises(ConnectionError):
        ends.sender.push(waits=True)
    with pytest.raises(ConnectionError):
        ends.sender.write_soon(b"more")


def test_a_rate_holds_for_what_waits(ends: Ends) -> None:
    ends.sender.keep_to(Rate(10_000))
    ends.sender.write_soon(LARGE[:50_000])
    ends.sender.push(waits=False)
    assert 39_000 <= ends.sender.waiting <= 40_000
    ends.sender.keep_to(None)
    ends.sender.push(waits=False)
    assert not ends.sender.waiting


@FILES
def test_a_stretch_of_a_file_is_sent_behind_what_is_before_it(ends: Ends, file: int) -> None:
    found: list[bytes] = []
    reading = threading.Thread(target=lambda: found.append(ends.receive((2 << 20) + 4)))
    reading.start()
    ends.sender.write_soon(b"head")
    ends.sender.send_stretch(Stretch(file, 1000, 1 << 20), last=False)
    ends.sender.send_stretch(Stretch(file, 1000 + (1 << 20), 1 << 20), last=True)
    while ends.sender.waiting:
        ends.sender._send_rest()
    reading.join(60)
    assert found == [b"head" + LARGE[1000 : 1000 + (2 << 20)]]


@FILES
def test_the_end_of_a_file_that_nobody_takes_is_kept_and_keeps_no_thread(
    ends: Ends, file: int, tmp_path: Path
) -> None:
    ends.sender.send_stretch(Stretch(file, 0, 1 << 20), last=True)
    assert ends.sender.waiting
    (tmp_path / "file").write_bytes(b"it is not looked at again")
    sent: list[bytes] = []
    reading = threading.Thread(target=lambda: sent.append(ends.receive(1 << 20)))
    reading.start()
    while ends.sender.waiting:
        ends.sender._send_rest()
    reading.join(60)
    assert sent == [LARGE[: 1 << 20]]


@FILES
def test_what_was_not_sent_of_a_file_is_told(ends: Ends, file: int) -> None:
    threading.Timer(0.1, ends.there.close).start()
    with pytest.raises(NotSent) as caught:
        ends.sender.send_stretch(Stretch(file, 0, len(LARGE)), last=False)
    assert 0 < caught.value.missing < len(LARGE)
    assert not caught.value.short


@FILES
@pytest.mark.parametrize("last", [True, False])
def test_a_file_that_is_shorter_than_said_ends_the_connection(
    ends: Ends, file: int, tmp_path: Path, *, last: bool
) -> None:
    os.truncate(tmp_path / "file", 5000)
    with pytest.raises(NotSent) as caught:
        ends.sender.send_stretch(Stretch(file, 0, 8000), last=last)
    assert caught.value.short
    assert caught.value.missing == 3000
    assert ends.sender.check_client_disconnected()
    assert ends.receive(5000) == LARGE[:5000]


@FILES
def test_what_is_left_of_one_that_was_cut_is_of_no_other_file(
    ends: Ends, file: int, tmp_path: Path
) -> None:
    """Its descriptor may be another's by then, and its client is still there."""
    os.truncate(tmp_path / "file", 5000)
    with pytest.raises(NotSent):
        ends.sender.send_stretch(Stretch(file, 0, 8000), last=True)
    os.truncate(tmp_path / "file", 8000)  # as another file would be: it has what was missing
    ends.sender._send_rest()
    ends.here.shutdown(socket.SHUT_WR)
    assert ends.receive(8000) == LARGE[:5000]


@FILES
def test_a_slow_client_is_seen_to_move_while_the_system_sends(ends: Ends, file: int) -> None:
    """So it is not taken for one that stands still, and cut."""
    taken = threading.Event()

    def take() -> None:
        for _ in range(20):
            ends.there.recv(1 << 14)
            time.sleep(0.1)
        taken.set()
        ends.there.close()

    seen: list[int] = []

    def watch() -> None:
        while not taken.wait(0.05):
            seen.append(ends.sender._moved)

    reading, watching = threading.Thread(target=take), threading.Thread(target=watch)
    reading.start()
    watching.start()
    with pytest.raises(NotSent):
        ends.sender.send_stretch(Stretch(file, 0, 1 << 20), last=False)
    watching.join()
    reading.join()
    assert len(set(seen[10:])) > 1


@FILES
def test_a_file_that_the_system_does_not_send_is_read(
    ends: Ends, file: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def refuse(_to: int, _from: int, _at: int, count: int) -> int:
        asked.append(count)
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(os, "sendfile", refuse)
    ends.sender.send_stretch(Stretch(file, 10, 50_000), last=True)
    assert ends.receive(50_000) == LARGE[10:50_010]
    assert asked == [50_000]
