"""Any file system by fsspec: read in windows, written by a rename or by one upload.

**Reading**: `WINDOW` bytes at a time with `cat_file`, so no connection is held
while a client dawdles, and nothing is cached. A file that is replaced
meanwhile is noticed before the last byte is given, and the body breaks off.

**Writing**: a body is spooled here first (memory, then the data folder), so a
client that vanishes leaves nothing there, and no connection waits for one.
Then, by the file system's way to replace a file in one step:

    rename   a draft in the hidden folder, then `mv`: sftp, ftp, smb, hdfs, …
    upload   one request, or one upload in parts that is completed: s3, gs, abfs, …
    memory   the one of this process

Where there is none (zip, http, chained URLs, …) nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from secrets import token_hex
from tempfile import SpooledTemporaryFile
from typing import Any, Literal, NamedTuple, TypeVar

from drivers.fsspec import paths
from drivers.fsspec.details import found_of
from drivers.fsspec.failures import translated
from drivers.fsspec.pool import Pool
from drivers.fsspec.stripes import Stripes
from drivers.fsspec.tree import Draft, Found, Handle, Moved, Node, Tree
from gateway.storage import PIECE, BadKey, BytesBody, NoSuchKey, Readable, StorageError

R = TypeVar("R")
Way = Literal["rename", "upload", "memory"]

WINDOW = 4 << 20
BLOCK = 8 << 20
"""Bytes of one part of an upload."""

STEP = 2 << 20
"""Bytes written at a time; fsspec's ftp makes a transfer of each."""

PARTS = 9_000
_SIGNS = frozenset(map(chr, (*range(32), 127)))
_VERSION = "?versionid="
"""s3fs and adlfs read what is behind it as a version, so `a?versionId=b` would be `a`."""

_MEMORY_LOCK = Stripes(None, 1)
"""fsspec's memory is one of the process, and so is its lock: files are replaced whole,
but a look and a write are two steps."""


class Connected(NamedTuple):
    """An instance of a file system, and the root's path in it."""

    fs: Any
    root: str


class RemoteTree(Tree):
    """`timeout`: seconds for each call of an asynchronous file system. `spool`: where
    bodies wait, None for the system's own place."""

    exclusive = False

    def __init__(
        self, pool: Pool, *, way: Way | None, timeout: float | None, spool: Path | None
    ) -> None:
        self._pool, self.way, self.spool = pool, way, spool
        self.wait = {} if timeout is None else {"timeout": timeout}
        self.writes = way is not None
        self.conditional = way == "memory"

    def run(self, path: str, work: Callable[[Any, str], R], *, again: bool = True) -> R:
        """`work(file system, its path)`, once or, when a connection was dead, `again`."""

        def at(connected: Connected) -> R:
            return work(connected.fs, f"{connected.root}/{path}")

        with translated(path):
            return self._pool.call(at, again=again)

    def refusal(self, path: str) -> str:
        if self.way == "memory":
            return ""
        if not _SIGNS.isdisjoint(path):
            return "names of files have no control characters"
        return f"{_VERSION!r} would name a version" if _VERSION in path.lower() else ""

    # reading

    def _info(self, path: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self.run(path, lambda fs, at: fs.info(at, **self.wait))
        except (NoSuchKey, BadKey):
            return None
        return found

    def stat(self, path: str) -> Found | None:
        info = self._info(path)
        return None if info is None else found_of(info)

    def open(self, path: str) -> Handle | None:
        found = self.stat(path)
        return None if found is None else _RemoteFile(self, path, found)

    def fetch(self, path: str, start: int, length: int, size: int) -> bytes:
        """Exactly these bytes. Raises `Moved` when they are not there any more."""
        end = start + length if start + length < size else None  # None spares ftp a reset

        def part(fs: Any, at: str) -> bytes:
            if _is_sftp(fs):
                with fs.open(at, "rb") as file:
                    return b"".join(file.readv([(start, length)]))
            return bytes(fs.cat_file(at, start=start, end=end, **self.wait))

        data = self.run(path, part)
        if len(data) != length:
            raise Moved(key=path)
        return data

    def scan(self, folder: str) -> Iterable[Node]:
        def names(fs: Any, at: str) -> list[Node]:
            entries = fs.ls(at, detail=True, **self.wait)
            return [node for one in entries if (node := _node(one, at)) is not None]

        try:
            return self.run(folder[:-1], names)
        except (NoSuchKey, BadKey):
            return []

    def found(self, folder: str, node: Node) -> Found | None:
        return found_of(node.about)

    # writing

    def draft(self, path: str) -> Draft:
        return _Spooled(self, path)

    def lock(self, path: str) -> AbstractContextManager[None]:
        return _MEMORY_LOCK.hold(path) if self.way == "memory" else nullcontext()

    def pipe(self, path: str, data: bytes) -> None:
        self.run(path, lambda fs, at: fs.pipe_file(at, data, **self.wait))

    def rename(self, draft: str, path: str) -> None:
        """Over a file that is there, and into a folder that is made."""

        def move(fs: Any, at: str) -> None:
            root = at[: len(at) - len(path)]
            fs.makedirs(at.rpartition("/")[0], exist_ok=True)
            fs.mv(root + draft, at)

        self._not_a_folder(path)
        try:
            self.run(path, move, again=False)
        except StorageError:
            for folder in paths.above(path):
                info = self._info(folder)
                if info is not None and info["type"] != "directory":
                    raise BadKey("A file is in the way.", key=path) from None
            raise

    def _not_a_folder(self, path: str) -> None:
        info = self._info(path)
        if info is not None and info["type"] == "directory":
            raise BadKey("A folder is in the way.", key=path)

    def admit(self, path: str) -> None:
        if self.way == "memory":
            self._not_a_folder(path)

    def remove(self, path: str) -> None:
        self.run(path, lambda fs, at: fs.rm_file(at, **self.wait), again=False)
        if self.way == "rename":
            for folder in paths.above(path):
                try:
                    self.run(folder, lambda fs, at: fs.rmdir(at), again=False)
                except StorageError:  # it is not empty, or not ours to remove
                    break

    # the gateway's own files

    def load(self, path: str) -> bytes | None:
        try:
            return self.run(path, lambda fs, at: bytes(fs.cat_file(at, **self.wait)))
        except NoSuchKey:
            return None

    def save(self, path: str, data: bytes, *, new: bool) -> bool:
        if self.way != "rename":
            self.pipe(path, data)
            return True
        draft = f"{paths.DRAFTS}/{token_hex(16)}"
        self.make_drafts()
        try:
            self.pipe(draft, data)
            self.rename(draft, path)
        except BaseException:
            self.erase(draft)
            raise
        return True

    def make_drafts(self) -> None:
        self.run(paths.DRAFTS, lambda fs, at: fs.makedirs(at, exist_ok=True))

    def erase(self, path: str) -> None:
        with suppress(NoSuchKey):
            self.run(path, lambda fs, at: fs.rm_file(at, **self.wait), again=False)

    def sweep(self, before: int) -> None:
        if self.way == "rename":
            for node in self.scan(f"{paths.DRAFTS}/"):
                found = found_of(node.about)
                if found is not None and found.modified < before:
                    self.erase(f"{paths.DRAFTS}/{node.name}")

    def probe(self) -> tuple[str, ...]:
        with suppress(NoSuchKey):  # an empty prefix of an object store
            self.run("", lambda fs, at: fs.info(at.rstrip("/"), **self.wait))
        if self.way is None:
            return ("A file cannot be replaced in one step there: the service is only read.",)
        return ("Nothing is kept: it is the memory of this process.",) * (self.way == "memory")

    def close(self) -> None:
        self._pool.close()


def _node(info: dict[str, Any], folder: str) -> Node | None:
    """None for the folder itself, which object stores list too, and for links."""
    path = str(info["name"]).rstrip("/")
    if path.strip("/") == folder.strip("/") or info["type"] not in ("directory", "file"):
        return None
    return Node(path.rpartition("/")[2], info["type"] == "directory", info)


def _is_sftp(fs: Any) -> bool:
    """paramiko waits for an answer to each 32 KiB unless it is told not to."""
    return "sftp" in fs.protocol


class _RemoteFile(Handle):
    def __init__(self, tree: RemoteTree, path: str, found: Found) -> None:
        self.tree, self.path, self.found = tree, path, found

    def body(self, start: int, length: int) -> Readable:
        first = self.window(start, length)
        return BytesBody(first) if len(first) == length else _Windows(self, first, start, length)

    def window(self, start: int, length: int) -> bytes:
        """The next bytes of `length` that are left; all of them were the file's."""
        size = length if self.tree.way == "memory" else min(length, WINDOW)
        if not size:
            return b""
        data = self.tree.fetch(self.path, start, size, self.found.size)
        if size == length:
            now = self.tree.stat(self.path)
            if now is None or now.token != self.found.token:
                raise Moved(key=self.path)
        return data


class _Windows:
    """A body that is fetched a window at a time."""

    def __init__(self, file: _RemoteFile, first: bytes, start: int, length: int) -> None:
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


class _Spooled(Draft):
    """A body that waits here until all of it has come and was checked."""

    def __init__(self, tree: RemoteTree, path: str) -> None:
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
            self._file.seek(0)
            self._tree.pipe(self._path, self._file.read())
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
            if _is_sftp(fs):
                target.set_pipelined(True)
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
            with suppress(NotImplementedError):
                target.discard()
            target.closed = True  # else its finalizer would send what it holds
            raise

    def __exit__(self, *exc: object) -> None:
        self._file.close()
        if self._drafted:
            with suppress(StorageError):  # `sweep` finds it
                self._tree.erase(self._drafted)


def _folder(spool: Path | None) -> str | None:
    if spool is None:
        return None
    folder = spool / "spool"
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder)
