"""A loop over connections, at a cost that does not grow with those that rest.

What a connection wants changes when something comes from it, while a request of it
is in work, and while an answer waits to be sent. So only such ones are asked;
the others stay registered, for reading. Measured: to ask each connection at each turn,
400 that stand still took half of the throughput.
"""

from __future__ import annotations

import selectors
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from heapq import heappop, heappush
from typing import Generic, TypeVar

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE

C = TypeVar("C")


class EventLoop(ABC, Generic[C]):
    """`channels` are asked and told by descriptor. All calls are made in one thread."""

    def __init__(self, channels: Mapping[int, C]) -> None:
        self._channels = channels
        self._selector = selectors.DefaultSelector()
        self._wanted: dict[int, int] = {}
        self._asked = set(channels)
        self._paused: dict[tuple[int, int], float] = {}
        self._ends: list[tuple[float, int, int]] = []

    @abstractmethod
    def wanted(self, channel: C) -> int:
        """`READ`, `WRITE`, both or 0."""

    @abstractmethod
    def rests(self, channel: C) -> bool:
        """Whether it will want what it wants now until something comes from it."""

    @abstractmethod
    def read(self, channel: C) -> None:
        """It can be read from."""

    @abstractmethod
    def write(self, channel: C) -> None:
        """It can be written to."""

    def add(self, number: int) -> None:
        self._asked.add(number)

    def remove(self, number: int) -> None:
        """Before the descriptor is closed: the next connection may get the same."""
        self._asked.discard(number)
        for event in (READ, WRITE):
            self._paused.pop((number, event), None)
        if self._wanted.pop(number, 0):
            self._selector.unregister(number)

    def pause(self, number: int, seconds: float, event: int = READ) -> None:
        """Do that no sooner than then: it is ready, and nothing can be done about it, or is to
        be. Nobody is asked for it meanwhile."""
        until = self._paused[number, event] = time.monotonic() + seconds
        heappush(self._ends, (until, number, event))

    def turn(self, timeout: float) -> None:
        if self._ends:
            self._end_pauses()
        for number in list(self._asked):
            self._ask(number)
        if self._ends:  # also those that began just now
            timeout = min(timeout, max(0.0, self._ends[0][0] - time.monotonic()))
        for key, events in self._selector.select(timeout):
            found = self._channels.get(key.fd)
            self._asked.add(key.fd)
            if found is not None and events & READ:
                self.read(found)
            if found is not None and found is self._channels.get(key.fd) and events & WRITE:
                self.write(found)

    def _end_pauses(self) -> None:
        now = time.monotonic()
        while self._ends and self._ends[0][0] <= now:
            until, number, event = heappop(self._ends)
            if self._paused.get((number, event)) == until:  # else it is paused anew, or is gone
                del self._paused[number, event]
                self._asked.add(number)

    def close(self) -> None:
        self._selector.close()

    def _ask(self, number: int) -> None:
        channel = self._channels.get(number)
        if channel is None:
            self.remove(number)
            return
        wanted = self.wanted(channel)
        if self._paused:
            for event in (READ, WRITE):
                if (number, event) in self._paused:
                    wanted &= ~event
        self._want(number, wanted)
        if self.rests(channel) if wanted == READ else not wanted and self._is_paused(number):
            self._asked.discard(number)

    def _is_paused(self, number: int) -> bool:
        return (number, READ) in self._paused or (number, WRITE) in self._paused

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
