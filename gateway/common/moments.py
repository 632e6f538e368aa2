"""Moments as dates. On Windows `gmtime` and `fromtimestamp` know none before 1970 and beyond 3000;
what others name (a condition, a retention, a certificate, an origin's object) may be any."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
FIRST = (datetime(1, 1, 1, tzinfo=UTC) - EPOCH) // MILLISECOND
LAST = (datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC) - EPOCH) // MILLISECOND
"""The first and the last of which everybody can say the date, in milliseconds since the epoch."""


def utc(milliseconds: int) -> datetime:
    """The date; of what is before the first or beyond the last, theirs."""
    return EPOCH + min(max(milliseconds, FIRST), LAST) * MILLISECOND
