"""What is asked of a remote file system, a call each; trees and transfers are made of these.

Every call goes through the pool, under the tree's lock of its path where it has
one, and what a file system raises is the contract's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from threading import RLock
from typing import Any, Literal, NamedTuple, TypeVar

from drivers.fsspec import internals, paths
from drivers.fsspec.details import found_of
from drivers.fsspec.failures import translated
from drivers.fsspec.pool import Pool
from drivers.fsspec.tree import Found, Moved, Tree
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


class RemoteCalls(Tree):
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

    def _info(self, path: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self.run(path, lambda fs, at: fs.info(at, **self.wait))
        except (NoSuchKey, BadKey):
            return None
        return found

    def stat(self, path: str) -> Found | None:
        info = self._info(path)
        return None if info is None else found_of(info)

    def fetch(self, path: str, start: int, length: int, found: Found) -> bytes:
        """Exactly these bytes. Raises `Moved` when they are not there any more."""
        # None spares ftp a reset, and tells a file that is longer now
        end = start + length if start + length < found.size else None

        def part(fs: Any, at: str) -> bytes:
            if internals.is_sftp(fs):
                with fs.open(at, "rb") as file:
                    if internals.sftp_status(file) != (found.size, found.modified):
                        raise Moved(key=path)
                    return internals.sftp_read(file, start, length)
            return bytes(fs.cat_file(at, start=start, end=end, **self.wait))

        data = self.run(path, part)
        if len(data) != length:
            raise Moved(key=path)
        return data

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

    def make_drafts(self) -> None:
        self.run(paths.DRAFTS, lambda fs, at: fs.makedirs(at, exist_ok=True))

    def erase(self, path: str) -> None:
        with suppress(NoSuchKey):
            self.run(path, lambda fs, at: fs.rm_file(at, **self.wait), again=False)

    def close(self) -> None:
        self._pool.close()


@contextmanager
def _held() -> Iterator[None]:
    with _MEMORY:
        yield
