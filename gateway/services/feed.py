"""The change feed of a service by its name, for who follows it behind the requests."""

from __future__ import annotations

from collections.abc import Callable

from gateway.services.service import Service
from gateway.storage import ChangePage, Changes


class Feed(Changes):
    """That of the service which `find` gives when it is asked: one that was removed and
    made anew is found again. Nobody asks here who is reading."""

    def __init__(self, find: Callable[[], Service]) -> None:
        self._find = find

    def changes(self, after: int = 0, limit: int = 1000, wait: float = 0) -> ChangePage:
        return self._find().need(Changes).changes(after, limit, wait)

    def watch(self, wake: Callable[[], object]) -> Callable[[], None] | None:
        return self._find().need(Changes).watch(wake)
