"""The `local` driver. All services of a folder share its space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from drivers.indexed import belonging, compression
from drivers.indexed.cipher import Sealing
from drivers.indexed.expiring import check
from drivers.indexed.reading import Verify
from drivers.indexed.replica.options import ReplicaOf
from drivers.indexed.space import FileSpace
from drivers.indexed.store import IndexedStore
from drivers.indexed.upkeep import forget_changes, forget_uploads, orphans, remove_due
from drivers.indexed.writing import INLINE_LIMIT
from gateway.storage import Context, Jobs, Place
from gateway.storage.options import Duration, Size


@dataclass(eq=False)
class Local(IndexedStore):
    """Objects on this machine's disk.

    `folder`: another one than the gateway's data folder, with nothing else in it.
    `inline_limit`: objects up to this size lie in the index, larger ones in files.
    `durability`: "process" leaves writes to the operating system: they survive a crash of the
        gateway, and no power cut.
    `verify`: "scrub" checks blocks when they are scrubbed, and not each time they are read; with
        "always" no server sends by itself what was checked before.
    `keep_removed`: so long files stay that no object needs any more, so that they can be copied.
    """

    driver: ClassVar[str] = "local"

    folder: Path | None = None
    inline_limit: Annotated[int, Size] = INLINE_LIMIT
    durability: Literal["power", "process"] = "power"
    verify: Verify = "read"
    compress: Literal["none", "zstd"] = "none"
    keep_versions: Literal["forever", "off"] | Annotated[float, Duration] = "forever"
    quota: Annotated[int, Size] | None = None
    case_sensitive: bool = True
    replica_of: ReplicaOf | None = None
    keep_removed: Annotated[float, Duration] = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.inline_limit <= INLINE_LIMIT:
            raise ValueError(f"inline_limit is between 0 and {INLINE_LIMIT} bytes")
        check(self.keep_versions, self.replica_of, case_sensitive=self.case_sensitive)
        if self.compress == "zstd":
            compression.require()

    def places(self, folder: Path | None, sid: str) -> tuple[Place, ...]:
        place = self.folder or folder
        if place is None:
            return ()
        # The data folder has things of the gateway's in it before there is an index.
        known = () if self.folder in (None, folder) else belonging.KNOWN
        terms = (("durability", self.durability), ("keep_removed", self.keep_removed))
        return (Place(folder=place, owner=belonging.OBJECTS, known=known, terms=terms),)

    def open(self, context: Context) -> None:
        folder = self.folder or context.folder
        if folder is None:
            raise ValueError("the local driver needs a data folder")
        self._shared, self._place = (
            context.shared,
            (
                "space",
                folder.resolve(),
                self.durability,
                self.keep_removed,
            ),
        )
        sync, keep = self.durability == "power", round(self.keep_removed * 1000)

        def make() -> FileSpace:
            belonging.claim(folder, belonging.OBJECTS, "objects")
            space = FileSpace(folder, context.clock, sync=sync, keep=keep, reserve=True)
            return _with_upkeep(space, context.jobs)

        space = context.shared.take(self._place, make)
        try:
            self.attach(
                space,
                0,
                Sealing(context.master_key, context.key_service),
                inline_limit=self.inline_limit,
                verify=self.verify,
                compress=self.compress == "zstd",
            )
            self.open_declared(context, self.keep_versions, self.quota, self.replica_of)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self.close_declared()
        if hasattr(self, "_place"):
            self._shared.release(self._place)
            del self._place


def _with_upkeep(space: FileSpace, jobs: Jobs) -> FileSpace:
    """The space, with jobs behind it for as long as it is open."""
    work: dict[str, tuple[float, Callable[[], object]]] = {
        "removals": (60, lambda: remove_due(space)),
        "orphans": (6 * 3600, lambda: orphans(space)),
        "uploads": (3600, lambda: forget_uploads(space)),
        "changes": (600, lambda: forget_changes(space)),
    }
    for name, (interval, step) in work.items():
        job = f"{name} {space.folder.resolve()}"  # two folders may have the same last name
        jobs.add(job, interval, step)
        space.before_close.append(partial(jobs.remove, job))
    return space
