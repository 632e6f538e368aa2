"""Services by the volume that they are in, and their name there."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from heapq import merge
from itertools import chain
from typing import NamedTuple

from gateway.access.access import Access
from gateway.access.identity import Identity
from gateway.access.rules import UNKNOWN, Facts
from gateway.catalog import ServiceRow
from gateway.catalog.cache import Kept
from gateway.catalog.rows import Within
from gateway.common.commit_watch import Version
from gateway.services.lookup import Lookup, Reached, accessed
from gateway.services.service import Service
from gateway.storage import NoSuchStore, Unavailable

_PAGE = 1000


class Asked(NamedTuple):
    """Which buckets of a volume: those above `after` that begin with `prefix`."""

    volume: str
    prefix: str = ""
    after: str = ""
    page: int = _PAGE
    """How many are wanted, if that is known."""

    def has(self, within: Within) -> bool:
        volume, bucket = within
        return volume == self.volume and bucket > self.after and bucket.startswith(self.prefix)


class VolumeLookup(Lookup):
    """Those of the configuration come first, as everywhere."""

    _seeing: tuple[Version, Kept[bool]] = (-1, Kept())

    @cached_property
    def _declared_within(self) -> Mapping[Within, str]:
        found = ((sid, one.about) for sid, one in self._declared.items())
        return {Within(about.volume, about.bucket): sid for sid, about in found if about.volume}

    def access_within(
        self, identity: Identity, volume: str, bucket: str, facts: Facts = UNKNOWN
    ) -> Access:
        """Whether or not the identity may know of it. Raises `NoSuchStore`."""
        within = (volume, bucket)
        try:
            kept = self._kept()
        except Unavailable:  # what is declared goes on
            if within not in self._declared_within:
                raise
        else:
            known = kept.get(within)
            if known is not None:
                return Access(known.service, identity, rules=known.rules, facts=facts)
        sid = self.sid_within(volume, bucket)
        if sid is None:
            raise NoSuchStore(name=bucket)
        access = self.access(identity, sid, facts)
        about = access.service.about
        if (about.volume, about.bucket) != within:  # it is declared by now, or was made anew
            raise NoSuchStore(name=bucket)
        if type(access.service) is Service:  # it stays: who asks next goes no other way
            found = kept.get(sid)
            if found is not None:
                kept.keep(within, found)
        return access

    def sid_within(self, volume: str, bucket: str) -> str | None:
        """Of the service that a volume has by that name."""
        declared = self._declared_within.get(Within(volume, bucket))
        return declared or self.catalog.sid_within(volume, bucket)

    def within(
        self, identity: Identity, asked: Asked, facts: Facts = UNKNOWN, *, every: bool
    ) -> Iterator[Access]:
        """By the bucket's name, those that the identity sees; `every`: all, for who owns the
        volume or manages everything. What is looked at is what is asked for, and for others what
        may give them something."""
        last = ""
        for bucket, known in merge(
            self._declared_in(asked), self._made_in(identity, asked, every), key=lambda one: one[0]
        ):
            if bucket != last:  # what is declared comes first
                last = bucket
                access = accessed(known, identity, facts)
                if access is not None and (every or access.visible):
                    yield access

    def sees_some(self, identity: Identity, volume: str, facts: Facts = UNKNOWN) -> bool:
        """Whether it sees any bucket of a volume, which may take a look at each. Who sees none may
        ask again and again: so for a key at an address it is remembered until the catalog
        changes. It decides what a refusal says, and nothing else."""
        version = self.catalog.version()
        if self._seeing[0] != version:
            self._seeing = (version, Kept())
        seeing, access = self._seeing[1], identity.access
        level = access if isinstance(access, str) else ""
        asking = volume, identity.key, identity.account, level, facts.address
        known = seeing.get(asking)
        if known is None:
            found = next(self.within(identity, Asked(volume), facts, every=False), None)
            known = seeing.keep(asking, found is not None)
        return known

    def stores_within(self, volumes: Collection[str]) -> Iterator[Service]:
        """Those in these volumes that have stores of their own, as far as they are open."""
        for sid in self._declared_within.values():
            if self._declared[sid].about.volume in volumes:
                yield self._declared[sid]
        for sid, row in self.added.rows.items():
            one = self.added.opened(sid) if row.within.volume in volumes else None
            if one is not None:
                yield one.service

    def _declared_in(self, asked: Asked) -> Iterator[tuple[str, Reached]]:
        kept = self._kept()
        for within, sid in sorted(self._declared_within.items()):
            if asked.has(within):
                known = kept.get(sid) or self._find(sid, kept)
                assert known is not None
                yield within.bucket, known

    def _made_in(
        self, identity: Identity, asked: Asked, every: bool
    ) -> Iterator[tuple[str, Reached]]:
        kept, access = self._kept(), identity.access
        named = list[ServiceRow]()
        if not isinstance(access, str):
            rows = map(self.catalog.service, access)
            named = [row for row in rows if row is not None and asked.has(row.within)]
        every = every or identity.reaches_everything
        pages = chain.from_iterable(self._rows_in(asked, shared=not every))
        for row in merge(sorted(named, key=_bucket), pages, key=_bucket):
            try:
                known = kept.get(row.sid) or self._opened(row, kept)
            except Unavailable:  # it is known, and cannot be shown now
                continue
            if known is not None and row.sid not in self._declared:
                yield row.within.bucket, known

    def _rows_in(self, asked: Asked, *, shared: bool) -> Iterator[Sequence[ServiceRow]]:
        volume, prefix, after, wanted = asked
        size, full = min(wanted, _PAGE), True
        while full:
            rows = self.catalog.services_within(
                volume, prefix=prefix, after=after, limit=size, shared=shared
            )
            self.service_settings.prepare(row.sid for row in rows)
            yield rows
            full = len(rows) == size
            after = rows[-1].within.bucket if rows else after


def _bucket(row: ServiceRow) -> str:
    return row.within.bucket
