"""What happened in a service, read out of its change feed; and points of that.

A point is behind a change, whose sync id it has; 0 is before the first. What a service was like
at a point is what all changes up to there have made of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from gateway.storage import ChangePage, Changes, InvalidRequest

PAGE = 1000


def pages(feed: Changes, after: int = 0, until: int | None = None) -> Iterator[ChangePage]:
    """What came after a point, oldest first, up to the point `until`; without that, what there
    is by now. A page that is `cut` begins with what is kept. There is one page at least."""
    while True:
        page = feed.changes(after, PAGE)
        end = until = page.last if until is None else until
        found = tuple(one for one in page.changes if one.sequence <= end)
        yield replace(page, changes=found)
        if not found or found[-1].sequence >= end:
            return
        after = found[-1].sequence


def check_point(feed: Changes, point: int) -> None:
    """Raise `InvalidRequest` where the feed does not tell what happened behind that point."""
    page = feed.changes(point, 1)
    if point > page.last:
        raise InvalidRequest(f"The newest change has the sync id {page.last}, not {point}.")
    if page.cut:
        begins = f" begins with the sync id {page.changes[0].sequence}" if page.changes else ""
        raise InvalidRequest(
            f"What happened behind the sync id {point} is no longer known: the feed of"
            f" changes{begins or ' is empty'}."
        )


def check_time(feed: Changes, time: int, now: int) -> None:
    """Raise `InvalidRequest` for a time (milliseconds since the epoch) before the feed's first
    change, when nothing is known of, and for one that is still to come."""
    if time > now:
        raise InvalidRequest("That time is still to come.")
    page = feed.changes(0, 1)
    if page.changes and time < page.changes[0].time:
        raise InvalidRequest(
            "That is before the first change that is known, which has the sync id"
            f" {page.changes[0].sequence}."
        )


def point_at(feed: Changes, time: int) -> int:
    """Where the feed stood at a time (milliseconds since the epoch): behind the last change that
    is no later. It takes a few looks, however long the feed is. Where the clock was set back
    meanwhile, the time came more than once, and any of these is the answer."""
    begun = feed.changes(0, 1)
    if not begun.changes:
        return begun.last
    low, high = begun.changes[0].sequence - 1, begun.last
    while low < high:
        middle = (low + high) // 2
        found = feed.changes(middle, 1).changes
        if found and found[0].time <= time:
            low = found[0].sequence
        else:
            high = middle
    return low
