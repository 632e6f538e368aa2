"""Whether a request says of itself that it is signed, as those of S3 are: it is then no other
mode's at a path that a bucket may be called by.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.web.request_head import pairs

_SIGNATURES = frozenset({"X-Amz-Signature", "X-Amz-Algorithm", "Signature"})
"""Parameters of presigned URLs, of both versions."""


def is_signed(environ: Mapping[str, Any]) -> bool:
    if environ.get("HTTP_AUTHORIZATION", "").startswith("AWS"):
        return True
    query = environ.get("QUERY_STRING", "")
    try:
        return "ignature" in query and not _SIGNATURES.isdisjoint(name for name, _ in pairs(query))
    except ValueError:  # no UTF-8: whoever gets it says so
        return False
