"""A connection of waitress's, by itself: what is known of it while it passes from one thread to
another."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest

from gateway.servers import connection as module
from gateway.servers.connection import Connection
from gateway.servers.crew import Crew
from gateway.servers.event_loop import EventLoop
from gateway.servers.waitress_inside import Site, Work, adjustments

pytestmark = pytest.mark.usefixtures("sockets")


class Home:
    def __init__(self) -> None:
        self.loop = EventLoop()
        self.crew = Crew(0, self.loop.turn, self.loop.wake)

    def ended(self, connection: Connection) -> None:
        self.loop.remove(connection)


def test_a_request_is_under_way_at_each_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who stops the server asks meanwhile, and would cut one that rests."""
    seen: list[bool] = []

    def begin(*what: object) -> Work:
        seen.append(one.is_busy())
        return Work(*what)  # type: ignore[arg-type]  # as it came

    monkeypatch.setattr(module, "Work", begin)
    here, there = socket.socketpair()
    home = Home()
    with closing(there), closing(home.loop):
        here.setblocking(False)
        site = Site(lambda environ, start: [], adjustments(1000), 80)
        one = Connection(home, site, here, ("127.0.0.1", 1))
        home.loop.add(one)
        assert not one.is_busy()
        there.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        home.loop.turn(10)
        assert seen == [True]
        assert one.is_busy()
        one.cut()
        home.crew.clear()
        assert not one.is_busy()
        home.loop.turn(0)
    assert here.fileno() < 0
