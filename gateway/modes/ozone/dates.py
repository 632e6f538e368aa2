"""The `Date` that each request has: a date of HTTP (RFC 9110 §5.6.7, the obsolete forms too), or
one with the month before the day, as Ozone's description shows it.

Only GMT is taken. Nothing is made of it: a client's clock may be wrong.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from gateway.common.remembering import remembered

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_DAY = r"(?:mon|tue|wed|thu|fri|sat|sun)"
_LONG = r"(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day)"
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})"
_TIME = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_FORMS = [
    re.compile(form, re.ASCII | re.IGNORECASE)
    for form in (
        rf"{_DAY}, (?P<day>\d\d?) {_MONTH} (?P<year>\d{{4}}) {_TIME} GMT",
        rf"{_DAY}, {_MONTH} (?P<day>\d\d?), (?P<year>\d{{4}}) {_TIME} GMT",
        rf"{_LONG}, (?P<day>\d\d)-{_MONTH}-(?P<year>\d\d) {_TIME} GMT",
        rf"{_DAY} {_MONTH} (?P<day>[ \d]\d) {_TIME} (?P<year>\d{{4}})",
    )
]


@remembered(texts=1024, longest=40)
def parse(text: str) -> datetime | None:
    """None for what is no such date, or no day that there was. Of which century a year of two
    digits is, nobody asks."""
    for form in _FORMS:
        if found := form.fullmatch(text):
            break
    else:
        return None
    try:
        return datetime(
            int(found["year"]) + (2000 if len(found["year"]) == 2 else 0),
            _MONTHS[found["month"].lower()],
            int(found["day"]),
            int(found["hour"]),
            int(found["minute"]),
            int(found["second"]) - (found["second"] == "60"),  # a leap second
            tzinfo=UTC,
        )
    except ValueError:
        return None
