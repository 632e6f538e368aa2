"""Overview: how much there is, and where; in an empty gateway, what to do next."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.access.access import Access
from gateway.modes.console.call import Call
from gateway.modes.console.page import Page
from gateway.storage import Stats
from gateway.web.replies import Reply

_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Row:
    """A service. `stats`: None where nobody counts, or may know."""

    sid: str
    name: str
    driver: str
    stats: Stats | None


def show(call: Call) -> Reply:
    services = call.gateway.services(call.identity, call.facts)
    stats = call.gateway.measured(call.identity, call.facts)
    after = call.query.get("after", "")
    following = [one for one in services if one.service.sid > after]
    rows = [_row(one, stats.get(one.service.sid)) for one in following[:_SHOWN]]
    return call.show(
        "overview.html",
        count=len(services),
        unmeasured=len(services) - len(stats),
        objects=sum(one.current for one in stats.values()),
        bytes=sum(one.bytes for one in stats.values()),
        uploads=sum(one.uploads for one in stats.values()),
        rows=rows,
        after=after,
        next=rows[-1].sid if len(following) > len(rows) else "",
    )


def _row(access: Access, stats: Stats | None) -> Row:
    about = access.service.about
    return Row(about.sid, about.name or about.sid, about.driver, stats)


PAGES = (Page(name="ConsoleOverview", path="", get=show, title="Overview"),)
