"""Zones: names on the net, each with an origin, and a cache between them; which there are, and
what one is.

Who manages the gateway sees all of them, others those of their account.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.modes import Gateway
from gateway.modes.certifying import CertificateState
from gateway.modes.console.call import Call
from gateway.modes.console.page import Page
from gateway.modes.console.paging import numbered, pager
from gateway.modes.console.problems import ConsoleProblem
from gateway.modes.zones import ZoneInfo
from gateway.storage import NOTHING, NoSuchStore, Unavailable
from gateway.telemetry.reports import Sum
from gateway.web.replies import Reply
from gateway.web.request_head import whole_number

_SHOWN = 50
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Row:
    """A zone, where its files come from, in words, and what it served in the last day; None where
    nobody counts."""

    info: ZoneInfo
    origin: str
    served: Sum | None


def listing(call: Call) -> Reply:
    every = call.identity.manages_everything
    found = call.gateway.zones.list(
        call.identity, every=every, after=numbered(call) or 0, limit=_SHOWN + 1
    )
    rows = found[:_SHOWN]
    return call.show(
        "zones.html",
        rows=[_row(call, one) for one in rows],
        everything=every,
        counted=call.gateway.reports.kept,
        pager=pager(call, rows[-1].number if len(found) > _SHOWN else None),
    )


def show(call: Call) -> Reply:
    return shown(call)


def shown(
    call: Call, trouble: str = "", status: int = 200, typed: Mapping[str, str] = NOTHING
) -> Reply:
    """That of the path, with what was refused, and what was typed for its purge."""
    info = of(call)
    return call.show(
        "zone.html",
        status,
        row=_row(call, info),
        info=info,
        document=info.document,
        certified=call.gateway.zones.is_certified(info),
        states=_states(call, info),
        orders=call.gateway.certificates.offered,
        counted=call.gateway.reports.kept,
        everything=call.identity.manages_everything,
        trouble=trouble,
        typed={name: typed.get(name, "") for name in ("files", "prefixes", "soft")},
    )


def of(call: Call) -> ZoneInfo:
    """That of the path. Raises `NotFound`, also for another account's."""
    number = whole_number(call.values["zone"])
    if number is None:
        raise ConsoleProblem("NotFound")
    return call.gateway.zones.find(call.identity, number)


def offered(gateway: Gateway) -> bool:
    return gateway.zones.offered


def _states(call: Call, info: ZoneInfo) -> Sequence[CertificateState]:
    return call.gateway.certificates.states(info.custom_domains) if info.custom_domains else ()


def _row(call: Call, info: ZoneInfo) -> Row:
    return Row(info, _origin(info.document), _served(call, info))


def _origin(document: Mapping[str, Any]) -> str:
    upstream = document["upstream"]
    if upstream is None:
        return f"storage {document['storage_id']}"
    first, *others = upstream["endpoints"]
    more = f" and {len(others)} more" if others else ""
    port = f":{first['port']}" if "port" in first else ""
    bucket = f"/{first['bucket']}" if "bucket" in first else ""
    return f"{upstream['proto']}://{first['host']}{port}{bucket}{more}"


def _served(call: Call, info: ZoneInfo) -> Sum | None:
    reports, now = call.gateway.reports, call.gateway.clock() // 1000
    if not reports.kept:
        return None
    try:
        return reports.total(call.identity, [info.counted_as], now - _DAY, now, facts=call.facts)
    except (NoSuchStore, Unavailable):  # a rule says so, or nobody can say it now
        return None


PAGES = (
    Page(
        name="ConsoleZones",
        path="zones",
        get=listing,
        title="Zones",
        reach="owner",
        offered=offered,
        said={"dropped": "The zone is dropped, with all that its cache had."},
    ),
    Page(
        name="ConsoleZone",
        path="zones/{zone}",
        get=show,
        section="zones",
        reach="owner",
        offered=offered,
        said={
            "made": "The zone is made.",
            "changed": "The zone is changed. That counts from now on; what its cache has, stays.",
            "on": "The zone is enabled.",
            "off": "The zone is disabled: nobody gets anything from it.",
            "purged": "The purge is written down, and carried out within about a second.",
            "ordered": "The certificates are ordered. What the authority says is told here.",
        },
    ),
)
