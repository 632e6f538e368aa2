"""The `memory` driver. All its services share one space, in this process only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from drivers.indexed import compression
from drivers.indexed.cipher import Sealing
from drivers.indexed.expiring import check
from drivers.indexed.replica.options import ReplicaOf
from drivers.indexed.space import MemorySpace
from drivers.indexed.store import IndexedStore
from gateway.storage import Context
from gateway.storage.options import Duration, Size

_PLACE = ("space", "memory")


@dataclass(eq=False)
class Memory(IndexedStore):
    """Objects in the memory of one process."""

    driver: ClassVar[str] = "memory"
    shared: ClassVar[bool] = False

    compress: Literal["none", "zstd"] = "none"
    keep_versions: Literal["forever", "off"] | Annotated[float, Duration] = "forever"
    quota: Annotated[int, Size] | None = None
    case_sensitive: bool = True
    replica_of: ReplicaOf | None = None

    def __post_init__(self) -> None:
        check(self.keep_versions, self.replica_of, case_sensitive=self.case_sensitive)
        if self.compress == "zstd":
            compression.require()

    def open(self, context: Context) -> None:
        space = context.shared.take(_PLACE, lambda: MemorySpace(context.clock))
        self._shared = context.shared
        try:
            sealing = Sealing(context.master_key, context.key_service)
            self.attach(space, 0, sealing, compress=self.compress == "zstd")
            self.open_declared(context, self.keep_versions, self.quota, self.replica_of)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self.close_declared()
        if hasattr(self, "_shared"):
            self._shared.release(_PLACE)
            del self._shared
