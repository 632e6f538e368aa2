"""The gateway as modes see it: declared services and those of the catalog, as one.

Of the catalog's, some have a driver of their own (`added`), the others are buckets that were
made through an API (`making`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple, TypeVar

from gateway.access.access import Access
from gateway.access.actions import ServiceAction
from gateway.access.grants import Grant
from gateway.access.identity import ANONYMOUS, Account, Identity, Keys
from gateway.access.rules import UNKNOWN, Facts
from gateway.access.ruleset import RuleSet
from gateway.access.settings import Setting, SettingKind
from gateway.catalog import Catalog, ServiceRow, open_catalog
from gateway.catalog.cache import Kept
from gateway.common.commit_watch import Version
from gateway.config import SID, SID_RULE, Binding, Configuration
from gateway.modes import Settings
from gateway.services.added import AddedServices
from gateway.services.behind import OwnFollowers
from gateway.services.chain import Chain
from gateway.services.feed import Feed
from gateway.services.keeping_up import KeepingUp
from gateway.services.making import MadeBuckets
from gateway.services.removable import HeldAccess, RemovableService
from gateway.services.service import Identification, Service
from gateway.services.settings import ServiceSettings
from gateway.services.upstream_accounts import Accounts
from gateway.storage import (
    AlreadyExists,
    BadKey,
    Changes,
    Conflict,
    Followers,
    Forbidden,
    Jobs,
    NoFollowers,
    NoSuchStore,
    Unavailable,
)
from gateway.storage.objects import now
from gateway.telemetry.request_list import RequestList

_CREATORS = frozenset({"own", "admin"})
_EVERYTHING = frozenset({"read-all", "write-all", "admin"})
_PAGE = 1000
T = TypeVar("T")


class Reached(NamedTuple):
    """A service, and what is said about who may do what with it."""

    service: Service
    rules: RuleSet


class Runtime:
    """Implements `gateway.modes.Gateway`. Open it with `open_runtime`; `close` ends all."""

    def __init__(
        self,
        chain: Chain,
        catalog: Catalog,
        settings: Settings,
        *,
        clock: Callable[[], int] = now,
        requests: RequestList | None = None,
        service_settings: ServiceSettings | None = None,
        followers: Followers | None = None,
        added: AddedServices | None = None,
    ) -> None:
        self.settings, self.clock = settings, clock
        self.service_settings = service_settings or ServiceSettings(catalog)
        own = OwnFollowers(followers or NoFollowers(), chain.behind)
        self.followers: Followers = own
        self.before_close: list[Callable[[], object]] = [own.close]
        self.requests, self._own_requests = requests or RequestList(), requests is None
        self.stopping = threading.Event()
        self.keys: Keys = catalog
        self.chain, self.catalog = chain, catalog
        self._buckets = MadeBuckets(chain, catalog)
        self.added = added = added or AddedServices(chain, catalog, clock)
        self.accounts = Accounts(chain.services, clock, self._who_has, lambda: added.accounts)
        self._declared = {
            sid: one for sid, one in chain.services.items() if sid not in self.accounts
        }
        self._known: tuple[Version, Kept[Reached]] = (-1, Kept())
        self.service_settings.prepare(self._declared)
        self._last = {sid: self._reached(one) for sid, one in self._declared.items()}
        """Those that the configuration declares, as they were last known."""

    def keep_up(self, bind: Callable[[Sequence[Binding]], object]) -> None:
        """Follow the catalog without requests, too, from now on; `bind` gets its bindings."""
        keeping_up = KeepingUp(self.catalog.version, self.added, bind)
        keeping_up.notice()
        if self.chain.configuration.data is not None:  # else nobody else can change it
            keeping_up.start()
        self.before_close.append(keeping_up.stop)

    def close(self) -> None:
        """May be called twice. What was given stays open."""
        while self.before_close:
            self.before_close.pop()()
        self.accounts.close()
        self.added.close()
        self.chain.close()
        self.catalog.close()
        if self._own_requests:
            self.requests.close()

    def account(self, account: str) -> Account | None:
        return self.catalog.account(account)

    def account_by_email(self, email: str) -> Account | None:
        return self.catalog.account_by_email(email)

    # looking

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
            access = _access(known, identity, facts)
            if access is not None:
                return access
            self._known = (-1, Kept())  # it was taken out a moment ago: look again
            known = self._find(sid, self._kept())
        raise NoSuchStore(name=sid)

    def _of_account(self, sid: str) -> Reached | None:
        found = self.accounts.find(sid)
        if found is None and self.added.pending:  # one of them may be the account that has it
            self.added.open_all()
            found = self.accounts.find(sid)
        return None if found is None else self._reached(found)

    def feed(self, sid: str) -> Changes:
        # This class's own: what another adds to `access` is meant for requests.
        return Feed(lambda: Runtime.access(self, ANONYMOUS, sid))

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
        return kept.keep(row.sid, self._reached(Service(self._identify(row), store)))

    def _added(self, row: ServiceRow) -> Service | None:
        """None for an account, which is no bucket itself. Raises `Unavailable`."""
        service = self.added.find(row.sid)
        if service is None or row.sid in self.accounts:
            return None
        if service.grants != row.grants:
            service.identify(replace(service.about, grants=row.grants))
        return service

    def _reached(self, service: Service) -> Reached:
        return Reached(service, self.service_settings.rules(service))

    def _identify(self, row: ServiceRow) -> Identification:
        return Identification(
            sid=row.sid,
            driver=self.chain.buckets_driver,
            owner=row.owner,
            created=row.created,
            added=row.store is not None,
            grants=row.grants,
            row=row.id,
        )

    def services(self, identity: Identity, facts: Facts = UNKNOWN) -> Sequence[Access]:
        found = [_access(one, identity, facts) for one in self._all(identity)]
        seen = [one for one in found if one is not None and one.visible]
        return sorted(seen, key=lambda one: one.service.sid)

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
                    known = kept.get(row.sid) or self._opened(row, kept)
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
        kept = self._kept()
        known = kept.get(sid) or self._find(sid, kept)
        if known is None:
            return ""
        return f"services.{sid}" if known.service.about.added else "a bucket made here"

    def _pages(self, identity: Identity) -> Iterator[Sequence[ServiceRow]]:
        """Rows that the identity may perhaps see, page by page."""
        access = identity.access
        named = set() if isinstance(access, str) else set(access)
        yield [row for row in map(self.catalog.service, named) if row is not None]
        everything = isinstance(access, str) and access in _EVERYTHING
        after: str | None = ""
        while after is not None:
            rows = self.catalog.services(
                after, _PAGE, for_account=None if everything else identity.account
            )
            yield [row for row in rows if row.sid not in named]
            after = rows[-1].sid if len(rows) == _PAGE else None

    # settings

    def setting(self, access: Access, kind: SettingKind[T]) -> Setting[T] | None:
        access.require(kind.read)
        return self.service_settings.get(access.service.sid, kind)

    def set_setting(self, access: Access, kind: SettingKind[T], document: str) -> Setting[T]:
        access.require(kind.write)
        service = access.service
        return self.service_settings.put(service.sid, kind, document, service.about.row)

    def remove_setting(self, access: Access, kind: SettingKind[Any]) -> bool:
        access.require(kind.remove)
        return self.service_settings.remove(access.service.sid, kind)

    # changing

    def create(self, identity: Identity, sid: str, grants: Sequence[Grant] = ()) -> Access:
        access = identity.access
        if not (identity.account and isinstance(access, str) and access in _CREATORS):
            raise Forbidden("This key may not create services.")
        if not SID.fullmatch(sid):
            raise BadKey(f"{SID_RULE}.", key=sid)
        if sid in self.chain.services or self.accounts.has(sid):
            raise AlreadyExists
        self._buckets.make(sid, identity.account, grants)
        return self.access(identity, sid)

    def drop(self, identity: Identity, sid: str, facts: Facts = UNKNOWN) -> None:
        self._buckets.drop(self._row(identity, sid, "drop", facts))

    def set_grants(
        self, identity: Identity, sid: str, grants: Sequence[Grant], facts: Facts = UNKNOWN
    ) -> None:
        row = self._row(identity, sid, "write-grants", facts)
        if not self.catalog.set_grants(row.id, grants):
            raise NoSuchStore(name=sid)

    def _row(self, identity: Identity, sid: str, action: ServiceAction, facts: Facts) -> ServiceRow:
        """The row of a service that the identity may change in that way."""
        declared = self._declared.get(sid)
        if declared is not None:
            self._require(identity, declared, action, facts)
            raise Conflict(f"The service {declared.about.fixed}.")
        row = self.catalog.read_service(sid)
        if row is None:
            self._refuse_upstream(identity, sid, action, facts)
            raise NoSuchStore(name=sid)
        # Deciding touches no store, and the service's own may be gone.
        service = self.chain.as_bucket(self._identify(row))
        self._require(identity, service, action, facts)
        if action == "drop" and row.store is not None:
            raise Conflict(f"The service {service.about.fixed}.")
        return row

    def _require(
        self, identity: Identity, service: Service, action: ServiceAction, facts: Facts
    ) -> None:
        rules = self.service_settings.rules(service)
        Access(service, identity, rules=rules, facts=facts).require(action)

    def _refuse_upstream(
        self, identity: Identity, sid: str, action: ServiceAction, facts: Facts
    ) -> None:
        """Raise `Conflict` for an account's bucket: it is upstream's, and stays as it is."""
        found = self.accounts.find(sid)
        if found is not None:
            self._require(identity, found, action, facts)
            by = found.about.declared or "of the catalog that has its account"
            raise Conflict(f"The bucket is an upstream's, by the service {by}.")


def _access(known: Reached, identity: Identity, facts: Facts) -> Access | None:
    """None when it is not to be used any more."""
    if not isinstance(known.service, RemovableService):
        return Access(known.service, identity, rules=known.rules, facts=facts)
    access = HeldAccess(known.service, identity, rules=known.rules, facts=facts)
    return None if access.over else access


def open_runtime(
    configuration: Configuration,
    *,
    server: Literal["granian", "waitress"] = "granian",
    jobs: Jobs | None = None,
    followers: Followers | None = None,
    clock: Callable[[], int] = now,
    environ: Mapping[str, str] | None = None,
    requests: RequestList | None = None,
    threads: int = 0,
    before: Runtime | None = None,
) -> Runtime:
    """Open catalog and chain, in the process that will serve; `server` decides about
    the largest body; `requests` is kept in memory unless it is given; `threads`: as many
    serve, if that is known; `before`: the one that this is to follow, which serves on until
    it is closed: what both need is open once. Raises `CatalogError` and `ChainError`."""
    chain = Chain(configuration, None if before is None else before.chain)
    catalog = open_catalog(configuration, environ, None if before is None else before.catalog)
    try:
        chain.open(
            folder=configuration.data,
            master_key=catalog.keyring.storage,
            clock=clock,
            jobs=jobs,
            followers=followers,
            threads=threads,
        )
        chain.date(catalog.declared_since(chain.services, configuration.origin.written))
        runtime = Runtime(
            chain,
            catalog,
            configuration.settings(server),
            clock=clock,
            requests=requests,
            service_settings=ServiceSettings(
                catalog,
                configuration.plugins.kinds.values(),
                {sid: one.settings for sid, one in configuration.services.items()},
            ),
            followers=followers,
        )
    except BaseException:
        chain.close()
        catalog.close()
        raise
    runtime.accounts.report()
    return runtime
