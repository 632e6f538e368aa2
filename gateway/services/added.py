"""The catalog's services that have a driver of their own, as they come and go.

Each process knows all of them by their rows, and opens one when it is asked for, or a
little later by itself; where there are many, most rest until somebody asks for them (`resting`).
One that is gone, or was changed, is taken out at once, with all
that stand in front of it; its store is closed when nobody uses it any more, so the old
and the new one may be open at the same time. What cannot be opened is logged, is
`Unavailable`, and keeps nothing else from being served. One whose name the configuration
declares by now is hidden: it is not opened at all.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress

from gateway.catalog import BindingRow, Catalog, ServiceRow
from gateway.catalog.stores import Stores
from gateway.common import looking
from gateway.config import Binding
from gateway.config.problems import join
from gateway.services.chain import Chain, ChainError, needed_by
from gateway.services.lasting import Lasting
from gateway.services.opening import Added, Opener, Outcome
from gateway.services.openings import PATIENCE, Openings, key_of
from gateway.services.removable import RemovableService
from gateway.services.resting import Resting
from gateway.services.stored import binding_of
from gateway.storage import NoSuchStore, StorageError, Unavailable

log = logging.getLogger("gateway.services")


class AddedServices:
    """`chain` is open before anything is asked for here, and is closed after this. `before`:
    those of the configuration that this one follows."""

    def __init__(
        self,
        chain: Chain,
        catalog: Catalog,
        clock: Callable[[], int],
        before: AddedServices | None = None,
    ) -> None:
        self._chain, self._catalog, self._clock = chain, catalog, clock
        self._before = before
        self._opener = Opener(chain, catalog)
        self._reading = threading.Lock()
        """Who has it asks the catalog, for all who would."""
        self._lock = threading.Lock()
        """For what follows; nobody waits for anything while it is held."""
        self._number = -1
        self._rows: Mapping[str, ServiceRow] = {}
        self._open: dict[str, Added] = {}
        self._openings = Openings(chain.behind, clock, self._lock, self._opened, self._is_row)
        self._retired: list[Added] = []
        drivers = chain.configuration.plugins.drivers
        self._resting = Resting({name: one.kind for name, one in drivers.items()})
        self._waiting: set[str] = set()
        """Ids of those that are opened when they are asked for."""
        self._closed: dict[str, Added] = {}
        """Some of these, to be looked at."""
        self._gone: list[tuple[ServiceRow, Mapping[str, ServiceRow]]] = []
        """Those that were not open when they went, each with all that there were: what they kept
        is to be removed."""
        self._hidden: set[int] = set()
        self.bindings: tuple[BindingRow, ...] = ()
        self.accounts: Mapping[str, RemovableService] = {}
        """Those that are open and have many buckets."""
        self.configuration = chain.configuration

    # what there is

    def sync(self) -> bool:
        """Take out what the catalog does not have any more as it is here; whether anything
        of this kind has changed there."""
        with self._reading:
            if self._catalog.stores_number() == self._number:
                return False
            stores = self._catalog.stores()
            with self._lock:
                self._take(stores)
        for sid in self._newly_hidden(stores):
            log.warning("%s", hidden(sid))
        return True

    def _take(self, stores: Stores) -> None:
        declared, before = self._chain.services, self._rows
        self._rows = {sid: row for sid, row in stores.services.items() if sid not in declared}
        self.bindings, self._number = stores.bindings, stores.number
        self._openings.keep(self._rows.values())
        for sid, one in list(self._open.items()):  # what is behind comes before
            if not self._is_current(one):
                del self._open[sid]
                one.service.uses.over = True
                self._retired.append(one)
                self._openings.forget(one.row)
        self._gone += [
            (row, before)
            for sid, row in before.items()
            if sid not in stores.services and sid in self._waiting
        ]
        self._closed = {sid: one for sid, one in self._closed.items() if self._is_same(one)}
        rows = self._rows.values()
        self._waiting = self._resting.waiting(rows, self._open.__contains__, self._waiting)
        self._note_accounts()

    def _newly_hidden(self, stores: Stores) -> Iterator[str]:
        for sid, row in stores.services.items():
            if sid in self._chain.services and row.id not in self._hidden:
                self._hidden.add(row.id)
                yield sid

    def _is_current(self, one: Added) -> bool:
        return not any(link.service.uses.over for link in one.links) and self._is_row_of(one)

    def _is_row_of(self, one: Added) -> bool:
        row = self._rows.get(one.row.sid)
        return row is not None and key_of(row) == key_of(one.row)

    def _is_same(self, one: Added) -> bool:
        """Of what is closed: with all that is behind it."""
        return self._is_row_of(one) and all(map(self._is_same, one.links))

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

    def rests(self, sid: str) -> bool:
        """Whether it is opened by the first who asks for it."""
        return sid in self._waiting

    def shown(self, sid: str) -> RemovableService | None:
        """As `find`, without opening one that rests: to be looked at, never read or written."""
        one = self._open.get(sid) or self._closed.get(sid)
        if one is None and sid in self._waiting:
            one = self._look_at(sid, self._rows, ())
            if one is not None:
                self._closed[sid] = one
        return self.find(sid) if one is None else one.service

    def _look_at(
        self, sid: str, rows: Mapping[str, ServiceRow], fronts: tuple[str, ...]
    ) -> Added | None:
        """None for what cannot be opened, or is none of them."""
        row = rows.get(sid)
        if row is None or sid in fronts:
            return None
        one = self._open.get(sid)
        if one is not None and key_of(one.row) == key_of(row):
            return one
        try:
            declared = self._opener.decoded(row, rows)
            behind = {
                link: found
                for link in declared.links.values()
                if link not in self._chain.services
                and (found := self._look_at(link, rows, (*fronts, sid))) is not None
            }
            return self._opener.closed(row, declared, behind)
        except Exception:  # it may be foreign code's; who opens it says what is wrong
            return None

    def open_all(self, stop: Callable[[], bool] = lambda: False) -> None:
        """Those that are not open yet and do not rest, until `stop`. What cannot be opened was
        logged."""
        with self._lock:
            missing = [sid for sid in self._rows.keys() - self._waiting if sid not in self._open]
        self._begin_each(sorted(missing), stop)

    def open_new(self) -> None:
        """Those of which it is not known yet whether they can be opened, and have many buckets;
        for a while, whoever waits for it."""
        with self._lock:
            new = [
                sid
                for sid, row in self._rows.items()
                if sid not in self._waiting and not self._openings.was_tried(row)
            ]
        latest = time.monotonic() + PATIENCE
        self._begin_each(new, lambda: time.monotonic() > latest)

    def _begin_each(self, sids: Iterable[str], stop: Callable[[], bool]) -> None:
        for sid in sids:
            if stop():
                return
            with suppress(Unavailable, NoSuchStore):
                self._begin(sid)

    def take_over(self) -> None:
        """Have those open that are open before and stay what they are: who closes them there
        would else close them for good, with what they have in memory."""
        if self._before is None:
            return
        self.sync()
        for sid in self._before.all_open:  # what is behind comes first
            row = self._rows.get(sid)
            if row is not None and self._same(row) is not None:
                self._begin_each([sid], lambda: False)

    def _same(self, row: ServiceRow) -> Added | None:
        """The one before, if it is the row's and all that its store holds on to is the same."""
        before = self._before
        one = None if before is None else before._open.get(row.sid)
        if before is None or one is None or key_of(one.row) != key_of(row):
            return None
        for sid in needed_by(one.lasting.declared):
            needed = before._lasting(sid)
            if needed is None or needed is not self._lasting(sid):
                return None
        return one

    def _lasting(self, sid: str) -> Lasting | None:
        """Of what is open of that name, declared or not."""
        one = self._open.get(sid)
        return self._chain.lasting(sid) if one is None else one.lasting

    def opened(self, sid: str) -> Added | None:
        """What is open of that name."""
        return self._open.get(sid)

    def failure(self, row: ServiceRow) -> str | None:
        """Why it cannot be opened here, "" where that is what is behind it; None where nothing of
        the kind is known."""
        return self._openings.failure(row)

    @property
    def all_open(self) -> Mapping[str, Added]:
        with self._lock:
            return dict(self._open)

    @property
    def all_shown(self) -> Mapping[str, Added]:
        """With those that rest: to be looked at."""
        for sid in sorted(self._waiting):
            with suppress(Unavailable):
                self.shown(sid)
        with self._lock:
            return {**self._closed, **self._open}

    @property
    def rows(self) -> Mapping[str, ServiceRow]:
        """All, at the last `sync`, but for those that are hidden."""
        return self._rows

    @property
    def number(self) -> int:
        """That of what there was at the last `sync` (`Catalog.stores_number`)."""
        return self._number

    @property
    def pending(self) -> bool:
        """Whether some are to be opened yet."""
        return len(self._open) + len(self._waiting) < len(self._rows)

    def binding(self, row: BindingRow) -> Binding:
        """Raises as `stored.binding_of` does."""
        return binding_of(self.configuration, self._catalog, row)

    # opening

    def _begin(self, sid: str, fronts: tuple[str, ...] = ()) -> Added:
        """Raises `NoSuchStore`, `Unavailable`."""
        with self._openings.room():
            while True:
                with self._lock:
                    one, row = self._open.get(sid), self._rows.get(sid)
                    if one is not None:
                        return one
                    if row is None:
                        raise NoSuchStore(name=sid)
                    opening, new = self._openings.found(row, fronts)
                found = self._openings.outcome(row, opening, new)
                if found is not None:
                    return found

    def _is_row(self, row: ServiceRow) -> bool:
        return self._rows.get(row.sid) is row

    def _opened(self, row: ServiceRow, fronts: tuple[str, ...], held: ExitStack) -> Outcome:
        declared = self._opener.decoded(row, self._rows)
        behind: dict[str, Added] = {}
        for sid in declared.links.values():
            if sid in fronts:
                raise ChainError(f"{declared.place}: it stands in front of itself.")
            if sid not in self._chain.services:
                behind[sid] = self._begin(sid, fronts)
                if not held.enter_context(behind[sid].service.uses.held()):
                    return "changed"
        one = self._opener.open(row, declared, behind, self._same(row))
        if not self._taken_in(one):
            self._opener.close(one.lasting)
            return "changed"
        if self._resting.is_full(len(self._open)):  # who opens one too many has others closed
            self.rest()
            self.sweep()
        return one

    def _taken_in(self, one: Added) -> bool:
        """Whether it is what counts still."""
        with self._lock:
            if not self._is_current(one):
                return False
            sid = one.row.sid
            self._open[sid] = one
            self._waiting.discard(sid)
            self._closed.pop(sid, None)
            self._openings.is_open(one.row)
            if one.account:
                self._note_accounts()
            return True

    # closing

    def rest(self) -> None:
        """Take out those that nobody has asked for in a while, or that are too many."""
        with self._lock:
            for one in self._resting.tired(self._open.values()):
                del self._open[one.row.sid]
                self._waiting.add(one.row.sid)
                one.service.uses.over = True
                self._retired.append(one)

    def visit(self) -> None:
        """Open one of those that rest, now and then, so that it tidies up."""
        sid = self._resting.next_visit(self._waiting)
        if sid is not None:
            self._begin_each([sid], lambda: False)

    def sweep(self) -> None:
        """Close those that were taken out and that nobody uses."""
        with self._lock:
            gone, self._gone = self._gone, []
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
            self._opener.close(one.lasting)
            if self._is_outdated(one) and not one.lasting.is_open:
                self._discard(one)
        for row, rows in gone:
            self._forget(row, rows)

    def _forget(self, row: ServiceRow, rows: Mapping[str, ServiceRow]) -> None:
        """Have what one kept removed that is gone, and was not open here."""
        one = self._look_at(row.sid, rows, ())
        data = self._chain.configuration.data
        if one is None or row.sid in self._rows:  # its successor does, when it is opened
            return
        store = one.lasting.store
        if not any(looking.is_there(place.folder) for place in store.places(data, row.sid)):
            return
        try:
            self._opener.begin(one)
        except Exception as error:  # it may be foreign code's
            log.warning("services.%s: what it kept is not removed: %s", row.sid, error)
            return
        self._opener.close(one.lasting)
        self._discard(one)

    def _discard(self, one: Added) -> None:
        try:
            one.service.store.discard()
        except Exception as error:  # it may be foreign code's
            traced = not isinstance(error, StorageError | OSError)
            text = "services.%s: what it kept is not removed: %s"
            log.warning(text, one.row.sid, error, exc_info=traced)

    def _is_outdated(self, one: Added) -> bool:
        """Whether there will be none of its generation any more, as far as this process knows."""
        sid = one.row.sid
        successor, row = self._open.get(sid), self._rows.get(sid)
        if successor is not None:
            return successor.generation != one.generation
        return row is None or row.id != one.row.id

    @property
    def retired(self) -> int:
        """How many wait to be closed, or to be forgotten."""
        return len(self._retired) + len(self._gone)

    def close(self) -> None:
        """All of them, whoever uses them. May be called twice. One that is being opened closes
        itself when it is open."""
        with self._lock:
            opened, opening = [*self._open.values(), *self._retired], self._openings.under_way()
            self._open, self._rows, self._retired, self._before = {}, {}, [], None
            self._waiting, self._closed, self._gone = set(), {}, []
        for late in opening:
            late.wait()
        for one in sorted(opened, key=_depth, reverse=True):
            one.service.uses.over = True
            self._opener.close(one.lasting)


def hidden(sid: str) -> str:
    """What an operator is told of an added service whose name is declared."""
    place = join("services", sid)
    return (
        f"{place}: a service of that name was added, too: the configuration counts, and what was"
        f" added is not opened. `gateway services remove {sid}` takes it away."
    )


def _depth(one: Added) -> int:
    """How many are behind it, one after another."""
    return 1 + max(map(_depth, one.links), default=0)
