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

from collections.abc import Iterable
from contextlib import suppress
from secrets import token_hex
from typing import Any

from drivers.fsspec import paths
from drivers.fsspec.calls import RemoteCalls
from drivers.fsspec.details import found_of
from drivers.fsspec.transfers import RemoteFile, Spooled
from drivers.fsspec.tree import Draft, Found, Handle, Node
from gateway.storage import BadKey, NoSuchKey, StorageError


class RemoteTree(RemoteCalls):
    # reading

    def open(self, path: str) -> Handle | None:
        found = self.stat(path)
        return None if found is None else RemoteFile(self, path, found)

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


def _node(info: dict[str, Any], folder: str) -> Node | None:
    """None for the folder itself, which object stores list too, and for links."""
    path = str(info["name"]).rstrip("/")
    if path.strip("/") == folder.strip("/") or info["type"] not in ("directory", "file"):
        return None
    return Node(path.rpartition("/")[2], info["type"] == "directory", info)
