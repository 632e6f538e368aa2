"""What services there are, how they are in this process, and what stands in front of what.

Nothing is opened for it, and no upstream is asked: what is not open is said to be waiting.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import groupby, islice

from gateway.catalog import CatalogError, ServiceRow
from gateway.config import given
from gateway.config.problems import Problems
from gateway.modes.operating import Given, ServiceDetails, ServiceInfo, ServicePage, ServiceState
from gateway.services.added import hidden
from gateway.services.administration import Administration
from gateway.services.service import Service
from gateway.services.service_editor import ServiceEditor
from gateway.services.stored import decoded
from gateway.storage import Measures, NoSuchStore, Stats, StorageError

_PAGE = 1000
_HALF_MADE = "It is being made or dropped, or a crash left it: its owner can make it again."


class Survey:
    def __init__(self, gateway: Administration, editor: ServiceEditor) -> None:
        self._gateway, self._editor = gateway, editor
        self._chain, self._catalog, self._added = gateway.chain, gateway.catalog, gateway.added
        self._added.sync()

    # all

    def page(self, after: str, limit: int, text: str) -> ServicePage:
        found = [*islice(self._from(after, limit, text), limit + 1)]
        items = [self._info(sid, rows, sizes=True) for sid, rows in found[:limit]]
        return ServicePage(items, items[-1].sid if len(found) > limit else None)

    def _from(self, after: str, limit: int, text: str) -> Iterator[tuple[str, list[ServiceRow]]]:
        """Each id with its row in the catalog: none where it is declared."""
        page = _PAGE if text else min(_PAGE, limit + 1)
        declared = ((sid, 0, None) for sid in sorted(self._chain.services) if sid > after)
        made = ((row.sid, 1, row) for row in self._rows(after, page))
        both = merge(declared, made, key=lambda one: one[:2])
        for sid, group in groupby(both, key=lambda one: one[0]):
            if text in sid:
                yield sid, [row for _, _, row in group if row is not None]

    def _rows(self, after: str, page: int) -> Iterator[ServiceRow]:
        while True:
            rows = self._catalog.services(after, page)
            yield from rows
            if len(rows) < page:
                return
            after = rows[-1].sid

    def of_drivers(self) -> dict[str, ServiceInfo]:
        """Those that are declared or have a driver of their own, by id, without their sizes."""
        known = {sid: self._info(sid, []) for sid in self._chain.services}
        return known | {sid: self._info(sid, [row]) for sid, row in self._added.rows.items()}

    def chain(self, sid: str) -> list[ServiceInfo]:
        """With all behind it and all in front of it, by id; "": all that have any of these."""
        known = self.of_drivers()
        in_front: dict[str, list[str]] = {}
        for one in known.values():
            for link in one.links:
                in_front.setdefault(link, []).append(one.sid)
        if not sid:
            linked = in_front.keys() | {one.sid for one in known.values() if one.links}
            return [known[one] for one in sorted(linked & known.keys())]
        found = {sid}
        for neighbours in ({one.sid: one.links for one in known.values()}, in_front):
            todo, seen = [sid], {sid}
            while todo:
                new = {*neighbours.get(todo.pop(), ())} - seen
                seen |= new
                todo += new
            found |= seen
        return [known[one] for one in sorted(found & known.keys())]

    def able(self, capability: type) -> list[tuple[str, Service]]:
        """Those of the services with a driver that are open, and have a capability. One whose
        upstream does not say now whether it can is not among them."""
        opened = {sid: one.service for sid, one in self._added.all_open.items()}
        both = {**opened, **self._chain.services}
        return [(sid, both[sid]) for sid in sorted(both) if both[sid].has(capability)]

    # one

    def details(self, sid: str) -> ServiceDetails:
        """Raises `NoSuchStore`."""
        row = self._catalog.read_service(sid)
        rows = [] if row is None else [row]
        if sid not in self._chain.services and row is None:
            raise NoSuchStore(name=sid)
        info = self._info(sid, rows, sizes=True)
        fixed = info.origin == "declared" or row is None
        return ServiceDetails(
            info=info,
            options=tuple(self._options(sid, row)),
            capabilities=self._chain.configuration.plugins.drivers[info.driver].capabilities,
            needed_by=tuple(self._editor.needed_by(sid)) if info.origin != "bucket" else (),
            settings=self._gateway.service_settings.documents(sid),
            grants=() if fixed or row is None else tuple((one[0], one[1]) for one in row.grants),
        )

    def _service(self, sid: str, row: ServiceRow | None) -> Service | None:
        """What is open of it."""
        if sid in self._chain.services:
            return self._chain.services[sid]
        if row is None:
            return None
        if row.store is not None:
            one = self._added.opened(sid)
            return None if one is None else one.service
        try:
            return Service(self._gateway.identify_row(row), self._chain.made(sid))
        except NoSuchStore:
            return None

    def _options(self, sid: str, row: ServiceRow | None) -> Iterable[Given]:
        configuration = self._chain.configuration
        if sid in configuration.services:
            return given.of_service(configuration.services[sid])
        if row is None or row.store is None:
            return ()
        try:
            found = decoded(configuration, self._catalog, row, Problems())
            return () if found is None else given.of_service(found, self._catalog.options(row))
        except CatalogError:
            return ()

    def _info(self, sid: str, rows: list[ServiceRow], *, sizes: bool = False) -> ServiceInfo:
        """`rows`: the one of the catalog; none where it is declared."""
        declared = self._chain.configuration.services.get(sid)
        if declared is not None:
            service = self._chain.services[sid]
            return ServiceInfo(
                sid=sid,
                driver=declared.driver.driver,
                owner=declared.account,
                origin="declared",
                name=declared.name,
                declared=declared.place,
                created=service.about.created,
                links=tuple(declared.links.values()),
                volume=service.about.volume,
                bucket=service.about.bucket,
                trouble=hidden(sid) if rows else "",
                stats=_stats(service) if sizes else None,
            )
        (row,) = rows
        found = self._service(sid, row)
        state, trouble = self._state(row, found)
        return ServiceInfo(
            sid=sid,
            driver=self._chain.buckets_driver if row.store is None else row.store.driver,
            owner=row.owner,
            origin="bucket" if row.store is None else "added",
            name="" if row.store is None else row.store.name,
            created=row.created,
            links=self._links(row),
            part_of="" if row.store is None else row.store.part_of,
            volume=row.within.volume,
            bucket=row.within.bucket,
            state=state,
            trouble=trouble,
            stats=_stats(found) if sizes and found is not None else None,
        )

    def _links(self, row: ServiceRow) -> tuple[str, ...]:
        if row.store is None:
            return ()
        one = self._added.opened(row.sid)
        return self._editor.links(row) if one is None else one.behind

    def _state(self, row: ServiceRow, service: object | None) -> tuple[ServiceState, str]:
        if service is not None:
            return "open", ""
        if row.store is None:
            return "waiting", _HALF_MADE
        failure = self._added.failure(row)
        if failure is not None:
            return "failing", failure
        return ("resting" if self._added.rests(row.sid) else "waiting"), ""


def _stats(service: Service) -> Stats | None:
    """Of what is counted here: nobody else is asked."""
    try:
        measures = service.find(Measures)
        return None if measures is None else measures.stats()
    except StorageError:
        return None
