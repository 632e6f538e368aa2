"""One configuration on its way to all workers of a parent: each opens it beside what it
serves. When all have, one of them takes it over, and when that could, so do all others. When
one cannot open it, or the first cannot take it over, all discard it.

An order goes to a worker through an `OrderPipe` of its own, as (number, `open` | `serve` |
`discard`, message), and is answered by one note with its number, whatever comes of it. A
worker that dies before any has taken it over is as one that cannot. Once one has, all are to
serve it: who dies then, or cannot, is replaced by one that has the new configuration.
"""

from __future__ import annotations

import logging
import pickle
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import count
from multiprocessing.connection import Connection
from typing import Any, Literal, Protocol

from gateway.servers import CannotServe, Prepared

log = logging.getLogger("gateway")

Order = Literal["open", "serve", "discard"]

PATIENCE = 60.0
"""Seconds in which all workers must have opened it, and again in which they must serve it."""

_numbers = count(1)


class Told(Protocol):
    """By which a worker hears."""

    def send_bytes(self, data: bytes, /) -> None:
        """Without waiting until it is taken."""


class Round:
    """`wait` is for who asked; all else for the parent's loop, in one thread."""

    def __init__(self, message: object, load: Callable[..., Any]) -> None:
        self.load = load
        self.accepted = False
        """Whether it is to be served from now on, by whoever begins to."""
        self.unfit: set[int] = set()
        """Workers of which nobody knows what they serve, or that serve another: to be ended."""
        self._message, self._done = message, threading.Event()
        self._reason = ""
        self._order: Order | None = None
        self._number = 0
        self._workers: dict[int, Told] = {}
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

    def left(self, now: float) -> float:
        """Seconds until it must be looked at again."""
        return 0.0 if self._until is None else max(0.0, self._until - now)

    def heard(self, process: int, number: int, reason: str) -> None:
        """A worker has carried out the order, or says why it cannot."""
        if number == self._number and process in self._asked:
            self._asked.discard(process)
            if reason:
                self._cannot(process, reason)

    def go_on(self, living: Mapping[int, Told], serving: Collection[int], now: float) -> None:
        """`living` are all workers, `serving` those that have been loaded."""
        if self._until is None:
            self._until = now + PATIENCE
        if self._order is None:
            self._begin(living, serving, now)
            return
        self._miss(living, now)
        if self._reason:
            self._say("discard", now, self._workers)
            self._done.set()
        elif not self._asked:
            self._go_further(now)

    def _begin(self, living: Mapping[int, Told], serving: Collection[int], now: float) -> None:
        """When all have been loaded: one that has not, listens to no order."""
        if living and all(one in serving for one in living):
            self._workers = dict(living)
            self._say("open", now, self._workers, self._message)
        elif self._until is not None and now >= self._until:
            self.give_up("A worker is starting, and has not begun to serve.")

    def _go_further(self, now: float) -> None:
        """All have done what they were told."""
        first, *others = self._workers
        if self._order == "open":
            self._say("serve", now, [first])
        elif not self.accepted:
            self.accepted = True
            self._say("serve", now, others)
        if not self._asked:
            self._done.set()

    def _miss(self, living: Mapping[int, Told], now: float) -> None:
        """Those from whom no answer comes."""
        what = "opened it" if self._order == "open" else "taken it over"
        told = self._workers.keys() if self._order == "open" else self._asked
        dead = told - living.keys()
        self._asked -= dead
        if dead and not self.accepted:
            self._reason = self._reason or f"A worker ended before it had {what}."
        if self._until is not None and now >= self._until:
            late, self._asked = self._asked, set()
            for process in late:
                if self._order == "serve":
                    self.unfit.add(process)
                self._cannot(process, f"A worker has not {what} within {PATIENCE:.0f} s.")

    def _cannot(self, process: int, reason: str) -> None:
        if self.accepted:
            self.unfit.add(process)
            log.error("a worker is replaced, for it does not serve what was read again: %s", reason)
        else:
            self._reason = self._reason or reason

    def _say(
        self, order: Order, now: float, workers: Iterable[int], message: object = None
    ) -> None:
        self._order, self._until, self._asked = order, now + PATIENCE, set(workers)
        self._number = next(_numbers)
        data = pickle.dumps((self._number, order, message))
        for one in self._asked:
            self._workers[one].send_bytes(data)

    def give_up(self, reason: str) -> None:
        if not self.over:
            self._reason = reason
            self._done.set()


def take_orders(
    orders: Connection,
    prepare: Callable[[object], Prepared],
    answer: Callable[[int, str], None],
) -> None:
    """In a worker: do what a `Round` says, and `answer` each order by its number and why it
    cannot be done. Returns when the parent has gone, or when nobody can tell what is served
    here: then this process is to end."""
    prepared: Prepared | None = None
    known = True
    while known:
        try:
            number, order, message = pickle.loads(orders.recv_bytes())  # noqa: S301 - our parent's
        except (EOFError, OSError):
            return
        reason = ""
        try:
            if order == "open":
                prepared = prepare(message)
            elif prepared is not None:
                carry_out = prepared.take_over if order == "serve" else prepared.discard
                prepared = None
                carry_out()
        except CannotServe as error:
            reason = str(error)
        except BaseException as error:  # also what ends other threads: somebody waits for this one
            log.exception("a configuration that was read again: %s cannot be done", order)
            reason = f"A worker cannot {order} it: {type(error).__name__}, see the log."
            known = order != "serve"
        answer(number, reason)
