"""Requests that are no reads, passed on to the HTTP origin behind the service, where the binding
says `methods = "all"`: once, with their bodies as they come, and answered as the origin does.

Nothing of it is kept; a cache on the way makes what it has of that key invalid.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.modes.public import replies
from gateway.modes.public.problems import PublicProblem
from gateway.modes.public.request import Asked
from gateway.storage import Forward, Forwards, Readable, TooLarge
from gateway.web.http_fields import content_length
from gateway.web.replies import Reply

_ALLOW = ("allow", "GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE")
_NEVER = frozenset({"CONNECT", "TRACE"})
"""A tunnel, and an echo of what is said on the way: not for strangers."""


def passes_on(asked: Asked) -> bool:
    """Whether the request is the origin's to answer."""
    if asked.options.methods != "all" or asked.method in ("GET", "HEAD"):
        return False
    return asked.access.service.find(Forwards) is not None


def pass_on(asked: Asked) -> Reply:
    """Raises what the store raises."""
    if asked.method.upper() in _NEVER:
        raise PublicProblem("MethodNotAllowed", _ALLOW)
    body, size = _body(asked)
    request = Forward(
        method=asked.method, query=asked.raw_query, headers=tuple(_lines(asked)), size=size
    )
    opened = asked.access.forward(asked.key, body, request)
    asked.note(opened.trace)
    headers = replies.traced(replies.answered(opened.info, asked.options), opened.trace)
    length = opened.length if opened.length >= 0 else None
    return Reply(opened.status, headers, opened.body, length)


def _body(asked: Asked) -> tuple[Readable | None, int | None]:
    """(body, its size), None for none that was announced. Raises `PublicProblem`, `TooLarge` and
    `Busy`.

    Without a length nobody could tell a body that ended from one whose client went away: on
    some servers both look the same (`gateway.web.request_head`)."""
    environ = asked.environ
    try:
        size = content_length(environ)
    except ValueError:
        raise PublicProblem("BadRequest") from None
    if size is None and "HTTP_TRANSFER_ENCODING" in environ:
        raise PublicProblem("LengthRequired")
    if not size:
        return None, size
    limit = asked.gateway.options.max_body
    if size > limit:
        raise TooLarge(limit=limit, size=size)
    environ["gateway.admission"]()
    source: Readable = environ["wsgi.input"]
    return source, size


def _lines(asked: Asked) -> Iterator[tuple[str, str]]:
    yield from asked.headers.items()
    if kind := asked.environ.get("CONTENT_TYPE"):
        yield "content-type", kind
