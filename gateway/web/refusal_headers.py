"""What a refusal says in headers, the same in every API."""

from __future__ import annotations

from gateway.storage import InvalidRange, OriginDenied, StorageError, Unavailable
from gateway.web.http_fields import Headers


def headers_of(error: StorageError) -> Headers:
    """How large it is of which no such range is there; when to ask again (RFC 9110 §14.4,
    §10.2.3), but for what only somebody can mend who runs the gateway."""
    if isinstance(error, InvalidRange):
        return [("content-range", f"bytes */{error.size}")]
    if isinstance(error, Unavailable) and not isinstance(error, OriginDenied):
        return [("retry-after", str(error.retry_after or 1))]
    return []
