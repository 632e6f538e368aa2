"""What was served: of zones by what their bindings count, of storages by what was in them.

All slots are whole: the first may begin before the time that is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Literal

from gateway.modes.cdn import dates, wire
from gateway.modes.cdn.call import Call
from gateway.modes.cdn.problems import CdnProblem
from gateway.telemetry.reports import LENGTHS, Asked, By, Period, Report, Split
from gateway.web.replies import Reply

DOOR = "public"
"""The mode of zones' bindings: what owners do to a zone's cache by others is not served by it."""
DAY = 86_400

What = Literal["hits", "bytes"]
_SLOT = "unix timestamp of the time slot start"


def usage(call: Call) -> Reply:
    """`zone` 0: all of the account."""
    number = call.values.get("zone") or 0
    zones = call.gateway.zones
    found = [zones.find(call.identity, number)] if number else zones.list(call.identity)
    since, until = _bounds(call, "date_from", "date_to")
    names = [one.counted_as for one in found]
    total = call.gateway.reports.total(call.identity, names, since, until, DOOR, call.facts)
    return wire.reply({"hits": total.hits, "bytes_served": total.bytes})


def series(
    what: What, description: str, split: Split = "", name: str = ""
) -> Callable[[Call], Reply]:
    """Of what comes so: `name` of what `split` tells apart; "" of all."""

    def handler(call: Call) -> Reply:
        period = _period(call, call.values["by"])
        found = _read(call, period, split, [name] if name else None)
        numbers = getattr(found.series[name], what)
        rows = [list(row) for row in zip(found.slots, numbers, strict=True)]
        return _reply([_SLOT, description], period, rows)

    return handler


def countries(call: Call) -> Reply:
    period = _period(call, "day")
    text: str | None = call.values["countries"]
    only = [one.strip().upper() for one in text.split(",")] if text else None
    found = _read(call, period, "country", only)
    rows = {
        country: [list(row) for row in zip(found.slots, one.hits, one.bytes, strict=True)]
        for country, one in found.series.items()
    }
    return _reply([_SLOT, "hits from this country", "bytes served to this country"], period, rows)


def statuses(call: Call) -> Reply:
    period = _period(call, call.values["by"])
    code: int | None = call.values["code"]
    found = _read(call, period, "status", None if code is None else [str(code)])
    all_of_it = _read(call, period).series[""].hits
    rows = {
        status: [
            [slot, hits, round(100 * hits / of) if of else 0]
            for slot, hits, of in zip(found.slots, one.hits, all_of_it, strict=True)
        ]
        for status, one in found.series.items()
    }
    return _reply([_SLOT, "hits", "percents of all"], period, rows)


def storages(call: Call) -> Reply:
    period = _period(call, call.values["by"])
    sids = [one.sid for one in call.gateway.storages.list(call.identity)]
    found = call.gateway.reports.sizes(call.identity, sids, period, call.facts)
    rows = [[slot, size.bytes] for slot, size in zip(period.slots, found, strict=True)]
    return _reply([_SLOT, "used size in bytes"], period, rows)


def _read(
    call: Call, period: Period, split: Split = "", only: Collection[str] | None = None
) -> Report:
    asked = Asked(names=_names(call), split=split, only=only, door=DOOR)
    return call.gateway.reports.read(call.identity, asked, period, call.facts)


def _names(call: Call) -> Sequence[str]:
    """What reports call the zones that are asked for; all of the account, if none is named."""
    zones, numbers = call.gateway.zones, call.values["zones"]
    if not numbers:
        return [one.counted_as for one in zones.list(call.identity)]
    named = dict.fromkeys(map(int, numbers.split(",")))
    return [zones.find(call.identity, number).counted_as for number in named]


def _period(call: Call, by: By) -> Period:
    since, until = _bounds(call, "from", "to")
    try:
        return Period(since=since, until=until, by=by)
    except ValueError as error:
        raise CdnProblem("InvalidParameter", f"{str(error).capitalize()}.") from None


def _bounds(call: Call, first: str, last: str) -> tuple[int, int]:
    until = _time(call, last)
    until = call.gateway.clock() // 1000 if until is None else until
    since = _time(call, first)
    since = max(until - DAY, 0) if since is None else since
    if since >= until:
        raise CdnProblem("InvalidParameter", f'"{first}" is not before "{last}".')
    return since, until


def _time(call: Call, name: str) -> int | None:
    text: str | None = call.values[name]
    if text is None:
        return None
    try:
        return dates.seconds(text)
    except (ValueError, OverflowError):
        right = f'The parameter "{name}" is not {dates.FORMS}.'
        raise CdnProblem("InvalidParameter", right) from None


def _reply(description: Sequence[str], period: Period, elements: object) -> Reply:
    found = {
        "element_description": description,
        "element_duration": LENGTHS[period.by],
        "elements": elements,
    }
    return wire.reply(found)
