"""Points of a change feed as people type them, and times as commands show them.

Times are ISO 8601, in UTC unless they say otherwise: what is typed means the same everywhere.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from gateway.common.moments import EPOCH, MILLISECOND, utc
from gateway.services.history import point_at
from gateway.storage import Changes

METAVAR = "TIME|SYNCID"

Moment = int | datetime
"""A sync id, or a time."""


def moment(text: str) -> Moment:
    """For `argparse`. Digits alone are a sync id."""
    if text.isascii() and text.isdigit():
        return int(text)
    return _time(text, "neither a sync id nor")


def time(text: str) -> datetime:
    """For `argparse`, too, where there are no sync ids."""
    return _time(text, "not")


def _time(text: str, what: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(
            f'"{text}" is {what} a time such as 2026-03-01T12:30:00Z (UTC unless it says otherwise)'
        ) from None


def milliseconds(time: datetime) -> int:
    return (time - EPOCH) // MILLISECOND


def shown(time: int) -> str:
    """Milliseconds since the epoch, as they may be typed again."""
    return f"{utc(time).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def before(feed: Changes, point: Moment) -> int:
    """The sync id behind which that begins: all changes at that time are behind it."""
    return point if isinstance(point, int) else point_at(feed, milliseconds(point) - 1)
