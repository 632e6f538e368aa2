"""Overview: how much there is, and where; what is asked for, as it happens; in an empty gateway,
what to do next."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gateway.access.access import Access
from gateway.modes.console.call import Call
from gateway.modes.console.page import Page
from gateway.modes.console.paging import pager, position
from gateway.storage import Stats
from gateway.telemetry.traffic import Traffic
from gateway.web.replies import Reply

_SHOWN = 100
_NOTHING = Traffic()


@dataclass(frozen=True, slots=True)
class Row:
    """A service. `stats` and `traffic`: None where nobody counts, or may know. `share`: of the
    requests to all that are shown, in hundredths of those to the one that has most."""

    sid: str
    name: str
    driver: str
    stats: Stats | None
    traffic: Traffic | None
    share: int


@dataclass(frozen=True, slots=True)
class Step:
    """One of the first things to do. `path` is the page where that is done."""

    title: str
    about: str
    path: str
    action: str
    done: bool = False


def show(call: Call) -> Reply:
    services = call.gateway.services(call.identity, call.facts)
    stats = call.gateway.measured(call.identity, call.facts)
    numbers = call.gateway.numbers(call.identity, call.facts)
    at = position(call)
    following = [one for one in services if one.service.sid > at.after]
    shown = following[:_SHOWN]
    traffic = {sid: numbers.services.get(sid, _NOTHING) for sid in _sids(shown)}
    most = max((one.requests for one in traffic.values()), default=0)
    together = stats.total()
    return call.show(
        "overview.html",
        count=len(services),
        unmeasured=len(services) - len(stats),
        objects=together.current,
        bytes=together.bytes,
        uploads=together.uploads,
        total=numbers.total,
        rows=[_row(one, stats, traffic, most) for one in shown],
        steps=[] if together.current else [*_steps(call, bool(services))],
        pager=pager(call, shown[-1].service.sid if len(following) > len(shown) else None),
    )


def _sids(services: Sequence[Access]) -> Iterator[str]:
    return (one.service.sid for one in services)


def _row(
    access: Access, stats: Mapping[str, Stats], traffic: Mapping[str, Traffic], most: int
) -> Row:
    about = access.service.about
    asked = traffic[about.sid] if access.may("read-requests") else None
    share = -(-100 * asked.requests // most) if asked and most else 0
    return Row(about.sid, about.name or about.sid, about.driver, stats.get(about.sid), asked, share)


def _steps(call: Call, any_service: bool) -> Iterator[Step]:
    """Those of which the page is there, for who may do that."""
    every = (
        Step(
            "Make a bucket",
            "It keeps files, and every S3 client can use it.",
            "services",
            "To the services",
            done=any_service,
        ),
        Step(
            "Upload a file", "Drop it, or a whole folder, into a bucket.", "browser", "To the files"
        ),
        Step(
            "Make a key",
            "For each program one of its own, which may do no more than it needs.",
            "keys",
            "To the keys",
        ),
    )
    return (one for one in every if call.has(one.path))


def numbers(call: Call) -> Reply:
    """What the script of the page asks for every two seconds: it has to cost little. `from` and
    `to` are the first and the last service of the page."""
    found = call.gateway.numbers(call.identity, call.facts)
    first, last = call.query.get("from", ""), call.query.get("to", "")
    services = {sid: one for sid, one in found.services.items() if first <= sid <= last}
    told = {"time": found.time, "total": found.total, "services": services}
    return Reply(200, [("content-type", "application/json")], json.dumps(told).encode())


PAGES = (
    Page(name="ConsoleOverview", path="", get=show, title="Overview"),
    Page(name="ConsoleNumbers", path="overview/numbers", get=numbers),
)
