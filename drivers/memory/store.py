"""The `memory` driver. All its services share one space, in this process only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from drivers.indexed.cipher import Sealing
from drivers.indexed.space import MemorySpace
from drivers.indexed.store import IndexedStore
from gateway.storage import Context
from gateway.storage.options import Size

_PLACE = ("space", "memory")


@dataclass(eq=False)
class Memory(IndexedStore):
    """`keep_versions` holds for a declared service; buckets are switched by their users."""

    driver: ClassVar[str] = "memory"
    shared: ClassVar[bool] = False

    keep_versions: Literal["forever", "off"] = "forever"
    quota: Annotated[int, Size] | None = None

    def open(self, context: Context) -> None:
        space = context.shared.take(_PLACE, lambda: MemorySpace(context.clock))
        self._shared = context.shared
        self.attach(space, 0, Sealing(context.master_key, context.key_service))
        if context.sid:
            keep = self.keep_versions == "forever"
            self.service = self.declare(context.sid, keep=keep, quota=self.quota)

    def close(self) -> None:
        if hasattr(self, "_shared"):
            self._shared.release(_PLACE)
            del self._shared
