"""Rewinding a service: its change feed says which keys, their versions say to what.

Only new versions are written, copies that move no bytes and delete markers, each on the
condition that the key is still what was looked at. So nothing is lost, what is ended early is
gone on with by beginning again, and the rewind can be rewound. What others change meanwhile
stays as they have it, and is told.
"""

from __future__ import annotations

from collections.abc import Container, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from typing import Literal, NamedTuple, cast

from gateway.services.history import pages
from gateway.services.rewind.deciding import Act, Since, Told, are_same, decided, is_same, noted
from gateway.services.service import Service
from gateway.storage import (
    Annotates,
    Brought,
    Change,
    Changes,
    Conditions,
    Conflict,
    Copies,
    Delete,
    Full,
    Get,
    Labels,
    NotFound,
    ObjectInfo,
    PreconditionFailed,
    Properties,
    Put,
    StorageError,
    Unavailable,
    Unsupported,
    VersionEntry,
    VersionQuery,
    Versions,
    Writable,
    carried,
)
from gateway.storage.paging import LIMIT

CAUSE = "rewind"
"""What the feed has of it."""

BATCH = 200
"""Keys that are decided, and then written, together."""

_WRITERS = 8
"""They share commits."""

_FEW = 10
"""Versions that are read of a key at first."""


class Step(NamedTuple):
    """What a key needs. `wanted` is the version that is to be restored; `seen` what is current.
    `relabelled`: what is or will be there has tags, attributes or annotations of later."""

    key: str
    act: Act
    wanted: ObjectInfo | None = None
    seen: ObjectInfo | None = None
    annotations: tuple[Brought, ...] = ()
    relabelled: bool = False


class Outcome(NamedTuple):
    """`done`: an `Act` that was done, or found not to be needed, or not to be possible;
    "refused", for the reason `why`; "changed": others have, and what they have stays."""

    key: str
    done: Act | Literal["refused", "changed"]
    why: str = ""


def check_rewinds(service: Service) -> None:
    """Raise `Unsupported` for what is missing."""
    for capability in (Changes, Versions, Writable):
        service.need(capability)
    copies, labels = service.store.find(Copies), service.store.find(Labels)
    if copies is None or not copies.reaches(service.store):
        raise service.lacks(Copies)
    if labels is None or not labels.compares_seen:
        raise service.lacks(Labels)
    state = service.versioning
    if state != "on":
        why = (
            "keeps no versions: what it was like is gone"
            if state == "off"
            else "has its versions suspended: what is written would replace some. Switch them on"
        )
        raise Unsupported(f"The service {service.sid!r} {why}.", capability="Versions")


class Rewind:
    """All keys of a service that begin with `prefix`, to what they were at a point of its feed.
    `look` first. It remembers each key that was changed since."""

    def __init__(self, service: Service, point: int, prefix: str = "") -> None:
        check_rewinds(service)
        self._store, self._point, self._prefix = service.store, point, service.fold(prefix)
        self._feed, self._versions = service.need(Changes), service.need(Versions)
        self._writable = service.need(Writable)
        self._copies = cast(Copies, service.store.find(Copies))
        self._annotates = service.find(Annotates)
        self._since: dict[str, Since] = {}
        self._told: dict[str, Told] = {}
        self._written: set[str] = set()
        """Versions of our own."""
        self._seen = point
        """How far the feed was read."""

    # looking

    def look(self) -> Iterator[int]:
        """Read the feed; each time how many changes more."""
        yield from self._read_on()
        yield from self._ask(self._since)

    @property
    def begun(self) -> int:
        """The point at which it was looked: what is undone by rewinding to there."""
        return self._seen

    @property
    def keys(self) -> Sequence[str]:
        return sorted(self._since)

    def _read_on(self, late: set[str] | None = None) -> Iterator[int]:
        """Note what came since it was read last, up to now; in `late` whose keys it was."""
        after, self._seen = self._seen, self._feed.changes(self._seen, 1).last
        for page in pages(self._feed, after, self._seen):
            for change in page.changes:
                if change.key.startswith(self._prefix) and not self._is_own(change):
                    self._since[change.key] = noted(self._since.get(change.key), change)
                    if late is not None:
                        late.add(change.key)
            yield len(page.changes)

    def _is_own(self, change: Change) -> bool:
        return change.kind in ("put", "delete") and change.version in self._written

    def _ask(self, keys: Iterable[str]) -> Iterator[int]:
        """Hear what the feed tells of those that are doubtful, up to the point."""
        new = {key: Told() for key in keys if self._since[key].doubtful and key not in self._told}
        if not new:
            return
        for page in pages(self._feed, 0, self._point):
            if page.cut:
                new = {key: Told(cut=True) for key in new}
            for change in page.changes:
                if change.key in new:
                    new[change.key].hear(change)
            yield len(page.changes)
        self._told |= new

    # deciding

    def steps(self) -> Iterator[Step]:
        """What each key needs that was changed since the point."""
        return map(self._step, self.keys)

    def _step(self, key: str) -> Step:
        since = self._since[key]
        told = self._told[key] if since.doubtful else None
        act, now, wanted = decided(self._entries(key), self._point, told)
        relabelled = wanted is not None and wanted.version in since.relabelled
        if act not in ("restore", "remove"):
            return Step(key, act, relabelled=relabelled)
        try:
            seen = self._stat(now)
            meant = self._stat(wanted)
            step = Step(key, act, meant, seen, self._brought(wanted), relabelled)
            return step._replace(act="") if self._is_there(step) else step
        except NotFound:  # it was removed at this moment: the feed will tell
            return Step(key, "gone")

    def _entries(self, key: str) -> Iterator[VersionEntry]:
        """Newest first."""
        query: VersionQuery | None = VersionQuery(prefix=key, limit=_FEW)
        while query is not None:
            page = self._versions.versions(query)
            for entry in page.entries:
                if entry.key != key:
                    return
                yield entry
            query = None
            if page.next is not None:
                query = VersionQuery(
                    prefix=key, after=page.next, after_version=page.next_version, limit=LIMIT
                )

    def _stat(self, entry: VersionEntry | None) -> ObjectInfo | None:
        if entry is None:
            return None
        return self._store.stat(entry.key, Get(version=entry.version, keyless=True))

    def _brought(self, entry: VersionEntry | None) -> tuple[Brought, ...]:
        if entry is None or self._annotates is None:
            return ()
        return self._annotates.brought(entry.key, entry.version)

    def _is_there(self, step: Step) -> bool:
        """Whether what is current is the same as what was."""
        if step.seen is None or step.wanted is None or not is_same(step.seen, step.wanted):
            return False
        if self._annotates is None:
            return True
        own = self._annotates.brought(step.key, step.seen.version)
        return are_same([one.annotation for one in own], [one[0] for one in step.annotations])

    # doing

    def carry_out(self) -> Generator[Outcome, None, None]:
        """Write what it takes, key by key in their order; in the end what others have changed
        since it was looked. Raises `Full` and `Unavailable`: then the rest is as it was."""
        late, told = set[str](), set[str]()
        keys = self.keys
        with ThreadPoolExecutor(_WRITERS, "rewind") as pool:
            for at in range(0, len(keys), BATCH):
                steps = [self._step(key) for key in keys[at : at + BATCH]]
                for _ in self._read_on(late):  # a version may be gone that was decided by
                    pass
                for outcome in self._write([one for one in steps if one.key not in late], pool):
                    if outcome.done != "changed":  # the feed has that, too
                        told.add(outcome.key)
                        yield outcome
                    else:
                        late.add(outcome.key)
        yield from self._left(late, told)

    def _left(self, late: set[str], told: Container[str]) -> Iterator[Outcome]:
        """What became of those that others have changed. Of some that was told before."""
        for _ in self._read_on(late):
            pass
        for _ in self._ask(late):
            pass
        for key in sorted(late):
            act = self._step(key).act
            if act in ("restore", "remove"):
                yield Outcome(key, "changed")
            elif key not in told:
                yield Outcome(key, act)

    def _write(self, steps: Sequence[Step], pool: ThreadPoolExecutor) -> Iterator[Outcome]:
        yield from (Outcome(one.key, one.act) for one in steps if one.act in _NOTHING)
        yield from pool.map(self._restore, (one for one in steps if one.act == "restore"))
        removed = [(one.key, _removal(one)) for one in steps if one.act == "remove"]
        for (key, _), result in zip(removed, self._writable.delete_many(removed), strict=True):
            if isinstance(result, StorageError):
                yield _failed(key, result)
                continue
            self._written.add(result.version or "")
            yield Outcome(key, "remove")

    def _restore(self, step: Step) -> Outcome:
        assert step.wanted is not None
        options = Put(
            **carried(step.wanted),
            conditions=_as_seen(step.seen),
            cause=CAUSE,
            annotations=step.annotations or None,
        )
        want = Get(version=step.wanted.version)
        try:
            made = self._copies.copy(self._store, step.key, step.key, want, options)
        except StorageError as error:
            return _failed(step.key, error)
        self._written.add(made.version or "")
        return Outcome(step.key, "restore")


_NOTHING: tuple[Act, ...] = ("", "gone", "unknown")
_NAMES = tuple(one.name for one in fields(Properties))


def _as_seen(seen: ObjectInfo | None) -> Conditions:
    if seen is None:
        return Conditions(if_none_match=("*",))
    said = {name: getattr(seen, name) for name in _NAMES}
    return Conditions(if_match=(seen.etag,), if_seen=said)


def _removal(step: Step) -> Delete:
    return Delete(conditions=_as_seen(step.seen), cause=CAUSE)


def _failed(key: str, error: StorageError) -> Outcome:
    """What the next would meet, too, is raised."""
    if isinstance(error, (Full, Unavailable)):
        raise error
    if isinstance(error, (PreconditionFailed, Conflict, NotFound)):
        return Outcome(key, "changed")
    return Outcome(key, "refused", str(error))
