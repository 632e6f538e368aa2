"""Moments as dates. On Windows `gmtime` and `fromtimestamp` know none before 1970 and beyond 3000;
what others name (a condition, a retention, a certificate, an origin's object) may be any."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
FIRST = (datetime(1, 1, 1, tzinfo=UTC) - EPOCH) // MILLISECOND
LAST = (datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC) - EPOCH) // MILLISECOND
"""The first and the last of which everybody can say the date, in milliseconds since the epoch."""

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def utc(milliseconds: int) -> datetime:
    """The date; of what is before the first or beyond the last, theirs."""
    return EPOCH + min(max(milliseconds, FIRST), LAST) * MILLISECOND


@lru_cache(maxsize=4096)
def http_date(milliseconds: int) -> str:
    """RFC 9110 §5.6.7. The Python library's own is four times as slow."""
    t = utc(milliseconds)
    return (
        f"{_DAYS[t.weekday()]}, {t.day:02} {MONTHS[t.month - 1]} {t.year:04}"
        f" {t.hour:02}:{t.minute:02}:{t.second:02} GMT"
    )
