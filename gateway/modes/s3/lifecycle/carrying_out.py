"""The job that carries out what the lifecycles of buckets say.

It goes through all that a bucket has, page by page, and through each bucket once a day; on a
debug clock again and again. It holds nothing but its place: what ends it early leaves the rest
to the next run, and rules that are changed or taken away end with the page. What it expires is
tied to the object that it looked at, so that one that was written meanwhile stays; what is
protected the store keeps.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain

from gateway.access.access import Access
from gateway.access.identity import ANONYMOUS
from gateway.modes import Gateway
from gateway.modes.s3.causes import LIFECYCLE
from gateway.modes.s3.configuration.lifecycle import (
    DAY,
    SETTING,
    Lifecycle,
    Rule,
    check_removes,
    removing,
)
from gateway.modes.s3.lifecycle.deciding import Tags, abandoned, expired, verdicts
from gateway.storage import (
    NOTHING,
    NULL_VERSION,
    Conditions,
    Delete,
    Entry,
    Get,
    Listable,
    ListQuery,
    MethodNotAllowed,
    Multipart,
    NoSuchStore,
    NotFound,
    PreconditionFailed,
    Protected,
    Replicates,
    StorageError,
    UploadQuery,
    VersionEntry,
    VersionQuery,
    Versions,
    Writable,
    WrongKey,
)

log = logging.getLogger("gateway.s3.lifecycle")

_NAME = "s3-lifecycle"
_HOUR = 3600.0
_AT_ONCE = 500


class LifecycleJob:
    """`day`: milliseconds that a day of a rule has."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._day = round(gateway.options.lifecycle_day * 1000)
        self._through: dict[str, tuple[int, Lifecycle]] = {}
        """On which day this process went through a bucket last, by what rules."""

    def begin(self) -> None:
        interval = min(_HOUR, self._day / 24_000)
        self._gateway.jobs.add(_NAME, interval, self.run)

    def run(self) -> Generator[int, None, Mapping[str, int]]:
        """Yields how many entries it has looked at; ends with how many it removed, and so on."""
        done: Counter[str] = Counter()
        looked = 0
        for sid in self._gateway.having(SETTING.kind):
            counted: Counter[str] = Counter()
            try:
                for number in self._bucket(sid, counted):
                    looked += number
                    yield looked
            except NoSuchStore:  # it is declared no more, or was dropped a moment ago
                continue
            except StorageError as error:
                log.warning("%s: its lifecycle is not carried out to its end: %s", sid, error)
                counted["buckets not reached"] += 1
            if counted:
                log.info("%s: %s", sid, _words(counted))
            done += counted
        return done

    def _bucket(self, sid: str, done: Counter[str]) -> Iterator[int]:
        access = self._gateway.access(ANONYMOUS, sid)  # it stays open for as long as this is held
        lifecycle = self._gateway.obeyed(access, SETTING.kind)
        now = self._gateway.clock()
        today = (now // DAY, lifecycle)
        known = self._through.get(sid)
        replica = access.service.store.find(Replicates)
        if replica is not None and replica.followed:  # it expires at its source
            return
        if lifecycle is None or (self._day == DAY and known is not None and known == today):
            return
        asked = access, lifecycle.of(access.service), now, self._day, done
        for looked in chain(_objects(*asked), _uploads(*asked)):
            yield looked
            if self._gateway.obeyed(access, SETTING.kind) != lifecycle:
                return  # the rules of now have their turn in the next run
        self._through[sid] = (now // DAY, lifecycle)


def _words(done: Counter[str]) -> str:
    return ", ".join(f"{number} {what}" for what, number in sorted(done.items()))


def _below(rules: Sequence[Rule]) -> str:
    """The longest prefix that all keys have which they are about."""
    prefixes = [rule.filter.prefix or "" for rule in rules]
    first, last = min(prefixes), max(prefixes)
    differ = (at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other)
    return first[: next(differ, len(first))]


# objects and versions


def _objects(
    access: Access, rules: Sequence[Rule], now: int, day: int, done: Counter[str]
) -> Iterator[int]:
    wanted = removing(rules)
    if not wanted:
        return
    check_removes(access, wanted)
    removals = _Removals(access, done)
    pages = _plain if access.service.versioning == "off" else _versioned
    yield from pages(access, wanted, now, day, removals)
    removals.flush()


class _Removals:
    """What is to go, removed many at once. What cannot be is counted, and stays; the first that
    fails is told."""

    def __init__(self, access: Access, done: Counter[str]) -> None:
        self._service, self._done = access.service, done
        self._waiting: list[tuple[str, Delete]] = []

    def add(self, key: str, options: Delete) -> None:
        self._waiting.append((key, options))
        if len(self._waiting) >= _AT_ONCE:
            self.flush()

    def flush(self) -> None:
        waiting, self._waiting = [one for one in self._waiting if not self._back(*one)], []
        if not waiting:
            return
        results = self._service.need(Writable).delete_many(waiting)
        for (key, options), result in zip(waiting, results, strict=True):
            if not isinstance(result, StorageError):
                self._done["removed" if options.version is not None else "expired"] += 1
            elif isinstance(result, Protected):
                self._done["protected"] += 1
            elif isinstance(result, (PreconditionFailed, NotFound)):
                self._done["changed meanwhile"] += 1
            else:
                if not self._done["failed"]:
                    log.warning("%s: %r is not removed: %s", self._service.sid, key, result)
                self._done["failed"] += 1

    def _back(self, key: str, options: Delete) -> bool:
        """Whether a version that was to go is the object again: who removes a newer one, or a
        marker, wants it back."""
        if options.version is None:
            return False
        try:
            back = self._service.stat(key, Get(keyless=True)).version == options.version
        except (NotFound, WrongKey):
            return False
        if back:
            self._done["changed meanwhile"] += 1
        return back


def _as_seen(entry: Entry | VersionEntry) -> Conditions:
    """Only what was looked at. A weak tag does not tell it."""
    strong = () if not entry.etag or entry.etag.startswith("W/") else (entry.etag,)
    return Conditions(if_match=strong, if_modified=entry.modified)


def _tags(access: Access, key: str, version: str | None) -> Tags:
    """None of what is gone, or behind which an upstream tells nothing without its customer's
    key: no rule that asks for tags is about that, and those behind it have their turn."""

    def ask() -> Mapping[str, str]:
        try:
            return access.service.stat(key, Get(version=version, keyless=True)).tags
        except (NotFound, MethodNotAllowed, WrongKey):
            return NOTHING

    return ask


def _plain(
    access: Access, rules: Sequence[Rule], now: int, day: int, removals: _Removals
) -> Iterator[int]:
    listed, prefix = access.service.need(Listable), _below(rules)
    after: str | None = ""
    while after is not None:
        page = listed.list(ListQuery(prefix=prefix, after=after, brief=True))
        for one in page.entries:
            tags = _tags(access, one.key, None)
            if expired(rules, one.key, one.size, one.modified, tags, now, day):
                removals.add(one.key, Delete(conditions=_as_seen(one), cause=LIFECYCLE))
        yield len(page.entries)
        after = page.next


def _versioned(
    access: Access, rules: Sequence[Rule], now: int, day: int, removals: _Removals
) -> Iterator[int]:
    entries = _entries(access.service.need(Versions), _below(rules))
    looked = 0
    of_entry = partial(_tags_of, access)
    for entry, act in verdicts(rules, entries, of_entry, now, day):
        if act == "expire":
            removals.add(entry.key, Delete(conditions=_as_seen(entry), cause=LIFECYCLE))
        elif act == "remove":  # the null version may be another by now, others never are
            seen = _as_seen(entry) if entry.version == NULL_VERSION else None
            removals.add(entry.key, Delete(version=entry.version, conditions=seen, cause=LIFECYCLE))
        looked += 1
        if looked >= _AT_ONCE:
            yield looked
            looked = 0
    yield looked


def _tags_of(access: Access, entry: VersionEntry) -> Tags:
    return _tags(access, entry.key, entry.version)


def _entries(versions: Versions, prefix: str) -> Iterator[VersionEntry]:
    """Each page is asked for before anything of the one before it is removed: the place where
    it begins is still known."""
    query = VersionQuery(prefix=prefix)
    page = versions.versions(query)
    while page.next is not None:
        query = VersionQuery(prefix=prefix, after=page.next, after_version=page.next_version)
        following = versions.versions(query)
        yield from page.entries
        page = following
    yield from page.entries


# uploads in parts


def _uploads(
    access: Access, rules: Sequence[Rule], now: int, day: int, done: Counter[str]
) -> Iterator[int]:
    service = access.service
    wanted = [rule for rule in rules if rule.abort_days]
    if not wanted or service.find(Multipart) is None:
        return
    query: UploadQuery | None = UploadQuery(prefix=_below(wanted))
    while query is not None:
        page = service.uploads(query)
        query = None
        if page.next is not None:
            query = UploadQuery(
                prefix=_below(wanted), after=page.next, after_upload=page.next_upload
            )
        for one in page.uploads:
            if abandoned(wanted, one.key, one.begun, now, day):
                try:
                    service.abort(one.key, one.id)
                except NotFound:  # completed, or aborted, meanwhile
                    continue
                done["uploads aborted"] += 1
        yield len(page.uploads)
