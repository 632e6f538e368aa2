"""The pipe by which a parent tells a worker what to do: messages arrive whole, one after
another, also at a worker that stood still for a while.

A pipe holds less than a long message, and nobody waits for a worker to take it: what does not
go in is written by a thread, one for each pipe, which is there as long as something waits.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from multiprocessing.connection import Connection


class OrderPipe:
    """The parent's end. For any thread."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._lock = connection, threading.Lock()
        self._waiting = deque[bytes]()
        self._writes = False

    def send_bytes(self, data: bytes) -> None:
        """At once, or when what was said before has been taken. A worker that died is missed
        by its parent, not here."""
        with self._lock:
            self._waiting.append(data)
            if self._writes:
                return
            self._writes = True
        threading.Thread(target=self._write, name="orders", daemon=True).start()

    def _write(self) -> None:
        while (data := self._next()) is not None:
            with suppress(OSError):
                self._connection.send_bytes(data)

    def _next(self) -> bytes | None:
        with self._lock:
            self._writes = bool(self._waiting)
            return self._waiting.popleft() if self._waiting else None
