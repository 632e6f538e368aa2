"""The sending half of a connection: bytes and stretches of files, at the pace of its client or
at a rate, in the clear or by TLS.

A thread that has an answer sends it itself. What its client does not take at once, up to
`_BUFFER`, is left to the loop; for more the thread waits, and leads nobody meanwhile (`crew`).
What is in a file, and goes in the clear, the system sends by itself (sendfile(2)).
"""

from __future__ import annotations

import errno
import socket
import ssl
import time

from gateway.servers import stretches
from gateway.servers.crew import Crew
from gateway.servers.outgoing import Outgoing
from gateway.servers.sockets import can_write
from gateway.servers.tls_socket import RECORD, TLSSocket
from gateway.storage import Stretch
from gateway.web.rates import Bucket, Rate

_BUFFER = 1 << 20
"""Bytes of an answer that are taken from the application before its client has."""

_SHORT = 1 << 18
"""Bytes that a socket takes at once, as a rule."""

_MOMENT = 0.05
"""Seconds for which a thread waits for the end of an answer to be taken, before it leaves that
to the loop."""

_LOOK = 1.0
"""Seconds between looks at whether a connection was cut, for one that waits for its client."""


class NotSent(ConnectionError):
    """So many bytes of a stretch are `missing`; `short`: its file has no more."""

    def __init__(self, missing: int, *, short: bool) -> None:
        super().__init__(errno.EPIPE, "not all was sent")
        self.missing, self.short = missing, short


class Sender:
    """For one thread at a time: the loop's, or the one that serves the connection."""

    def __init__(self, connection: socket.socket, crew: Crew) -> None:
        self._socket, self._crew = connection, crew
        self._tls = TLSSocket(connection) if isinstance(connection, ssl.SSLSocket) else None
        self._most = RECORD if self._tls is not None else _BUFFER
        self._outgoing = Outgoing()
        self._bucket: Bucket | None = None
        self._owed = 0
        """Bytes that TLS has seen and not taken: it wants to see as many."""
        self._cut = self._short = False
        """`_cut`: nothing can be sent any more; `_short`: for a file has less than was said."""
        self._moved = 0
        stretches.allow_waiting(connection, _LOOK, _BUFFER)

    @property
    def tls_version(self) -> str | None:
        """None: it is no TLS."""
        return None if self._tls is None else self._tls.version

    def check_client_disconnected(self) -> bool:
        return self._cut

    @property
    def waiting(self) -> int:
        """Bytes that its client has not taken."""
        return len(self._outgoing)

    # for who answers

    def keep_to(self, rate: Rate | None) -> None:
        """The answer that begins is sent at that."""
        self._bucket = None if rate is None else Bucket(rate)

    def write_soon(self, data: bytes) -> int:
        """It goes with what follows, at the next `push`. Raises `OSError` when it is cut."""
        if self._cut:
            raise ConnectionAbortedError
        self._outgoing.append(data)
        return len(data)

    def push(self, *, waits: bool) -> None:
        """Send what there is. `waits`: more follows, as its client takes that. Raises `OSError`
        when it is cut."""
        if waits:
            self._crew.step_back()
        self._send_some()
        while len(self._outgoing) > _BUFFER and not self._cut:
            self._wait(_LOOK)
            self._send_some()
        if self._cut:
            raise ConnectionAbortedError

    def send_stretch(self, stretch: Stretch, *, last: bool) -> None:
        """All of it; of the `last` of an answer a rest may be read and kept, so that nobody
        waits. Raises `NotSent` when it is cut."""
        outgoing = self._outgoing
        if len(stretch) > _SHORT:
            self._crew.step_back()
        outgoing.append(stretch)
        self._send_some()
        if stretches.WAITS and outgoing and not last:
            self._crew.step_back()
            with stretches.waiting(self._socket.fileno()):
                while outgoing and not self._cut:
                    self._send_some()
        while outgoing and not self._cut:
            took = self._wait(_MOMENT if last else _LOOK)
            self._send_some()
            if last and not took and 0 < len(outgoing) <= _BUFFER:
                self._keep_rest()
                break
        if self._cut:
            raise NotSent(min(len(outgoing), len(stretch)), short=self._short)

    def _keep_rest(self) -> None:
        try:
            self._keep()
        except OSError:
            self._cut = True

    def _send_rest(self) -> None:
        """For a moment; after that it is the loop's."""
        self._send_some()
        if not self._outgoing or self._bucket is not None or self._crew.leads:
            return
        until = time.monotonic() + _MOMENT
        while self._outgoing and not self._cut and (left := until - time.monotonic()) > 0:
            self._wait(left)
            self._send_some()

    def _wait(self, seconds: float) -> bool:
        """Until its client takes something; whether it does."""
        self._crew.step_back()
        if pause := self._pause():
            time.sleep(min(pause, seconds))
            return False
        return can_write(self._socket, seconds)

    # for whose it is

    def _pause(self) -> float:
        """Seconds for which nothing is to be sent."""
        return 0.0 if self._bucket is None else self._bucket.wait(len(self._outgoing))

    def _send_some(self) -> None:
        """As much as is taken now."""
        outgoing = self._outgoing
        try:
            # What is left of one that was cut may be of a file that is closed by now, and whose
            # descriptor is another's.
            while outgoing and not self._cut:
                sent = self._send(outgoing.next(self._most))
                if not sent:
                    return
                outgoing.skip(sent)
                self._moved += sent
        except OSError:
            self._cut = True

    def _send(self, piece: memoryview | Stretch) -> int:
        if isinstance(piece, Stretch):
            return self._send_file(piece)
        bucket = self._bucket
        if bucket is None:
            return self._give(piece)
        size = self._owed or (0 if self._pause() else bucket.take(len(piece)))
        sent = self._give(piece[:size]) if size else 0
        self._owed = size if self._tls is not None and not sent else 0
        bucket.give_back(size - sent - self._owed)
        return sent

    def _give(self, data: memoryview) -> int:
        if self._tls is not None:
            return self._tls.send(data)
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0

    def _send_file(self, piece: Stretch) -> int:
        try:
            sent = stretches.sent(self._socket.fileno(), piece)
        except BlockingIOError:
            return 0
        except OSError as error:
            if error.errno not in stretches.CANNOT:
                raise
            self._keep()
            return self._send(self._outgoing.next(self._most))
        if not sent:
            self._short = True
            raise OSError(errno.EIO, "a file has become shorter")
        return sent

    def _keep(self) -> None:
        """What is left of files, in memory. Raises `OSError`."""
        try:
            self._outgoing.keep()
        except EOFError:
            self._short = True
            raise OSError(errno.EIO, "a file has become shorter") from None
