"""TLS on a connection from which one thread reads, and to which others write.

OpenSSL lets one thread at a time use a connection, so each takes its turn. All bytes that
came are read at once: none is left where who waits for the socket does not see it.
"""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress

RECORD = 1 << 14
"""Bytes of plain text that TLS sends at once, at most (RFC 8446 §5.1)."""

WANTS = (ssl.SSLWantReadError, ssl.SSLWantWriteError)


def wrapped(context: ssl.SSLContext, plain: socket.socket) -> ssl.SSLSocket:
    """Its handshake is to come. The socket does not block."""
    return context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)


def version(connection: ssl.SSLSocket) -> str:
    """What was agreed on, as in "1.3"; "" where that is over, or to come."""
    return (connection.version() or "").removeprefix("TLSv")


class TLSSocket:
    """What is sent or received without being able to wait. All methods are for any thread."""

    def __init__(self, connection: ssl.SSLSocket) -> None:
        self._connection, self._turn = connection, threading.Lock()
        self._shaken = False
        self._ended = False
        """What is sent or received after TLS has ended would be plain text."""

    def receive(self) -> bytes | None:
        """A record, b"" at the end; None: not yet. The first calls are the handshake. Raises
        `OSError`."""
        try:
            with self._turn:
                return b"" if self._ended else self._connection.recv(RECORD)
        except WANTS:
            return None

    def shakes_hands(self) -> bool:
        """Whether its handshake is not over."""
        if not self._shaken:
            with self._turn:
                self._shaken = self._connection.version() is not None
        return not self._shaken

    @property
    def version(self) -> str:
        with self._turn:
            return version(self._connection)

    def send(self, data: bytes | memoryview) -> int:
        """How many bytes were taken: none after `say_end`. Raises `OSError`."""
        try:
            with self._turn:
                return 0 if self._ended else self._connection.send(data)
        except WANTS:
            return 0

    def say_end(self) -> None:
        """Without waiting for an answer."""
        with self._turn, suppress(OSError, ValueError):
            if not self._ended:
                self._ended = True
                self._connection.unwrap()
