"""Header fields that are of a connection, and not of what is said over it (RFC 9110 §7.6.1): who
passes a message on, or keeps it, leaves them out, and those that `Connection` names.

Without that a reader could have a cache keep an answer under a field that the origin never
got: it would be named in `Connection`, and count for the cache.
"""

from __future__ import annotations

OF_CONNECTION = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding"}
    | {"upgrade", "proxy-authenticate", "proxy-authorization", "proxy-authentication-info"}
    | {"http2-settings"}
)

ORDERS = ("x-accel-", "x-sendfile", "x-lighttpd-", "x-litespeed-", "x-reproxy-")
"""What names begin with by which a server tells the proxy in front of it what to do: to send a file
of that machine, say (nginx, Apache and others heed them). They are ours to say, and no origin's: it
could name the file of the catalog."""


def named(connection: str) -> frozenset[str]:
    """What a `Connection` names, in lower case."""
    return frozenset(one.strip(" \t").lower() for one in connection.split(","))
