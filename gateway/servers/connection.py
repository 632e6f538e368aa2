"""A connection of waitress's: what comes on it becomes requests, and who serves it.

It belongs to the loop, which reads it and sends what is left of an answer, or, while a request
of it is in work, to the thread that serves that: so there is no lock between them.

An answer with a rate is left when some of it waits to be sent, and taken up again by any thread
when hardly any does: the loop waits for its bytes.

Whoever cuts it shuts its socket down; whose it is then finds it ended.
"""

from __future__ import annotations

import logging
import socket
from contextlib import suppress
from typing import Protocol

from gateway.common import addresses
from gateway.common.system import translate
from gateway.servers.crew import Crew
from gateway.servers.event_loop import READ, WRITE, EventLoop
from gateway.servers.pace import Patience, Phase, Progress
from gateway.servers.sending import Sender
from gateway.servers.shedding import STILL
from gateway.servers.waitress_inside import ENOUGH, NoSpace, Parser, Site, SlowDown, Work
from gateway.storage import Full

log = logging.getLogger("gateway")

_HEAD, _BODY = 1 << 14, 1 << 18
"""Bytes that are read at once."""


class Home(Protocol):
    """What connections have in common, and who hears of their end."""

    loop: EventLoop
    crew: Crew

    def ended(self, connection: Connection) -> None:
        """By the thread that turns the loop."""


class Connection(Sender):
    """Its methods are for its loop, or the thread that serves it; `cut`, `late`, `stands` and
    `is_busy` for any."""

    def __init__(
        self, home: Home, site: Site, connection: socket.socket, address: tuple[str, int]
    ) -> None:
        super().__init__(connection, home.crew)
        self.server, self.adj, self.addr = site, site.adj, address
        self.number = connection.fileno()
        self.working = False
        self.wary = 0
        self._home = home
        self._request: Parser | None = None
        self._ahead = b""
        """Came behind the request that is in work."""
        self._work: Work | None = None
        self._closing = self._ended = False
        self._answered = 0
        self._progress = Progress()

    # what is to be known of it

    @property
    def peer(self) -> str:
        return addresses.settled(str(self.addr[0]))

    def is_busy(self) -> bool:
        """Whether it has a request in work, half of one, or an answer to send."""
        # in the order in which one becomes the next: it is asked while others work on it
        return self._request is not None or self._work is not None or bool(self._outgoing)

    def late(self, now: float, patience: Patience) -> bool:
        """Whether its client has kept us waiting for too long. To be asked about once a second;
        `now` is of any clock."""
        return self._progress.late(self._phase(), self._moved, now, patience)

    def stands(self, now: float) -> float | None:
        """Since when its client has taken nothing of an answer that a thread waits to write;
        None: it has."""
        busy = self._work is not None
        return self._progress.stands(self._moved, now, STILL) if busy else None

    def _phase(self) -> Phase:
        if self._outgoing:
            return Phase("answer")
        if self._work is not None:
            return Phase("work")
        if self._tls is not None and self._tls.shakes_hands():
            return Phase("head")
        request = self._request
        if request is None:
            return Phase("idle", self._answered)
        return Phase("body" if request.headers_finished else "head", id(request))

    def cut(self) -> None:
        """Whose it is finds it ended."""
        self._cut = True
        if self._tls is not None:
            self._tls.say_end()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._home.loop.look_at(self)

    # in the loop

    def wanted(self) -> int:
        if not self._outgoing:
            return READ
        if self._bucket is not None and (seconds := self._pause()):
            self._home.loop.pause(self, seconds, WRITE)
        return WRITE

    def readable(self) -> None:
        try:
            data = self._receive()
        except OSError:
            data = b""
        if data:
            self._moved += len(data)
            self._parse(data)
        elif data is not None:
            self.end()

    def writable(self) -> None:
        self._send_some()
        self.settle()

    def settle(self) -> None:
        if self._cut:
            self.end()
        elif self._work is not None:  # it was left
            if len(self._outgoing) < ENOUGH:
                self._hand_in()
        elif self._outgoing:
            pass
        elif self._closing:
            self.end()
        elif self._ahead:
            ahead, self._ahead = self._ahead, b""
            self._parse(ahead)

    def end(self) -> None:
        """Close it."""
        if self._ended:
            return
        self._ended = self._cut = True
        if self._tls is not None:
            self._tls.say_end()
        self._home.ended(self)  # while its descriptor is its own
        self._socket.close()
        self._outgoing.clear()
        if self._request is not None:
            self._request.close()
            self._request = None
        if self._work is not None and not self.working:
            self._hand_in()

    def _receive(self) -> bytes | None:
        """None: nothing yet; b"": the end. Raises `OSError`."""
        if self._tls is not None:
            return self._tls.receive()
        begun = self._request is not None and self._request.headers_finished
        try:
            return self._socket.recv(_BODY if begun else _HEAD)
        except BlockingIOError:
            return None

    def _parse(self, data: bytes) -> None:
        """Up to the end of a request, with which it begins."""
        while data:
            request = self._request
            if request is None:
                request = self._request = Parser(self.adj)
            try:
                used = request.received(data)
            except OSError as error:
                log.error("a body cannot be spooled: %s", error.strerror)
                words = "The body cannot be kept here now."
                full = isinstance(translate(error), Full)
                request.fail((NoSpace if full else SlowDown)(words))
                used = len(data)
            data = data[used:]
            if request.completed:
                if not request.empty:
                    self._ahead = data
                    self._work = Work(self, request)
                    self._request = None
                    self._hand_in()
                    return
                self._request = None
            elif request.expect_continue and request.headers_finished:
                self._ask_for_body(request)

    def _ask_for_body(self, request: Parser) -> None:
        request.expect_continue = False
        self._outgoing.append(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._send_some()

    def _hand_in(self) -> None:
        self.working = True
        self._home.crew.add(self)

    # in the thread that serves it

    @property
    def quick(self) -> bool:
        return self._work is not None and self._work.quick

    def serve(self) -> None:
        work = self._work
        assert work is not None
        if not self._cut:
            work.go()
        if not self._cut and work.was_left:
            return
        if work.closes:
            self._closing = True
        work.end()
        self._send_rest()
        self._answered += 1
        self._work = None

    def done(self, *, leads: bool) -> None:
        loop = self._home.loop
        if leads:
            self.working = False
            loop.settle(self)
            return
        rests = not (self._cut or self._closing or self._outgoing or self._ahead or self._work)
        loop.give_back(self, rests=rests)
