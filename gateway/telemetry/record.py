"""What is known of one request when it is over: a line of the access log, a sample of
the metrics. A mode fills in its part through `environ["gateway.record"]`.
"""

from __future__ import annotations


class Record:
    """The mode sets `operation`, `key_id`, `sid`, `key`, `code` and `cache`; the app
    sets the rest.

    `sid` and `key` are the service and the object that were asked for. `cache` is
    what a cache on the way says of itself (`Opened.trace`). `code` is the error
    code of the protocol ("NoSuchKey"), "" when all went well. `path` has no query
    string, which may hold signatures. `aborted`: the answer broke off; `corrupt`: because
    stored bytes turned out to be damaged, or it could not begin for that. `duration`
    and `started` are seconds, of which the latter is since the epoch; `received`
    and `sent` are bytes of bodies.
    """

    __slots__ = (
        "aborted",
        "cache",
        "client",
        "code",
        "corrupt",
        "duration",
        "key",
        "key_id",
        "method",
        "mode",
        "operation",
        "path",
        "received",
        "request_id",
        "sent",
        "sid",
        "started",
        "status",
    )

    def __init__(self, request_id: str, method: str, path: str, client: str) -> None:
        self.request_id, self.method, self.path, self.client = request_id, method, path, client
        self.mode = self.operation = self.key_id = self.sid = self.code = ""
        self.key = self.cache = ""
        self.status = self.received = self.sent = 0
        self.started = self.duration = 0.0
        self.aborted = self.corrupt = False
