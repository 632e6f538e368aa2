"""What happened: changes of a service, requests of all; and what makes caches forget."""

from __future__ import annotations

import time

from gateway.modes.seen_requests import seen_requests
from gateway.modes.standard import auth, details, versions, wire
from gateway.modes.standard.call import Call
from gateway.storage import (
    Change,
    ChangePage,
    Forbidden,
    Get,
    MethodNotAllowed,
    NotFound,
    ObjectInfo,
    WrongKey,
)
from gateway.telemetry.request_list import NEWEST, Place, RequestEntry
from gateway.web.api import tokens
from gateway.web.api.parameters import wrong
from gateway.web.replies import Reply
from gateway.web.request_head import whole_number

# syncnext

_LOOK = 0.25
"""Seconds between two looks at whether the gateway stops."""


def syncnext(call: Call) -> Reply:
    values = call.values
    page = call.access.changes(values["syncid"], values["limit"])
    if not page.changes and values["wait"]:
        page = _waited(call, page, values["syncid"], values["limit"], values["wait"])
    said = _detailed if values["details"] else _update
    updates = [said(call, one) for one in page.changes]
    told = {"lastSyncId": page.last, "feed": page.feed, "cut": page.cut}
    if values["details"]:
        told["before"] = _before(call, values["syncid"])
    return wire.reply({"updates": updates, **told})


def _before(call: Call, known: int) -> wire.Item | None:
    """The change that is known, as it is here."""
    changes = call.access.changes(known - 1, 1).changes if known else ()
    if not changes or changes[0].sequence != known:
        return None
    one = wire.update(changes[0], None)
    return {name: one[name] for name in ("kind", "path", "version")}


def _update(call: Call, change: Change) -> wire.Item:
    return wire.update(change, _put(call, change))


def _detailed(call: Call, change: Change) -> wire.Item:
    found = None
    if change.kind in ("put", "update"):
        named = versions.name(change.version, change.etag)
        found = details.of_version(call.access, change.key, named)
    marker = change.kind == "delete" and not change.etag
    more = {"deleted": marker, "cause": change.cause, "details": found}
    if found is not None:
        more |= {name: found[name] for name in ("headers", "metadata")}
    return {**wire.update(change, None), **more}


def _waited(call: Call, page: ChangePage, after: int, limit: int, wait: int) -> ChangePage:
    """It takes a place among those who hold a thread, and asks again who it is afterwards:
    a key may have been revoked meanwhile. When the gateway stops it waits no longer."""
    if (admit := call.environ.get("gateway.admission")) is not None:
        admit(waits=True)
    until, stopping = time.monotonic() + wait, call.gateway.stopping
    while not page.changes and not stopping.is_set() and (left := until - time.monotonic()) > 0:
        page = call.access.changes(after, limit, min(left, _LOOK))
    call.require_anew(auth.authenticate(call.environ, call.gateway.keys))
    return page


def _put(call: Call, change: Change) -> ObjectInfo | None:
    """What else is known of a version that was put, while it is there, to who may read it."""
    if change.kind not in ("put", "update"):
        return None
    named = versions.name(change.version, change.etag)
    try:
        return versions.stat(call.access, change.key, Get(), named)
    except (Forbidden, NotFound, MethodNotAllowed, WrongKey):
        return None


# reqlist


def reqlist(call: Call) -> Reply:
    """Those of services that the key may read; with access `admin` all that no rule denies."""
    sid, limit = call.values["sid"] or "", call.values["limit"]
    if sid:
        call.require()
    found: list[RequestEntry] = []
    for one in seen_requests(call.gateway, call.identity, call.facts, _place(call), sid):
        if len(found) == limit:
            last = found[-1]
            following = tokens.token(str(last.time), last.id)
            break
        found.append(one)
    else:
        following = None
    return wire.reply({"requests": [*map(wire.request, found)], "next": following})


def _place(call: Call) -> Place:
    after = call.after(2)
    if after is None:
        return NEWEST
    if (moment := whole_number(after[0])) is None:
        raise wrong("after", "the `next` of a page before")
    return moment, after[1]
