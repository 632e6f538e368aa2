"""The gateway as modes see it: declared services and those of the catalog, as one.

A service that was made through an API is two things: a row in the catalog
(its name and owner) and a bucket in the index (its contents). The row comes
first and goes last; so a row without a bucket is one that is being made, is
being dropped, or was left by a crash. It is nobody's bucket to use, its owner
may make it again (the row is then replaced, so that whoever was about to
remove the old one does not remove the new) or drop it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Literal

from gateway.access.access import Access, Grant, allowed_on_service
from gateway.access.identity import Account, Identity, Keys
from gateway.catalog import Catalog, ServiceRow, open_catalog
from gateway.catalog.cache import Kept
from gateway.common.commit_watch import Version
from gateway.config import SID, SID_RULE, Configuration
from gateway.modes import Settings
from gateway.services.chain import Chain
from gateway.services.service import Identification, Service
from gateway.services.upstream_accounts import Accounts
from gateway.storage import (
    AlreadyExists,
    BadKey,
    Conflict,
    Forbidden,
    Jobs,
    NoSuchStore,
    NotEmpty,
)
from gateway.storage.store import now
from gateway.telemetry.request_list import RequestList

_CREATORS = frozenset({"own", "admin"})
_EVERYTHING = frozenset({"read-all", "write-all", "admin"})
_PAGE = 1000
_TRIES = 10
"""How often a row may go under the hands of who would replace it."""


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
    ) -> None:
        self.settings, self.clock = settings, clock
        self.requests = requests or RequestList()
        self.stopping = threading.Event()
        self.keys: Keys = catalog
        self.chain, self.catalog = chain, catalog
        self.accounts = Accounts(chain.services, clock, self._who_has)
        self._declared = {
            sid: one for sid, one in chain.services.items() if sid not in self.accounts
        }
        self._made: tuple[Version, Kept[Service]] = (-1, Kept())

    def close(self) -> None:
        """May be called twice."""
        self.accounts.close()
        self.chain.close()
        self.catalog.close()
        self.requests.close()

    def account(self, account: str) -> Account | None:
        return self.catalog.account(account)

    def account_by_email(self, email: str) -> Account | None:
        return self.catalog.account_by_email(email)

    # looking

    def access(self, identity: Identity, sid: str) -> Access:
        service = self._declared.get(sid) or self._find(sid) or self.accounts.find(sid)
        if service is None:
            raise NoSuchStore(name=sid)
        return Access(service, identity)

    def _kept(self) -> Kept[Service]:
        """Services of the catalog that were opened since it last changed."""
        version = self.catalog.version()
        if self._made[0] != version:
            self._made = (version, Kept())
        return self._made[1]

    def _find(self, sid: str) -> Service | None:
        made = self._kept()
        known = made.get(sid)
        if known is not None:
            return known
        row = self.catalog.service(sid)
        return None if row is None else self._opened(row, made)

    def _opened(self, row: ServiceRow, made: Kept[Service]) -> Service | None:
        try:
            store = self.chain.made(row.sid)
        except NoSuchStore:
            return None
        return made.keep(row.sid, Service(self._identify(row), store))

    def _identify(self, row: ServiceRow) -> Identification:
        return Identification(
            sid=row.sid,
            driver=self.chain.buckets_driver,
            owner=row.owner,
            created=row.created,
            grants=row.grants,
        )

    def services(self, identity: Identity) -> Sequence[Access]:
        found = [Access(service, identity) for service in self._declared.values()]
        made = self._kept()
        for row in self._rows(identity):
            service = made.get(row.sid) or self._opened(row, made)
            if service is not None and row.sid not in self._declared:
                found.append(Access(service, identity))
        found += [Access(service, identity) for service in self.accounts.services()]
        return sorted((one for one in found if one.visible), key=lambda one: one.service.sid)

    def _who_has(self, sid: str) -> str:
        """Who comes before an account's bucket of that name; "" for nobody."""
        declared = self._declared.get(sid)
        if declared is not None:
            return declared.about.declared
        return "" if self._find(sid) is None else "a bucket made here"

    def _rows(self, identity: Identity) -> Iterator[ServiceRow]:
        """Rows that the identity may perhaps see, page by page."""
        access = identity.access
        named = set() if isinstance(access, str) else set(access)
        for sid in named:
            row = self.catalog.service(sid)
            if row is not None:
                yield row
        everything = isinstance(access, str) and access in _EVERYTHING
        after: str | None = ""
        while after is not None:
            rows = self.catalog.services(
                after, _PAGE, for_account=None if everything else identity.account
            )
            yield from (row for row in rows if row.sid not in named)
            after = rows[-1].sid if len(rows) == _PAGE else None

    # changing

    def create(self, identity: Identity, sid: str, grants: Sequence[Grant] = ()) -> Access:
        access = identity.access
        if not (identity.account and isinstance(access, str) and access in _CREATORS):
            raise Forbidden("This key may not create services.")
        if not SID.fullmatch(sid):
            raise BadKey(f"{SID_RULE}.", key=sid)
        if sid in self.chain.services or self.accounts.has(sid):
            raise AlreadyExists
        self._claim(identity.account, sid, grants)
        self.chain.buckets.create(sid)
        row = self.catalog.read_service(sid)
        if row is None or row.owner != identity.account:
            self._take_back(sid)
            raise Conflict("The service was dropped while it was made.")
        return self.access(identity, sid)

    def _claim(self, owner: str, sid: str, grants: Sequence[Grant]) -> None:
        """A row in the catalog for a bucket that is not there yet."""
        for _ in range(_TRIES):
            if self._exists(sid):
                raise AlreadyExists
            left = self.catalog.read_service(sid)
            if left is not None and left.owner != owner:
                raise AlreadyExists
            replaces = None if left is None else left.id
            try:
                self.catalog.add_service(sid, owner, grants, replaces=replaces)
            except Conflict:
                continue  # somebody was quicker with that row: look again
            return
        raise Conflict

    def _take_back(self, sid: str) -> None:
        try:
            self.chain.buckets.drop(sid)
        except (NoSuchStore, NotEmpty):
            return  # somebody else's doing: it is theirs

    def _exists(self, sid: str) -> bool:
        try:
            self.chain.made(sid)
        except NoSuchStore:
            return False
        return True

    def drop(self, identity: Identity, sid: str) -> None:
        row = self._row(identity, sid, "admin")
        try:
            self.chain.buckets.drop(sid)
        except NoSuchStore:
            if not self.catalog.remove_service(row.id):
                raise
            self._drop_late(row)
            return
        self.catalog.remove_service(row.id)

    def _drop_late(self, row: ServiceRow) -> None:
        """Drop a bucket that was made between the look for it and the end of its row. Raises
        `NotEmpty`, with the row restored, when it is in use already."""
        if self.catalog.read_service(row.sid) is not None:
            return  # somebody else's by now
        try:
            self.chain.buckets.drop(row.sid)
        except NoSuchStore:
            return
        except NotEmpty:
            with suppress(AlreadyExists):
                self.catalog.add_service(row.sid, row.owner, row.grants)
            raise

    def set_grants(self, identity: Identity, sid: str, grants: Sequence[Grant]) -> None:
        row = self._row(identity, sid, "write-grants")
        if not self.catalog.set_grants(row.id, grants):
            raise NoSuchStore(name=sid)

    def _row(
        self, identity: Identity, sid: str, action: Literal["admin", "write-grants"]
    ) -> ServiceRow:
        """The row of a service that the identity may change in that way."""
        declared = self._declared.get(sid)
        if declared is not None:
            Access(declared, identity).require(action)
            raise Conflict(
                f"The service is declared in the configuration ({declared.about.declared})."
            )
        row = self.catalog.read_service(sid)
        if row is None:
            self._refuse_upstream(identity, sid, action)
            raise NoSuchStore(name=sid)
        # Deciding touches no store, and the service's own may be gone.
        if action not in allowed_on_service(identity, self.chain.as_bucket(self._identify(row))):
            raise Forbidden
        return row

    def _refuse_upstream(
        self, identity: Identity, sid: str, action: Literal["admin", "write-grants"]
    ) -> None:
        """Raise `Conflict` for an account's bucket: it is upstream's, and stays as it is."""
        found = self.accounts.find(sid)
        if found is not None:
            Access(found, identity).require(action)
            raise Conflict(f"The bucket is an upstream's, by the service {found.about.declared}.")


def open_runtime(
    configuration: Configuration,
    *,
    server: Literal["granian", "waitress"] = "granian",
    jobs: Jobs | None = None,
    clock: Callable[[], int] = now,
    environ: Mapping[str, str] | None = None,
    requests: RequestList | None = None,
    threads: int = 0,
) -> Runtime:
    """Open catalog and chain, in the process that will serve; `server` decides about
    the largest body; `requests` is kept in memory unless it is given; `threads`: as many
    serve, if that is known. Raises `CatalogError` and `ChainError`."""
    chain = Chain(configuration)
    catalog = open_catalog(configuration, environ)
    try:
        chain.open(
            folder=configuration.data,
            master_key=catalog.keyring.storage,
            clock=clock,
            jobs=jobs,
            threads=threads,
        )
        chain.date(catalog.declared_since(chain.services, configuration.origin.written))
    except BaseException:
        chain.close()
        catalog.close()
        raise
    settings = configuration.settings(server)
    runtime = Runtime(chain, catalog, settings, clock=clock, requests=requests)
    runtime.accounts.report()
    return runtime
