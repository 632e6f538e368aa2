"""(rules, object, now) → what to do with it: pure functions.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html

Days are counted from when something was made, or was no longer current, and end at the
midnight (UTC) that follows. `day` is how long one is, in milliseconds: on a debug clock, where
it is shorter, there are no midnights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from gateway.modes.s3.configuration.lifecycle import DAY, Rule
from gateway.storage import VersionEntry

Tags = Callable[[], Mapping[str, str]]
"""Those of one object. It is asked only where the answer depends on them."""


def over(since: int, days: int, day: int = DAY) -> int:
    """When that many days are over."""
    due = since + days * day
    return due if day != DAY else -(-due // DAY) * DAY


def _chosen(rule: Rule, key: str, size: int) -> bool:
    """Whether it is about such an object, but for its tags."""
    wanted = rule.filter
    return (
        key.startswith(wanted.prefix or "")
        and (wanted.larger is None or size > wanted.larger)
        and (wanted.smaller is None or size < wanted.smaller)
    )


def _tagged(rule: Rule, tags: Tags) -> bool:
    wanted = rule.filter.tags
    return not wanted or wanted.items() <= tags().items()


# the current object


def _expiries(
    rules: Iterable[Rule], key: str, size: int, modified: int, day: int
) -> Iterator[tuple[int, Rule]]:
    for rule in rules:
        if (rule.days is None and rule.date is None) or not _chosen(rule, key, size):
            continue
        yield (rule.date or 0) if rule.days is None else over(modified, rule.days, day), rule


def expiry(
    rules: Iterable[Rule], key: str, size: int, modified: int, tags: Tags
) -> tuple[int, Rule] | None:
    """When the object expires, and by which rule; None: it does not."""
    found = (one for one in _expiries(rules, key, size, modified, DAY) if _tagged(one[1], tags))
    return min(found, key=lambda one: one[0], default=None)


def expired(
    rules: Iterable[Rule], key: str, size: int, modified: int, tags: Tags, now: int, day: int = DAY
) -> bool:
    found = _expiries(rules, key, size, modified, day)
    return any(when <= now and _tagged(rule, tags) for when, rule in found)


# the versions of a key


class Verdict(NamedTuple):
    """`expire`: it is to be no current object any more. `remove`: this version, or delete
    marker, is to go for good."""

    entry: VersionEntry
    act: Literal["", "expire", "remove"]


def verdicts(
    rules: Iterable[Rule],
    entries: Iterable[VersionEntry],
    tags: Callable[[VersionEntry], Tags],
    now: int,
    day: int = DAY,
) -> Iterator[Verdict]:
    """What to do with each version, in their order: by key, newest first."""
    history = _History(tuple(rules), tags, now, day)
    before: VersionEntry | None = None
    for entry in entries:
        if before is not None:
            yield history.verdict(before, oldest=before.key != entry.key)
        before = entry
    if before is not None:
        yield history.verdict(before, oldest=True)


class _History:
    """What of the newer versions of a key counts for the next older one."""

    def __init__(
        self,
        rules: tuple[Rule, ...],
        tags: Callable[[VersionEntry], Tags],
        now: int,
        day: int,
    ) -> None:
        self._rules, self._tags, self._now, self._day = rules, tags, now, day
        self._key: str | None = None
        self._since = self._newer = 0

    def verdict(self, entry: VersionEntry, *, oldest: bool) -> Verdict:
        newest = entry.key != self._key
        if newest:
            self._key, self._newer = entry.key, 0
            act = self._of_current(entry, oldest)
        else:
            act = "remove" if self._gone(entry) else ""
            self._newer += not entry.marker
        self._since = entry.modified
        return Verdict(entry, act)

    def _of_current(self, entry: VersionEntry, oldest: bool) -> Literal["", "expire", "remove"]:
        if entry.marker:
            return "remove" if oldest and self._marker_gone(entry) else ""
        tags, now, day = self._tags(entry), self._now, self._day
        done = expired(self._rules, entry.key, entry.size, entry.modified, tags, now, day)
        return "expire" if done else ""

    def _gone(self, entry: VersionEntry) -> bool:
        """Of one that is not current since the next newer one was made. Of a marker nothing
        counts but its key."""
        return any(
            rule.noncurrent_days is not None
            and over(self._since, rule.noncurrent_days, self._day) <= self._now
            and (rule.newer is None or self._newer >= rule.newer)
            and _chosen(rule, entry.key, entry.size)
            and (rule.filter.plain if entry.marker else _tagged(rule, self._tags(entry)))
            for rule in self._rules
        )

    def _marker_gone(self, entry: VersionEntry) -> bool:
        """Of a delete marker that is all there is of its key: by a rule that says so, or when it
        is as old as an object may become."""
        if any(one.marker and entry.key.startswith(one.filter.prefix or "") for one in self._rules):
            return True
        expiries = _expiries(self._rules, entry.key, 0, entry.modified, self._day)
        return any(when <= self._now and rule.filter.plain for when, rule in expiries)


# uploads in parts


def _aborts(rules: Iterable[Rule], key: str, begun: int, day: int) -> Iterator[tuple[int, Rule]]:
    for rule in rules:
        if rule.abort_days is not None and key.startswith(rule.filter.prefix or ""):
            yield over(begun, rule.abort_days, day), rule


def abort(rules: Iterable[Rule], key: str, begun: int) -> tuple[int, Rule] | None:
    """When an upload is given up that is not completed, and by which rule."""
    return min(_aborts(rules, key, begun, DAY), key=lambda one: one[0], default=None)


def abandoned(rules: Iterable[Rule], key: str, begun: int, now: int, day: int = DAY) -> bool:
    """`begun` 0: nobody knows when."""
    return begun > 0 and any(when <= now for when, _ in _aborts(rules, key, begun, day))
