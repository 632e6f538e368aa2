"""Bytes to and from a remote file system: read in windows, sent when all have come."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from tempfile import SpooledTemporaryFile
from typing import Any

from drivers.fsspec import internals, paths
from drivers.fsspec.calls import RemoteCalls
from drivers.fsspec.failures import translated
from drivers.fsspec.tree import Draft, Found, Handle, Moved
from gateway.common import private
from gateway.storage import PIECE, BytesBody, NoSuchKey, Readable, StorageError

WINDOW = 4 << 20
BLOCK = 8 << 20
"""Bytes of one part of an upload."""

STEP = 2 << 20
"""Bytes written at a time; fsspec's ftp makes a transfer of each."""

PARTS = 9_000


class RemoteFile(Handle):
    def __init__(self, tree: RemoteCalls, path: str, found: Found) -> None:
        self.tree, self.path, self.found = tree, path, found

    def body(self, start: int, length: int) -> Readable:
        first = self.window(start, length)
        return BytesBody(first) if len(first) == length else _Windows(self, first, start, length)

    def window(self, start: int, length: int) -> bytes:
        """The next bytes of `length` that are left; all of them were the file's."""
        size = length if self.tree.way == "memory" else min(length, WINDOW)
        if not size:
            return b""
        data = self.tree.fetch(self.path, start, size, self.found)
        if size == length:
            now = self.tree.stat(self.path)
            if now is None or now.token != self.found.token:
                raise Moved(key=self.path)
        return data


class _Windows:
    """A body that is fetched a window at a time."""

    def __init__(self, file: RemoteFile, first: bytes, start: int, length: int) -> None:
        self._file, self._data = file, memoryview(first)
        self._next, self._left = start + len(first), length - len(first)

    def read(self, size: int = PIECE, /) -> bytes:
        if not self._data and self._left:
            self._data = memoryview(b"")  # the window before is not held beside the next
            data = self._file.window(self._next, self._left)
            self._next, self._left = self._next + len(data), self._left - len(data)
            self._data = memoryview(data)
        piece, self._data = self._data[:size], self._data[size:]
        return bytes(piece)

    def close(self) -> None:
        self._data, self._left = memoryview(b""), 0


class Spooled(Draft):
    """A body that waits here until all of it has come and was checked."""

    def __init__(self, tree: RemoteCalls, path: str) -> None:
        self._tree, self._path, self._size = tree, path, 0
        self._drafted = ""
        limit = 0 if tree.way == "memory" else WINDOW
        with translated(path):
            self._file = SpooledTemporaryFile(  # noqa: SIM115 - closed in __exit__
                max_size=limit, dir=_folder(tree.spool)
            )

    def write(self, piece: bytes) -> None:
        with translated(self._path):
            self._file.write(piece)
        self._size += len(piece)

    def finish(self) -> Found | None:
        if self._tree.way != "rename":
            return None
        self._drafted = f"{paths.DRAFTS}/{token_hex(16)}"
        self._tree.make_drafts()
        self._tree.run(self._drafted, self._send, again=False)
        return self._tree.stat(self._drafted)

    def commit(self) -> Found:
        if self._drafted:
            self._tree.rename(self._drafted, self._path)
            self._drafted = ""
        elif self._tree.way == "memory" or self._size <= WINDOW:
            self._tree.admit(self._path)
            with translated(self._path):
                self._file.seek(0)
                data = self._file.read()
            self._tree.pipe(self._path, data)
        else:
            self._tree.run(self._path, self._upload, again=False)
        found = self._tree.stat(self._path)
        if found is None:
            raise NoSuchKey("It was removed at once.", key=self._path)
        return found

    def _send(self, fs: Any, at: str) -> None:
        """To a draft, which nobody sees."""
        self._file.seek(0)
        with fs.open(at, "wb") as target:
            internals.hurry(fs, target)
            while piece := self._file.read(STEP):
                target.write(piece)

    def _upload(self, fs: Any, at: str) -> None:
        """In parts; nothing of them stays when they are not completed."""
        self._file.seek(0)
        block = max(BLOCK, self._size // PARTS + 1)
        target = fs.open(at, "wb", block_size=block, autocommit=False)
        try:
            while piece := self._file.read(STEP):
                target.write(piece)
            target.close()
            target.commit()
        except BaseException:
            internals.abandon(target)
            raise

    def __exit__(self, *exc: object) -> None:
        with suppress(OSError):  # what it had not written nobody wants
            self._file.close()
        if self._drafted:
            with suppress(StorageError):  # `sweep` finds it
                self._tree.erase(self._drafted)


def _folder(spool: Path | None) -> str | None:
    if spool is None:
        return None
    folder = spool / "spool"
    private.own_folder(folder)
    return str(folder)
