"""How a service of the catalog is opened: from its row to a store that serves."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gateway.catalog import Catalog, ServiceRow
from gateway.common.closing import close_all
from gateway.config import Declared
from gateway.config.links import check_links
from gateway.config.problems import Problems
from gateway.services.chain import Chain, ChainError
from gateway.services.folders import Folders
from gateway.services.generations import added_likeness, generation_of, likeness
from gateway.services.lasting import Lasting
from gateway.services.removable import RemovableService
from gateway.services.service import Service
from gateway.services.stored import confined, decoded, identified
from gateway.storage import Buckets

log = logging.getLogger("gateway.services")


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


Outcome = Added | Literal["failed", "changed"]
"""`changed`: it is another by now, or what is behind it."""


class Opener:
    """Opens and closes the stores of rows, in the folders of `chain`, which is open."""

    def __init__(self, chain: Chain, catalog: Catalog) -> None:
        self._chain, self._catalog = chain, catalog
        self._lock, self._folders = threading.Lock(), Folders()
        self._knows_declared = False

    def decoded(self, row: ServiceRow, others: Mapping[str, ServiceRow]) -> Declared:
        """Raises `ChainError` with all that is wrong, and `CatalogError`."""
        problems = Problems()
        declared = decoded(self._chain.configuration, self._catalog, row, problems)
        if declared is not None:
            known = self._chain.services.keys() | others.keys()
            missing = not known.issuperset(declared.links.values())
            # they are told in order, where something is to be told; there may be thousands
            check_links(problems, {row.sid: declared}, sorted(known) if missing else known)
        if declared is None or problems:
            raise ChainError("\n".join(map(str, problems)))
        return declared

    def open(
        self,
        row: ServiceRow,
        declared: Declared,
        behind: Mapping[str, Added],
        before: Added | None = None,
    ) -> Added:
        """`behind` are those of the catalog that it stands in front of, and are held; `before`
        has the store that stays, if it is open still. Raises `ChainError`, and whatever foreign
        code raises; then nothing is left of it."""
        generation = self._generation(row, declared, behind)
        lasting = None if before is None else self._kept(before, declared, generation)
        if lasting is None:
            lasting = self._built(declared, behind)
            self._begin(lasting, generation)
        try:
            return self._added(row, lasting, behind, generation)
        except BaseException:
            self.close(lasting)
            raise

    def closed(self, row: ServiceRow, declared: Declared, behind: Mapping[str, Added]) -> Added:
        """The same without opening it: to be looked at, never to be read or written."""
        generation = self._generation(row, declared, behind)
        return self._added(row, self._built(declared, behind), behind, generation)

    def begin(self, one: Added) -> None:
        """Open one that is closed. Raises as `open` does."""
        self._begin(one.lasting, one.generation)

    def close(self, lasting: Lasting) -> None:
        try:
            close_all(log, [(lasting.declared.place, lasting.close)])
        finally:
            self._folders.remove(lasting)

    def _kept(self, before: Added, declared: Declared, generation: str) -> Lasting | None:
        lasting = before.lasting
        if before.generation != generation or not lasting.serves(declared):
            return None
        if not lasting.share():
            return None
        try:
            self._admit(lasting)
        except BaseException:
            close_all(log, [(declared.place, lasting.close)])
            raise
        return lasting

    def _built(self, declared: Declared, behind: Mapping[str, Added]) -> Lasting:
        added: dict[str, Service] = {sid: one.service for sid, one in behind.items()}
        try:
            return self._chain.build(declared, {**self._chain.services, **added})
        except ValueError as error:
            problems = Problems()
            problems.refused(declared.driver, declared.place, error)
            raise ChainError(str(problems[0])) from error

    def _generation(self, row: ServiceRow, declared: Declared, behind: Mapping[str, Added]) -> str:
        likenesses = {
            field: behind[sid].likeness
            if sid in behind
            else likeness(self._chain.configuration, sid)
            for field, sid in declared.links.items()
        }
        return generation_of(row.id, declared, likenesses)

    def _begin(self, lasting: Lasting, generation: str) -> None:
        self._admit(lasting)
        try:
            self._chain.begin(lasting, generation)
        except BaseException:
            self._folders.remove(lasting)
            raise

    def _admit(self, lasting: Lasting) -> None:
        """Note its folders. Raises `ChainError` when they are another's, or it may not come
        while the gateway runs."""
        data, declared = self._chain.configuration.data, lasting.declared
        if self._chain.single_process is None and (reason := confined(lasting.store)):
            raise ChainError(f"{declared.place}: {reason}")
        self._know_declared()
        try:
            wrong = [
                clash.text
                for one in lasting.store.places(data, declared.sid)
                for clash in self._folders.add(declared.place, one, lasting)
            ]
            if wrong:
                raise ChainError("\n".join(wrong))
        except BaseException:
            self._folders.remove(lasting)
            raise

    def _know_declared(self) -> None:
        """When the first is opened: a start without any needs it not."""
        with self._lock:
            if not self._knows_declared:
                for at, one in self._chain.places(self._chain.configuration.data):
                    self._folders.add(at, one)
                self._knows_declared = True

    def _added(
        self, row: ServiceRow, lasting: Lasting, behind: Mapping[str, Added], generation: str
    ) -> Added:
        declared, staging = lasting.declared, self._chain.staging(row.sid)
        service = RemovableService(identified(declared, row), lasting.store, staging=staging)
        return Added(
            row=row,
            service=service,
            lasting=lasting,
            behind=tuple(declared.links.values()),
            links=tuple(behind.values()),
            generation=generation,
            likeness=added_likeness(generation, declared),
            account=service.store.find(Buckets) is not None,
        )
