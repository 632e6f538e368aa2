"""Times as the interface has them: `2014-03-12 15:32 GMT+3`, `2014-03-12`, or a Unix timestamp.

Without a zone they are of UTC. An hour's offset is as people write it: GMT+3 is three hours ahead.
A plus that a client left as it is comes as a blank from a query, and is taken for one.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

FORMS = '"2014-03-12 15:32", with or without "GMT+3", "2014-03-12", or a Unix timestamp'

_STAMP = re.compile(r"\d{1,11}", re.ASCII)
_DATE = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)(?:[T ](?P<time>\d\d?:\d\d)(?::(?P<second>\d\d))?)?"
    r"(?: ?(?:Z|UTC|GMT|(?=[+-]))(?:(?P<sign>[+ -])(?P<hours>\d\d?)(?::?(?P<minutes>\d\d))?)?)?",
    re.ASCII | re.IGNORECASE,
)


def seconds(text: str) -> int:
    """Since the epoch. Raises `ValueError` for what is no time."""
    if _STAMP.fullmatch(text):
        return int(text)
    found = _DATE.fullmatch(text)
    if found is None:
        raise ValueError(text)
    year, month, day = map(int, found["day"].split("-"))
    hour, minute = map(int, (found["time"] or "0:00").split(":"))
    second = int(found["second"] or 0)
    return int(datetime(year, month, day, hour, minute, second, tzinfo=_zone(found)).timestamp())


def _zone(found: re.Match[str]) -> timezone:
    if found["hours"] is None:
        return UTC
    offset = timedelta(hours=int(found["hours"]), minutes=int(found["minutes"] or 0))
    return timezone(-offset if found["sign"] == "-" else offset)
