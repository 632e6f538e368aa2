"""Services of the catalog while they are being opened, and those that could not be.

Each is opened once, in a thread of its own, whoever asks for it meanwhile: a driver that
hangs keeps that thread, and nobody who asks for the service for longer than some seconds.
What cannot be opened is logged, and tried again a second later at the earliest; what fails
again and again in the same way is told once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from gateway.catalog import CatalogError, ServiceRow
from gateway.config.problems import join
from gateway.services.behind import Behind
from gateway.services.chain import ChainError, mistake
from gateway.services.opening import Added, Outcome
from gateway.storage import Unavailable

log = logging.getLogger("gateway.services")

PATIENCE = 10.0
"""Seconds that anybody waits for one that is being opened, from its beginning."""
RETRY = 1000
"""Milliseconds after which one that could not be opened is tried again."""

Key = tuple[int, int]


def key_of(row: ServiceRow) -> Key:
    """Another one when it is another, or was changed."""
    assert row.store is not None
    return row.id, row.store.revision


class Opening:
    """One that is being opened, by `work`."""

    def __init__(self, sid: str, work: Callable[[], Outcome]) -> None:
        self._work, self._over = work, threading.Event()
        self._latest = time.monotonic() + PATIENCE
        self._outcome: Outcome = "failed"
        self._thread = threading.Thread(target=self._run, name=f"open {sid}", daemon=True)

    def start(self) -> None:
        """Raises `RuntimeError` when there is no room for a thread."""
        try:
            self._thread.start()
        except BaseException:
            self._over.set()
            raise

    def _run(self) -> None:
        try:
            self._outcome = self._work()
        finally:
            self._over.set()

    def wait(self) -> Outcome:
        """What came of it; when it takes too long, "failed"."""
        self._over.wait(max(0.0, self._latest - time.monotonic()))
        return self._outcome


class Openings:
    """`work` opens the one of a row, in front of those of the given names, and holds what must
    not go meanwhile; it runs without a lock. `lock` guards what there is: it is held by who
    asks for `found`, `keep`, `forget` and `under_way`, so that nobody begins what another has
    just ended. `is_wanted`, asked within it, says whether a row is the one that counts still."""

    def __init__(
        self,
        behind: Behind,
        clock: Callable[[], int],
        lock: threading.Lock,
        work: Callable[[ServiceRow, tuple[str, ...], ExitStack], Outcome],
        is_wanted: Callable[[ServiceRow], bool],
    ) -> None:
        self._behind, self._clock, self._lock = behind, clock, lock
        self._work, self._is_wanted = work, is_wanted
        self._waiting = behind.threads.part()
        self._opening: dict[Key, Opening] = {}
        self._failed: dict[str, int] = {}
        self._told: dict[Key, str] = {}
        self._tried: set[Key] = set()

    @contextmanager
    def room(self) -> Iterator[None]:
        """For one more that waits: some threads stay for requests that need nobody else. Raises
        `Unavailable`."""
        there_is = self._waiting.take()
        try:
            if not there_is:
                raise _unavailable()
            yield
        finally:
            self._waiting.give()

    def found(self, row: ServiceRow, fronts: tuple[str, ...]) -> tuple[Opening, bool]:
        """The one that is under way, or a new one, and whether it is that, to be started by
        `outcome`. Raises `Unavailable` when it failed just now."""
        opening = self._opening.get(key_of(row))
        if opening is not None:
            return opening, False
        if self._clock() < self._failed.get(row.sid, 0):
            raise _unavailable()
        work = self._behind.outside(partial(self._try, row, (*fronts, row.sid)))
        opening = self._opening[key_of(row)] = Opening(row.sid, work)
        return opening, True

    def outcome(self, row: ServiceRow, opening: Opening, new: bool) -> Added | None:
        """None: it is another by now. Raises `Unavailable`."""
        if new:
            try:
                opening.start()
            except RuntimeError as error:
                self._fails(row, error)
                self._ended(row)
        outcome = opening.wait()
        with self._lock:
            self._tried.add(key_of(row))
        if outcome == "failed":
            raise _unavailable()
        return None if outcome == "changed" else outcome

    def failure(self, row: ServiceRow) -> str | None:
        """Why it could not be opened, "" where that was told of another; None where it was not
        tried, or can be."""
        return self._told.get(key_of(row), "") if row.sid in self._failed else None

    def was_tried(self, row: ServiceRow) -> bool:
        """Whether it is known whether it can be opened."""
        return key_of(row) in self._tried

    def is_open(self, row: ServiceRow) -> None:
        """Nothing is wrong with it any more."""
        self._tried.add(key_of(row))
        self._failed.pop(row.sid, None)
        self._told.pop(key_of(row), None)

    def keep(self, rows: Iterable[ServiceRow]) -> None:
        """Know nothing of others, and try all of these again."""
        keys = {key_of(row) for row in rows}
        self._failed.clear()
        self._told = {key: text for key, text in self._told.items() if key in keys}
        self._tried &= keys

    def forget(self, row: ServiceRow) -> None:
        self._tried.discard(key_of(row))

    def under_way(self) -> list[Opening]:
        return [*self._opening.values()]

    def _try(self, row: ServiceRow, fronts: tuple[str, ...]) -> Outcome:
        """In a thread of its own, which must not end without a word, whatever it meets."""
        try:
            with ExitStack() as held:
                return self._work(row, fronts, held)
        except BaseException as error:
            self._fails(row, error)
            return "failed"
        finally:
            self._ended(row)

    def _ended(self, row: ServiceRow) -> None:
        with self._lock:
            del self._opening[key_of(row)]

    def _fails(self, row: ServiceRow, error: BaseException) -> None:
        text, traced = _words(row, error)
        with self._lock:
            if not self._is_wanted(row):
                return
            self._failed[row.sid] = self._clock() + RETRY
            told = self._told.get(key_of(row)) == text
            if text:
                self._told[key_of(row)] = text
        if text and not told:
            log.error("%s", text, exc_info=traced)


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
