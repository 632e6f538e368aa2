"""The catalog's services that have a driver of their own, as they come and go.

Each process knows all of them by their rows, and opens one when it is asked for, or a
little later by itself. One that is gone, or was changed, is taken out at once, with all
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
from contextlib import ExitStack, contextmanager, suppress
from functools import partial

from gateway.catalog import BindingRow, Catalog, CatalogError, ServiceRow
from gateway.catalog.stores import Stores
from gateway.config.problems import join
from gateway.services.chain import Chain, ChainError, mistake, needed_by
from gateway.services.lasting import Lasting
from gateway.services.opening import PATIENCE, Added, Opener, Opening, Outcome
from gateway.services.removable import RemovableService
from gateway.storage import NoSuchStore, StorageError, Unavailable

log = logging.getLogger("gateway.services")

RETRY = 1000
"""Milliseconds after which one that could not be opened is tried again."""

_Key = tuple[int, int]


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
        self._waiting = chain.behind.threads.part()
        self._reading = threading.Lock()
        """Who has it asks the catalog, for all who would."""
        self._lock = threading.Lock()
        """For what follows; nobody waits for anything while it is held."""
        self._number = -1
        self._rows: Mapping[str, ServiceRow] = {}
        self._open: dict[str, Added] = {}
        self._opening: dict[_Key, Opening] = {}
        self._retired: list[Added] = []
        self._failed: dict[str, int] = {}
        self._told: dict[_Key, str] = {}
        self._tried: set[_Key] = set()
        self._hidden: set[int] = set()
        self.bindings: tuple[BindingRow, ...] = ()
        self.accounts: Mapping[str, RemovableService] = {}
        """Those that are open and have many buckets."""

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
        declared = self._chain.services
        self._rows = {sid: row for sid, row in stores.services.items() if sid not in declared}
        self._number, self.bindings = stores.number, stores.bindings
        self._failed.clear()
        keys = {_key(row) for row in self._rows.values()}
        self._told = {key: text for key, text in self._told.items() if key in keys}
        self._tried &= keys
        for sid, one in list(self._open.items()):  # what is behind comes before
            if not self._is_current(one):
                del self._open[sid]
                one.service.uses.over = True
                self._retired.append(one)
                self._tried.discard(_key(one.row))
        self._note_accounts()

    def _newly_hidden(self, stores: Stores) -> Iterator[str]:
        for sid, row in stores.services.items():
            if sid in self._chain.services and row.id not in self._hidden:
                self._hidden.add(row.id)
                yield sid

    def _is_current(self, one: Added) -> bool:
        row = self._rows.get(one.row.sid)
        if row is None or any(link.service.uses.over for link in one.links):
            return False
        return _key(row) == _key(one.row)

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
        with self._lock:
            missing = [sid for sid in self._rows if sid not in self._open]
        self._begin_each(missing, stop)

    def open_new(self) -> None:
        """Those of which it is not known yet whether they can be opened, and have many buckets;
        for a while, whoever waits for it."""
        with self._lock:
            new = [sid for sid, row in self._rows.items() if _key(row) not in self._tried]
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
        if before is None or one is None or _key(one.row) != _key(row):
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

    @property
    def all_open(self) -> Mapping[str, Added]:
        with self._lock:
            return dict(self._open)

    @property
    def pending(self) -> bool:
        """Whether some are to be opened yet."""
        return len(self._open) < len(self._rows)

    # opening

    def _begin(self, sid: str, fronts: tuple[str, ...] = ()) -> Added:
        """Raises `NoSuchStore`, `Unavailable`."""
        with self._room():
            while True:
                with self._lock:
                    one, row = self._open.get(sid), self._rows.get(sid)
                    if one is not None:
                        return one
                    if row is None:
                        raise NoSuchStore(name=sid)
                    opening, new = self._found_opening(row, fronts)
                outcome = self._outcome(row, opening, new)
                if isinstance(outcome, Added):
                    return outcome
                if outcome == "failed":
                    raise _unavailable()

    @contextmanager
    def _room(self) -> Iterator[None]:
        """For one more that waits: some threads stay for requests that need nobody else."""
        there_is = self._waiting.take()
        try:
            if not there_is:
                raise _unavailable()
            yield
        finally:
            self._waiting.give()

    def _found_opening(self, row: ServiceRow, fronts: tuple[str, ...]) -> tuple[Opening, bool]:
        """And whether it is to be started."""
        opening = self._opening.get(_key(row))
        if opening is not None:
            return opening, False
        if self._clock() < self._failed.get(row.sid, 0):
            raise _unavailable()
        work = self._chain.behind.outside(partial(self._try, row, (*fronts, row.sid)))
        opening = self._opening[_key(row)] = Opening(row.sid, work)
        return opening, True

    def _outcome(self, row: ServiceRow, opening: Opening, new: bool) -> Outcome:
        if new:
            try:
                opening.start()
            except RuntimeError as error:
                self._fails(row, error)
                self._ended(row)
        outcome = opening.wait()
        with self._lock:
            self._tried.add(_key(row))
        return outcome

    def _try(self, row: ServiceRow, fronts: tuple[str, ...]) -> Outcome:
        """In a thread of its own, which must not end without a word, whatever it meets."""
        try:
            with ExitStack() as held:
                return self._opened(row, fronts, held)
        except BaseException as error:
            self._fails(row, error)
            return "failed"
        finally:
            self._ended(row)

    def _ended(self, row: ServiceRow) -> None:
        with self._lock:
            del self._opening[_key(row)]

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
        with self._lock:
            if self._is_current(one):
                self._open[row.sid] = one
                self._tried.add(_key(row))
                self._told.pop(_key(row), None)
                if one.account:
                    self._note_accounts()
                return one
        self._opener.close(one.lasting)
        return "changed"

    def _fails(self, row: ServiceRow, error: BaseException) -> None:
        """What fails again and again in the same way is told once."""
        text, traced = _words(row, error)
        with self._lock:
            if self._rows.get(row.sid) is not row:
                return  # it is another by now
            self._failed[row.sid] = self._clock() + RETRY
            told = self._told.get(_key(row)) == text
            if text:
                self._told[_key(row)] = text
        if text and not told:
            log.error("%s", text, exc_info=traced)

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
            self._opener.close(one.lasting)
            if self._is_outdated(one) and not one.lasting.is_open:
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
        """How many wait to be closed."""
        return len(self._retired)

    def close(self) -> None:
        """All of them, whoever uses them. May be called twice. One that is being opened closes
        itself when it is open."""
        with self._lock:
            opened, opening = [*self._open.values(), *self._retired], [*self._opening.values()]
            self._open, self._rows, self._retired, self._before = {}, {}, [], None
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


def _key(row: ServiceRow) -> _Key:
    """Another one when it is another, or was changed."""
    assert row.store is not None
    return row.id, row.store.revision


def _unavailable() -> Unavailable:
    return Unavailable("The service cannot be opened now.", retry_after=1)


def _words(row: ServiceRow, error: BaseException) -> tuple[str, BaseException | None]:
    """What is told of it, "" when that was told of another; and what with a traceback."""
    if isinstance(error, Unavailable):
        return "", None
    if isinstance(error, ChainError):
        return str(error), mistake(error)
    if isinstance(error, CatalogError):
        return str(error), None
    place = join("services", row.sid)
    return f"{place}: cannot be opened: {type(error).__name__}: {error}", error


def _depth(one: Added) -> int:
    """How many are behind it, one after another."""
    return 1 + max(map(_depth, one.links), default=0)
