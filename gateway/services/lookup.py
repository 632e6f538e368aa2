"""What can be reached: one service by its name, or all that somebody may see.

Declared services come first, then the catalog's, then the buckets of upstream accounts. Of
the catalog's, some have a driver of their own (`added`), the others are buckets that were
made through an API (`making`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from gateway.access.access import Access
from gateway.access.identity import ANONYMOUS, Identity
from gateway.access.rules import UNKNOWN, Facts
from gateway.access.ruleset import RuleSet
from gateway.catalog import Catalog, ServiceRow
from gateway.catalog.cache import Kept
from gateway.common.commit_watch import Version
from gateway.modes.measured import Measured
from gateway.services.added import AddedServices
from gateway.services.chain import Chain
from gateway.services.feed import Feed
from gateway.services.removable import HeldAccess, RemovableService
from gateway.services.service import Identification, Service
from gateway.services.settings import ServiceSettings
from gateway.services.upstream_accounts import Accounts
from gateway.storage import (
    NOTHING,
    Changes,
    Measures,
    NoSuchStore,
    Stats,
    StorageError,
    Unavailable,
)

_PAGE = 1000


class Reached(NamedTuple):
    """A service, and what is said about who may do what with it."""

    service: Service
    rules: RuleSet


class Lookup:
    """Services of an open chain and of a catalog, as one. What was found is kept until
    anybody commits something to the catalog."""

    def __init__(
        self,
        chain: Chain,
        catalog: Catalog,
        clock: Callable[[], int],
        service_settings: ServiceSettings,
        added: AddedServices,
    ) -> None:
        self.chain, self.catalog, self.clock = chain, catalog, clock
        self.service_settings, self.added = service_settings, added
        self.accounts = Accounts(chain.services, clock, self._who_has, lambda: added.accounts)
        self._declared = {
            sid: one for sid, one in chain.services.items() if sid not in self.accounts
        }
        self._known: tuple[Version, Kept[Reached]] = (-1, Kept())
        service_settings.prepare(self._declared)
        self._last = {sid: self._reached(one) for sid, one in self._declared.items()}
        """Those that the configuration declares, as they were last known."""

    # one

    def access(self, identity: Identity, sid: str, facts: Facts = UNKNOWN) -> Access:
        try:
            kept = self._kept()
            known = kept.get(sid) or self._find(sid, kept)
        except Unavailable:  # what is declared goes on, as it was last known
            known = self._last.get(sid)
            if known is None:
                raise
        if known is not None and type(known.service) is Service:  # it stays
            return Access(known.service, identity, rules=known.rules, facts=facts)
        while (known := known or self._of_account(sid)) is not None:
            access = accessed(known, identity, facts)
            if access is not None:
                return access
            kept.forget(sid)  # it was taken out a moment ago: look again
            kept = self._kept()
            known = self._find(sid, kept)
        raise NoSuchStore(name=sid)

    def looked_at(self, identity: Identity, sid: str, facts: Facts = UNKNOWN) -> Access:
        """The same for who reads and writes nothing: one that rests is left so."""
        kept = self._kept()
        if not self.added.rests(sid) or sid in self._declared:
            return self.access(identity, sid, facts)
        row = self.catalog.service(sid)
        known = None if row is None else self._listed(row, kept)
        access = None if known is None else accessed(known, identity, facts)
        if access is None:
            raise NoSuchStore(name=sid)
        return access

    def _of_account(self, sid: str) -> Reached | None:
        found = self.accounts.find(sid)
        if found is None and self.added.pending:  # one of them may be the account that has it
            self.added.open_new()
            found = self.accounts.find(sid)
        return None if found is None else self._reached(found)

    def feed(self, sid: str) -> Changes:
        # This class's own: what another adds to `access` is meant for requests.
        return Feed(lambda: Lookup.access(self, ANONYMOUS, sid))

    def _kept(self) -> Kept[Reached]:
        """Services that were asked for since the catalog last changed; none of an account's."""
        version = self.catalog.version()
        if self._known[0] != version:
            self.added.sync()
            self._known = (version, Kept())
        return self._known[1]

    def _find(self, sid: str, kept: Kept[Reached]) -> Reached | None:
        """A declared service, or one of the catalog's."""
        declared = self._declared.get(sid)
        if declared is not None:
            self._last[sid] = known = self._reached(declared)
            return kept.keep(sid, known)
        row = self.catalog.service(sid)
        return None if row is None else self._opened(row, kept)

    def _opened(self, row: ServiceRow, kept: Kept[Reached]) -> Reached | None:
        if row.store is not None:
            added = self._added(row)
            return None if added is None else kept.keep(row.sid, self._reached(added))
        try:
            store = self.chain.made(row.sid)
        except NoSuchStore:
            return None
        return kept.keep(row.sid, self._reached(Service(self.identify_row(row), store)))

    def _listed(self, row: ServiceRow, kept: Kept[Reached]) -> Reached | None:
        """As `_opened`, of one that is there already, or rests and is left so."""
        known = kept.get(row.sid)
        if known is not None and not _is_over(known):
            return known
        if row.store is None or not self.added.rests(row.sid):
            return self._opened(row, kept)
        service = self.added.shown(row.sid)
        return None if service is None else self._reached(_as_owned(service, row))

    def _added(self, row: ServiceRow) -> Service | None:
        """None for an account, which is no bucket itself. Raises `Unavailable`."""
        service = self.added.find(row.sid)
        return None if service is None or row.sid in self.accounts else _as_owned(service, row)

    def _reached(self, service: Service) -> Reached:
        return Reached(service, self.service_settings.rules(service))

    def identify_row(self, row: ServiceRow) -> Identification:
        return Identification(
            sid=row.sid,
            driver=self.chain.buckets_driver,
            owner=row.owner,
            created=row.created,
            added=row.store is not None,
            part_of="" if row.store is None else row.store.part_of,
            grants=row.grants,
            row=row.id,
            volume=row.within.volume,
            bucket=row.within.bucket,
        )

    # all

    def services(self, identity: Identity, facts: Facts = UNKNOWN) -> Sequence[Access]:
        found = [accessed(one, identity, facts) for one in self._all(identity)]
        seen = [one for one in found if one is not None and one.visible]
        return sorted(seen, key=lambda one: one.service.sid)

    def measured(self, identity: Identity, facts: Facts = UNKNOWN) -> Measured:
        made = self.chain.buckets.measured()
        return _counted(self.services(identity, facts), made)

    def measured_of(self, services: Sequence[Access]) -> Measured:
        made = [one.service.sid for one in services if _is_bucket(one.service)]
        return _counted(services, self.chain.buckets.measured(made) if made else NOTHING)

    def _all(self, identity: Identity) -> Iterator[Reached]:
        """Declared ones, those made that the identity may perhaps see, and accounts'."""
        kept, settings = self._kept(), self.service_settings
        settings.prepare(self._declared)
        for sid in self._declared:
            known = kept.get(sid) or self._find(sid, kept)
            assert known is not None
            yield known
        for rows in self._pages(identity):
            settings.prepare(row.sid for row in rows)
            for row in rows:
                try:
                    known = self._listed(row, kept)
                except Unavailable:  # it is known, and cannot be shown now
                    continue
                if known is not None and row.sid not in self._declared:
                    yield known
        buckets = list(self.accounts.services())
        settings.prepare(one.sid for one in buckets)
        yield from map(self._reached, buckets)

    def _who_has(self, sid: str) -> str:
        """Who comes before an account's bucket of that name; "" for nobody."""
        declared = self._declared.get(sid)
        if declared is not None:
            return declared.about.declared
        kept, row = self._kept(), self.catalog.service(sid)
        if row is not None and row.store is not None:  # whether or not it can be opened
            return "" if sid in self.accounts else f"services.{sid}"
        return "a bucket made here" if kept.get(sid) or self._find(sid, kept) else ""

    def _pages(self, identity: Identity) -> Iterator[Sequence[ServiceRow]]:
        """Rows that the identity may perhaps see, page by page."""
        access = identity.access
        named = set() if isinstance(access, str) else set(access)
        yield [row for row in map(self.catalog.service, named) if row is not None]
        after: str | None = ""
        while after is not None:
            rows = self.catalog.services(
                after, _PAGE, for_account=None if identity.reaches_everything else identity.account
            )
            yield [row for row in rows if row.sid not in named]
            after = rows[-1].sid if len(rows) == _PAGE else None


def _is_bucket(service: Service) -> bool:
    """Whether it was made here, and [buckets] has it."""
    return service.about.row is not None and not service.about.added


def _counted(services: Iterable[Access], made: Mapping[str, Stats]) -> Measured:
    """`made`: what is in those that [buckets] has."""
    found = dict[str, tuple[Stats, Hashable]]()
    for access in services:
        if not access.may("read-stats"):
            continue
        service, sid = access.service, access.service.sid
        if _is_bucket(service) and sid in made:
            found[sid] = made[sid], sid
        elif (one := measure_of(service)) is not None:
            found[sid] = one
    return Measured(found)


def measure_of(service: Service) -> tuple[Stats, Hashable] | None:
    """And by whom: what stands in front of another finds that."""
    try:
        measures = service.find(Measures)
        return None if measures is None else (measures.stats(), id(measures))
    except StorageError:  # of what is behind it, perhaps: the others are known
        return None


def _as_owned(service: Service, row: ServiceRow) -> Service:
    if (service.grants, service.owner) != (row.grants, row.owner):
        service.identify(replace(service.about, grants=row.grants, owner=row.owner))
    return service


def _is_over(known: Reached) -> bool:
    return isinstance(known.service, RemovableService) and known.service.uses.over


def accessed(known: Reached, identity: Identity, facts: Facts) -> Access | None:
    """None when it is not to be used any more."""
    if not isinstance(known.service, RemovableService):
        return Access(known.service, identity, rules=known.rules, facts=facts)
    access = HeldAccess(known.service, identity, rules=known.rules, facts=facts)
    return None if access.over else access
