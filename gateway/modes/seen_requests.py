"""Which of the last requests somebody may know of: those to services whose requests the key may
read; with access `admin` all that no rule denies."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress

from gateway.access.identity import Identity
from gateway.access.rules import Facts
from gateway.modes import Gateway
from gateway.storage import NoSuchStore
from gateway.telemetry.request_list import NEWEST, Place, RequestEntry

_CHUNK = 1000


def seen_requests(
    gateway: Gateway, identity: Identity, facts: Facts, before: Place = NEWEST, sid: str = ""
) -> Iterator[RequestEntry]:
    """Newest first; with `sid` those of one service."""
    if identity.manages_everything and not sid:
        yield from _every(gateway, identity, facts, before)
        return
    since = dict(_since(gateway, identity, facts, [sid] if sid else gateway.requests.services()))
    # What others ask for is not even read: there may be much of it, and people look often.
    for one in _listed(gateway, before, since):
        if one.time >= since[one.sid]:
            yield one


def _listed(
    gateway: Gateway, before: Place, sids: Collection[str] | None = None
) -> Iterator[RequestEntry]:
    while rows := gateway.requests.page(before, _CHUNK, sids):
        yield from rows
        before = (rows[-1].time, rows[-1].id)


def _every(
    gateway: Gateway, identity: Identity, facts: Facts, before: Place
) -> Iterator[RequestEntry]:
    """But those of services of which a rule denies it."""
    told: dict[str, bool] = {"": True}
    for one in _listed(gateway, before):
        if one.sid not in told:
            try:
                told[one.sid] = gateway.access(identity, one.sid, facts).may("read-requests")
            except NoSuchStore:
                told[one.sid] = True
        if told[one.sid]:
            yield one


def _since(
    gateway: Gateway, identity: Identity, facts: Facts, sids: Iterable[str]
) -> Iterator[tuple[str, int]]:
    """Those services of which it may know, and from when on, in microseconds: what was asked of
    another service of that name, before this one was made, is not its reader's business."""
    for sid in sids:
        with suppress(NoSuchStore):
            access = gateway.access(identity, sid, facts)
            if access.may("read-requests"):
                yield sid, access.service.about.created * 1000
