"""waitress's loop, at a cost that does not grow with the connections that rest.

waitress asks each connection at each turn whether it wants to read or to
write. Measured: 400 that stand still take half of the throughput. What a
connection wants changes when something comes from it, while a request of it
is in work, and while an answer waits to be sent. So only such ones are asked;
the others stay registered, for reading.
"""

from __future__ import annotations

import selectors
import time
from typing import Any

from waitress import wasyncore


class Loop:
    """`channels` are waitress's, by descriptor. All calls are made in one thread."""

    def __init__(self, channels: dict[int, Any]) -> None:
        self._channels = channels
        self._selector = selectors.DefaultSelector()
        self._wanted: dict[int, int] = {}
        self._asked = set(channels)
        self._always = frozenset(channels)
        self._paused: dict[int, float] = {}

    def add(self, number: int) -> None:
        self._asked.add(number)

    def remove(self, number: int) -> None:
        """Before the descriptor is closed: the next connection may get the same."""
        self._asked.discard(number)
        if self._wanted.pop(number, 0):
            self._selector.unregister(number)

    def pause(self, number: int, seconds: float) -> None:
        """Look at it no sooner than then: it is ready, and nothing can be done about it."""
        self._paused[number] = time.monotonic() + seconds

    def turn(self, timeout: float) -> None:
        if self._paused:
            timeout = min(timeout, self._until_pauses_end())
        for number in list(self._asked):
            self._ask(number)
        for key, events in self._selector.select(timeout):
            found = self._channels.get(key.fd)
            self._asked.add(key.fd)
            if found is not None and events & selectors.EVENT_READ:
                wasyncore.read(found)
            if found is self._channels.get(key.fd) and events & selectors.EVENT_WRITE:
                wasyncore.write(found)

    def _until_pauses_end(self) -> float:
        now = time.monotonic()
        self._paused = {one: until for one, until in self._paused.items() if until > now}
        return min(self._paused.values(), default=now) - now

    def close(self) -> None:
        self._selector.close()

    def _ask(self, number: int) -> None:
        channel = self._channels.get(number)
        if channel is None:
            self.remove(number)
            return
        reads = number not in self._paused and channel.readable()
        wanted = selectors.EVENT_READ if reads else 0
        if channel.writable() and not channel.accepting:
            wanted |= selectors.EVENT_WRITE
        self._want(number, wanted)
        if wanted == selectors.EVENT_READ and number not in self._always and not channel.requests:
            self._asked.discard(number)

    def _want(self, number: int, wanted: int) -> None:
        before = self._wanted.get(number, 0)
        if wanted == before:
            return
        self._wanted[number] = wanted
        if not wanted:
            self._selector.unregister(number)
        elif before:
            self._selector.modify(number, wanted)
        else:
            self._selector.register(number, wanted)
