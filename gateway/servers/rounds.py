"""One configuration on its way to all workers of a parent: each opens it beside what it
serves, and when all have, all take it over. When one cannot, all discard it.

An order goes to a worker through a pipe of its own, as (number, `open` | `serve` |
`discard`, message), and is answered by one note with its number. A worker that dies before
it was told to serve it is as one that cannot; one that dies later is replaced by one that
has the new configuration.
"""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from itertools import count
from multiprocessing.connection import Connection
from typing import Any, Literal

from gateway.servers import CannotServe

Order = Literal["open", "serve", "discard"]

PATIENCE = 60.0
"""Seconds in which all workers must have opened it, and again in which they must serve it."""


_numbers = count(1)


class Round:
    """`wait` is for who asked; all else for the parent's loop, in one thread."""

    def __init__(self, message: object, load: Callable[..., Any]) -> None:
        self.load = load
        self._message, self._done = message, threading.Event()
        self._reason = ""
        self._order: Order | None = None
        self._number = 0
        self._orders: dict[int, Connection] = {}
        self._asked: set[int] = set()
        self._until: float | None = None

    def wait(self) -> None:
        """Until it is over. Raises `CannotServe`."""
        self._done.wait()
        if self._reason:
            raise CannotServe(self._reason)

    @property
    def over(self) -> bool:
        return self._done.is_set()

    @property
    def begun(self) -> bool:
        """Whether workers have been told of it."""
        return self._order is not None

    @property
    def accepted(self) -> bool:
        """Whether it is to be served from now on, by whoever begins to."""
        return self._order == "serve"

    def left(self, now: float) -> float:
        """Seconds until it must be looked at again."""
        return 0.0 if self._until is None else max(0.0, self._until - now)

    def heard(self, process: int, number: int, reason: str) -> None:
        """A worker has carried out the order, or says why it cannot."""
        if number == self._number:
            self._asked.discard(process)
            if self._order == "open":
                self._reason = self._reason or reason

    def go_on(self, living: Mapping[int, Connection], serving: Collection[int], now: float) -> None:
        """`living` are all workers, `serving` those that have been loaded."""
        if self._until is None:
            self._until = now + PATIENCE
        if self._order is None:
            self._begin(living, serving, now)
            return
        dead = self._orders.keys() - living.keys()
        if dead and self._order == "open":
            self._reason = self._reason or "A worker ended while it opened it."
        self._asked -= dead
        if self._order == "open" and now >= self._until and self._asked:
            self._reason = self._reason or f"A worker has not opened it within {PATIENCE:.0f} s."
        if self._order == "open" and self._reason:
            self._say("discard", now)
            self._done.set()
        elif self._order == "open" and not self._asked:
            self._say("serve", now)
        elif self._order == "serve" and (not self._asked or now >= self._until):
            self._done.set()

    def _begin(
        self, living: Mapping[int, Connection], serving: Collection[int], now: float
    ) -> None:
        """When all have been loaded: one that has not, listens to no order."""
        if living and all(one in serving for one in living):
            self._orders = dict(living)
            self._say("open", now, self._message)
        elif self._until is not None and now >= self._until:
            self.give_up("A worker is starting, and has not begun to serve.")

    def _say(self, order: Order, now: float, message: object = None) -> None:
        """A pipe holds less than a long message: nobody waits here for a worker to take it."""
        self._order, self._until, self._asked = order, now + PATIENCE, set(self._orders)
        self._number = next(_numbers)
        data = pickle.dumps((self._number, order, message))
        for one in self._orders.values():
            threading.Thread(target=_send, args=(one, data), name="order", daemon=True).start()

    def give_up(self, reason: str) -> None:
        if not self.over:
            self._reason = reason
            self._done.set()


def _send(connection: Connection, data: bytes) -> None:
    with suppress(OSError):  # a worker that died is missed by its parent
        connection.send_bytes(data)
