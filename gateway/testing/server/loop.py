"""A small HTTP/1.1 server for WSGI applications that answer at once: tests on loopback.

One thread, the leader, waits for all connections and answers small requests
by itself: with one interpreter lock, more threads only wait for each other.
What would hold it up goes to threads of its own: long bodies, answers in
pieces, and, when an application keeps it for `PATIENCE`, everything else:
another thread then leads, and this one is left to its request.

No TLS, no HTTP/2, no limit on connections: it is for nobody but this machine.
"""

from __future__ import annotations

import io
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus

from gateway.testing.server import wire
from gateway.testing.server.connection import App, Connection, Started, call, whole

PATIENCE = 0.01
"""Seconds after which a request that is still being answered is no longer waited for."""
SMALL = 256 << 10
"""Bytes of a body that is read before the application is called."""
_READ = 1 << 16


class Loop:
    """Serves `app` from `start` to `stop` at `port` of 127.0.0.1, which the system chose."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._listening.setblocking(False)
        self.port: int = self._listening.getsockname()[1]
        self._parser = wire.Parser("127.0.0.1", self.port)
        self._selector = selectors.DefaultSelector()
        self._letters, self._letterbox = socket.socketpair()
        self._letters.setblocking(False)
        self._returned: deque[Connection] = deque()
        self._connections: set[Connection] = set()
        self._lock = threading.Lock()
        self._current: Connection | None = None
        self._active, self._stopping = threading.Event(), False
        self._leader, self._watcher = _thread(self._lead), _thread(self._watch)

    def start(self) -> None:
        self._selector.register(self._listening, selectors.EVENT_READ, self._accept)
        self._selector.register(self._letters, selectors.EVENT_READ, self._take_back)
        self._leader.start()
        self._watcher.start()

    def stop(self) -> None:
        """Whatever is under way breaks off."""
        self._stopping = True
        self._active.set()
        self._letterbox.send(b"!")
        self._watcher.join(5)
        self._leader.join(5 if self._current is None else PATIENCE)
        for connection in list(self._connections):
            with suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that has it
            connection.socket.close()
        self._selector.close()
        for one in (self._listening, self._letters, self._letterbox):
            one.close()

    # leading

    def _lead(self) -> None:
        me = threading.current_thread()
        while self._leader is me and not self._stopping:
            for key, _ in self._selector.select():
                key.data()
                if self._leader is not me or self._stopping:
                    return

    def _watch(self) -> None:
        """Let another thread lead when a request keeps the leader."""
        seen: wire.Environ | None = None
        while not self._stopping:
            if seen is None:
                self._active.wait()
                self._active.clear()
            time.sleep(PATIENCE)
            seen = self._overdue(seen)

    def _overdue(self, seen: wire.Environ | None) -> wire.Environ | None:
        """The request that is being answered, unless it has just been left to itself."""
        with self._lock:
            current = self._current
            if current is None or self._stopping:
                return None
            if current.environ is not seen:
                return current.environ
            self._selector.unregister(current.socket)
            self._current = None
            self._leader = _thread(self._lead)
            self._leader.start()
        return None

    # connections

    def _accept(self) -> None:
        with suppress(OSError):  # nobody waits any more
            while True:
                accepted, (host, _port) = self._listening.accept()
                accepted.setblocking(False)
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection = Connection(accepted, host)
                self._connections.add(connection)
                self._wait_for(connection)

    def _wait_for(self, connection: Connection) -> None:
        def readable() -> None:
            self._read(connection)

        self._selector.register(connection.socket, selectors.EVENT_READ, readable)

    def _read(self, connection: Connection) -> None:
        try:
            data = connection.socket.recv(_READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(connection)
            return
        connection.buffer += data
        self._advance(connection)

    def _drop(self, connection: Connection) -> None:
        with suppress(KeyError, ValueError):  # a thread has it
            self._selector.unregister(connection.socket)
        self._connections.discard(connection)
        connection.socket.close()

    def _leave(self, connection: Connection, work: Callable[[], bool]) -> None:
        """To a thread of its own; `work` says whether the connection goes on after it."""
        self._selector.unregister(connection.socket)
        _thread(self._work, connection, work).start()

    def _work(self, connection: Connection, work: Callable[[], bool]) -> None:
        goes_on = work()
        connection.environ = None
        if not goes_on or self._stopping:
            self._connections.discard(connection)
            connection.socket.close()
            return
        connection.socket.setblocking(False)
        self._returned.append(connection)
        with suppress(OSError):
            self._letterbox.send(b"!")

    def _take_back(self) -> None:
        with suppress(BlockingIOError):
            self._letters.recv(_READ)
        me = self._leader
        while self._returned and self._leader is me and not self._stopping:
            connection = self._returned.popleft()
            self._wait_for(connection)
            self._advance(connection)
        if self._returned:
            self._letterbox.send(b"!")  # for who leads now

    # requests

    def _advance(self, connection: Connection) -> None:
        """Answer what has come whole."""
        try:
            while connection.environ is not None or connection.buffer:
                if connection.environ is None and not self._begin(connection):
                    return
                if not self._complete(connection) or not self._answer(connection):
                    return
        except wire.BadRequest as error:
            with suppress(OSError):
                connection.socket.send(wire.refusal(error))
            self._drop(connection)
        except OSError:
            self._drop(connection)

    def _begin(self, connection: Connection) -> bool:
        """Whether there is a whole head."""
        head, end, rest = connection.buffer.partition(b"\r\n\r\n")
        if len(head) > wire.LONGEST_HEAD:
            status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            raise wire.BadRequest(status, "the head is too long")
        if not end:
            return False
        environ = self._parser.environ(head, connection.client)
        connection.environ, connection.buffer = environ, rest
        chunked = "HTTP_TRANSFER_ENCODING" in environ
        connection.size = None if chunked else int(environ.get("CONTENT_LENGTH", "0"))
        return True

    def _complete(self, connection: Connection) -> bool:
        """Whether the body is here; a long one is left to a thread."""
        size, environ, here = connection.size, connection.request, connection.buffer
        if size is None or size > SMALL:
            self._leave(connection, lambda: connection.answer_long(self._app))
            return False
        if len(here) < size:
            if environ.pop("HTTP_EXPECT", ""):
                connection.socket.send(wire.CONTINUE)
            return False
        if size:
            environ["wsgi.input"], connection.buffer = io.BytesIO(here[:size]), here[size:]
        return True

    def _answer(self, connection: Connection) -> bool:
        """Whether the connection can have another request now."""
        started, me = Started(), self._leader
        self._current = connection
        if not self._active.is_set():
            self._active.set()
        body = call(self._app, connection.request, started)
        with self._lock:
            leads = self._leader is me
            if leads:
                self._current = None
        if self._stopping:
            return False
        if not leads:
            self._work(connection, lambda: body is not None and connection.send(started, body))
        elif body is None:
            self._drop(connection)
        elif isinstance(body, list):
            return self._send(connection, whole(connection.request, started, body))
        else:
            self._leave(connection, lambda: connection.send(started, body))
        return False

    def _send(self, connection: Connection, answer: bytes) -> bool:
        sent = connection.socket.send(answer)
        if sent < len(answer):
            rest = memoryview(answer)[sent:]
            self._leave(connection, lambda: connection.send_rest(rest))
            return False
        environ, connection.environ = connection.request, None
        if wire.keeps_open(environ):
            return True
        self._drop(connection)
        return False


def _thread(work: Callable[..., None], *arguments: object) -> threading.Thread:
    return threading.Thread(target=work, args=arguments, name="gateway-testing", daemon=True)
