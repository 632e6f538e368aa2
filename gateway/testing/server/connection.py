"""One connection of the test server: what came of its request, and how its answer goes out."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from gateway.testing.server import wire
from gateway.testing.server.bodies import Body, SocketReader

log = logging.getLogger("gateway.testing")
App = Callable[..., Iterable[bytes]]

STALLED = 60.0
"""Seconds in which a client sends or takes nothing before its thread gives up."""
_SKIPPED = 64 << 20
"""Bytes of a body that nobody read, and that are worth the connection."""


class Dropped(Exception):
    """Raised by an application: end the connection without an answer."""


class Started:
    """`start_response`, remembered."""

    __slots__ = ("headers", "status")

    def __init__(self) -> None:
        self.status, self.headers = "", list[tuple[str, str]]()

    def __call__(
        self, status: str, headers: list[tuple[str, str]], exc_info: object = None
    ) -> None:
        self.status, self.headers = status, headers


class Connection:
    """`environ` is of the request whose body is awaited or that is being answered, None
    between requests. `size` is that body's; None: it comes in chunks."""

    __slots__ = ("buffer", "client", "environ", "size", "socket")

    def __init__(self, accepted: socket.socket, client: str) -> None:
        self.socket, self.client, self.buffer = accepted, client, b""
        self.environ: wire.Environ | None = None
        self.size: int | None = 0

    @property
    def request(self) -> wire.Environ:
        assert self.environ is not None, "there is a request"
        return self.environ

    def answer_long(self, app: App) -> bool:
        """Let the application read the body from the socket, in this thread."""
        self.socket.settimeout(STALLED)
        source = SocketReader(self.socket, self.buffer)
        expected = self.request.get("HTTP_EXPECT", "").lower() == "100-continue"
        received = Body(source, self.size, expected=expected)
        self.request["wsgi.input"], started = received, Started()
        body = call(app, self.request, started)
        if body is None or not self.send(started, body) or received.untouched:
            return False
        try:
            ended = received.skip(_SKIPPED)
        except OSError:
            return False
        self.buffer = source.rest
        return ended

    def send(self, started: Started, body: Iterable[bytes]) -> bool:
        """Send an answer, in this thread. Whether it was whole, and the connection goes on."""
        self.socket.settimeout(STALLED)
        if isinstance(body, list):
            return self.send_rest(memoryview(whole(self.request, started, body)))
        return self._stream(started, body)

    def _stream(self, started: Started, body: Iterable[bytes]) -> bool:
        announced, sent = wire.length_of(started.headers), 0
        silent = wire.has_no_body(self.request, started.status)
        close = not wire.keeps_open(self.request) or (announced is None and not silent)
        try:
            self.socket.sendall(wire.head(started.status, started.headers, close=close))
            for piece in body:
                if not silent:
                    self.socket.sendall(piece)
                    sent += len(piece)
        except OSError:
            return False
        except Exception:  # whatever it is: the client must not take this for the whole
            log.warning("%s: the answer broke off", self.request["PATH_INFO"], exc_info=True)
            return False
        finally:
            getattr(body, "close", lambda: None)()
        return not close and (silent or sent == announced)

    def send_rest(self, rest: memoryview) -> bool:
        """Send what did not fit at once, in this thread."""
        self.socket.settimeout(STALLED)
        try:
            self.socket.sendall(rest)
        except OSError:
            return False
        return wire.keeps_open(self.request)


def call(app: App, environ: dict[str, Any], started: Started) -> Iterable[bytes] | None:
    """None: there is no answer, and the connection ends."""
    try:
        return app(environ, started)
    except Dropped:
        return None
    except Exception:  # a mistake around the application must not end all tests
        log.exception("%s %s failed", environ["REQUEST_METHOD"], environ["PATH_INFO"])
        return None


def whole(environ: wire.Environ, started: Started, body: list[bytes]) -> bytes:
    """All of an answer whose body is here."""
    content, headers = b"".join(body), started.headers
    if wire.has_no_body(environ, started.status):
        content = b""
    elif wire.length_of(headers) is None:
        headers = [*headers, ("Content-Length", str(len(content)))]
    try:
        return wire.head(started.status, headers, close=not wire.keeps_open(environ)) + content
    except ValueError:  # as above
        log.exception("%s %s failed", environ["REQUEST_METHOD"], environ["PATH_INFO"])
        environ["HTTP_CONNECTION"] = "close"
        error = wire.BadRequest(HTTPStatus.INTERNAL_SERVER_ERROR, "the answer cannot be sent")
        return wire.refusal(error)
