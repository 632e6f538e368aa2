"""A thread of each process that follows the catalog where no request makes it look.

It opens services that are new, so that the first request for one need not wait, closes
those that are gone, or that nobody asks for, and has the doors know the bindings that there
are, the listeners the certificates, and the modes that something has changed. While nothing is
changed it compares a number, twice a second.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence

from gateway.catalog import BindingRow, CatalogError
from gateway.common.commit_watch import Version
from gateway.common.steady import Steady
from gateway.config import Binding, ConfigurationError
from gateway.services.added import AddedServices
from gateway.services.stored import door_of
from gateway.storage import StorageError

log = logging.getLogger("gateway.services")

LOOK = 0.4
"""Seconds between two looks: what is changed has its effect within one."""


class KeepingUp:
    """`version` changes whenever the catalog may have; the `looks` look then what of it has.
    `bind` is called with its bindings when these have changed, and at the first look; `serves`
    then with the number of what is served, again when it did not take it."""

    def __init__(
        self,
        version: Callable[[], Version],
        added: AddedServices,
        bind: Callable[[Sequence[Binding]], object] = lambda _: None,
        looks: Iterable[Callable[[], object]] = (),
        serves: Callable[[int], bool] = lambda _: True,
    ) -> None:
        self._version, self._added, self._bind, self._looks = version, added, bind, tuple(looks)
        self._serves, self._served = serves, -1
        self._bound: Sequence[BindingRow] | None = None
        self._known: dict[tuple[str, int, str], tuple[BindingRow, Binding]] = {}
        self._binding = threading.Lock()
        """So that what is bound last is the newest."""
        self._seen: Version = -1
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="services", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """May be called twice, and without a start."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        steady = Steady(log, "what is in the catalog is not followed", foreseen=(StorageError,))
        while not self._stop.is_set():
            steady(self.look)
            self._stop.wait(LOOK)

    def look(self) -> None:
        try:
            self.notice()
        finally:  # what is known already is opened, and closed, whatever comes of that
            if self._added.pending:
                self._added.open_all(self._stop.is_set)
            self._added.visit()
            self._added.rest()
            if self._added.retired:
                self._added.sweep()

    def notice(self) -> None:
        """Without opening anything: for the start, which need not wait for that, and for who has
        just changed something. Any thread may call it."""
        version = self._version()
        if version != self._seen:
            self._added.sync()
            for look in self._looks:
                look()
            self._seen = version
        with self._binding:
            number = self._added.number  # first: what is bound may be newer, never older
            if self._added.bindings is not self._bound:
                self._bound = self._added.bindings
                self._bind(list(self._bindings(self._bound)))
            if number != self._served and self._serves(number):
                self._served = number

    def _bindings(self, rows: Iterable[BindingRow]) -> Iterator[Binding]:
        """One whose options are none any more is no door: what it would open is not known. Those
        of which nothing has changed are what they were: there may be thousands."""
        before, self._known = self._known, {}
        for row in rows:
            known = before.get(row.door)
            try:
                same = known is not None and known[0] == row
                binding = known[1] if known is not None and same else self._added.binding(row)
            except (ConfigurationError, CatalogError) as error:
                log.error("The binding %s is left out: %s", door_of(row), error)
                continue
            self._known[row.door] = row, binding
            yield binding
