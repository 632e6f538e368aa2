"""What a cache counts for who watches the gateway."""

from __future__ import annotations

from collections import Counter

from drivers.cache import Cache
from drivers.memory import Memory
from gateway.storage import BytesBody, Context, Put, pieces
from gateway.telemetry.families import COUNTERS
from gateway.testing.faults import noise
from tests.layers.origin import until


class Counted:
    """Meters that are looked at."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()

    def add(self, name: str, amount: float = 1, *labels: str) -> None:
        assert labels == ("c",)
        assert len(labels) == len(COUNTERS[name].labels)
        self.seen[name] += amount  # type: ignore[assignment]  # seconds are no integers


def test_fills_and_what_makes_room_are_counted() -> None:
    meters, origin = Counted(), Memory(keep_versions="off")
    origin.open(Context(sid="origin"))
    cache = Cache(source=origin, space="memory", max_size=400_000)
    cache.open(Context(sid="c", meters=meters))
    try:
        for number in range(5):
            data = noise(100_000, str(number))
            origin.put(f"{number}", BytesBody(data), Put(size=len(data)))
            for _ in range(2):
                with cache.get(f"{number}") as opened:
                    assert b"".join(pieces(opened.body)) == data
            until(lambda: not len(cache._fills))
        assert meters.seen["gateway_cache_fills"] == 5
        assert meters.seen["gateway_cache_fill_seconds"] > 0
        until(lambda: meters.seen["gateway_cache_evicted_bytes"] >= 100_000)
    finally:
        cache.close()
        origin.close()
