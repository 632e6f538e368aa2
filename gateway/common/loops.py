"""Requests that come back: `CDN-Loop` (RFC 8586) names all that have passed a request on.

Of this gateway it names the run (`storage.store.instance`), by a hash: all its workers are one, and
each other gateway is another, also one that shares its catalog. May surprise: who sees the name
(each origin does) may send it, and is refused by it; nobody else is.
"""

from __future__ import annotations

from hashlib import sha256

from gateway.common.remembering import remembered
from gateway.storage.store import instance

FIELD = "cdn-loop"


def own_name(run: str = "") -> str:
    """A pseudonym (RFC 8586 §2); `run`: another than this process's own."""
    return _hashed(run or instance())


@remembered(texts=64, longest=64)
def _hashed(run: str) -> str:
    return f"storage-gateway-{sha256(f'{FIELD} {run}'.encode()).hexdigest()[:16]}"


def has_passed(field: str, name: str) -> bool:
    """Whether a field's value says that a request was passed on by that one before; whatever
    parameters it has there."""
    if name not in field:
        return False
    hops = (one.partition(";")[0] for one in field.split(","))
    return any(one.strip(" \t") == name for one in hops)
