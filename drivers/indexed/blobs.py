"""Where bytes lie: files named by random ids, or a dictionary.

A file is complete before the index knows it: written, synced, and its folder
synced, then the index is committed. Blobs are never changed, and never named
after keys. What is in them is blocks (`blocks`).
"""

from __future__ import annotations

import errno
import logging
import os
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Protocol

from drivers.indexed.checked_files import CheckedFiles, FileState
from drivers.indexed.layout import Layout
from gateway.common import open_files, private
from gateway.common.system import sync_folder, translate, translating
from gateway.storage import Corrupt, Stretch

log = logging.getLogger("gateway.engine")
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | open_files.BINARY


class Blob(NamedTuple):
    """A blob as the index knows it, or will. `name` is "" for one whose bytes (`data`) are in
    the index itself. `size` is that of its plain bytes; `ends` is b"" where it is not compressed
    (see `layout`)."""

    size: int
    name: str = ""
    crcs: bytes = b""
    seal: bytes = b""
    data: bytes | None = None
    ends: bytes = b""


class Blobs(Protocol):
    """A space of blobs. `pieces` are its blocks, as they are to be stored."""

    checked: bool
    """Whether its bytes may change unnoticed, so that CRCs are kept of them."""

    @property
    def known(self) -> CheckedFiles | None:
        """What of its files was checked lately; None where a blob is no file."""

    def write(self, pieces: Iterable[bytes]) -> str:
        """The name of a new blob, durable."""

    def blocks(self, name: str, first: int, layout: Layout) -> Iterator[bytes]:
        """The stored blocks from number `first` on, of files as halves where the layout says so.
        Raises `FileNotFoundError` at once, and else `StorageError`, now or later."""

    def remove(self, name: str) -> None:
        """Raises `OSError` when it cannot be removed yet."""

    def discard(self, name: str) -> None:
        """The same of one that no index has ever known, now or soon."""


is_name = re.compile("[0-9a-f]{32}").fullmatch


def _now() -> int:
    """In milliseconds."""
    return time.time_ns() // 1_000_000


def called(name: str) -> str:
    """A blob, for who looks for its file."""
    return f"the blob {name}" if name else "a blob in the index"


def too_short(name: str) -> Corrupt:
    return Corrupt(f"{called(name).capitalize()} is shorter than the index says.")


def new_name() -> str:
    return secrets.token_hex(16)


class FileBlobs:
    """Files `ab/<name>` below `folder`, in up to 256 folders, each made when it is first needed.
    Names do not depend on keys, so every key works on every file system, and paths are short.
    `later` is given names of what is to go, and cannot yet."""

    checked = True

    def __init__(
        self,
        folder: Path,
        *,
        sync: bool = True,
        clock: Callable[[], int] = _now,
        later: Callable[[Iterable[str]], object] = lambda _: None,
    ) -> None:
        self.folder, self._sync, self._later = folder, sync, later
        self.known = CheckedFiles(clock)
        self._root = f"{folder}{os.sep}"
        self._synced: set[str] = set()
        """Folders whose own names are on disk, as far as this process has seen to it."""
        if private.own_folder(folder):  # it was open, so those in it may be
            for one in self._folders():
                private.close(one)
        if sync:
            for made in (folder, folder.parent, folder.parent.parent):
                sync_folder(made)

    def path(self, name: str) -> Path:
        return self.folder / name[:2] / name

    def write(self, pieces: Iterable[bytes]) -> str:
        name = new_name()
        path = self.path(name)
        try:
            with translating():
                handle = _created(path)
            try:
                for block in pieces:  # what the source raises is its own, also an OSError
                    with translating():
                        _write_all(handle, block)
                if self._sync:
                    with translating():
                        os.fsync(handle)
            finally:
                os.close(handle)
            if self._sync:
                with translating():
                    self._sync_folders(path.parent)
        except BaseException:
            # After a failed fsync nobody knows what is on disk: never tried again.
            self.discard(name)
            raise
        return name

    def _sync_folders(self, folder: Path) -> None:
        """So that a file in it is there after a power failure, whoever has made the folder."""
        sync_folder(folder)
        if folder.name not in self._synced:
            sync_folder(self.folder)
            self._synced.add(folder.name)

    def blocks(self, name: str, first: int, layout: Layout) -> Iterator[bytes]:
        lengths, start = layout.lengths(first), layout.start(first) if first else 0
        try:
            # `path` as text: of reading 1 MiB that the system has in memory a fifth was pathlib's
            return FileBlocks(f"{self._root}{name[:2]}{os.sep}{name}", start, lengths)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise translate(error) from error

    def remove(self, name: str) -> None:
        if not is_name(name):  # by a damaged row: it is no file of ours
            raise OSError(errno.EINVAL, f"No blob is called {name!r}")
        open_files.remove(self.path(name))

    def discard(self, name: str) -> None:
        try:
            self.remove(name)
        except OSError:
            self._later((name,))

    def size(self, name: str) -> int:
        """What the file takes; 0 where that cannot be told."""
        try:
            return self.path(name).stat().st_size
        except (OSError, ValueError):
            return 0

    def names(self) -> Iterator[tuple[str, float]]:
        """(name, time of the last change in seconds) of each file. What cannot be looked at
        is told, and left out."""
        for folder in self._folders():
            try:
                with os.scandir(folder) as entries:
                    found = list(entries)
            except FileNotFoundError:
                continue
            except OSError as error:
                log.error("%s cannot be looked at: %s", folder, error.strerror or error)
                continue
            for entry in found:
                if is_name(entry.name) and entry.name[:2] == folder.name:  # else not ours
                    with suppress(OSError):  # it has gone meanwhile, say
                        yield entry.name, entry.stat().st_mtime

    def _folders(self) -> Iterator[Path]:
        """Those that may be there."""
        for number in range(256):
            yield self.folder / f"{number:02x}"


def _created(path: Path) -> int:
    """A new file in a folder that may have to be made."""
    try:
        return open_files.opened(path, _NEW)
    except FileNotFoundError:
        path.parent.mkdir(private.FOLDER, exist_ok=True)
        return open_files.opened(path, _NEW)


class FileBlocks:
    """What a file has from `start` on, in pieces of these `lengths`. It has no more of a file
    than its descriptor: a cache opens one for each MiB, and each call of the system costs a
    hand-over among threads."""

    __slots__ = ("_handle", "_lengths", "path")

    def __init__(self, path: str, start: int, lengths: Iterator[int]) -> None:
        self._handle, self.path = -1, path
        self._handle, self._lengths = open_files.opened(path), lengths
        if start:
            os.lseek(self._handle, start, os.SEEK_SET)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        """Raises `StorageError`."""
        size = next(self._lengths)
        try:
            piece = os.read(self._handle, size)
            if 0 < len(piece) < size:
                piece = _filled(self._handle, piece, size)
        except OSError as error:
            self.close()
            raise translate(error) from error
        if not piece:
            self.close()
            raise StopIteration
        return piece

    def state(self) -> FileState | None:
        """None where it is closed, or cannot be told."""
        try:
            return FileState.of(self._handle) if self._handle >= 0 else None
        except OSError:  # who reads says what is wrong
            return None

    def lend(self, start: int, length: int) -> Stretch:
        """Bytes of it, in the place of pieces."""
        return Stretch(self._handle, start, length)

    def go_to(self, start: int) -> None:
        """From where the next piece is to be. Raises `StorageError`."""
        with translating():
            os.lseek(self._handle, start, os.SEEK_SET)

    def close(self) -> None:
        """May be called twice."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)

    __del__ = close


class MemoryBlobs:
    """Blobs in a dictionary; a reader keeps what it opened, whatever happens to the name."""

    checked = False
    known = None

    def __init__(self) -> None:
        self._held: dict[str, list[bytes]] = {}

    def write(self, pieces: Iterable[bytes]) -> str:
        blocks = list(pieces)
        name = new_name()
        self._held[name] = blocks
        return name

    def blocks(self, name: str, first: int, layout: Layout) -> Iterator[bytes]:
        try:
            return iter(self._held[name][first:])
        except KeyError:
            raise FileNotFoundError(name) from None

    def remove(self, name: str) -> None:
        self._held.pop(name, None)

    discard = remove


def _write_all(handle: int, block: bytes) -> None:
    written = os.write(handle, block)
    while written < len(block):
        written += os.write(handle, memoryview(block)[written:])


def _filled(handle: int, piece: bytes, size: int) -> bytes:
    """All of it, unless the file ends."""
    while len(piece) < size and (more := os.read(handle, size - len(piece))):
        piece += more
    return piece
