"""Requests: the last ones of all doors and workers, as far as the key may know of them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from gateway.modes.console.call import Call
from gateway.modes.console.page import Page
from gateway.modes.console.paging import no_place, pager, position
from gateway.modes.console.problems import ConsoleProblem
from gateway.modes.seen_requests import seen_requests
from gateway.telemetry.request_list import NEWEST, Place, RequestEntry
from gateway.web.replies import Reply
from gateway.web.request_head import whole_number

_SHOWN = 50
_LOOKED_AT = 2000
"""Requests of which a page is made: a filter that fits none costs no more, every two seconds."""

STATUSES = {
    "2": "2xx: done",
    "3": "3xx: elsewhere, or as it was",
    "4": "4xx: refused",
    "5": "5xx: failed",
}


@dataclass(frozen=True, slots=True)
class Filter:
    """`status` is its first digit, or all of it; `text` is part of a path, an operation, a key,
    an address, a method or an id. `own`: with those of this console."""

    sid: str = ""
    status: str = ""
    text: str = ""
    own: bool = False

    @classmethod
    def of(cls, call: Call) -> Filter:
        asked = {name: call.query.get(name, "").strip() for name in ("sid", "status", "text")}
        status = asked["status"]
        if status and not (status.isascii() and status.isdigit() and len(status) in (1, 3)):
            raise ConsoleProblem(
                "BadRequest", "A status is a number of three digits, or its first."
            )
        return cls(**asked, own=call.query.get("own") == "1")

    def takes(self, one: RequestEntry) -> bool:
        if one.mode == "console" and not self.own:
            return False
        if not str(one.status).startswith(self.status):
            return False
        wanted = self.text.lower()
        told = (one.path, one.operation, one.key_id, one.client, one.method, one.id, one.mode)
        return not wanted or any(wanted in text.lower() for text in told)

    @property
    def query(self) -> dict[str, str]:
        return {"sid": self.sid, "status": self.status, "text": self.text, "own": "1" * self.own}


def show(call: Call) -> Reply:
    wanted, before = Filter.of(call), _place(call)
    found, last = _page(call, wanted, before)
    return call.show(
        "requests.html",
        wanted=wanted,
        statuses=STATUSES,
        rows=found,
        newest=before == NEWEST,
        pager=pager(call, None if last is None else f"{last[0]}-{last[1]}", **wanted.query),
    )


def _page(call: Call, wanted: Filter, before: Place) -> tuple[list[RequestEntry], Place | None]:
    """Those of a page, and where the next one begins; None: there is none."""
    every = seen_requests(call.gateway, call.identity, call.facts, before, wanted.sid)
    found: list[RequestEntry] = []
    last: Place | None = None
    for one in islice(every, _LOOKED_AT):
        if wanted.takes(one):
            if len(found) == _SHOWN:
                return found, last
            found.append(one)
        last = one.time, one.id
    return found, last if next(every, None) is not None else None


def _place(call: Call) -> Place:
    text = position(call).after
    if not text:
        return NEWEST
    said, _, id = text.partition("-")
    if (time := whole_number(said)) is None:
        raise no_place()
    return time, id


PAGES = (Page(name="ConsoleRequests", path="requests", get=show, title="Requests"),)
