"""Locks by path, among the threads and processes that write one tree.

A path's lock is one of `COUNT`, chosen by its hash; a process takes its own
lock of that number first, then the file's, which the tree carries: so that
gateways with different data folders exclude each other too. Programs that know
nothing of them are not excluded.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from gateway.common.locks import FileLock

COUNT = 64


class Stripes:
    """`folder` is made when the first lock is taken, so that a tree that is only read
    stays as it is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._locks = [Lock() for _ in range(COUNT)]
        self._files: dict[int, FileLock] = {}

    @contextmanager
    def hold(self, path: str) -> Iterator[None]:
        number = zlib.crc32(path.encode()) % len(self._locks)
        with self._locks[number]:
            file = self._files.get(number) or self._open(number)
            file.acquire()
            try:
                yield
            finally:
                file.release()

    def _open(self, number: int) -> FileLock:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._files[number] = FileLock(self._folder / f"{number:02}")
        return self._files[number]

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        self._files.clear()
