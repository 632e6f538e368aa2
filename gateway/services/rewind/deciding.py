"""(versions, changes, point) → what makes a key again what it was: pure functions.

The versions that a key has say what was current at a point: the newest that is no younger. But
not where one of them may be gone for good since (a version was removed, or a null version was
replaced): there the feed has to be read up to the point, and tells which it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Literal, NamedTuple

from gateway.storage import (
    NULL_VERSION,
    Annotation,
    Change,
    ObjectInfo,
    Properties,
    VersionEntry,
)


class Since(NamedTuple):
    """What happened to a key behind the point. `doubtful`: a version that it had may be gone.
    `relabelled`: versions that have tags, attributes or annotations of later."""

    doubtful: bool = False
    relabelled: frozenset[str] = frozenset()


_SINCE = Since()
_KEEPS_LABELS = frozenset({"retention", "hold"})
"""Causes of updates that change what protects a version, and not what it is."""


def noted(since: Since | None, change: Change) -> Since:
    """`since`, and this change of the key on top."""
    before = since or _SINCE
    if change.kind == "update":
        if change.cause in _KEEPS_LABELS:
            return before
        return before._replace(relabelled=before.relabelled | {change.version or NULL_VERSION})
    if change.kind == "purge" or change.version in (None, NULL_VERSION):
        return before if before.doubtful else before._replace(doubtful=True)
    return before


class Told:
    """The versions that a key had, as its changes tell when they are `hear`d in their order.
    `cut`: what was before the first of these is not known."""

    __slots__ = ("_cut", "_versions")

    def __init__(self, *, cut: bool = False) -> None:
        self._cut = cut
        self._versions: list[Change] = []
        """And delete markers, newest last."""

    def hear(self, change: Change) -> None:
        if change.kind == "update":
            return
        if change.kind == "purge" or change.version in (None, NULL_VERSION):
            self._versions = [one for one in self._versions if one.version != change.version]
        if change.kind != "purge":
            self._versions.append(change)

    @property
    def newest(self) -> Change | Literal["nothing", "unknown"]:
        """What made the version that was current; "nothing" where no object was."""
        if not self._versions:
            return "unknown" if self._cut else "nothing"
        newest = self._versions[-1]
        return "nothing" if newest.kind == "delete" else newest


Act = Literal["", "restore", "remove", "gone", "unknown"]


class Decision(NamedTuple):
    """`act`: what makes the key again what it was. "": nothing, it is that; "restore": the
    version `wanted`, once more; "remove": a delete marker. It cannot be where the version is
    "gone" for good, and where it is "unknown" which it was. `now` is what is current."""

    act: Act
    now: VersionEntry | None = None
    wanted: VersionEntry | None = None


def decided(entries: Iterable[VersionEntry], point: int, told: Told | None) -> Decision:
    """`entries`: of one key, newest first; no more are looked at than it takes. `told`: of all
    that is doubtful, what the feed said of it up to the point."""
    meant = None if told is None else told.newest
    now: VersionEntry | None = None
    for number, entry in enumerate(entries):
        if number == 0 and not entry.marker:
            now = entry
        if isinstance(meant, str):
            break
        if _was_current(entry, point, meant):
            if entry.marker:
                break
            return Decision("" if entry is now else "restore", now, entry)
    else:
        if isinstance(meant, Change):
            return Decision("gone", now)
    if meant == "unknown":
        return Decision("unknown", now)
    return Decision("" if now is None else "remove", now)


def _was_current(entry: VersionEntry, point: int, meant: Change | None) -> bool:
    """Whether it was, as no younger one before it was."""
    if meant is None:
        return entry.sequence <= point
    return (entry.sequence, entry.version) == (meant.sequence, meant.version or NULL_VERSION)


_COMPARED = tuple(one.name for one in fields(Properties) if one.name != "protection")
_OF_BYTES = ("size", "etag", "checksums", "checksum_type")


def is_same(one: ObjectInfo, other: ObjectInfo) -> bool:
    """Whether they are, but for what protects them, the same to who reads them: then there is
    nothing to be restored. So what was restored before is not restored again."""
    return all(getattr(one, name) == getattr(other, name) for name in (*_OF_BYTES, *_COMPARED))


def are_same(some: Sequence[Annotation], others: Sequence[Annotation]) -> bool:
    def seen(annotations: Sequence[Annotation]) -> list[tuple[str, int, str]]:
        return [(one.name, one.size, one.etag) for one in annotations]

    return seen(some) == seen(others)
