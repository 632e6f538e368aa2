"""The value of a key → whose it is. Specification: management, "Authentication"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.access.identity import Identity, Keys
from gateway.storage import Unauthorized
from gateway.web.http_fields import utf8

HEADER = "X-API-Key"
_VARIABLE = "HTTP_X_API_KEY"


def authenticate(environ: Mapping[str, Any], keys: Keys) -> Identity:
    """Raises `Unauthorized`, the same for no key, for an unknown one, and for one that manages
    nothing. The catalog looks up an HMAC of the value, and compares in constant time."""
    secret: str = environ.get(_VARIABLE, "")
    found = keys.credential_by_secret(utf8(secret)) if secret else None
    if found is None or not found.identity.manages_something:
        raise Unauthorized
    return found.identity
