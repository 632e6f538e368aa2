"""What HTTP/2 leaves open, said as HTTP/1.1 says it.

A body may come without its length (RFC 9113 §8.1.1), and nothing in the head says then whether
there is one at all. Here it is called chunked, as in HTTP/1.1; and `PERHAPS` says that it has to
be looked at (`gateway.web.unsized`), which is done where a client that stands still is watched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from gateway.modes import WSGIApp
from gateway.web.unsized import PERHAPS

STREAMS = 32
"""Requests of a connection at once. More than are shown to a browser's page at once gain nothing,
and each may hold a thread."""

WINDOW = 4 << 20
"""Bytes of a connection that may come before somebody reads them. With 1 MiB an upload takes twice
as long as by HTTP/1.1, with this as long."""

HEADERS = 64 << 10
"""Bytes of a request's head."""

_WITH_BODIES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def told(app: WSGIApp) -> WSGIApp:
    """The application as a server that speaks HTTP/2, too, is to call it."""

    def call(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if (
            environ["SERVER_PROTOCOL"] == "HTTP/2"
            and "CONTENT_LENGTH" not in environ
            and environ["REQUEST_METHOD"] in _WITH_BODIES
        ):
            environ["HTTP_TRANSFER_ENCODING"], environ[PERHAPS] = "chunked", True
        answer: Iterable[bytes] = app(environ, start_response)
        return answer

    return call
