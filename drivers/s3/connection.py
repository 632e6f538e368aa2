"""One connection to an upstream: bytes go out, a head and a body come back.

Plain sockets get their time-outs from the kernel (SO_RCVTIMEO): with Python's
own each receive would be two system calls, and give up the interpreter's lock
twice. TLS and Windows use Python's.
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
import sys
import time
from typing import NamedTuple

from drivers.s3.answers import HEAD_LIMIT, Head, broken, parse_head
from gateway.storage import OriginFailed, TimedOut

_RECEIVE = 64 * 1024
_KERNEL_TIMEOUTS = sys.platform != "win32"


class Place(NamedTuple):
    """Where to connect to, and whether with TLS: then the certificate must be `host`'s."""

    host: str
    port: int
    tls: bool

    @property
    def header(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.header}"


class Gone(Exception):
    """The connection ended before a byte of an answer came, or could not be written to."""


class Connection:
    """`fresh`: it has not carried a request yet. Not for several threads."""

    __slots__ = ("_socket", "_timeout", "fresh", "idle_since", "place", "rest")

    def __init__(
        self,
        place: Place,
        context: ssl.SSLContext | None,
        *,
        connect_timeout: float,
        read_timeout: float,
    ) -> None:
        self.place, self.fresh, self.rest = place, True, b""
        self.idle_since = 0.0
        self._timeout = 0.0
        self._socket = _connected(place, context, connect_timeout)
        self.patience(read_timeout)

    def patience(self, seconds: float) -> None:
        """How long one receive or send may take."""
        if seconds == self._timeout:
            return
        self._timeout = seconds
        if isinstance(self._socket, ssl.SSLSocket) or not _KERNEL_TIMEOUTS:
            self._socket.settimeout(seconds)
            return
        value = struct.pack("ll", int(seconds), int(seconds % 1 * 1e6) or 1)
        self._socket.settimeout(None)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, value)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, value)

    def stale(self) -> bool:
        """Whether an idle connection was closed, or says something that nobody asked for."""
        try:
            return self.readable(0)
        except (ValueError, OSError):
            return True  # beyond what select can watch: a new one is cheap

    def readable(self, seconds: float) -> bool:
        """Whether bytes, or the end, come within that time."""
        if isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
            return True
        return bool(self.rest) or _readable(self._socket, seconds)

    def send(self, data: bytes) -> None:
        """Raises `Gone`; `TimedOut` when the other side takes nothing."""
        try:
            self._socket.sendall(data)
        except (TimeoutError, BlockingIOError) as error:
            raise TimedOut(f"The upstream {self.place} takes no data.") from error
        except OSError as error:
            raise Gone from error

    def receive(self, size: int, /) -> bytes:
        """Some bytes; b"" at the end. Raises `TimedOut`, `OriginFailed`."""
        try:
            return self._socket.recv(size)
        except (TimeoutError, BlockingIOError) as error:
            raise TimedOut(f"The upstream {self.place} sends no data.") from error
        except OSError as error:
            raise OriginFailed(f"The connection to {self.place} broke: {error}.") from error

    def head(self, method: str) -> Head:
        """The head of the answer; what came behind it is in `rest`. Raises `Gone`,
        `TimedOut`, `OriginFailed`."""
        data = self.rest
        while True:
            end = data.find(b"\r\n\r\n")
            if end >= 0:
                head = parse_head(data[:end], method)
                self.rest = data[end + 4 :]
                return head
            if len(data) > HEAD_LIMIT:
                raise broken("its head is too long")
            data = self._more(data)

    def _more(self, data: bytes) -> bytes:
        try:
            received = self._socket.recv(_RECEIVE)
        except (TimeoutError, BlockingIOError) as error:
            raise TimedOut(f"The upstream {self.place} does not answer.") from error
        except OSError as error:
            if data:
                raise OriginFailed(f"The connection to {self.place} broke: {error}.") from error
            raise Gone from error
        if received:
            return data + received if data else received
        if data:
            raise broken("it ends within its head")
        raise Gone

    def take_rest(self) -> bytes:
        rest, self.rest = self.rest, b""
        return rest

    def close(self) -> None:
        self._socket.close()


if hasattr(select, "poll"):

    def _readable(one: socket.socket, seconds: float) -> bool:
        poll = select.poll()
        poll.register(one, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

else:

    def _readable(one: socket.socket, seconds: float) -> bool:
        return bool(select.select([one], [], [], seconds)[0])


def _connected(place: Place, context: ssl.SSLContext | None, timeout: float) -> socket.socket:
    """Raises `OriginFailed`, `TimedOut`."""
    began = time.monotonic()
    try:
        plain = socket.create_connection((place.host, place.port), timeout)
    except TimeoutError as error:
        raise TimedOut(f"No connection to {place} within {timeout:g} s.") from error
    except socket.gaierror as error:
        raise OriginFailed(
            f"The name {place.host!r} does not resolve: {error.strerror}."
        ) from error
    except (OSError, UnicodeError) as error:
        raise OriginFailed(f"No connection to {place}: {error}.") from error
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is None:
            return plain
        plain.settimeout(max(0.1, timeout - (time.monotonic() - began)))
        return context.wrap_socket(plain, server_hostname=place.host)
    except ssl.SSLCertVerificationError as error:
        plain.close()
        raise OriginFailed(
            f"The certificate of {place} is not to be trusted: {error.verify_message}."
        ) from error
    except TimeoutError as error:
        plain.close()
        raise TimedOut(f"No TLS connection to {place} within {timeout:g} s.") from error
    except OSError as error:
        plain.close()
        raise OriginFailed(f"No TLS connection to {place}: {error}.") from error
