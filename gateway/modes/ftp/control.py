"""The control connection: lines that came, and replies. Nothing here waits for a client, but for
its reading a reply, and that shortly.

One thread has it at a time.
"""

from __future__ import annotations

import re
import selectors
import socket
import ssl
from contextlib import suppress

from gateway.common import addresses

LONGEST = 4096
"""Bytes of a line: a key of 1 KiB, whichever command, and room."""
_ENOUGH = 4 * LONGEST
"""Bytes that wait to be acted on."""
_TAKEN = 5.0
"""Seconds in which a client takes a reply."""
_TELNET = re.compile(rb"\xff[\xf0-\xff]?")
"""Of RFC 854, before ABOR: no byte of UTF-8 is 0xFF."""

_READ_AGAIN = (BlockingIOError, InterruptedError, ssl.SSLWantReadError)
_WRITE_AGAIN = (BlockingIOError, InterruptedError, ssl.SSLWantWriteError)


def waited(one: socket.socket, event: int, seconds: float) -> bool:
    """Whether the socket can be read or written (`selectors.EVENT_…`), within that time."""
    with selectors.DefaultSelector() as selector:
        selector.register(one, event)
        return bool(selector.select(seconds))


class Control:
    """`address` is the client's. `ended`: nothing more comes from it, or goes to it."""

    def __init__(self, plain: socket.socket, address: str) -> None:
        self.socket: socket.socket = plain
        self.address = addresses.settled(address)
        self.ended = False
        self._buffer = bytearray()
        self._shaking = False
        plain.setblocking(False)
        with suppress(OSError):  # it has gone already
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # long transfers
            # Clients send ABOR as urgent, with its last byte out of the line (RFC 959 §4.1.3).
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)

    # TLS

    @property
    def tls_version(self) -> str:
        """As in "1.3"; "" without."""
        found = self.socket.version() if isinstance(self.socket, ssl.SSLSocket) else None
        return (found or "").removeprefix("TLSv")

    @property
    def secure(self) -> bool:
        return isinstance(self.socket, ssl.SSLSocket)

    def begin_tls(self, context: ssl.SSLContext) -> None:
        """What comes next is a handshake. What came before it in plain is not believed: somebody
        on the way could have put it there, and it would count as said within TLS."""
        if self._buffer:
            self._buffer.clear()
            self.ended = True
            return
        try:
            self.socket = context.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )
        except OSError:
            self.ended = True
        self._shaking = True

    # what comes

    @property
    def full(self) -> bool:
        """More waits than is read before some of it is acted on."""
        return len(self._buffer) >= _ENOUGH

    @property
    def pending(self) -> bool:
        """Whether there is something that TLS has read, which the socket does not tell of."""
        return isinstance(self.socket, ssl.SSLSocket) and self.socket.pending() > 0

    def fill(self) -> None:
        """Take what has come."""
        try:
            if self._shaking:
                assert isinstance(self.socket, ssl.SSLSocket)
                self.socket.do_handshake()
                self._shaking = False
            while not self.full:
                piece = self.socket.recv(LONGEST)
                if not piece:
                    self.ended = True
                    return
                self._buffer += piece
        except _READ_AGAIN:
            return
        except OSError:
            self.ended = True

    def line(self) -> str | None:
        """The next one; None: it has not come. What is no UTF-8 has surrogates in it. Raises
        `ValueError` for what is too long."""
        end = self._buffer.find(b"\n")
        if end > LONGEST or (end < 0 and len(self._buffer) > LONGEST):
            raise ValueError("The line is too long.")
        if end < 0:
            return None
        found = _TELNET.sub(b"", bytes(self._buffer[:end]))
        del self._buffer[: end + 1]
        return found.removesuffix(b"\r").decode("utf-8", "surrogateescape")

    def take(self, wanted: bytes) -> bool:
        """Whether one of the lines is that command; then that is taken, before its turn."""
        start = 0
        while (end := self._buffer.find(b"\n", start)) >= 0:
            if _TELNET.sub(b"", bytes(self._buffer[start:end])).strip().upper() == wanted:
                del self._buffer[start : end + 1]
                return True
            start = end + 1
        return False

    # what goes

    def say(self, text: str) -> None:
        """Who does not read what they are told is not told more, nor who does not shake hands."""
        left = memoryview(text.encode("utf-8", "replace"))
        while left and not self.ended:
            try:
                left = left[self.socket.send(left) :]
            except _WRITE_AGAIN:
                self.ended = not waited(self.socket, selectors.EVENT_WRITE, _TAKEN)
            except OSError:
                self.ended = True

    def close(self) -> None:
        self.ended = True
        if isinstance(self.socket, ssl.SSLSocket) and not self._shaking:
            say_end(self.socket)
        self.socket.close()


def say_end(connection: ssl.SSLSocket) -> None:
    """That nothing more comes: without it nobody could tell an end from a connection that was
    cut. It is sent, or not; nobody waits for the other's."""
    with suppress(OSError, ValueError):
        connection.unwrap()
