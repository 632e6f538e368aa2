"""How often somebody may try to sign in.

So many attempts that failed are allowed in a time, from an address and for a key, whether there
is one of that id or not; then nothing is compared any more until the first of them is so old.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

WINDOW = 300.0
"""Seconds."""
FROM_ADDRESS = 10
FOR_KEY = 50
"""More than from an address: else a stranger keeps out whose key it is."""

_KNOWN = 20_000
"""Addresses and ids that are remembered; those with the oldest failures are forgotten first."""


class Attempts:
    """`clock` gives milliseconds."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._failed: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    def wait(self, address: str, key: str) -> int:
        """Seconds until the next attempt; 0: now."""
        with self._lock:
            now = self._clock() / 1000
            waits = [self._wait(place, most, now) for place, most in _places(address, key)]
        return max(waits)

    def failed(self, address: str, key: str) -> None:
        with self._lock:
            for place, most in _places(address, key):
                times = self._failed.pop(place, None) or deque(maxlen=most)
                times.append(self._clock() / 1000)
                self._failed[place] = times
            while len(self._failed) > _KNOWN:
                self._failed.popitem(last=False)

    def _wait(self, place: tuple[str, str], most: int, now: float) -> int:
        times = self._failed.get(place)
        if times is None or len(times) < most:
            return 0
        left = times[0] + WINDOW - now
        return max(0, -int(-left // 1))


def _places(address: str, key: str) -> tuple[tuple[tuple[str, str], int], ...]:
    return (("address", network(address)), FROM_ADDRESS), (("key", key), FOR_KEY)


def network(address: str) -> str:
    """Who has one address of IPv6 has all of its /64."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    return str(IPv6Address(int(found) >> 64 << 64)) if isinstance(found, IPv6Address) else address
