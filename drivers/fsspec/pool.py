"""Connections to a file system: how many at once, for how long, and when one is thrown away.

fsspec's asynchronous implementations (s3fs, gcsfs, adlfs, …) run on one event
loop in a thread of fsspec's own, made once per process; one instance serves all
threads, and there is no loop per request. The others (sftp, ftp, smb, …) are one
connection each and not safe for threads: an instance is lent to one call at a
time. No call lasts while a client is read from or written to.
"""

from __future__ import annotations

import ftplib
from collections.abc import Callable
from threading import BoundedSemaphore, Lock
from typing import Any, TypeVar

from drivers.fsspec import internals
from gateway.storage import Busy, StorageError, Threads

R = TypeVar("R")

_CLEAN = (
    FileNotFoundError,
    FileExistsError,
    PermissionError,
    IsADirectoryError,
    NotADirectoryError,
    NotImplementedError,
    StorageError,
    ftplib.error_perm,
)
"""Answers of a server: the connection they came by is as good as before."""


class Pool:
    """`make` connects. `together`: one instance is for all threads. `threads`: those of the
    server, some of which may be here."""

    def __init__(
        self,
        make: Callable[[], Any],
        *,
        size: int,
        patience: float,
        together: bool,
        threads: Threads | None = None,
    ) -> None:
        self._part = (threads or Threads()).part()
        self._make, self._together, self._patience = make, together, patience
        self._places = BoundedSemaphore(size)
        self._lock = Lock()
        self._idle: list[Any] = []

    def call(self, work: Callable[[Any], R], *, again: bool) -> R:
        """`work` with an instance. `again`: it may be done twice, so a connection that
        had been idle and turns out to be dead is replaced. Raises `Busy`."""
        shared = self._part.take()
        try:
            if not self._places.acquire(timeout=self._patience if shared else 0):
                raise Busy(
                    "All connections to the file system behind this service are in use.",
                    retry_after=1,
                )
            try:
                return self._tried(work, again)
            finally:
                self._places.release()
        finally:
            self._part.give()

    def _tried(self, work: Callable[[Any], R], again: bool) -> R:
        while True:
            fs, fresh = self._take()
            try:
                result = work(fs)
            except _CLEAN:
                self._put_back(fs)
                raise
            except BaseException as error:
                self._drop(fs)
                if fresh or not again or isinstance(error, TimeoutError) or self._together:
                    raise
                if not isinstance(error, Exception):
                    raise
            else:
                self._put_back(fs)
                return result

    def _take(self) -> tuple[Any, bool]:
        with self._lock:
            if self._idle:
                return (self._idle[0] if self._together else self._idle.pop()), False
            if self._together:
                self._idle.append(self._make())
                return self._idle[0], True
        return self._make(), True

    def _put_back(self, fs: Any) -> None:
        if not self._together:
            with self._lock:
                self._idle.append(fs)

    def _drop(self, connected: Any) -> None:
        if not self._together:
            internals.close(connected.fs)

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connected in idle:
            internals.close(connected.fs)
