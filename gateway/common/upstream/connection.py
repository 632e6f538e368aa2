"""One connection to an upstream: bytes go out, a head and a body come back.

Each receive and send may take its patience, and all of them together must be done when
they are `due`: else an upstream that sends a byte now and then would be waited for
without end. A body that goes on to somebody else is never due; it only has to move.

Plain sockets get their time-outs from the kernel (SO_RCVTIMEO): with Python's
own each receive would be two system calls, and give up the GIL
twice. TLS and Windows use Python's.
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
import sys
import time

from gateway.common.upstream.answers import HEAD_LIMIT, Head, broken, parse_head
from gateway.common.upstream.dialing import Place
from gateway.common.waiting import about_to_wait
from gateway.storage import OriginFailed, TimedOut

_RECEIVE = 64 * 1024
_KERNEL_TIMEOUTS = sys.platform != "win32"
_LEAST = 0.01


class Gone(Exception):
    """The connection ended before a byte of an answer came, or could not be written to."""


class Connection:
    """`connected` to `place`; `patience`: seconds for one receive or send.

    `fresh`: it has not carried a request yet. `waits` and `streams` are its pool's: whether
    its request waits for an answer, and has a body that streams. Not for several threads.
    """

    __slots__ = (
        "_due",
        "_patience",
        "_socket",
        "_timeout",
        "fresh",
        "idle_since",
        "place",
        "rest",
        "streams",
        "waits",
    )

    def __init__(self, place: Place, connected: socket.socket, patience: float) -> None:
        self.place, self._socket, self._patience = place, connected, patience
        self.fresh, self.rest = True, b""
        self.waits = self.streams = False
        self.idle_since = self._timeout = 0.0
        self._due: float | None = None

    def due(self, due: float | None) -> None:
        """When all that is received and sent from now on must be there, by the monotonic
        clock; None: it may take as long as it moves. Raises `TimedOut`."""
        self._due = due
        self.hurry()

    def hurry(self) -> None:
        """Wait no longer than there is time. Raises `TimedOut` when there is none."""
        patience = self._patience
        if self._due is not None:
            left = self._due - time.monotonic()
            if left <= 0:
                raise TimedOut(f"The upstream {self.place} did not answer in time.")
            patience = min(patience, max(left, _LEAST))
        if patience == self._timeout:
            return
        self._timeout = patience
        if isinstance(self._socket, ssl.SSLSocket) or not _KERNEL_TIMEOUTS:
            self._socket.settimeout(patience)
            return
        value = struct.pack("ll", int(patience), int(patience % 1 * 1e6) or 1)
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
        """Raises `Gone`; `TimedOut` when the other side takes nothing, or not in time."""
        try:
            sent = self._socket.send(data)
            while sent < len(data):
                self.hurry()
                sent += self._socket.send(memoryview(data)[sent:])
        except (TimeoutError, BlockingIOError) as error:
            raise TimedOut(f"The upstream {self.place} takes no data.") from error
        except OSError as error:
            raise Gone from error

    def receive(self, size: int, /) -> bytes:
        """Some bytes; b"" at the end. Raises `TimedOut`, `OriginFailed`."""
        if self._due is not None:
            self.hurry()
        try:
            return self._socket.recv(size)
        except (TimeoutError, BlockingIOError) as error:
            raise TimedOut(f"The upstream {self.place} sends no data.") from error
        except (OSError, ValueError) as error:
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
        if data:
            self.hurry()
        about_to_wait()
        try:
            received = self._socket.recv(_RECEIVE)
        except (TimeoutError, BlockingIOError) as error:
            raise TimedOut(f"The upstream {self.place} does not answer.") from error
        except (OSError, ValueError) as error:
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
