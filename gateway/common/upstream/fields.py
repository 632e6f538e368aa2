"""Header fields that all upstreams over HTTP have alike: dates, entity tags, ranges, text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime

from gateway.common.remembering import remembered
from gateway.storage import Range

_MOST = 10**15
"""More bytes than an object has: larger numbers in a range say the same."""

# reading


@remembered(texts=4096, longest=64)
def parse_date(value: str) -> int:
    """Milliseconds; 0 for what is no date."""
    try:
        found = parsedate_to_datetime(value)
        return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()) * 1000
    except (ValueError, TypeError, OverflowError):
        return 0


def etag_of(value: str) -> str:
    """Without its quotes; a weak one keeps its `W/`."""
    if value.startswith("W/"):
        return "W/" + value[2:].strip('"')
    return value.strip('"')


def plain(value: str) -> str:
    """A header's value as text: UTF-8 where it is that."""
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value


# writing


def etag_list(etags: Sequence[str]) -> str:
    return ", ".join(
        one if one == "*" else f'W/"{one[2:]}"' if one.startswith("W/") else f'"{one}"'
        for one in etags
    )


def byte_range(wanted: Range) -> str:
    first, last = (None if one is None else min(one, _MOST) for one in wanted)
    return f"bytes={'' if first is None else first}-{'' if last is None else last}"
