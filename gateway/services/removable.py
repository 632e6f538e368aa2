"""Services that may be removed while they are used, and how it is known that they are not.

Whoever asks the gateway for such a service gets a `HeldAccess`: as long as that, or a
body that was opened by it, is there, the store stays open. Nothing is locked and nothing
has to be given back: a request lets go of what it has when it ends, however it ends. A
service that can go only with the whole process has none of this, and costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from gateway.access.access import Access
from gateway.access.identity import Identity
from gateway.access.rules import UNKNOWN, Facts
from gateway.access.ruleset import RuleSet
from gateway.services.service import Identification, Service
from gateway.storage import (
    BytesBody,
    Get,
    Multipart,
    Opened,
    Readable,
    Store,
    Stretch,
    lent,
    whole_file,
)


class Uses:
    """Who holds a store. `over`: it is to be closed, and nobody begins to use it any more. `used`:
    somebody has begun to since `since`, of the monotonic clock, when that was looked at last.

    Who begins is counted first and looks at `over` then; who ends it sets `over` first and
    looks whether anybody is counted then. So one of the two sees the other.
    """

    __slots__ = ("holders", "over", "since", "used")

    def __init__(self) -> None:
        self.holders: set[int] = set()
        """By `id`. Adding to a set, and taking away, is one step for all other threads."""
        self.over, self.used, self.since = False, True, 0.0

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Hold it; whether it is of use still."""
        holder = object()
        self.holders.add(id(holder))
        try:
            yield not self.over
        finally:
            self.holders.discard(id(holder))


class RemovableService(Service):
    """`uses` is that of its store: the buckets of an account have one together."""

    def __init__(
        self,
        about: Identification,
        store: Store,
        *,
        staging: Callable[[], Multipart] | None = None,
        uses: Uses | None = None,
    ) -> None:
        super().__init__(about, store, staging=staging)
        self.uses = uses or Uses()

    def beside(self, about: Identification, store: Store) -> RemovableService:
        return RemovableService(about, store, uses=self.uses)


class HeldAccess(Access):
    """It is of use while `over` is not set, when it is made; then it goes on to its end."""

    __slots__ = ("_uses",)

    def __init__(
        self,
        service: RemovableService,
        identity: Identity,
        *,
        rules: RuleSet | None = None,
        facts: Facts = UNKNOWN,
    ) -> None:
        self._uses = uses = service.uses
        uses.holders.add(id(self))
        uses.used = True
        super().__init__(service, identity, rules=rules, facts=facts)

    def __del__(self) -> None:
        self._uses.holders.discard(id(self))

    @property
    def over(self) -> bool:
        return self._uses.over

    def get(self, key: str, want: Get = Get()) -> Opened:
        opened = super().get(key, want)
        if isinstance(opened.body, BytesBody):  # nothing is left to be read of the store
            return opened
        return replace(opened, body=HeldBody(opened.body, self))


class HeldBody:
    """A body that keeps its service open until it is closed."""

    __slots__ = ("_access", "_body", "read")

    def __init__(self, body: Readable, access: HeldAccess) -> None:
        self._body = body
        self._access: HeldAccess | None = access
        self.read = body.read

    def stretch(self, most: int, /) -> Stretch | None:
        return lent(self._body, most)

    def whole_file(self) -> str:
        return whole_file(self._body)

    def close(self) -> None:
        try:
            self._body.close()
        finally:
            self._access = None
