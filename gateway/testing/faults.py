"""Bodies that do what bodies on a network do: break, lie, dawdle, and be too big to hold;
and disks that do what disks do: fill up, and fail.

Each body is a `Readable`. None closes itself, so that a test sees who did.
"""

from __future__ import annotations

import errno
import hashlib
import os
import threading
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from threading import Event
from typing import Any
from unittest import mock

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

from gateway.storage import PIECE, BytesBody, Put, Readable

PATIENCE = 60.0
"""Seconds after which a body that waits gives up: a guard against tests that hang, no limit."""


def noise(size: int, seed: str = "") -> bytes:
    """`size` bytes that look random, and are the same for the same seed: a stream cipher's, which
    makes a mebibyte in half a millisecond."""
    key = hashlib.sha256(f"noise {seed}".encode()).digest()
    cipher = Cipher(algorithms.ChaCha20(key, bytes(16)), mode=None)
    return cipher.encryptor().update(bytes(size))


class Generated:
    """`size` bytes that are made while they are read, and never held.

    Two of the same seed are the same bytes. The period is a prime, so that
    blocks that were dropped, swapped or doubled change the digest.
    """

    def __init__(self, size: int, seed: str = "") -> None:
        period = 65_521
        self._noise = noise(period, seed)
        self._twice = self._noise * (PIECE // period + 2)
        self._at, self._size = 0, size

    def read(self, size: int = PIECE, /) -> bytes:
        length = min(size, PIECE, self._size - self._at)
        start = self._at % len(self._noise)
        self._at += length
        return self._twice[start : start + length]

    def close(self) -> None:
        self._at = self._size


class Watched:
    """`data`, and what was done to it: `closed`, and whether it was read `to_the_end`."""

    def __init__(self, data: bytes) -> None:
        self._body = BytesBody(data)
        self.closed = self.to_the_end = False

    def read(self, size: int = PIECE, /) -> bytes:
        piece = self._body.read(size)
        self.to_the_end |= not piece
        return piece

    def close(self) -> None:
        self.closed = True


class Breaking(Watched):
    """Gives `data` and then, where more was expected, raises `error`."""

    def __init__(self, data: bytes, error: BaseException) -> None:
        super().__init__(data)
        self._error = error

    def read(self, size: int = PIECE, /) -> bytes:
        piece = super().read(size)
        if not piece:
            raise self._error
        return piece


class Dribbling(Watched):
    """Gives at most `step` bytes at a time, as sockets may."""

    def __init__(self, data: bytes, step: int = 1) -> None:
        super().__init__(data)
        self._step = step

    def read(self, size: int = PIECE, /) -> bytes:
        return super().read(min(size, self._step))


class Gated(Watched):
    """A slow client, without sleeping: gives `data` and holds back its end.

    `reached` is set when all bytes were given; the end comes when `go` is set.
    """

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.reached, self.go = Event(), Event()

    def read(self, size: int = PIECE, /) -> bytes:
        piece = super().read(size)
        if piece:
            return piece
        self.reached.set()
        if not self.go.wait(PATIENCE):
            raise TimeoutError("nobody opened the gate")
        return b""


def lying(data: bytes, announced: int) -> tuple[Readable, Put]:
    """A body and options that announce another size than it has."""
    return BytesBody(data), Put(size=announced)


DISK_CALLS = (
    *("open", "write", "writev", "pwrite", "pwritev", "truncate", "ftruncate"),
    *("posix_fallocate", "fsync", "fdatasync", "link", "rename", "replace", "mkdir"),
)
"""Functions of `os` by which files are made and filled. `unlink` is not among them: a disk
that is full lets files go."""


class DiskFault:
    """`calls` counts them; `fired` is the name of the one that failed, "" when none did."""

    def __init__(self) -> None:
        self.calls = 0
        self.fired = ""


@contextmanager
def disk_fault(
    nth: int, code: int = errno.ENOSPC, calls: Sequence[str] = DISK_CALLS
) -> Iterator[DiskFault]:
    """Inside, the `nth` of these functions of `os` to be called by this thread fails with the
    error `code`, once, and does nothing. With 1, 2, 3, … until nothing fires, a test meets
    every place where a write can fail:

        for nth in count(1):
            with disk_fault(nth, errno.EIO) as fault:
                …
            if not fault.fired:
                break

    What writes by other means (SQLite, `open().write`) is not reached.
    """
    fault, here = DiskFault(), threading.get_ident()

    def faulty(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if threading.get_ident() == here:
                fault.calls += 1
                if fault.calls == nth:
                    fault.fired = name
                    raise OSError(code, os.strerror(code))
            return real(*arguments, **options)

        return call

    with ExitStack() as patches:
        for name in calls:
            real = getattr(os, name, None)
            if real is not None:  # some are not on Windows
                patches.enter_context(mock.patch.object(os, name, faulty(name, real)))
        yield fault


class Peak:
    """`bytes`: the most that Python held at once beyond what it held at the beginning."""

    bytes: int = 0


@contextmanager
def peak_memory() -> Iterator[Peak]:
    """Measure the memory of what runs inside, of all threads.

    It counts Python's allocations, on every system; not those of native
    libraries, which get their bytes from Python here.
    """
    peak = Peak()
    tracemalloc.start(1)
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        yield peak
        peak.bytes = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
