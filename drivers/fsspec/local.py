"""`file://`: a folder of this machine, by the operating system's own calls.

fsspec's local file system has no fsync, no exclusive creation and no look at
an open file, so this does not go through it. A write is durable when it
returns: draft written and synced, sidecar written and synced, moved into its
place, folder synced.

**Links**: a symbolic link to a regular file inside the tree is served as that
file; any other link (out of the tree, to a folder, to nothing) is as if it were
not there, and nothing is read or written behind a folder that is one. What
replaces a link replaces it, not its target.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from drivers.fsspec import files, paths
from drivers.fsspec.drafts import LocalDraft, replace
from drivers.fsspec.failures import translated
from drivers.fsspec.stripes import Stripes
from drivers.fsspec.tree import Draft, Found, Handle, Node, Tree
from gateway.common import open_files
from gateway.storage import BadKey, Busy, Conflict, NoSuchKey

_FILE = "a file, and no link"
_OPEN = "Another program has the file open."
_AGAIN = 20
"""Times that a folder may vanish before a file is in it."""


class LocalTree(Tree):
    """`root` is there. Raises `ValueError` when it is not."""

    def __init__(self, root: str) -> None:
        self._root = os.path.realpath(root)
        if not os.path.isdir(self._root):
            raise ValueError(f"there is no folder {root}")
        self._inside = self._root.rstrip(os.sep) + os.sep
        self._own = self._at(paths.HIDDEN)
        self._stripes = Stripes(Path(self._at(paths.LOCKS)))
        self.windows = sys.platform == "win32"
        self._folds = sys.platform in ("win32", "darwin")
        """The file system takes names for the same that differ in case, or in form."""

    def _at(self, path: str) -> str:
        """The one place where a path of the machine is made of a checked one."""
        return self._inside + path.replace("/", os.sep)

    def _place(self, path: str) -> tuple[str, str] | None:
        """(its folder, itself); None when a link or another spelling leads there."""
        at = self._at(path)
        folder = os.path.dirname(at)
        if self._linked(folder) or (self._folds and not self._spelled(path)):
            return None
        return folder, at

    def _linked(self, folder: str) -> bool:
        """Whether a folder of the tree, or one above it, is a link."""
        if self.windows:  # which has more kinds of them
            return os.path.realpath(folder) != folder
        while len(folder) > len(self._root):
            if os.path.islink(folder):
                return True
            folder = os.path.dirname(folder)
        return False

    def _spelled(self, path: str) -> bool:
        """Whether all that is there of a path has exactly these names."""
        folder = self._root
        for name in path.split("/"):
            here = os.path.join(folder, name)
            if os.path.lexists(here) and name not in os.listdir(folder):
                return False
            folder = here
        return True

    def _target(self, at: str) -> str | None:
        """The file itself, or what a link to it leads to when that is in the tree."""
        if not os.path.islink(at):
            return at
        real = os.path.realpath(at)
        owned = real == self._own or real.startswith(self._own + os.sep)
        return real if real.startswith(self._inside) and not owned else None

    # reading

    def stat(self, path: str) -> Found | None:
        with translated(path):
            place = self._place(path)
            at = self._target(place[1]) if place else None
            return files.stat(at) if at else None

    def open(self, path: str) -> Handle | None:
        with translated(path):
            place = self._place(path)
            at = self._target(place[1]) if place else None
            return files.open_file(at) if at else None

    def scan(self, folder: str) -> Iterable[Node]:
        at = self._at(folder).rstrip(os.sep) or os.sep
        with translated(folder):
            if self._linked(at) or (folder and self._folds and not self._spelled(folder[:-1])):
                return []
            try:
                with os.scandir(at) as entries:
                    return [node for entry in entries if (node := _node(entry)) is not None]
            except (FileNotFoundError, NotADirectoryError):
                return []

    def found(self, folder: str, node: Node) -> Found | None:
        with translated(folder + node.name):
            at = self._at(folder + node.name)
            real = at if node.about is _FILE else self._target(at)
            return files.stat(real) if real else None

    def occupied(self, folder: str) -> bool:
        """Exact: it looks until it meets a file, which is in the first folder nearly always."""
        waiting = [folder]
        while waiting:
            here = waiting.pop()
            for node in self.scan(here):
                if not paths.fits(node.name, at_root=not here, windows=self.windows):
                    continue
                if node.folder:
                    waiting.append(f"{here}{node.name}/")
                elif self.found(here, node) is not None:
                    return True
        return False

    # writing

    def draft(self, path: str) -> Draft:
        with translated(path):
            return LocalDraft(self._new_draft(), path, self.move)

    @contextmanager
    def lock(self, path: str) -> Iterator[None]:
        with ExitStack() as held:
            with translated(path):
                held.enter_context(self._stripes.hold(path))
            yield

    def move(self, draft: str, path: str) -> None:
        """Move a draft to its path, and make that durable."""
        for _ in range(_AGAIN):
            try:
                files.make_folders(os.path.dirname(self._at(path)))
                place = self._place(path)
                if place is None:
                    raise BadKey(
                        "A link, or a file whose name differs in case, is in the way.", key=path
                    )
                replace(draft, place[1])
                files.sync_folder(place[0])
            except FileNotFoundError:  # the folder was empty, and removed meanwhile
                continue
            except PermissionError as error:
                if open_files.says(error, open_files.DENIED):
                    raise Busy(_OPEN, key=path) from error
                raise
            return
        if self.windows:  # which says so of a path that is too long, too
            raise BadKey("The path is longer than Windows is set to allow.", key=path)
        raise Conflict(key=path)

    def remove(self, path: str) -> None:
        with translated(path):
            place = self._place(path)
            if place is None:
                raise NoSuchKey(key=path)
            folder, at = place
            try:
                open_files.patiently(open_files.HELD, os.unlink, at)
            except PermissionError as error:
                if open_files.says(error, open_files.HELD):
                    raise Busy(_OPEN, key=path) from error
                raise
            for above in paths.above(path):
                try:
                    os.rmdir(self._at(above))
                except OSError:  # it is not empty, or not ours to remove
                    break
                folder = os.path.dirname(folder)
            with suppress(FileNotFoundError):
                files.sync_folder(folder)

    # the gateway's own files

    def own(self, path: str) -> str:
        """The place of a file of the gateway's own, its folder made."""
        at = self._at(path)
        folder = os.path.dirname(at)
        if not os.path.isdir(folder):
            files.make_folders(folder, 0o700)
        return at

    def _new_draft(self) -> str:
        return self.own(f"{paths.DRAFTS}/{token_hex(16)}")

    def load(self, path: str) -> bytes | None:
        with translated(path):
            try:
                return open_files.read(self._at(path))
            except FileNotFoundError:
                return None

    def save(self, path: str, data: bytes, *, new: bool) -> bool:
        with translated(path):
            at = self.own(path)
            written = at if new else self._new_draft()
            if not files.write_new(written, data):
                return False
            if not new:
                open_files.replace(written, at)
            files.sync_folder(os.path.dirname(at))
            return True

    def erase(self, path: str) -> None:
        with translated(path):
            open_files.remove(self._at(path))

    def sweep(self, before: int) -> None:
        with suppress(FileNotFoundError), os.scandir(self._at(paths.DRAFTS)) as entries:
            for entry in entries:
                with suppress(OSError):  # it is in its place by now, or open (Windows)
                    if entry.stat().st_mtime_ns // 1_000_000 < before:
                        os.unlink(entry.path)

    def probe(self) -> tuple[str, ...]:
        with translated(""), os.scandir(self._root) as entries:
            next(entries, None)
        return () if os.access(self._root, os.W_OK) else ("The gateway may not write there.",)

    def close(self) -> None:
        self._stripes.close()


def _node(entry: os.DirEntry[str]) -> Node | None:
    if entry.is_dir(follow_symlinks=False):
        return Node(entry.name, folder=True)
    if entry.is_file(follow_symlinks=False):
        return Node(entry.name, False, _FILE)
    return Node(entry.name, False) if entry.is_symlink() else None
