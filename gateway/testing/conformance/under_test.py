"""What an author fills in: how the driver under test is made, and what may be expected of it.

A capability that the store does not `find`, and an option that it refuses with
`Unsupported`, skips a test and says so. A driver that is meant to have all
names in `lacks` what it has not: then any other skip is a failure.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from gateway.storage import BytesBody, Context, Put, Store, Writable


class DriverUnderTest:
    """Its attributes say what may be expected."""

    case_sensitive: ClassVar[bool] = True
    """Keys that differ by case alone are objects of their own (`Store.case_sensitive`)."""

    durable: ClassVar[bool] = True
    """What was written is there when another store opens the same folder."""

    processes: ClassVar[bool] = True
    """Several processes may have it open at once."""

    flat_memory: ClassVar[bool] = True
    """Large bodies pass through it. False for a store that keeps them in memory."""

    keeps_parts: ClassVar[bool] = True
    """An object uploaded in parts remembers them: S3's `-N` ETag, reading one part."""

    keeps_versioning: ClassVar[bool] = True
    """The versioning state that was set is there after reopening. False where the
    configuration sets it again."""

    exact_times: ClassVar[bool] = True
    """A put tells the time that a stat tells. False where it learns it to a second or two
    only, because its upstream does not say."""

    tells_existed: ClassVar[bool] = True
    """A delete tells whether there was something. False where its upstream does not say."""

    knows_unchanged: ClassVar[bool] = True
    """A `NotModified` says all of the object. False where an origin tells its tag only."""

    forgets: ClassVar[frozenset[str]] = frozenset()
    """Of "owner" and "checksums" what it has no place for, and takes without keeping it."""

    lacks: ClassVar[frozenset[str] | None] = None
    """Capabilities, and fields of `Put`, that the store is known not to have. Tests of such a
    capability are skipped before a store is made; one that has it all the same fails."""

    def make(self, folder: Path, sid: str) -> Store:
        """A store that is not open yet, over all that was kept as `sid` in `folder`.

        The kit opens it with a `Context` of both, and closes it. With a `sid`
        that was not there before it is empty.
        """
        raise NotImplementedError

    def open(self, context: Context) -> Store:
        """An open store. Override it for one that is not opened by itself."""
        assert context.folder is not None
        store = self.make(context.folder, context.sid)
        store.open(context)
        return store

    def close(self, store: Store) -> None:
        store.close()

    def seed(self, store: Store, key: str, data: bytes) -> None:
        """Put an object where `store` finds it. Override it for a store that only reads."""
        writable = store.find(Writable)
        assert writable is not None, "override seed(): the store is not Writable"
        writable.put(key, BytesBody(data), Put(size=len(data)))

    def raw(self, folder: Path) -> Iterator[bytes]:
        """All bytes that are kept, as a thief of the disk finds them."""
        for path in folder.rglob("*"):
            if path.is_file():
                yield path.read_bytes()
