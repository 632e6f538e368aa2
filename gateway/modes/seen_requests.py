"""Which of the last requests somebody may know of: those to services whose requests the key may
read; with access `admin` all that no rule denies."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.access.identity import Identity
from gateway.access.rules import Facts
from gateway.modes import Gateway
from gateway.storage import NoSuchStore
from gateway.telemetry.request_list import NEWEST, Place, RequestEntry

_CHUNK = 1000
_NEVER = float("inf")


def seen_requests(
    gateway: Gateway, identity: Identity, facts: Facts, before: Place = NEWEST, sid: str = ""
) -> Iterator[RequestEntry]:
    """Newest first; with `sid` those of one service."""
    everything = identity.manages_everything and not sid
    since: dict[str, float] = {"": 0 if everything else _NEVER}
    while rows := gateway.requests.page(before, _CHUNK, sid):
        for one in rows:
            if one.sid not in since:
                since[one.sid] = _since(gateway, identity, facts, one.sid, everything)
            if one.time >= since[one.sid]:
                yield one
        before = (rows[-1].time, rows[-1].id)


def _since(gateway: Gateway, identity: Identity, facts: Facts, sid: str, everything: bool) -> float:
    """From when on requests of a service may be shown, in microseconds: what was asked of
    another service of that name, before this one was made, is not its reader's business,
    unless that may see `everything`."""
    try:
        access = gateway.access(identity, sid, facts)
    except NoSuchStore:
        return 0 if everything else _NEVER
    if not access.may("read-requests"):
        return _NEVER
    return 0 if everything else access.service.about.created * 1000
