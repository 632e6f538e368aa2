"""Zones: who may make, change, drop and look at them; and what becomes of a change.

A change is read and planned by pure functions, decoded by those that decode a file, and written
in one commit, whose number says when every worker serves it (`serving`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields
from typing import Any, Protocol

from gateway.access.identity import Identity, account_of, owner_listed
from gateway.catalog import Catalog
from gateway.catalog.rows import ZoneRow
from gateway.config import Configuration
from gateway.modes.uploaded_certificates import covers
from gateway.modes.zones import ZoneInfo, ZoneOptions
from gateway.services.operator import translated
from gateway.services.zones import documents
from gateway.services.zones.documents import Wrong
from gateway.services.zones.names import zone_options
from gateway.services.zones.parts import cdn_domain, sid_of
from gateway.services.zones.planning import Planner
from gateway.storage import (
    AlreadyExists,
    Conflict,
    InvalidRequest,
    NotFound,
    Unsupported,
)

log = logging.getLogger("gateway.services")

_TRIES = 10


class Serving(Protocol):
    """See `gateway.services.serving`."""

    def everywhere(self) -> int: ...


class GatewayZones:
    """Implements `gateway.modes.zones.Zones`. `notice` has this process see what was changed;
    `release` is called with names that a zone has no more, of which certificates were ordered."""

    def __init__(
        self,
        configuration: Configuration,
        catalog: Catalog,
        serving: Serving,
        notice: Callable[[], object],
        release: Callable[[Sequence[str]], object] = lambda _: None,
    ) -> None:
        self._configuration, self._catalog = configuration, catalog
        self._serving, self._notice, self._release = serving, notice, release
        self._found = zone_options(configuration)
        self.offered = self._found is not None

    @property
    def _options(self) -> ZoneOptions:
        if self._found is None:
            raise Unsupported("This gateway has no zones: a table of its configuration asks for.")
        return self._found

    @property
    def _planner(self) -> Planner:
        return Planner(self._configuration, self._catalog, self._options)

    # changing

    def make(self, identity: Identity, document: Mapping[str, Any]) -> ZoneInfo:
        account, options = account_of(identity), self._options
        with _said():
            wanted = self._planner.wanted(account, documents.read(document), active=True)
        row = self._catalog.add_zone(account, wanted, limit=options.max_zones)
        return self._changed(row)

    def replace(self, identity: Identity, number: int, document: Mapping[str, Any]) -> ZoneInfo:
        def become(row: ZoneRow) -> tuple[Mapping[str, Any], bool]:
            return {"object_size": row.document["object_size"], **document}, row.active

        return self._change(identity, number, become)

    def patch(
        self,
        identity: Identity,
        number: int,
        changes: Mapping[str, Any],
        helpers: Collection[str] = (),
    ) -> ZoneInfo:
        def become(row: ZoneRow) -> tuple[Mapping[str, Any], bool]:
            active = "enable" in helpers or (row.active and "disable" not in helpers)
            return documents.merged({**row.document}, changes, helpers), active

        return self._change(identity, number, become)

    def _change(
        self,
        identity: Identity,
        number: int,
        become: Callable[[ZoneRow], tuple[Mapping[str, Any], bool]],
    ) -> ZoneInfo:
        """Again when somebody else has changed it meanwhile."""
        for _ in range(_TRIES):
            row = self._row(identity, number)
            with _said():
                given, active = become(row)
                document = documents.read(given)
                if document["object_size"] != row.document["object_size"]:
                    raise Wrong("object_size: it stays what it was when the zone was made.")
                wanted = self._planner.wanted(row.account, document, active=active)
            with suppress(Conflict):
                changed = self._changed(self._catalog.change_zone(row, wanted))
                self._let_go(row, changed.custom_domains)
                return changed
        raise Conflict("Others change this zone all the time: try again.")

    def drop(self, identity: Identity, number: int) -> None:
        row = self._row(identity, number)
        self._catalog.remove_zone(row)
        self._notice()
        self._let_go(row, ())

    def settle(self) -> None:
        options = self._options
        said = repr([getattr(options, one.name) for one in fields(ZoneOptions)])
        if self._catalog.zones_settled() == said:
            return
        for row in self._catalog.zones():
            try:
                planned = self._planner.planned(row.account, {**row.document}, active=row.active)
                self._catalog.settle_zone(row, planned)
            except (Conflict, NotFound):  # it was changed just now, by the options of now
                continue
            except (Wrong, AlreadyExists) as error:
                log.warning("The zone %d stays as it was: %s", row.number, error)
        self._catalog.note_zones_settled(said)
        self._notice()

    def _let_go(self, before: ZoneRow, kept: Collection[str]) -> None:
        gone = [one for one in before.document["custom_domains"] if one not in kept]
        if gone:
            self._release(gone)

    def _changed(self, row: ZoneRow) -> ZoneInfo:
        self._notice()
        return self._info(row, self._serving.everywhere())

    # looking

    def find(self, identity: Identity, number: int) -> ZoneInfo:
        return self._info(self._row(identity, number), self._serving.everywhere())

    def list(
        self,
        identity: Identity,
        *,
        every: bool = False,
        after: int = 0,
        limit: int | None = None,
    ) -> Sequence[ZoneInfo]:
        owner = owner_listed(identity, every=every)
        everywhere = self._serving.everywhere()
        with translated():
            rows = self._catalog.zones(owner, after=after, limit=limit)
        return [self._info(row, everywhere) for row in rows]

    def count(self, identity: Identity) -> int:
        return self._catalog.count_zones(account_of(identity))

    def is_certified(self, zone: ZoneInfo) -> bool:
        _, rows = self._catalog.certificates()
        return any(
            covers(host, domain)
            for row in rows
            for host in row.hosts
            for domain in zone.custom_domains
        )

    def _row(self, identity: Identity, number: int) -> ZoneRow:
        account, row = account_of(identity), None
        if self._options and 0 < number < 1 << 63:
            with translated():
                row = self._catalog.zone(number)
        if row is None or (row.account != account and not identity.manages_everything):
            raise NotFound(f"There is no zone {number}.")
        return row

    def _info(self, row: ZoneRow, everywhere: int) -> ZoneInfo:
        document = row.document
        return ZoneInfo(
            number=row.number,
            account=row.account,
            cdn_domain=self._domain(row.number, row.account),
            custom_domains=tuple(document["custom_domains"]),
            sid=sid_of(row.reuses or row.number),
            counted_as=sid_of(row.number),
            document=documents.presented({**document}),
            active=row.active,
            storage=row.storage,
            created=row.created,
            changed=row.changed,
            ready=row.revision <= everywhere,
        )

    def _domain(self, number: int, account: str) -> str:
        return cdn_domain(number, self._catalog.account_number(account), self._options.suffix)


@contextmanager
def _said() -> Iterator[None]:
    """What is `Wrong` with a document, as modes know it."""
    try:
        yield
    except Wrong as error:
        raise InvalidRequest(" ".join(error.sentences)) from None
