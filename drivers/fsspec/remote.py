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

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from secrets import token_hex
from threading import RLock
from typing import Any, Literal, NamedTuple, TypeVar

from drivers.fsspec import paths
from drivers.fsspec.details import found_of
from drivers.fsspec.failures import translated
from drivers.fsspec.pool import Pool
from drivers.fsspec.transfers import RemoteFile, Spooled, is_sftp
from drivers.fsspec.tree import Draft, Found, Handle, Moved, Node, Tree
from gateway.storage import BadKey, NoSuchKey, StorageError

R = TypeVar("R")
Way = Literal["rename", "upload", "memory"]

_SIGNS = frozenset(map(chr, (*range(32), 127)))
_VERSION = "?versionid="
"""s3fs and adlfs read what is behind it as a version, so `a?versionId=b` would be `a`."""

_MEMORY = RLock()
"""fsspec's memory is one of the process, and so is its lock. It looks at its files more
than once in a call, and is confused when another thread removes one between."""


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

        with translated(path), self.lock(path):
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
        return None if found is None else RemoteFile(self, path, found)

    def fetch(self, path: str, start: int, length: int, found: Found) -> bytes:
        """Exactly these bytes. Raises `Moved` when they are not there any more."""
        # None spares ftp a reset, and tells a file that is longer now
        end = start + length if start + length < found.size else None

        def part(fs: Any, at: str) -> bytes:
            if is_sftp(fs):
                with fs.open(at, "rb") as file:
                    now = file.stat()  # of what was opened, whatever has its name by now
                    if (now.st_size, now.st_mtime * 1000) != (found.size, found.modified):
                        raise Moved(key=path)
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
        return Spooled(self, path)

    def lock(self, path: str) -> AbstractContextManager[None]:
        return _held() if self.way == "memory" else nullcontext()

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


@contextmanager
def _held() -> Iterator[None]:
    with _MEMORY:
        yield


def _node(info: dict[str, Any], folder: str) -> Node | None:
    """None for the folder itself, which object stores list too, and for links."""
    path = str(info["name"]).rstrip("/")
    if path.strip("/") == folder.strip("/") or info["type"] not in ("directory", "file"):
        return None
    return Node(path.rpartition("/")[2], info["type"] == "directory", info)
