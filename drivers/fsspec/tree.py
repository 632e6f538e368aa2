"""What the driver asks of a file system: files below a root, by relative paths with "/".

Two answer: `local.LocalTree` and `remote.RemoteTree`. Paths come from
`paths.check` or are the gateway's own (`paths.HIDDEN`). Errors are the
contract's; a file that is not there is None.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from gateway.storage import Conflict, Readable


class Found(NamedTuple):
    """A file as it is now. `modified` is in ms. `etag` is its MD5 or has a `-` in it.

    `token` changes whenever the file does, as far as the file system tells: it
    is what a sidecar belongs to. Letters, digits, `-` and `_` only.
    """

    size: int
    modified: int
    etag: str
    token: str


class Node(NamedTuple):
    """A name in a folder. `about` is what the tree knows of it already."""

    name: str
    folder: bool
    about: Any = None


class Moved(Conflict):
    """The file was replaced between looking and reading: look again."""

    message = "The file is changing while it is read."


class Handle(ABC):
    """A file to be read. Exactly one of `body` and `close` is called."""

    found: Found

    @abstractmethod
    def body(self, start: int, length: int) -> Readable:
        """Those bytes of the file that `found` describes, or an error before their end.

        Raises `Moved` when there is another file by now.
        """

    def close(self) -> None:
        """Nothing is read."""


class Draft(AbstractContextManager["Draft"]):
    """A file while it comes. Leaving the context without `commit` leaves nothing behind."""

    @abstractmethod
    def write(self, piece: bytes) -> None: ...

    @abstractmethod
    def finish(self) -> Found | None:
        """All bytes have come. What the file will be, where that is known before it is
        in its place; it is called again when that is not to be used: then another."""

    @abstractmethod
    def commit(self) -> Found:
        """Put it in its place, in one step. Raises `BadKey` where a folder or file is in
        the way. Called under the tree's `lock` of its path."""


class Tree(ABC):
    writes: bool = True
    """False: nothing can be replaced in one step here, so nothing is written."""

    conditional: bool = True
    """`lock` keeps out all other writers of the gateway, in all processes."""

    exclusive: bool = True
    """`save` with `new` never overwrites."""

    windows: bool = False
    """Names must be such as Windows takes."""

    def refusal(self, path: str) -> str:
        """Why this file system has no file of that path, beyond `paths.check`; or ""."""
        return ""

    @abstractmethod
    def stat(self, path: str) -> Found | None: ...

    @abstractmethod
    def open(self, path: str) -> Handle | None: ...

    @abstractmethod
    def draft(self, path: str) -> Draft: ...

    @abstractmethod
    def remove(self, path: str) -> None:
        """Remove the file, and the folders above it that are empty then."""

    @abstractmethod
    def lock(self, path: str) -> AbstractContextManager[None]:
        """One writer of `path` at a time."""

    @abstractmethod
    def scan(self, folder: str) -> Iterable[Node]:
        """What is in a folder ("" is the root, else it ends in "/"), in any order;
        nothing when there is no such folder."""

    @abstractmethod
    def found(self, folder: str, node: Node) -> Found | None:
        """A file that `scan` gave; None when it is none that is served."""

    def occupied(self, folder: str) -> bool:
        """Whether there is a file below it, as far as it costs little to know."""
        return True

    @abstractmethod
    def load(self, path: str) -> bytes | None:
        """A small file of the gateway's own."""

    @abstractmethod
    def save(self, path: str, data: bytes, *, new: bool) -> bool:
        """Write one, in one step. `new`: only where none is; False when one was there
        (as far as the tree is `exclusive`)."""

    @abstractmethod
    def erase(self, path: str) -> None:
        """Remove one. What is not there is fine."""

    def sweep(self, before: int) -> None:
        """Remove drafts that nobody has touched since `before` (ms)."""

    @abstractmethod
    def probe(self) -> tuple[str, ...]:
        """Read something of the root; sentences about what may surprise."""

    def close(self) -> None:
        """May be called twice."""
