"""Pages of other origins (Fetch Standard, "CORS protocol"): those of the option `cors` may read
what is read here. Nobody is authenticated, so nothing is ever said of credentials."""

from __future__ import annotations

from gateway.modes.public import replies
from gateway.modes.public.request import Asked
from gateway.web.http_fields import Headers, instead, is_token
from gateway.web.replies import Reply

_METHODS = {"read": "GET, HEAD", "all": "GET, HEAD, POST, PUT, PATCH, DELETE"}
_REMEMBERED = 3600
"""Seconds for which a browser need not ask again."""


def _allowed(asked: Asked) -> str:
    """What is said to the origin that asks; "" when nothing is."""
    cors = asked.options.cors
    if "*" in cors:
        return "*"
    origin: str = asked.environ.get("HTTP_ORIGIN", "")
    return origin if origin and origin in cors else ""


def is_preflight(asked: Asked) -> bool:
    """Whether it is answered here: one for an origin of which the binding says something."""
    environ = asked.environ
    asks = asked.method == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
    return asks and "HTTP_ORIGIN" in environ and bool(asked.options.cors)


def preflight(asked: Asked) -> Headers:
    """What is said besides that which every answer says."""
    if not _allowed(asked):
        return []
    headers = [
        ("access-control-allow-methods", _METHODS[asked.options.methods]),
        ("access-control-max-age", str(_REMEMBERED)),
    ]
    wanted = asked.environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "")
    named = [one.strip() for one in wanted.split(",")]
    if all(map(is_token, named)):
        headers.append(("access-control-allow-headers", ", ".join(named)))
    return headers


def added(reply: Reply, asked: Asked) -> Reply:
    """With what is said to pages of other origins, whatever the answer is."""
    if not asked.options.cors:
        return reply
    allowed = _allowed(asked)
    if allowed:
        reply.headers = instead(
            reply.headers,
            ("access-control-allow-origin", allowed),
            ("access-control-expose-headers", "*"),
        )
    if "*" not in asked.options.cors:
        reply.headers = replies.varying(reply.headers, "Origin")
    return reply
