"""Services: all that there are, how each is, and what stands in front of what.

Who manages the gateway sees all of them, with their drivers; others those that their key may see.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.access.access import Access
from gateway.modes.console.call import Call
from gateway.modes.console.chain_map import ChainMap, chain_map
from gateway.modes.console.page import Page
from gateway.modes.console.pages.service_settings import editable
from gateway.modes.console.paging import pager, position
from gateway.modes.operating import ServiceDetails, ServiceInfo
from gateway.storage import (
    NoSuchStore,
    Purges,
    Stats,
    StorageError,
    Unavailable,
    Versioning,
    Versions,
)
from gateway.telemetry.traffic import Traffic
from gateway.web.replies import Reply

SHOWN = 100
MAPPED = 60
"""Services that a map has at most: of more, each has its own."""

_NONE = Traffic()


@dataclass(frozen=True, slots=True)
class Row:
    """`traffic`: None where the key may not know of requests."""

    info: ServiceInfo
    traffic: Traffic | None


def show(call: Call) -> Reply:
    after, text = position(call).after, call.query.get("text", "").strip()
    everything = call.identity.manages_everything
    found, following = _everything(call, after, text) if everything else _seen(call, after, text)
    chains = call.operator.chain() if everything and not (after or text) else ()
    return call.show(
        "services.html",
        rows=found,
        after=after,
        text=text,
        pager=pager(call, following, text=text),
        everything=everything,
        creates=creates(call),
        map=chain_map(chains) if len(chains) <= MAPPED else None,
        unmapped=len(chains) if len(chains) > MAPPED else 0,
    )


def creates(call: Call) -> bool:
    """Whether the key may make buckets."""
    return bool(call.identity.account) and call.identity.access in ("own", "admin")


def _everything(call: Call, after: str, text: str) -> tuple[Sequence[Row], str | None]:
    page, numbers = call.operator.services(after, SHOWN, text), _numbers(call)
    return [Row(one, numbers.get(one.sid, _NONE)) for one in page.items], page.next


def _numbers(call: Call) -> Mapping[str, Traffic]:
    return call.gateway.numbers(call.identity, call.facts).services


def _traffic(access: Access, numbers: Mapping[str, Traffic]) -> Traffic | None:
    """As far as the key may know that."""
    return numbers.get(access.service.sid, _NONE) if access.may("read-requests") else None


def _seen(call: Call, after: str, text: str) -> tuple[Sequence[Row], str | None]:
    seen = call.gateway.services(call.identity, call.facts)
    found = [one for one in seen if one.service.sid > after and text in one.service.sid]
    stats = call.gateway.measured(call.identity, call.facts)
    numbers, page = _numbers(call), found[:SHOWN]
    rows = [Row(info_of(one, stats.get(one.service.sid)), _traffic(one, numbers)) for one in page]
    return rows, page[-1].service.sid if len(found) > SHOWN else None


def info_of(access: Access, stats: Stats | None) -> ServiceInfo:
    """What anybody is told who may see it."""
    about = access.service.about
    return ServiceInfo(
        sid=about.sid,
        driver=about.driver,
        owner=about.owner,
        origin="declared" if about.declared else "added" if about.added else "bucket",
        name=about.name,
        created=about.created,
        volume=about.volume,
        bucket=about.bucket,
        stats=stats,
    )


@dataclass(frozen=True, slots=True)
class Offered:
    """What is offered of a service: what it can do, and the key may."""

    flush: bool = False
    versioning: Versioning | None = None
    on: bool = False
    suspend: bool = False
    drop: bool = False


def show_one(call: Call) -> Reply:
    sid = call.values["sid"]
    access = access_of(call, sid)  # first: it is opened now, if it was not
    details = details_of(call, sid)
    if details is not None:
        info = details.info
    else:
        assert access is not None, "or it was refused"
        info = info_of(access, stats_of(access))
    numbers = _numbers(call)
    return call.show(
        "service.html",
        info=info,
        details=details,
        offered=_offered(call, info, access),
        browse=access is not None,
        editable=() if access is None else editable(call, access),
        traffic=numbers.get(sid, _NONE) if access is None else _traffic(access, numbers),
        map=_map(call, details),
    )


def details_of(call: Call, sid: str) -> ServiceDetails | None:
    """What who manages the gateway is told besides."""
    return call.operator.service(sid) if call.identity.manages_everything else None


def access_of(call: Call, sid: str) -> Access | None:
    """None for who manages the gateway where it cannot be reached: it is not open, or it is an
    account of buckets."""
    try:
        return call.access(sid)
    except (NoSuchStore, Unavailable):
        if call.identity.manages_everything:
            return None
        raise


def stats_of(access: Access) -> Stats | None:
    """What is in it, as far as the key may know that."""
    try:
        return access.stats() if access.may("read-stats") else None
    except StorageError:
        return None


def _map(call: Call, details: ServiceDetails | None) -> ChainMap | None:
    if details is None or details.info.origin == "bucket":
        return None
    chain = call.operator.chain(details.info.sid)
    return chain_map(chain) if 1 < len(chain) <= MAPPED else None


def _offered(call: Call, info: ServiceInfo, access: Access | None) -> Offered:
    if access is None:
        return Offered()
    # Of what is not counted here an upstream would have to be asked, which may not answer.
    here = info.stats is not None
    can = here and access.service.has(Versions) and access.may("read-versioning")
    versioning = access.versioning if can else None
    bucket = info.origin == "bucket"
    switches = bucket and versioning is not None and access.may("write-versioning")
    on = versioning == "on"
    return Offered(
        flush=access.service.has(Purges) and access.may("flush"),
        versioning=versioning,
        on=switches and not on,
        suspend=switches and on and not call.gateway.keeps_versions(access),
        drop=bucket and access.may("drop"),
    )


SAID = {
    "added": "The service is added.",
    "changed": "The service is changed.",
    "made": "The bucket is made.",
    "setting": "The setting is set. It counts from now on.",
    "setting-removed": "The setting is removed.",
    "versioning": "Versions are kept as you said, from now on.",
}
GONE = {
    "removed": "The service is removed. What it stored is where it was.",
    "dropped": "The bucket is dropped.",
}

PAGES = (
    Page(name="ConsoleServices", path="services", get=show, title="Services", said=GONE),
    Page(name="ConsoleService", path="services/{sid}", get=show_one, section="services", said=SAID),
)
