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


def named(connection: str) -> frozenset[str]:
    """What a `Connection` names, in lower case."""
    return frozenset(one.strip(" \t").lower() for one in connection.split(","))
