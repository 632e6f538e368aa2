"""Data connections: one for each transfer, passive or active, from the client's own address or to
it. While one is waited for, the control connection is heard: ABOR ends the transfer, and so does
a client that is gone.
"""

from __future__ import annotations

import errno
import random
import selectors
import socket
import ssl
import struct
import sys
import time
from abc import ABC, abstractmethod
from contextlib import suppress

from gateway.common import addresses
from gateway.modes.ftp.control import Control, say_end
from gateway.modes.ftp.replies import Refused
from gateway.storage import PIECE, InvalidRequest

CONNECTED = 20.0
"""Seconds for a data connection to come about."""
_HEARD = 0.25
"""Seconds between two looks at the control connection of a transfer that never waits."""
GRACE = 0.02
"""Seconds in which the control connection of a client that died ends after its other one: a
system closes both at once."""
_AGAIN = (BlockingIOError, InterruptedError)
_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class BrokenOff(InvalidRequest):
    """A transfer did not come to its end, by its client's doing."""

    message = "The transfer broke off."


class Aborted(BrokenOff):
    """By ABOR."""

    message = "The transfer was aborted."


class Hearing:
    """Waits for the sockets of one transfer, and hears its control connection. `patience`:
    seconds in which nothing moves."""

    def __init__(self, control: Control, patience: float) -> None:
        self._control, self._patience = control, patience
        self._selector = selectors.DefaultSelector()
        self._waited: tuple[socket.socket, int] | None = None
        self._next = 0.0
        self._selector.register(control.socket, _READ)
        self._hears = True
        self._heard()  # what TLS has read already

    def wait(self, one: socket.socket, event: int, seconds: float | None = None) -> None:
        """Until it can be read or written. Raises `BrokenOff`."""
        self._set(one, event)
        until = time.monotonic() + (self._patience if seconds is None else seconds)
        while (left := until - time.monotonic()) > 0:
            ready = [key.fileobj for key, _ in self._selector.select(left)]
            if self._control.socket in ready:
                self._heard()
            if one in ready:
                return
        raise BrokenOff("The transfer stood still for too long.")

    def look(self) -> None:
        """At the control connection, from time to time. Raises `BrokenOff`."""
        if self._hears and (now := time.monotonic()) >= self._next:
            self._next = now + _HEARD
            self._listen(0)

    def last(self) -> None:
        """Whether the client is still there when all has come. Raises `BrokenOff`."""
        if self._hears:
            self._listen(GRACE)

    def close(self) -> None:
        self._selector.close()

    def _listen(self, seconds: float) -> None:
        self._set(None, 0)
        if self._selector.select(seconds):
            self._heard()

    def _set(self, one: socket.socket | None, event: int) -> None:
        wanted = None if one is None else (one, event)
        if self._waited == wanted:
            return
        if self._waited is not None:
            self._selector.unregister(self._waited[0])
        if wanted is not None:
            self._selector.register(*wanted)
        self._waited = wanted

    def _heard(self) -> None:
        control = self._control
        control.fill()
        if control.take(b"ABOR"):
            raise Aborted
        if control.ended:
            raise BrokenOff("The client is gone.")
        if control.full and self._hears:  # it goes on with more commands than are kept for it
            self._hears = False
            self._selector.unregister(control.socket)


class Endpoint(ABC):
    """Where the next data connection is to be."""

    @abstractmethod
    def connect(self, hearing: Hearing) -> socket.socket:
        """The connection, which does not block. Raises `Refused`, `BrokenOff`."""

    def close(self) -> None:
        """May be called twice."""


class Passive(Endpoint):
    """The gateway listens, for the client alone."""

    def __init__(self, control: Control, ports: range) -> None:
        """At one of these ports, of the address at which the client is; any where there are
        none. Raises `Refused`."""
        self._peer = control.address
        self._listening = _listening(control.socket, ports)
        self.port: int = self._listening.getsockname()[1]

    def connect(self, hearing: Hearing) -> socket.socket:
        until = time.monotonic() + CONNECTED
        while True:
            try:
                found, peer = self._listening.accept()
            except _AGAIN:
                hearing.wait(self._listening, _READ, until - time.monotonic())
                continue
            except OSError as error:
                raise _cannot(error) from error
            if addresses.settled(peer[0]) == self._peer:
                found.setblocking(False)
                return found
            found.close()  # a stranger who guessed the port

    def close(self) -> None:
        self._listening.close()


class Active(Endpoint):
    """The client listens: at its own address, for others are nobody's to choose (RFC 2577 §3)."""

    def __init__(self, control: Control, host: str, port: int) -> None:
        """Raises `Refused`."""
        if addresses.settled(host) != control.address or not 1024 <= port <= 65535:
            raise Refused(504, "Data goes to your own address alone, and to ports from 1024 on.")
        peer = control.socket.getpeername()
        self._to = (peer[0], port, *peer[2:])
        self._family = control.socket.family

    def connect(self, hearing: Hearing) -> socket.socket:
        found = _socket(self._family)
        try:
            found.setblocking(False)
            if found.connect_ex(self._to) not in (0, *_BEGUN):
                raise Refused(425, "No data connection can be opened.")
            hearing.wait(found, _WRITE, CONNECTED)
            if found.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise Refused(425, "No data connection can be opened.")
        except BaseException:
            found.close()
            raise
        return found


_BEGUN = (errno.EINPROGRESS, errno.EWOULDBLOCK)


def _socket(family: int) -> socket.socket:
    """One for IPv6 takes addresses of IPv4 too, as the listener's: whatever the system's default
    is (RFC 3493 §5.3)."""
    found = socket.socket(family, socket.SOCK_STREAM)
    if family == socket.AF_INET6:
        with suppress(OSError):
            found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    return found


def _cannot(error: OSError) -> Refused:
    return Refused(425, f"No data connection can be had: {error.strerror}.")


def _listening(beside: socket.socket, ports: range) -> socket.socket:
    host, failed = beside.getsockname()[0], OSError(errno.EADDRINUSE, "all ports are in use")
    for port in random.sample(ports, len(ports)) if ports else (0,):
        found = _socket(beside.family)
        try:
            if sys.platform == "win32":
                found.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
            else:  # a connection that is over holds its port for a minute, else
                found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind((host, port))
            found.listen(1)
            found.setblocking(False)
        except OSError as error:
            found.close()
            failed = error
        else:
            return found
    raise _cannot(failed)


class Channel:
    """A data connection that is open. `received` and `sent` are bytes. All raise `BrokenOff`."""

    def __init__(
        self, connection: socket.socket, hearing: Hearing, context: ssl.SSLContext | None
    ) -> None:
        self._socket: socket.socket = connection
        self._hearing, self._ended = hearing, False
        self.received = self.sent = 0
        if context is not None:
            try:
                self._begin_tls(context)
            except OSError as error:
                self._socket.close()
                raise BrokenOff("TLS did not come about on the data connection.") from error
            except BaseException:
                self._socket.close()
                raise

    def read(self, size: int = PIECE, /) -> bytes:
        """b"" at the end, which the client has said, and outlived."""
        self._hearing.look()
        while not self._ended:
            try:
                piece = self._socket.recv(size)
            except (*_AGAIN, ssl.SSLWantReadError):
                self._hearing.wait(self._socket, _READ)
                continue
            except ssl.SSLWantWriteError:
                self._hearing.wait(self._socket, _WRITE)
                continue
            except OSError as error:
                raise BrokenOff from error
            if not piece:
                self._hearing.last()
                self._ended = True
            self.received += len(piece)
            return piece
        return b""

    def write(self, data: bytes) -> None:
        self._hearing.look()
        left = memoryview(data)
        while left:
            try:
                sent = self._socket.send(left)
            except (*_AGAIN, ssl.SSLWantWriteError):
                self._hearing.wait(self._socket, _WRITE)
                continue
            except ssl.SSLWantReadError:
                self._hearing.wait(self._socket, _READ)
                continue
            except OSError as error:
                raise BrokenOff from error
            self.sent += sent
            left = left[sent:]

    def end(self) -> None:
        """Say that this was all, which by TLS is an answer to the client's end, too."""
        if isinstance(self._socket, ssl.SSLSocket):
            say_end(self._socket)
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def cut(self) -> None:
        """Have the client know that this was not all: in plain, an end is what it would see."""
        form = "hh" if sys.platform == "win32" else "ii"
        with suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(form, 1, 0))
        self.close()

    def close(self) -> None:
        """May be called twice."""
        self._socket.close()

    def _begin_tls(self, context: ssl.SSLContext) -> None:
        secure = self._socket = context.wrap_socket(
            self._socket,
            server_side=True,
            do_handshake_on_connect=False,
            suppress_ragged_eofs=False,  # a connection that was cut is no end
        )
        while True:
            try:
                secure.do_handshake()
                return
            except ssl.SSLWantReadError:
                self._hearing.wait(secure, _READ)
            except ssl.SSLWantWriteError:
                self._hearing.wait(secure, _WRITE)
