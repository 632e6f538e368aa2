"""What is asked of a replica's source: its changes, its versions, and their bytes.

The source is another's: all that it says is read strictly (`told`), and an answer that is too
long to be one is none. The key goes in a header, and into no message.
"""

from __future__ import annotations

import json
import ssl
import time
from contextlib import closing
from typing import Any
from urllib.parse import urlencode

from drivers.indexed.replica.options import ReplicaOf
from drivers.indexed.replica.told import Page, Told, Versions, page_of, versions_of
from gateway.common.upstream.answers import DOCUMENT_LIMIT, broken, framed
from gateway.common.upstream.connection import Connection
from gateway.common.upstream.pool import Closed, Limits, NotConnected, Pool
from gateway.common.upstream.receiving import SMALL, Body, final_head, whole
from gateway.storage import (
    BytesBody,
    OriginDenied,
    OriginFailed,
    Readable,
)

WORKERS = 8
"""Versions that are fetched at once."""
PAGE = 500
"""Changes or versions of one answer."""
SILENCE = 15.0
"""Seconds after which a source that says nothing is not waited for."""
_TRIES = 3
_MISSING = frozenset({"version_gone", "version_deleted", "file_not_found"})


class _Refused(OriginFailed):
    """With the code that the standard mode gave."""

    code = ""


class Source:
    """`close` ends all connections."""

    def __init__(self, of: ReplicaOf) -> None:
        self._of, self._place = of, of.place
        most = WORKERS + 4  # there is always one for the feed
        limits = Limits(connections=most, waiting=most, queue_timeout=30.0, read_timeout=SILENCE)
        self._pool = Pool(limits, self._context)

    def _context(self) -> ssl.SSLContext:
        cafile = None if self._of.ca_file is None else str(self._of.ca_file)
        return ssl.create_default_context(cafile=cafile)

    def close(self) -> None:
        self._pool.close()

    # what there is

    def changes(self, after: int, limit: int, wait: float = 0, *, details: bool = True) -> Page:
        """Those behind sync id `after`; `wait` so many seconds for one."""
        while True:
            try:
                return page_of(
                    self._document(
                        "syncnext",
                        syncid=after,
                        limit=limit,
                        wait=round(wait),
                        details="true" if details else "false",
                    ),
                    details=details,
                )
            except _TooLong:
                if limit == 1:
                    raise
                limit = max(1, limit // 8)

    def versions(self, after: str | None) -> Versions:
        """A page of all versions, by key and then newest first, behind that place."""
        place = {} if after is None else {"after": after}
        return versions_of(self._document("versionlist", limit=PAGE, details="true", **place))

    def open(self, told: Told) -> Readable | None:
        """The bytes of a version; None where it is there no more."""
        path = f"/{told.change.key}"  # of which one slash is dropped: a key may begin with its own
        try:
            return self._get("getfile", path=path, version=told.named)
        except _Refused as error:
            if error.code in _MISSING:
                return None
            raise

    # over HTTP

    def _document(self, function: str, **values: object) -> Any:
        with closing(self._get(function, **values)) as body:
            read = whole(body, DOCUMENT_LIMIT)
        if read is None:
            raise _TooLong("The source's answer is too long.")
        try:
            return json.loads(read)
        except (ValueError, RecursionError):
            raise broken("it is no JSON") from None

    def _get(self, function: str, **values: object) -> Readable:
        query = urlencode({"sid": self._of.sid, **values})
        lines = (
            f"GET /{function}?{query} HTTP/1.1",
            f"host: {self._place.header}",
            f"x-owncdn-key: {self._of.key.reveal()}",
            "user-agent: storage-gateway",
            "accept-encoding: identity",
        )
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")
        for left in reversed(range(_TRIES)):
            try:
                return self._once(head)
            except Closed as closed:
                if not left:
                    raise closed.error from None
        raise AssertionError("the last try returns or raises")

    def _once(self, head: bytes) -> Readable:
        pool, until = self._pool, time.monotonic() + self._pool.limits.timeout
        try:
            connection = pool.take(self._place, deadline=until)
        except NotConnected as failed:
            raise failed.error from failed
        with pool.asking(connection):
            connection.due(until)
            connection.send(head)
            status, data, body = self._answer(connection)
        if status != 200:
            raise self._refused(status, data)
        return body or BytesBody(data)

    def _answer(self, connection: Connection) -> tuple[int, bytes, Readable | None]:
        """Its status, and all of it, or what streams it. Afterwards the connection is the pool's,
        or the body's."""
        status, _, length, keeps, _ = final_head(connection, "GET")
        frame = framed(connection, connection.take_rest(), length)
        if status == 200 and (length is None or length < 0 or length > SMALL):
            self._pool.answered(connection)
            connection.due(None)
            return status, b"", Body(self._pool, connection, frame, keeps=keeps)
        data = whole(frame, SMALL)
        self._pool.done(connection, keeps=keeps and frame.clean and data is not None)
        return status, data or b"", None

    def _refused(self, status: int, data: bytes) -> OriginFailed:
        code, message = _said(data, "error"), _said(data, "message")
        if code in ("unauthorized", "forbidden"):
            return OriginDenied(f"{self._of}: the key may not read all that is there ({code}).")
        said = f"{status} {code}: {message}".replace(self._of.key.reveal(), "[the key]")
        refused = _Refused(f"{self._of}: {said}", status=status)
        refused.code = code
        return refused


class _TooLong(OriginFailed):
    pass


def _said(data: bytes, name: str) -> str:
    """A member of an error in JSON, for a line of the log; "" where there is none."""
    try:
        text = json.loads(data)[name]
    except (ValueError, RecursionError, KeyError, TypeError):
        return ""
    return text[:200] if isinstance(text, str) and text.isprintable() else ""
