"""Where bytes lie: files named by random ids, or a dictionary.

A file is complete before the index knows it: written, synced, and its folder
synced, then the index is committed. Blobs are never changed, and never named
after keys. For every block of 256 KiB, as it is stored, the index has the
CRC-32 of all bytes up to its end: so a block is checked by itself, from the
value before it, and the last value is the CRC-32 of the whole.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import secrets
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Protocol

from cryptography.exceptions import InvalidTag
from zlib_ng.zlib_ng import crc32

from drivers.indexed.cipher import BLOCK, TAG, Cipher
from gateway.common import private
from gateway.common.system import translate, translating
from gateway.storage import Corrupt

log = logging.getLogger("gateway.engine")
_BINARY = getattr(os, "O_BINARY", 0)


class Blob(NamedTuple):
    """A blob that is written, as the index will know it. `name` is "" for one whose
    bytes (`data`) go into the index itself. `size` is that of its plain bytes."""

    size: int
    name: str = ""
    crcs: bytes = b""
    seal: bytes = b""
    data: bytes | None = None


class Blobs(Protocol):
    """A space of blobs. `pieces` gives the stored blocks from block number `first` on."""

    checked: bool
    """Whether its bytes may change unnoticed, so that CRCs are kept of them."""

    def write(self, pieces: Iterable[bytes]) -> str:
        """The name of a new blob, durable."""

    def blocks(self, name: str, first: int, block: int) -> Iterator[bytes]:
        """Stored blocks of `block` bytes each. Raises `FileNotFoundError` at once, and else
        `StorageError`, now or later."""

    def remove(self, name: str) -> None:
        """Raises `OSError` when it cannot be removed yet."""


_NAME = re.compile("[0-9a-f]{32}").fullmatch


def new_name() -> str:
    return secrets.token_hex(16)


def encrypted(blocks: Iterable[bytes], cipher: Cipher) -> Iterator[bytes]:
    for number, block in enumerate(blocks):
        yield cipher.encrypt(number, block)


def check(data: bytes, crcs: bytes) -> None:
    """Raise `Corrupt` when a blob of one block is not what was recorded."""
    if crcs != _CRC.pack(crc32(data)):
        raise Corrupt("A body in the index was changed on disk.")


class Crcs:
    """The CRC-32 after each block. It is a hasher: its digest is that of all blocks."""

    __slots__ = ("packed", "value")

    def __init__(self, value: int = 0) -> None:
        self.value, self.packed = value, bytearray()

    def update(self, block: bytes, /) -> None:
        self.value = crc32(block, self.value)
        self.packed += _CRC.pack(self.value)

    def digest(self) -> bytes:
        return self.value.to_bytes(4, "big")

    def through(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        for block in blocks:
            self.update(block)
            yield block


_CRC = struct.Struct("<I")


class FileBlobs:
    """Files `ab/<name>` below `folder`, in up to 256 folders, each made when it is first needed.
    Names do not depend on keys, so every key works on every file system, and paths are short."""

    checked = True

    def __init__(self, folder: Path, *, sync: bool = True) -> None:
        self.folder, self._sync = folder, sync
        self._synced: set[str] = set()
        """Folders whose own names are on disk, as far as this process has seen to it."""
        if private.own_folder(folder):  # it was open, so those in it may be
            for one in self._folders():
                private.close(one)
        if sync:
            for made in (folder, folder.parent, folder.parent.parent):
                _sync_folder(made)

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
            with suppress(OSError):
                path.unlink(missing_ok=True)
            raise
        return name

    def _sync_folders(self, folder: Path) -> None:
        """So that a file in it is there after a power failure, whoever has made the folder."""
        _sync_folder(folder)
        if folder.name not in self._synced:
            _sync_folder(self.folder)
            self._synced.add(folder.name)

    def blocks(self, name: str, first: int, block: int) -> Iterator[bytes]:
        try:
            file = self.path(name).open("rb", buffering=0)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise translate(error) from error

        def read() -> Iterator[bytes]:
            with file:
                try:
                    if first:
                        file.seek(first * block)
                    while piece := _read_up_to(file.fileno(), block):
                        yield piece
                except OSError as error:
                    raise translate(error) from error

        return _Closing(read(), file.close)

    def remove(self, name: str) -> None:
        if not _NAME(name):  # by a damaged row: it is no file of ours
            raise OSError(errno.EINVAL, f"No blob is called {name!r}")
        self.path(name).unlink(missing_ok=True)

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
                if _NAME(entry.name) and entry.name[:2] == folder.name:  # else not ours
                    with suppress(OSError):  # it has gone meanwhile, say
                        yield entry.name, entry.stat().st_mtime

    def _folders(self) -> Iterator[Path]:
        """Those that may be there."""
        for number in range(256):
            yield self.folder / f"{number:02x}"


def _created(path: Path) -> int:
    """A new file in a folder that may have to be made."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY
    try:
        return os.open(path, flags, private.FILE)
    except FileNotFoundError:
        path.parent.mkdir(private.FOLDER, exist_ok=True)
        return os.open(path, flags, private.FILE)


class _Closing:
    """An iterator that lets go of its file also when it was never begun."""

    def __init__(self, pieces: Iterator[bytes], close: Callable[[], object]) -> None:
        self._pieces, self._close = pieces, close

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._pieces)

    def close(self) -> None:
        self._close()


class MemoryBlobs:
    """Blobs in a dictionary; a reader keeps what it opened, whatever happens to the name."""

    checked = False

    def __init__(self) -> None:
        self._held: dict[str, list[bytes]] = {}

    def write(self, pieces: Iterable[bytes]) -> str:
        blocks = list(pieces)
        name = new_name()
        self._held[name] = blocks
        return name

    def blocks(self, name: str, first: int, block: int) -> Iterator[bytes]:
        try:
            return iter(self._held[name][first:])
        except KeyError:
            raise FileNotFoundError(name) from None

    def remove(self, name: str) -> None:
        self._held.pop(name, None)


def verified(blocks: Iterator[bytes], crcs: bytes, first: int, name: str = "") -> Iterator[bytes]:
    """The same blocks; `Corrupt` at the first whose CRC is not the one recorded."""
    value = _CRC.unpack_from(crcs, first * 4 - 4)[0] if first else 0
    for number, block in enumerate(blocks, first):
        value = crc32(block, value)
        if crcs[number * 4 : number * 4 + 4] != _CRC.pack(value):
            raise Corrupt(f"Block {number} of {_called(name)} was changed on disk.")
        yield block


def decrypted(
    blocks: Iterator[bytes], cipher: Cipher, first: int, name: str = ""
) -> Iterator[bytes]:
    for number, block in enumerate(blocks, first):
        try:
            yield cipher.decrypt(number, block)
        except InvalidTag as error:
            said = f"Block {number} of {_called(name)}, which is encrypted, was changed on disk."
            raise Corrupt(said) from error


def _called(name: str) -> str:
    """A blob, for who looks for its file."""
    return f"the blob {name}" if name else "a blob in the index"


def plain_range(
    blobs: Blobs,
    name: str,
    start: int,
    length: int,
    *,
    cipher: Cipher | None = None,
    crcs: bytes = b"",
) -> Iterator[bytes]:
    """`length` plain bytes from `start` of a blob. With `crcs` each block is verified.

    Raises `FileNotFoundError` at once when it is gone; a blob that ends early
    is `Corrupt`, never a short answer.
    """
    first, skip = divmod(start, BLOCK)
    blocks = source = blobs.blocks(name, first, BLOCK + TAG if cipher else BLOCK)
    if crcs:
        blocks = verified(blocks, crcs, first, name)
    if cipher:
        blocks = decrypted(blocks, cipher, first, name)
    close = getattr(source, "close", lambda: None)
    return _Closing(_cut(blocks, skip, length, name, close), close)


def _cut(
    blocks: Iterator[bytes], skip: int, length: int, name: str, close: Callable[[], object]
) -> Iterator[bytes]:
    for block in blocks:
        piece = block[skip : skip + length] if skip or length < len(block) else block
        skip = 0
        length -= len(piece)
        if length > 0:
            yield piece
            continue
        close()  # now: who takes the last piece slowly holds no file
        yield piece
        return
    raise Corrupt(f"The blob {name} is shorter than the index says.")


def _write_all(handle: int, block: bytes) -> None:
    written = os.write(handle, block)
    while written < len(block):
        written += os.write(handle, memoryview(block)[written:])


def _read_up_to(handle: int, size: int) -> bytes:
    """A whole block, unless the file ends."""
    piece = os.read(handle, size)
    while piece and len(piece) < size:
        more = os.read(handle, size - len(piece))
        if not more:
            break
        piece += more
    return piece


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # NTFS journals its folders, and cannot open them
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
