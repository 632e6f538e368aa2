"""The change feed of a service by its name, for who follows it behind the requests."""

from __future__ import annotations

from collections.abc import Callable

from gateway.access.access import Access
from gateway.storage import ChangePage, Changes


class Feed(Changes):
    """That of the service which `find` gives when it is asked: one that was removed and
    made anew is found again. Nobody asks here who is reading."""

    def __init__(self, find: Callable[[], Access]) -> None:
        self._find = find

    def changes(self, after: int = 0, limit: int = 1000, wait: float = 0) -> ChangePage:
        access = self._find()  # for as long as it takes: the service may be removed meanwhile
        return access.service.need(Changes).changes(after, limit, wait)

    def watch(self, wake: Callable[[], object]) -> Callable[[], None] | None:
        access = self._find()
        return access.service.need(Changes).watch(wake)
