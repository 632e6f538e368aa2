"""What a retention becomes when somebody changes it: who may not make it end sooner."""

from __future__ import annotations

from typing import Literal

import pytest

from drivers.indexed.retention import changed
from gateway.storage import (
    EventHold,
    InvalidRequest,
    Period,
    Protected,
    Protection,
    RetentionMode,
    StorageError,
)

DAY = 86_400_000
NOW = 20_000 * DAY
WEEK, YEAR = Period(7, "days"), Period(1, "years")


def day(number: int) -> int:
    return NOW + number * DAY


def gov(until: int | None = None, event: Period | None = None) -> Protection:
    return Protection(mode="governance", until=until, event=event)


def com(until: int | None = None, event: Period | None = None) -> Protection:
    return Protection(mode="compliance", until=until, event=event)


Asked = tuple[RetentionMode | None, int | None, EventHold | None]
NONE, GOVERNED = Protection(), gov(event=WEEK)
COMPLIANT = com(event=WEEK)


@pytest.mark.parametrize(
    ("before", "asked", "expected"),
    [
        # an event is awaited
        (NONE, ("governance", None, WEEK), gov(event=WEEK)),
        (NONE, ("compliance", day(9), WEEK), com(day(9), WEEK)),
        (com(day(-1)), ("governance", None, WEEK), gov(day(-1), WEEK)),
        (com(day(9)), ("compliance", None, WEEK), com(day(9), WEEK)),
        (com(day(9)), ("governance", None, YEAR), Protected),
        (com(day(9)), ("compliance", day(5), WEEK), com(day(9), WEEK)),
        # for longer, or for less: what was certain stays so
        (COMPLIANT, ("compliance", None, YEAR), com(day(7), YEAR)),
        (com(None, YEAR), ("compliance", None, WEEK), com(day(365), WEEK)),
        # it was
        (COMPLIANT, ("compliance", None, "over"), com(day(7))),
        (COMPLIANT, ("compliance", day(9), "over"), com(day(9))),
        (COMPLIANT, ("compliance", day(3), "over"), com(day(7))),
        (com(day(9), WEEK), ("compliance", None, "over"), com(day(9))),
        (GOVERNED, ("governance", None, "over"), gov(day(7))),
        (GOVERNED, ("compliance", None, "over"), Protected),
        (gov(day(3)), ("governance", None, "over"), gov(day(3))),
        (gov(day(-1)), ("governance", None, "over"), InvalidRequest),
        (NONE, ("governance", None, "over"), InvalidRequest),
        (NONE, ("governance", day(3), "over"), gov(day(3))),
        # nothing is said of it
        (COMPLIANT, ("compliance", day(9), None), com(day(9), WEEK)),
        (COMPLIANT, ("compliance", day(6), None), Protected),
        (COMPLIANT, (None, None, None), Protected),
        (COMPLIANT, (None, None, WEEK), Protected),
        (NONE, (None, None, WEEK), InvalidRequest),
        (NONE, ("governance", None, None), InvalidRequest),
    ],
)  # fmt: skip
def test_without_bypass(
    before: Protection, asked: Asked, expected: Protection | type[StorageError]
) -> None:
    _compare(before, asked, expected, bypass=False)


@pytest.mark.parametrize(
    ("before", "asked", "expected"),
    [
        (GOVERNED, (None, None, None), NONE),
        (GOVERNED, ("compliance", None, YEAR), com(day(7), YEAR)),
        (GOVERNED, ("governance", day(3), "over"), gov(day(3))),
        (GOVERNED, ("governance", day(3), Period(1, "days")), gov(day(3), Period(1, "days"))),
        (GOVERNED, ("governance", day(3), None), InvalidRequest),
        (GOVERNED, ("governance", day(9), None), gov(day(9), WEEK)),
        (COMPLIANT, (None, None, None), Protected),
        (COMPLIANT, ("compliance", day(3), None), Protected),
        (COMPLIANT, ("compliance", day(3), "over"), com(day(7))),
    ],
)  # fmt: skip
def test_by_bypass(
    before: Protection, asked: Asked, expected: Protection | type[StorageError]
) -> None:
    _compare(before, asked, expected, bypass=True)


def _compare(
    before: Protection,
    asked: Asked,
    expected: Protection | type[StorageError],
    *,
    bypass: bool,
) -> None:
    if isinstance(expected, Protection):
        assert changed(before, *asked, NOW, bypass=bypass, key="k") == expected
        return
    with pytest.raises(expected) as caught:
        changed(before, *asked, NOW, bypass=bypass, key="k")
    assert caught.value.key == "k"


@pytest.mark.parametrize(
    ("protection", "ends"),
    [
        (NONE, None),
        (gov(5), 5),
        (COMPLIANT, day(7)),
        (com(day(9), WEEK), day(9)),
        (com(day(3), YEAR), day(365)),
    ],
)
def test_when_a_retention_ends(protection: Protection, ends: int | None) -> None:
    assert protection.ends(NOW) == ends


@pytest.mark.parametrize(("mode", "bypassed"), [("governance", False), ("compliance", True)])
def test_while_an_event_is_awaited_a_version_is_retained(
    mode: Literal["governance", "compliance"], bypassed: bool
) -> None:
    awaiting = Protection(mode=mode, event=WEEK)
    for time in (NOW, day(10_000)):
        assert awaiting.retains(time, bypass=False)
        assert awaiting.retains(time, bypass=True) is bypassed
