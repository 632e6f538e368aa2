"""The runtime behind a test server: exchanged whole by a reset, and disturbed on request."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway.access.access import Access
from gateway.access.grants import Grant
from gateway.access.identity import Identity
from gateway.access.rules import UNKNOWN, Facts
from gateway.access.settings import Wanted
from gateway.modes.volumes import Volumes
from gateway.services.runtime import Runtime
from gateway.storage import Followers
from gateway.testing.server.faults import Faults


class Stage(Runtime):
    """What modes get. Faults strike where they turn to it. Their `followers` outlive a reset,
    which is another store of the same name to them.

    Its own names begin with two underscores: it becomes another runtime by that one's
    `__init__`, and has all of its attributes.
    """

    def __init__(self, opened: Runtime, faults: Faults, followers: Followers) -> None:
        self.__faults = faults
        self.__followers = followers
        self.__before: Runtime | None = None
        self.__take(opened)

    def __take(self, opened: Runtime) -> None:
        self.__opened = opened
        looks: list[Callable[[], object]] = getattr(self, "_looks", [])
        Runtime.__init__(
            self,
            opened.chain,
            opened.catalog,
            opened.options,
            clock=self.__skewed,
            requests=opened.requests,  # which that one closes
            service_settings=opened.service_settings,
            followers=self.__followers,
            added=opened.added,
        )
        self.__clock = opened.clock
        for look in looks:
            self.keep_up_with(look)

    def exchange(self, opened: Runtime) -> None:
        """Go on with another. The one before stays open until the next exchange, for
        requests that are under way."""
        if self.__before is not None:
            self.__before.close()
        self.__before = self.__opened
        self.__take(opened)

    def close(self) -> None:
        for one in (self.__before, self.__opened):
            if one is not None:
                one.close()
        self.__before = None

    def __skewed(self) -> int:
        return self.__clock() + self.__faults.skew()

    def access(self, identity: Identity, sid: str, facts: Facts = UNKNOWN) -> Access:
        self.__faults.strike()
        return super().access(identity, sid, facts)

    def services(self, identity: Identity, facts: Facts = UNKNOWN) -> Sequence[Access]:
        self.__faults.strike()
        return super().services(identity, facts)

    def create(
        self,
        identity: Identity,
        sid: str,
        grants: Sequence[Grant] = (),
        settings: Sequence[Wanted] = (),
        protects: bool = False,
    ) -> Access:
        self.__faults.strike()
        return super().create(identity, sid, grants, settings, protects)

    @property
    def volumes(self) -> Volumes:
        self.__faults.strike()
        return self.__volumes

    @volumes.setter
    def volumes(self, made: Volumes) -> None:
        self.__volumes = made

    def drop(self, identity: Identity, sid: str, facts: Facts = UNKNOWN) -> None:
        self.__faults.strike()
        super().drop(identity, sid, facts)

    def set_grants(
        self, identity: Identity, sid: str, grants: Sequence[Grant], facts: Facts = UNKNOWN
    ) -> None:
        self.__faults.strike()
        super().set_grants(identity, sid, grants, facts)
