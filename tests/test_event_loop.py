"""The loop of waitress's connections: who is asked, who is left alone, and who wakes it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from gateway.servers.event_loop import READ, WRITE, EventLoop

pytestmark = pytest.mark.usefixtures("sockets")
PATIENCE = 30.0


class Pair:
    """A connection that notes what is asked of it, and its other end."""

    def __init__(self, loop: EventLoop) -> None:
        self.loop, self.working, self.wants = loop, False, READ
        self.here, self.there = socket.socketpair()
        self.here.setblocking(False)
        self.number = self.here.fileno()
        self.told: list[str] = []
        loop.add(self)

    def wanted(self) -> int:
        self.told.append("wanted")
        return self.wants

    def readable(self) -> None:
        with suppress(BlockingIOError):
            self.here.recv(100)
        self.told.append("readable")

    def writable(self) -> None:
        self.told.append("writable")
        self.wants = READ

    def settle(self) -> None:
        self.told.append("settle")

    def end(self) -> None:
        self.told.append("end")

    def take(self) -> list[str]:
        told, self.told = self.told, []
        return told

    def close(self) -> None:
        self.loop.remove(self)
        self.here.close()
        self.there.close()


@pytest.fixture
def loop() -> Iterator[EventLoop]:
    loop = EventLoop()
    yield loop
    loop.close()


@pytest.fixture
def pair(loop: EventLoop) -> Iterator[Pair]:
    pair = Pair(loop)
    assert pair.take() == ["wanted"]
    yield pair
    pair.close()


def test_one_that_rests_is_not_asked(loop: EventLoop, pair: Pair) -> None:
    for _ in range(3):
        loop.turn(0)
    assert pair.take() == []
    pair.there.send(b"1")
    loop.turn(PATIENCE)
    assert pair.take() == ["readable", "wanted"]


def test_one_that_is_at_work_is_left_alone_until_it_is_given_back(
    loop: EventLoop, pair: Pair
) -> None:
    pair.working = True
    pair.there.send(b"1")
    loop.turn(PATIENCE)
    loop.turn(0.01)  # it is not found again
    assert pair.take() == []
    loop.give_back(pair, rests=True)
    loop.turn(0)  # nobody has to wait for it
    assert pair.take() == ["settle", "wanted"]
    loop.turn(PATIENCE)
    assert pair.take() == ["readable", "wanted"]


def test_one_that_is_given_back_and_rests_wakes_nobody(loop: EventLoop, pair: Pair) -> None:
    pair.working = True
    loop.give_back(pair, rests=True)
    assert not pair.working
    loop.turn(0)
    assert pair.take() == []
    pair.there.send(b"1")
    loop.turn(PATIENCE)
    assert pair.take() == ["readable", "wanted"]


def test_one_that_is_given_back_with_more_to_do_wakes_who_waits(
    loop: EventLoop, pair: Pair
) -> None:
    pair.working, pair.wants = True, WRITE
    waiting = threading.Thread(target=loop.turn, args=(PATIENCE,))
    began = time.monotonic()
    waiting.start()
    time.sleep(0.05)
    loop.give_back(pair, rests=False)
    waiting.join(PATIENCE)
    assert time.monotonic() - began < PATIENCE / 2
    assert pair.take() == ["settle", "wanted"]
    loop.turn(PATIENCE)
    assert pair.take() == ["writable", "wanted"]


def test_one_that_is_paused_is_not_told_before(
    loop: EventLoop, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    loop.pause(pair, 5.0)
    loop.settle(pair)
    pair.there.send(b"1")
    loop.turn(0)
    assert "readable" not in pair.take()
    now[0] += 5.1
    loop.turn(PATIENCE)
    assert "readable" in pair.take()


def test_one_that_is_gone_is_not_taken_for_the_next_with_its_number(loop: EventLoop) -> None:
    before = Pair(loop)
    loop.look_at(before)
    before.close()
    after = Pair(loop)
    before.take()
    loop.turn(0)
    assert before.take() == ["settle"]  # it is not asked what it wants
    after.there.send(b"1")
    loop.turn(PATIENCE)
    assert after.take() == ["wanted", "readable", "wanted"]
    after.close()


@pytest.mark.parametrize("what", ["readable", "settle", "writable"])
def test_one_that_fails_is_ended_and_the_others_go_on(
    loop: EventLoop, pair: Pair, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise RuntimeError(what)

    other = Pair(loop)
    setattr(pair, what, fail)
    pair.wants = WRITE if what == "writable" else READ
    loop.look_at(pair)
    pair.there.send(b"1")
    other.there.send(b"1")
    for _ in range(3):
        loop.turn(0.01)
    assert "end" in pair.take()
    assert "readable" in other.take()
    assert "a connection failed" in caplog.text
    other.close()
