"""A change feed that a test holds in its hand."""

from __future__ import annotations

import threading
from collections.abc import Callable

from gateway.storage import Change, ChangePage, Changes, Delivery

PATIENCE = 120


class Feed(Changes):
    """`reads` counts. `watched` False: it cannot wake anybody. `kept` are the changes that
    it still has, `error` is raised by who reads."""

    def __init__(self, *, watched: bool = True) -> None:
        self.kept: list[Change] = []
        self.last = self.reads = 0
        self.feed, self.watched = "first", watched
        self.error: Exception | None = None
        self.wakes: list[Callable[[], object]] = []
        self._changed = threading.Condition()

    def add(self, number: int = 1) -> None:
        with self._changed:
            for _ in range(number):
                self.last += 1
                self.kept.append(change(self.last))
            self._changed.notify_all()
        self.wake()

    def wake(self) -> None:
        for wake in tuple(self.wakes):
            wake()

    def begin_anew(self, feed: str) -> None:
        self.kept, self.last, self.feed = [], 0, feed

    def changes(self, after: int = 0, limit: int = 1000, wait: float = 0) -> ChangePage:
        self.reads += 1
        if self.error is not None:
            raise self.error
        with self._changed:
            self._changed.wait_for(lambda: self.last > after, wait)
            rows = [one for one in self.kept if one.sequence > after][:limit]
        cut = after + 1 < (rows[0].sequence if rows else self.last + 1)
        return ChangePage(changes=tuple(rows), last=self.last, feed=self.feed, cut=cut)

    def watch(self, wake: Callable[[], object]) -> Callable[[], None] | None:
        if not self.watched:
            return None
        self.wakes.append(wake)
        return lambda: self.wakes.remove(wake)


def change(number: int) -> Change:
    return Change(number, "put", 1000 * number, f"k{number}", None, 1, "etag", "")


class Target:
    """Takes what it is handed, and says it as (sync ids, repeated), a reset as its reason.
    `errors` are raised one after the other, each once something was taken."""

    def __init__(self, *errors: BaseException) -> None:
        self.taken: list[tuple[list[int] | str, bool]] = []
        self.deliveries: list[Delivery] = []
        self.errors = list(errors)
        self._changed = threading.Condition()

    def __call__(self, delivery: Delivery) -> None:
        what: list[int] | str = [one.sequence for one in delivery.changes]
        if delivery.reset is not None:
            assert not what
            what = delivery.reset.reason
        with self._changed:
            self.deliveries.append(delivery)
            self.taken.append((what, delivery.repeated))
            self._changed.notify_all()
            if self.errors:
                raise self.errors.pop(0)

    @property
    def numbers(self) -> list[int]:
        return [number for what, _ in self.taken if isinstance(what, list) for number in what]

    def await_(self, until: Callable[[Target], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: until(self), PATIENCE), self.taken
