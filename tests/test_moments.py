"""Dates that others name: of any year, on every system."""

from __future__ import annotations

import pytest

from drivers.s3 import request_headers
from gateway.common.moments import FIRST, LAST, http_date, utc
from gateway.modes.s3 import wire as s3
from gateway.modes.standard import wire as standard

BEFORE, BEYOND = -(1 << 60), 1 << 60


@pytest.mark.parametrize(
    ("moment", "date", "text"),
    [
        (BEFORE, "Mon, 01 Jan 0001 00:00:00 GMT", "0001-01-01T00:00:00.000Z"),
        (FIRST, "Mon, 01 Jan 0001 00:00:00 GMT", "0001-01-01T00:00:00.000Z"),
        (-1, "Wed, 31 Dec 1969 23:59:59 GMT", "1969-12-31T23:59:59.999Z"),
        (0, "Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00.000Z"),
        (32_535_216_000_001, "Thu, 01 Jan 3001 00:00:00 GMT", "3001-01-01T00:00:00.001Z"),
        (LAST, "Fri, 31 Dec 9999 23:59:59 GMT", "9999-12-31T23:59:59.999Z"),
        (BEYOND, "Fri, 31 Dec 9999 23:59:59 GMT", "9999-12-31T23:59:59.999Z"),
    ],
)
def test_every_moment_has_a_date(moment: int, date: str, text: str) -> None:
    assert http_date(moment) == date
    assert s3.exact(moment) == text
    if FIRST <= moment <= LAST:
        assert standard.time(moment) == text
        assert s3.iso(moment) == f"{text[:-4]}000Z"
        assert utc(moment).year == int(text[:4])


def test_a_retention_to_the_end_of_time_is_asked_of_an_upstream() -> None:
    assert request_headers.iso(LAST) == "9999-12-31T23:59:59Z"
    assert request_headers.iso(1) == "1970-01-01T00:00:01Z"
