"""waitress's server, without its channels, loop and threads: listening sockets, connections, the
loop over them and the crew that turns it."""

from __future__ import annotations

import logging
import socket
import ssl
import sys
from collections.abc import Sequence

from gateway.common.system import EXHAUSTED
from gateway.modes import WSGIApp
from gateway.servers.connection import Connection
from gateway.servers.crew import Crew
from gateway.servers.event_loop import READ, EventLoop
from gateway.servers.tls_socket import wrapped
from gateway.servers.waitress_inside import Site, adjustments

log = logging.getLogger("gateway")

_PAUSE = 0.5
"""Seconds for which nothing is accepted when nothing can be."""

_BACKLOG = 1024
_NEAR = 96 << 10
"""Bytes that the system keeps for a client on the same machine. It takes them as soon as it
runs; with the megabytes that it may need far away, it is overrun and waits for timers of 0.2 s.
Measured, sixteen clients and 8 MiB each: 0.7 GB/s, and 2.1 with this."""

_AT_ONCE = 64
"""Connections that are accepted before others are looked at."""


class Listener:
    """A socket that listens. It is in the loop as connections are."""

    working = False

    def __init__(
        self,
        server: ChannelServer,
        listening: socket.socket,
        context: ssl.SSLContext | None,
        site: Site,
    ) -> None:
        self._server, self._socket, self._context = server, listening, context
        self.site, self.number = site, listening.fileno()
        listening.setblocking(False)
        listening.listen(_BACKLOG)

    def wanted(self) -> int:
        return READ if self._server.has_room() else 0

    def readable(self) -> None:
        for _ in range(_AT_ONCE):
            if not (self._server.has_room() and self._accept()):
                return

    def writable(self) -> None:
        """It never is."""

    def end(self) -> None:
        """For a moment."""
        self._server.loop.pause(self, _PAUSE)

    def settle(self) -> None:
        if self.site.stopping:
            self._server.loop.remove(self)
            self._socket.close()

    def _accept(self) -> bool:
        """Whether there may be more. When none can be had now, the loop is not to ask at once."""
        try:
            accepted, address = self._socket.accept()
        except OSError as error:
            if error.errno in EXHAUSTED:
                log.error("no connection can be accepted: %s", error.strerror)
                self._server.loop.pause(self, _PAUSE)
            return False  # or its client has gone already
        try:
            accepted.setblocking(False)
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if sys.platform == "linux" and accepted.getsockname()[0] == address[0]:
                accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _NEAR)
            if self._context is not None:
                accepted = wrapped(self._context, accepted)
        except OSError:  # it has gone (macOS says so here)
            accepted.close()
            return True
        self._server.begin(Connection(self._server, self.site, accepted, address))
        return True


class ChannelServer:
    """Takes up to `limit` connections at all `sockets`: with TLS where there is a context for
    one. All methods but `wake` and `connections` are for the main thread."""

    def __init__(
        self,
        app: WSGIApp,
        sockets: Sequence[socket.socket],
        contexts: Sequence[ssl.SSLContext | None],
        *,
        threads: int,
        max_body: int,
        limit: int,
    ) -> None:
        self._limit = limit
        self._connections: dict[int, Connection] = {}
        self.loop = EventLoop()
        self.crew = Crew(threads, self.loop.turn, self.loop.wake)
        self._listeners = []
        for one, context in zip(sockets, contexts, strict=True):
            site = Site(app, adjustments(max_body), one.getsockname()[1])
            self._listeners.append(Listener(self, one, context, site))
            self.loop.add(self._listeners[-1])
        self._sockets = sockets

    def addresses(self) -> tuple[tuple[str, int], ...]:
        return tuple(one.getsockname()[:2] for one in self._sockets)

    def turn(self, seconds: float) -> None:
        """Serve for so long at most, or until somebody wakes it."""
        self.crew.run(seconds)

    def wake(self) -> None:
        """In any thread, and in a signal's handler. Raises `OSError` once it is closed."""
        self.crew.rouse()

    def connections(self) -> list[Connection]:
        return list(self._connections.values())

    def take_no_more(self) -> None:
        """Close the listening sockets, and each connection with its next answer."""
        for one in self._listeners:
            one.site.stopping = True
            self.loop.look_at(one)

    def close(self) -> None:
        """All connections too, also for threads that wait for their clients."""
        for one in self.connections():
            one.cut()
        self.crew.stop(1)
        self.loop.turn(0)
        for one in self.connections():
            one.end()
        self.crew.clear()
        self.loop.close()

    # for listeners and connections, in the thread that turns the loop

    def has_room(self) -> bool:
        return len(self._connections) < self._limit

    def begin(self, connection: Connection) -> None:
        self._connections[connection.number] = connection
        self.loop.add(connection)
        if not self.has_room():
            log.warning("there are %d connections, and no more are accepted", self._limit)

    def ended(self, connection: Connection) -> None:
        full = not self.has_room()
        self.loop.remove(connection)
        if self._connections.pop(connection.number, None) and full:
            for one in self._listeners:
                self.loop.settle(one)
