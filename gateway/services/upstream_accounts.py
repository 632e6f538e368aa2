"""Buckets of whole accounts: a service with many buckets offers each as a service.

They stand behind the services that are declared, or the catalog's: a name
that is taken there hides the account's bucket, and is logged once. The list of
an account is asked for at most every few seconds, whoever asks for whatever
name; while the upstream is down the last list counts.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace

from gateway.config import SID
from gateway.services.service import Service
from gateway.storage import BucketInfo, Buckets, NoSuchStore, StorageError

log = logging.getLogger("gateway.accounts")

AGE = 10_000
"""Milliseconds for which a list counts: so long a new bucket upstream may stay unseen."""

_NONE: Mapping[str, Service] = {}

_RETRY = 1000
"""Milliseconds between two tries to get a list that could not be had."""


class UpstreamAccount:
    """One service whose store is an account, and its buckets as services."""

    def __init__(self, service: Service, buckets: Buckets, clock: Callable[[], int]) -> None:
        self.service, self._account, self._clock = service, buckets, clock
        self._lock, self._keeping = threading.Lock(), threading.Lock()
        self._listed: dict[str, BucketInfo] | None = None
        self._error: StorageError | None = None
        self._due = 0
        self._open: dict[str, Service] = {}

    def names(self) -> Mapping[str, BucketInfo]:
        """The buckets that can be services, by name. Raises what the first list raised."""
        if self._clock() >= self._due and self._lock.acquire(blocking=self._listed is None):
            try:
                if self._clock() >= self._due:
                    self._refresh()
            finally:
                self._lock.release()
        if self._listed is None:
            assert self._error is not None
            raise self._error
        return self._listed

    def _refresh(self) -> None:
        try:
            found = self._account.buckets()
        except StorageError as error:
            log.warning("%s: its buckets cannot be listed: %s", self.place, error)
            self._error, self._due = error, self._clock() + _RETRY
            return
        self._listed = {one.name: one for one in found if SID.fullmatch(one.name)}
        self._due = self._clock() + AGE
        with self._keeping:
            for name in self._open.keys() - self._listed.keys():
                del self._open[name]

    @property
    def place(self) -> str:
        return self.service.about.declared or f"services.{self.service.sid}"

    def find(self, name: str) -> Service | None:
        """Raises a `StorageError` when it cannot be known whether there is such a bucket."""
        info = self.names().get(name)
        if info is None:
            return None
        found = self._open.get(name)
        if found is not None:
            return found
        try:
            store = self._account.bucket(name)
        except NoSuchStore:
            return None
        about = replace(self.service.about, sid=name, name="", created=info.created)
        made = self.service.beside(about, store)
        with self._keeping:
            return self._open.setdefault(name, made)


class Accounts:
    """All of them, declared ones first: of two that have a name the first counts.

    `taken` says who has a name already ("" for nobody); `added` gives those of the catalog,
    another mapping when it has changed."""

    def __init__(
        self,
        declared: Mapping[str, Service],
        clock: Callable[[], int],
        taken: Callable[[str], str],
        added: Callable[[], Mapping[str, Service]] = lambda: _NONE,
    ) -> None:
        self._taken, self._warned = taken, set[tuple[str, str]]()
        self._closing, self._closed = threading.Lock(), False
        self._clock, self._added, self._seen = clock, added, added()
        self._known: Mapping[str, UpstreamAccount] = {}
        self._declared = self._known = self._of(declared)

    def _of(self, services: Mapping[str, Service]) -> Mapping[str, UpstreamAccount]:
        found: dict[str, UpstreamAccount] = {}
        for sid, service in services.items():
            buckets = service.store.find(Buckets)
            if buckets is not None:
                known = self._known.get(sid)
                if known is None or known.service is not service:
                    known = UpstreamAccount(service, buckets, self._clock)
                found[sid] = known
        return found

    @property
    def _accounts(self) -> Mapping[str, UpstreamAccount]:
        added = self._added()
        if added is not self._seen:
            self._known, self._seen = {**self._declared, **self._of(added)}, added
        return self._known

    def __contains__(self, sid: str) -> bool:
        """Whether that service is an account, and so no bucket itself."""
        return sid in self._accounts

    def report(self) -> None:
        """Ask for all lists, and tell which names are taken; in a thread of its own, because
        no start waits for an upstream."""
        if self._accounts:
            threading.Thread(target=self._report, name="accounts", daemon=True).start()

    def _report(self) -> None:
        for account in self._accounts.values():
            with suppress(StorageError):
                account.names()
        with self._closing:
            if not self._closed:
                list(self._visible())

    def close(self) -> None:
        """After this nobody is asked who has which name."""
        with self._closing:
            self._closed = True

    def find(self, name: str) -> Service | None:
        """Raises as `UpstreamAccount.find` does."""
        for account in self._accounts.values():
            found = account.find(name)
            if found is not None:
                return found
        return None

    def has(self, name: str) -> bool:
        """Whether one of them is known to have it."""
        try:
            return any(name in account.names() for account in self._accounts.values())
        except StorageError:
            return False

    def services(self) -> Iterator[Service]:
        """Those whose name nobody else has; what cannot be listed now is left out."""
        for account, name in self._visible():
            try:
                found = account.find(name)
            except StorageError:
                continue
            if found is not None:
                yield found

    def _visible(self) -> Iterator[tuple[UpstreamAccount, str]]:
        seen: dict[str, str] = {}
        for account in self._accounts.values():
            try:
                names = list(account.names())
            except StorageError:
                continue  # it was logged
            for name in names:
                owner = self._taken(name) or seen.get(name, "")
                if owner:
                    self._warn(account.place, name, owner)
                else:
                    seen[name] = account.place
                    yield account, name

    def _warn(self, place: str, name: str, owner: str) -> None:
        if (place, name) not in self._warned:
            self._warned.add((place, name))
            log.warning("%s: its bucket %r is hidden: %s has that name", place, name, owner)
