"""TLS in front of a server that has one certificate at most: it is taken off here.

A thread takes connections, does the handshakes with the certificate of the name that is
asked for, and passes what follows on to a server behind it in the same process, over a
Unix socket that only this user can reach: bytes, of which it knows nothing. Each
connection there is bound to a path of its own, by which the server knows its peer; and
so `told` knows whose it is, and puts the client in the peer's place.

Nothing is kept but what the slower side has not yet taken: while there is some, the
faster one is not read from. So clients that stand still are seen on their own sockets,
as everywhere (`watch`).

A server that has answered may take no more of what its client still sends. That is read here
then, and dropped: also after the answer, for `LINGER`, because a kernel that gets bytes for a
closed connection resets it, and clients lose what they have not read yet (RFC 9112 §9.6).
"""

from __future__ import annotations

import logging
import math
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from gateway.common.steady import Steady
from gateway.common.system import EXHAUSTED
from gateway.modes import WSGIApp
from gateway.servers.tls_socket import RECORD, WANTS, version, wrapped

log = logging.getLogger("gateway")

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE

LINGER = 5.0
"""Seconds in which a client that has its whole answer may still end what it sends."""

_PIECE = 1 << 18
_AT_ONCE = 64
"""Connections that are taken, or records of one, before others have their turn."""

_WANTS = (*WANTS, BlockingIOError, InterruptedError)


class TLSFront:
    """`listening` is its own; `behind` is the path of the server's socket, in a `folder` for
    sockets that only this user may enter. `patience` is for a handshake, in seconds."""

    def __init__(
        self,
        listening: socket.socket,
        context: ssl.SSLContext,
        behind: Path,
        *,
        patience: float,
        limit: int,
    ) -> None:
        listening.setblocking(False)
        self._listening, self._context, self.behind = listening, context, behind
        self._patience, self._limit = patience, limit
        self._host, self._port = listening.getsockname()[:2]
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._woken.setblocking(False)
        self._selector.register(self._woken, READ, self._stop)
        self._accepts = self._stopping = False
        self._pairs: set[_Pair] = set()
        self._numbers = count()
        self._swept = time.monotonic()
        self.buffer = memoryview(bytearray(_PIECE))
        self.clients: dict[str, tuple[str, str]] = {}
        self.ended = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, name="tls", daemon=True).start()

    def stop(self) -> None:
        """Take no more connections. `ended` is set when those that are there are gone."""
        with suppress(OSError):
            self._wake.send(b"!")

    def told(self, app: WSGIApp) -> WSGIApp:
        """The application as the server behind is to call it."""
        host, port = str(self._host), str(self._port)

        def call(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            told = self.clients.get(environ["REMOTE_ADDR"])
            if told is None:  # it has gone: nobody gets this, and no rule could know it
                start_response("400 Bad Request", [("Content-Length", "0")])
                return []
            environ["REMOTE_ADDR"], environ["gateway.tls_version"] = told
            environ["SERVER_NAME"], environ["SERVER_PORT"] = host, port
            environ["wsgi.url_scheme"] = "https"
            answer: Iterable[bytes] = app(environ, start_response)
            return answer

        return call

    # the loop

    def _run(self) -> None:
        steady = Steady(log, "TLS connections are not served")
        while not self._over():
            steady(self._turn)
        for one in (self._selector, self._wake, self._woken):
            one.close()
        self.ended.set()

    def _over(self) -> bool:
        return self._stopping and not self._pairs

    def _turn(self) -> None:
        self._listen(len(self._pairs) < self._limit and not self._stopping)
        for key, _ in self._selector.select(1.0):
            key.data()
        if time.monotonic() - self._swept >= 1:
            self._sweep()

    def _listen(self, wanted: bool) -> None:
        if wanted and not self._accepts:
            self._selector.register(self._listening, READ, self._accept)
        elif self._accepts and not wanted:
            self._selector.unregister(self._listening)
        self._accepts = wanted

    def _stop(self) -> None:
        self._woken.recv(1)
        self._stopping = True
        self._listen(wanted=False)
        self._listening.close()

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                plain, address = self._listening.accept()
            except OSError as error:
                if error.errno in EXHAUSTED:
                    log.error("no connection can be accepted: %s", error.strerror)
                    time.sleep(0.1)  # those that are there are held up too: they may end
                return
            try:
                plain.setblocking(False)
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                client = wrapped(self._context, plain)
            except OSError:  # gone already
                plain.close()
                continue
            until = time.monotonic() + self._patience
            self._pairs.add(_Pair(self, client, str(address[0]), until))

    def _sweep(self) -> None:
        """Of handshakes that do not come about, and of clients that do not end."""
        self._swept = time.monotonic()
        for one in [one for one in self._pairs if one.until <= self._swept]:
            one.close()

    # for its pairs

    def connect(self, client: str, version: str) -> tuple[socket.socket, str]:
        """To the server behind, with the name that it has there. Raises `OSError`."""
        name = f"{self.behind}-{next(self._numbers) % (1 << 32):08x}"  # no other worker's
        inner = socket.socket(socket.AF_UNIX)
        try:
            inner.setblocking(False)
            inner.bind(name)
            self.clients[name] = client, version
            inner.connect(str(self.behind))
        except OSError:
            self.clients.pop(name, None)
            inner.close()
            raise
        finally:
            with suppress(OSError):
                Path(name).unlink()  # the name stays known to the other end
        return inner, name

    def want(self, one: socket.socket, before: int, events: int, call: Callable[[], None]) -> None:
        """Have `call` called when one of `events` is possible."""
        if events and before:
            self._selector.modify(one, events, call)
        elif events:
            self._selector.register(one, events, call)
        elif before:
            self._selector.unregister(one)

    def forget(self, pair: _Pair, name: str) -> None:
        self._pairs.discard(pair)
        self.clients.pop(name, None)


class _Pair:
    """A client's connection, and the one behind it from the handshake on. What it does now is
    over by `until`, in the seconds of `time.monotonic`."""

    __slots__ = (
        "_address",
        "_client",
        "_client_ended",
        "_front",
        "_inner",
        "_inner_deaf",
        "_inner_ended",
        "_lingers",
        "_name",
        "_to_client",
        "_to_inner",
        "_wanted",
        "until",
    )

    def __init__(self, front: TLSFront, client: ssl.SSLSocket, address: str, until: float) -> None:
        self._front, self._client, self._address, self.until = front, client, address, until
        self._inner: socket.socket | None = None
        self._name = ""
        self._to_inner = self._to_client = memoryview(b"")
        self._client_ended = self._inner_ended = self._inner_deaf = self._lingers = False
        self._wanted = (0, 0)
        self._want(READ, 0)

    def close(self) -> None:
        self._want(0, 0)
        with suppress(OSError, ValueError):
            self._client.unwrap()  # says that this is the end, and does not wait for an answer
        self._client.close()
        if self._inner is not None:
            self._inner.close()
        self._front.forget(self, self._name)

    def _want(self, client: int, inner: int) -> None:
        before, self._wanted = self._wanted, (client, inner)
        if client != before[0]:
            self._front.want(self._client, before[0], client, self._client_ready)
        if self._inner is not None and inner != before[1]:
            self._front.want(self._inner, before[1], inner, self._inner_ready)

    def _client_ready(self) -> None:
        self._step(self._take_in, self._send_out)

    def _inner_ready(self) -> None:
        self._step(self._take_out, self._send_in)

    def _step(self, take: Callable[[socket.socket], None], send: Callable[..., None]) -> None:
        """Go on with what waited for this side: to `take` from it, or to `send` to it."""
        try:
            if self._lingers:
                self._drop()
            elif self._inner is None:
                self._shake_hands()
            else:
                send(self._inner)
                take(self._inner)
                self._go_on(self._inner)
        except OSError:  # TLS's errors too: a client that has gone, or knows better
            self.close()

    def _shake_hands(self) -> None:
        try:
            self._client.do_handshake()
        except ssl.SSLWantReadError:
            self._want(READ, 0)
        except ssl.SSLWantWriteError:
            self._want(WRITE, 0)
        else:
            self._inner, self._name = self._front.connect(self._address, version(self._client))
            self.until = math.inf
            self._want(READ, READ)

    def _take_in(self, inner: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            if self._to_inner or self._client_ended:
                return
            try:
                data = self._client.recv(RECORD)
            except _WANTS:
                return
            self._to_inner = memoryview(data)
            if not data:
                self._client_ended = True
                with suppress(OSError):  # it has ended itself
                    inner.shutdown(socket.SHUT_WR)
            self._send_in(inner)
            if len(data) < RECORD:  # most likely there is no more
                return

    def _send_in(self, inner: socket.socket) -> None:
        while self._to_inner:
            try:
                self._to_inner = self._to_inner[inner.send(self._to_inner) :]
            except _WANTS:
                return
            except OSError:  # it takes no more: what it answers is still to come
                self._inner_deaf, self._to_inner = True, memoryview(b"")

    def _take_out(self, inner: socket.socket) -> None:
        if self._to_client or self._inner_ended:
            return
        try:
            size = inner.recv_into(self._front.buffer)
        except _WANTS:
            return
        except OSError:  # it has closed, and not taken all
            size, self._inner_deaf = 0, True
        self._inner_ended = not size
        self._to_client = self._front.buffer[:size]
        self._send_out(inner)
        if self._to_client:  # the next one to be read into it may be another's
            self._to_client = memoryview(bytes(self._to_client))

    def _send_out(self, _inner: socket.socket) -> None:
        while self._to_client:
            try:
                self._to_client = self._to_client[self._client.send(self._to_client) :]
            except _WANTS:
                return

    def _go_on(self, inner: socket.socket) -> None:
        if self._inner_ended and not self._to_client:
            self._finish(inner)
            return
        client, behind = 0, 0
        if self._to_client:
            client |= WRITE
        elif not self._inner_ended:
            behind |= READ
        if self._to_inner:
            behind |= WRITE
        elif not self._client_ended:
            client |= READ
        self._want(client, behind)

    def _finish(self, inner: socket.socket) -> None:
        """All has been answered."""
        self._take_in(inner)
        unread = self._inner_deaf or self._to_inner
        if not unread or self._client_ended:
            self.close()
            return
        self._want(READ, 0)
        inner.close()
        with suppress(OSError, ValueError):
            self._client.unwrap()
        self._client.shutdown(socket.SHUT_WR)  # from here on what is read is as it came
        self._lingers, self.until = True, time.monotonic() + LINGER

    def _drop(self) -> None:
        with suppress(*_WANTS):
            for _ in range(_AT_ONCE):
                if not self._client.recv(RECORD):
                    self.close()
                    return
