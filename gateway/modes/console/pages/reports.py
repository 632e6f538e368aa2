"""Reports: what was served, of one service or of all whose requests the key may read, in slots of
time; by status, country, and the way it came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from gateway.common.units import about_size
from gateway.modes.console.call import Call
from gateway.modes.console.page import Page
from gateway.storage import InvalidRequest
from gateway.telemetry.reports import Asked, By, Period, Report, Split
from gateway.web.replies import Reply

DAY = 86_400
_SERVICES = 1000
"""Of which there is a sum."""
_HEIGHT = 100

SPANS: Mapping[str, tuple[str, int, By]] = {
    "hours": ("24 hours, by 5 minutes", DAY, "5min"),
    "week": ("7 days, by hour", 7 * DAY, "hour"),
    "month": ("30 days, by day", 30 * DAY, "day"),
    "quarter": ("90 days, by day", 90 * DAY, "day"),
    "year": ("a year, by day", 365 * DAY, "day"),
}
SPLITS: tuple[tuple[Split, str], ...] = (
    ("status", "Status"),
    ("country", "Country"),
    ("tls", "TLS"),
    ("http", "HTTP version"),
)
_TOLD = {"tls": "with", "plain": "without", "": "another protocol", "ZZ": "ZZ: not known"}
_ROWS = 20


@dataclass(frozen=True, slots=True)
class Bar:
    """Of one slot, as high as its share of the highest, in hundredths; `text` says it."""

    place: int
    height: float
    text: str


@dataclass(frozen=True, slots=True)
class Part:
    """One of what is told apart."""

    name: str
    hits: int
    bytes: int
    percent: int


def show(call: Call) -> Reply:
    reports, span = call.gateway.reports, call.query.get("span", "hours")
    if not reports.kept:
        return call.show("reports.html", kept=False)
    _, seconds, by = SPANS.get(span, SPANS["hours"])
    now = call.gateway.clock() // 1000
    period = Period(since=now - seconds, until=now, by=by)
    names = _names(call)
    whole = _read(call, names, period)
    hits, size = whole.series[""]
    return call.show(
        "reports.html",
        kept=True,
        sid=call.query.get("sid", "").strip(),
        span=span if span in SPANS else "hours",
        spans=[(name, title) for name, (title, *_) in SPANS.items()],
        slots=whole.slots,
        complete=whole.complete,
        hits=sum(hits),
        bytes=sum(size),
        charts=[
            ("Hits", f"{max(hits):,}", _bars(hits, "hits")),
            ("Bytes", about_size(max(size)), _bars(size, "bytes")),
        ],
        splits=[(title, _parts(call, names, period, split)) for split, title in SPLITS],
    )


def _names(call: Call) -> Sequence[str]:
    """Raises `NoSuchStore` where the key may not know of it."""
    sid = call.query.get("sid", "").strip()
    if sid:
        return [sid]
    seen = call.gateway.services(call.identity, call.facts)
    told = (one.service.sid for one in seen if one.may("read-requests"))
    return list(islice(told, _SERVICES))


def _read(call: Call, names: Sequence[str], period: Period, split: Split = "") -> Report:
    asked = Asked(names=names, split=split)
    return call.gateway.reports.read(call.identity, asked, period, call.facts)


def _bars(numbers: Sequence[int], what: str) -> list[Bar]:
    most = max(numbers, default=0)
    return [
        Bar(place, round(_HEIGHT * number / most, 2), f"{number:,} {what}")
        for place, number in enumerate(numbers)
        if number
    ]


def _parts(call: Call, names: Sequence[str], period: Period, split: Split) -> list[Part]:
    """Those with the most hits."""
    try:
        found = _read(call, names, period, split).series
    except InvalidRequest:  # more than one report has
        return []
    sums = [(name, sum(one.hits), sum(one.bytes)) for name, one in found.items()]
    of = max(sum(hits for _, hits, _ in sums), 1)
    largest = sorted(sums, key=lambda one: -one[1])[:_ROWS]
    return [
        Part(_TOLD.get(name, name), hits, size, round(100 * hits / of))
        for name, hits, size in largest
        if hits
    ]


PAGES = (Page(name="ConsoleReports", path="reports", get=show, title="Reports"),)
