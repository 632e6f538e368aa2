"""Where a request's body is kept until it is whole: in memory, and in a file when it is large.

waitress's own buffer asks its file where it stands, and moves it to and fro, with each
piece that comes; and it copies a body on its way from one kind of buffer to the next.
"""

from __future__ import annotations

import io
import tempfile
from typing import IO

IN_MEMORY = 512 << 10
"""Bytes."""


class Spool:
    """It has of waitress's buffer what its receivers call. Raises `OSError` when a file cannot
    be had, or is full."""

    __slots__ = ("_file", "_size")

    def __init__(self, expected: int = 0) -> None:
        """`expected` bytes come, where that is known."""
        self._file: IO[bytes] = io.BytesIO()
        self._size = 0
        if expected > IN_MEMORY:
            self._file = in_a_file()

    def __len__(self) -> int:
        return self._size

    def append(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > IN_MEMORY and isinstance(self._file, io.BytesIO):
            before, self._file = self._file, in_a_file()
            self._file.write(before.getbuffer())
        self._file.write(data)

    def getfile(self) -> IO[bytes]:
        """From its beginning: when all is here."""
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        self._file.close()


def in_a_file() -> IO[bytes]:
    """An open file without a name."""
    return tempfile.TemporaryFile("w+b")
