"""What is known of one request when it is over: a line of the access log, a sample of
the metrics. A mode fills in its part through `environ["gateway.record"]`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Record:
    """The mode sets `operation`, `key_id`, `account`, `sid`, `key`, `code`, `cache` and `then`;
    the app sets the rest.

    `account` is the one that the key belongs to. `sid` and `key` are the service and the
    object that were asked for. `cache` is
    what a cache on the way says of itself (`Opened.trace`). `code` is the error
    code of the protocol ("NoSuchKey"), "" when all went well. `path` has no query
    string, which may hold signatures. `aborted`: the answer broke off; `corrupt`: because
    stored bytes turned out to be damaged, or it could not begin for that. `duration`
    and `started` are seconds, of which the latter is since the epoch; `received`
    and `sent` are bytes of bodies. `then` is called with it when the request is over, in
    the thread of the request: it raises nothing, and waits for nothing.

    `sid` is there from the beginning where the binding names a service. For reports, and only
    where these are kept: `counted_as` is the name that the binding has it counted under, "" for
    the service's; `tls` and `http` ("1.1") are how it came, "" by another protocol.
    """

    request_id: str
    method: str
    path: str
    client: str
    mode: str = ""
    operation: str = ""
    key_id: str = ""
    account: str = ""
    sid: str = ""
    key: str = ""
    code: str = ""
    cache: str = ""
    status: int = 0
    received: int = 0
    sent: int = 0
    started: float = 0.0
    duration: float = 0.0
    aborted: bool = False
    corrupt: bool = False
    then: Callable[[Record], object] | None = None
    counted_as: str = ""
    tls: bool = False
    http: str = ""
