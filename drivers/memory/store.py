"""The `memory` driver. All its services share one space, in this process only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from drivers.indexed.space import MemorySpace
from drivers.indexed.store import IndexedStore
from gateway.storage import Context

_PLACE = ("space", "memory")


@dataclass(eq=False)
class Memory(IndexedStore):
    """`keep_versions` holds for a declared service; buckets are switched by their users."""

    driver: ClassVar[str] = "memory"
    shared: ClassVar[bool] = False

    keep_versions: Literal["forever", "off"] = "forever"

    def open(self, context: Context) -> None:
        space = context.shared.take(_PLACE, lambda: MemorySpace(context.clock))
        self._shared = context.shared
        self.attach(space, 0, context.master_key)
        if context.sid:
            self.service = self.declare(context.sid, keep=self.keep_versions == "forever")

    def close(self) -> None:
        if hasattr(self, "_shared"):
            self._shared.release(_PLACE)
            del self._shared
