"""What a cache consists of while it is open: passed to what works for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from drivers.cache.eviction import Evictor
from drivers.cache.freshness import Freshness
from drivers.cache.hot import Hot
from drivers.cache.marks import Marks
from drivers.cache.places import Fills
from drivers.cache.stock import Stock
from gateway.storage import Store


@dataclass(slots=True, kw_only=True)
class CacheContext:
    """`holder` names this process to the other workers; `died` says of one of those that it
    is gone."""

    source: Store
    stock: Stock
    marks: Marks
    freshness: Freshness
    room: Evictor
    hot: Hot
    holder: str
    clock: Callable[[], int]
    died: Callable[[str], bool]
    fills: Fills = field(init=False)
    spoiled: set[int] = field(default_factory=set)
    """Ids of entries whose bytes turned out to be wrong: who reads one is broken off."""
    unsettled: bool = False
    """It was told that what the source says of some objects cannot be had in full."""
