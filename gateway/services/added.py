"""The catalog's services that have a driver of their own, as they come and go.

Each process knows all of them by their rows, and opens one when it is asked for, or a
little later by itself. One that is gone, or was changed, is taken out at once, with all
that stand in front of it; its store is closed when nobody uses it any more, so the old
and the new one may be open at the same time. What cannot be opened is logged, is
`Unavailable`, and keeps nothing else from being served.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.catalog import BindingRow, Catalog, CatalogError, ServiceRow
from gateway.config import Declared
from gateway.config.problems import Problems, join
from gateway.config.services import check_links
from gateway.services.chain import Chain, ChainError
from gateway.services.folders import Folders
from gateway.services.lasting import Lasting
from gateway.services.removable import RemovableService
from gateway.services.service import Service
from gateway.services.stored import confined, decoded, identified
from gateway.storage import Buckets, NoSuchStore, StorageError, Unavailable

log = logging.getLogger("gateway.services")

RETRY = 1000
"""Milliseconds after which one that could not be opened is tried again."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Added:
    """`behind` are those that it stands in front of, `links` of these the catalog's.
    `generation` tells what is behind it from what was, or will be; `likeness` is that of
    itself."""

    row: ServiceRow
    service: RemovableService
    lasting: Lasting
    behind: tuple[str, ...]
    links: tuple[Added, ...]
    generation: str
    likeness: str
    account: bool


class AddedServices:
    """`chain` is open before anything is asked for here, and is closed after this."""

    def __init__(self, chain: Chain, catalog: Catalog, clock: Callable[[], int]) -> None:
        self._chain, self._catalog, self._clock = chain, catalog, clock
        self._lock = threading.RLock()
        self._number = -1
        self._rows: Mapping[str, ServiceRow] = {}
        self._open: dict[str, Added] = {}
        self._retired: list[Added] = []
        self._failed: dict[str, int] = {}
        self._folders: Folders | None = None
        self.bindings: tuple[BindingRow, ...] = ()
        self.accounts: Mapping[str, RemovableService] = {}
        """Those that are open and have many buckets."""

    # what there is

    def sync(self) -> bool:
        """Take out what the catalog does not have any more as it is here; whether anything
        of this kind has changed there."""
        with self._lock:
            if self._catalog.stores_number() == self._number:
                return False
            self._number, self._rows, self.bindings = self._catalog.stores()
            self._failed.clear()
            for sid, one in list(self._open.items()):  # what is behind comes before
                if not self._is_current(one):
                    del self._open[sid]
                    one.service.uses.over = True
                    self._retired.append(one)
            self._note_accounts()
            return True

    def _is_current(self, one: Added) -> bool:
        row = self._rows.get(one.row.sid)
        return (
            row is not None
            and row.store is not None
            and one.row.store is not None
            and (row.id, row.store.revision) == (one.row.id, one.row.store.revision)
            and not any(link.service.uses.over for link in one.links)
        )

    def _note_accounts(self) -> None:
        self.accounts = {sid: one.service for sid, one in self._open.items() if one.account}

    def find(self, sid: str) -> RemovableService | None:
        """None when there was none at the last `sync`. Raises `Unavailable` when it cannot
        be opened."""
        one = self._open.get(sid)
        if one is None:
            try:
                one = self._begin(sid)
            except NoSuchStore:
                return None
        return one.service

    def open_all(self, stop: Callable[[], bool] = lambda: False) -> None:
        """Those that are not open yet, until `stop`. What cannot be opened was logged."""
        for sid in self._rows.keys() - self._open.keys():
            if stop():
                return
            try:
                self._begin(sid)
            except (Unavailable, NoSuchStore):
                continue

    @property
    def all_open(self) -> Mapping[str, Added]:
        return dict(self._open)

    @property
    def pending(self) -> bool:
        """Whether some are to be opened yet."""
        return len(self._open) < len(self._rows)

    # opening

    def _begin(self, sid: str, fronts: tuple[str, ...] = ()) -> Added:
        """Raises `NoSuchStore`, `Unavailable`."""
        with self._lock:
            one, row = self._open.get(sid), self._rows.get(sid)
            if one is not None:
                return one
            if row is None:
                raise NoSuchStore(name=sid)
            if self._clock() < self._failed.get(sid, 0):
                raise Unavailable("The service cannot be opened now.", retry_after=1)
            try:
                one = self._open[sid] = self._opened(row, (*fronts, sid))
            except (ChainError, CatalogError, Unavailable) as error:
                self._failed[sid] = self._clock() + RETRY
                if not isinstance(error, Unavailable):  # else it was logged
                    log.error("%s", error)
                raise Unavailable("The service cannot be opened now.", retry_after=1) from error
            if one.account:
                self._note_accounts()
            return one

    def _opened(self, row: ServiceRow, fronts: tuple[str, ...]) -> Added:
        declared, behind = self._decoded(row), dict[str, Added]()
        linked: dict[str, Service] = {}
        for sid in declared.links.values():
            if sid in fronts:
                raise ChainError(f"{declared.place}: it stands in front of itself.")
            if sid in self._chain.services:
                linked[sid] = self._chain.services[sid]
            else:
                behind[sid] = self._begin(sid, fronts)
                linked[sid] = behind[sid].service
        lasting = self._built(declared, linked)
        generation = self._generation(row.id, declared, behind)
        self._open_store(lasting, generation)
        about, staging = identified(declared, row), self._chain.staging(row.sid)
        service = RemovableService(about, lasting.store, staging=staging)
        return Added(
            row=row,
            service=service,
            lasting=lasting,
            behind=tuple(declared.links.values()),
            links=tuple(behind.values()),
            generation=generation,
            likeness=_digest(generation, declared.driver.driver, sorted(declared.options.items())),
            account=service.store.find(Buckets) is not None,
        )

    def _decoded(self, row: ServiceRow) -> Declared:
        """Raises `ChainError` with all that is wrong."""
        problems = Problems()
        declared = decoded(self._chain.configuration, self._catalog, row, problems)
        if declared is not None:
            known = self._chain.services.keys() | self._rows.keys()
            check_links(problems, {row.sid: declared}, sorted(known))
        if declared is None or problems:
            raise ChainError("\n".join(map(str, problems)))
        return declared

    def _built(self, declared: Declared, linked: Mapping[str, Service]) -> Lasting:
        try:
            lasting = self._chain.build(declared, linked)
        except ValueError as error:
            problems = Problems()
            problems.refused(declared.driver, declared.place, error)
            raise ChainError(str(problems[0])) from error
        if self._chain.single_process is None and (reason := confined(lasting.store)):
            raise ChainError(f"{declared.place}: {reason}")
        return lasting

    def _open_store(self, lasting: Lasting, generation: str) -> None:
        data, declared = self._chain.configuration.data, lasting.declared
        if self._folders is None:
            self._folders = Folders()
            for at, one in self._chain.places(data):
                self._folders.add(at, one)
        wrong = [
            clash.text
            for one in lasting.store.places(data, declared.sid)
            for clash in self._folders.add(declared.place, one)
        ]
        try:
            if wrong:
                raise ChainError("\n".join(wrong))
            self._chain.begin(lasting, generation)
        except ChainError:
            self._folders.remove(declared.place)
            raise

    def _generation(self, id: int, declared: Declared, behind: Mapping[str, Added]) -> str:
        """Another one when this service is another, or what is behind it may have other
        objects: another driver or options, but for secrets, which `repr` does not show."""
        likeness = {
            field: behind[sid].likeness if sid in behind else self._likeness(sid)
            for field, sid in declared.links.items()
        }
        return _digest(id, declared.source_path, sorted(likeness.items()))

    def _likeness(self, sid: str) -> str:
        """That of a declared service."""
        one = self._chain.configuration.services[sid]
        links = {field: self._likeness(to) for field, to in one.links.items()}
        options = sorted(one.options.items())
        return _digest(sid, one.driver.driver, options, one.source_path, sorted(links.items()))

    # closing

    def sweep(self) -> None:
        """Close those that were taken out and that nobody uses."""
        with self._lock:
            needed = {
                id(link) for one in (*self._open.values(), *self._retired) for link in one.links
            }
            unused = [
                one
                for one in self._retired
                if not one.service.uses.holders and id(one) not in needed
            ]
            self._retired = [one for one in self._retired if one not in unused]
        for one in unused:
            self._close(one)
            if self._is_outdated(one):
                try:
                    one.service.store.discard()
                except (StorageError, OSError) as error:
                    log.warning("services.%s: what it kept is not removed: %s", one.row.sid, error)

    def _close(self, one: Added) -> None:
        with self._lock:
            if one.row.sid not in self._open and self._folders is not None:
                self._folders.remove(join("services", one.row.sid))
        try:
            one.lasting.close()
        except (StorageError, OSError) as error:
            log.warning("services.%s: it did not close well: %s", one.row.sid, error)

    def _is_outdated(self, one: Added) -> bool:
        """Whether there will be none of its generation any more, as far as this process knows."""
        sid = one.row.sid
        successor, row = self._open.get(sid), self._rows.get(sid)
        if successor is not None:
            return successor.generation != one.generation
        return row is None or row.id != one.row.id

    @property
    def retired(self) -> int:
        """How many wait to be closed."""
        return len(self._retired)

    def close(self) -> None:
        """All of them, whoever uses them. May be called twice."""
        with self._lock:
            opened = [*self._open.values(), *self._retired]
            self._open, self._rows, self._retired = {}, {}, []
        for one in sorted(opened, key=_depth, reverse=True):
            one.service.uses.over = True
            self._close(one)


def _depth(one: Added) -> int:
    """How many are behind it, one after another."""
    return 1 + max(map(_depth, one.links), default=0)


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
