"""The value of a key → whose it is. Specification: management, "Authentication"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.access.identity import Identity, Keys
from gateway.storage import Unauthorized
from gateway.web.http_fields import utf8
from gateway.web.request_head import pairs

HEADER = "X-API-Key"
_VARIABLE = "HTTP_X_API_KEY"
_SIGNATURES = frozenset({"X-Amz-Signature", "X-Amz-Algorithm", "Signature"})
"""Parameters of presigned URLs, of both versions."""


def is_signed(environ: Mapping[str, Any]) -> bool:
    """Whether a request says that it is signed, as S3's are."""
    if environ.get("HTTP_AUTHORIZATION", "").startswith("AWS"):
        return True
    query = environ.get("QUERY_STRING", "")
    try:
        return "ignature" in query and not _SIGNATURES.isdisjoint(name for name, _ in pairs(query))
    except ValueError:  # no UTF-8: whoever gets it says so
        return False


def authenticate(environ: Mapping[str, Any], keys: Keys) -> Identity:
    """Raises `Unauthorized`, the same for no key, for an unknown one, and for one that manages
    nothing. The catalog looks up an HMAC of the value, and compares in constant time."""
    secret: str = environ.get(_VARIABLE, "")
    found = keys.credential_by_secret(utf8(secret)) if secret else None
    if found is None or not found.identity.manages_something:
        raise Unauthorized
    return found.identity
