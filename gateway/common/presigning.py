"""URLs that carry their own signature: who has one may do what it says until it is over.

Path style, as every S3 server takes it. Source: Amazon S3 API Reference, "Authenticating
Requests: Using Query Parameters (AWS Signature Version 4)".
"""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from gateway.common import moments, sigv4
from gateway.storage.objects import Secret

LONGEST = 7 * 86_400
"""Seconds: seven days."""


def presigned_url(
    base: str,
    bucket: str,
    key: str,
    *,
    access_key: str,
    secret: Secret,
    region: str,
    now: int,
    seconds: int,
    method: str = "GET",
) -> str:
    """`base` is where the S3 API is: scheme, host, and the path below which it is, if it is below
    one. `now` in milliseconds, as all times; from then on the URL counts for `seconds`."""
    place = urlsplit(base)
    path = f"{place.path.rstrip('/')}/{bucket}/{key}"
    encoded = quote(path, safe="/~")
    moment = moments.utc(now)
    timestamp, day = f"{moment:%Y%m%dT%H%M%SZ}", f"{moment:%Y%m%d}"
    scope = sigv4.scope_of(day, region)
    query = sigv4.canonical_query(
        f"X-Amz-Algorithm={sigv4.ALGORITHM}"
        f"&X-Amz-Credential={quote(f'{access_key}/{scope}', safe='')}"
        f"&X-Amz-Date={timestamp}&X-Amz-Expires={seconds}&X-Amz-SignedHeaders=host"
    )
    canonical = sigv4.canonical_request(
        method, encoded, query, f"host:{place.netloc}\n", "host", sigv4.UNSIGNED
    )
    signing_key = sigv4.signing_key(secret.reveal(), day, region)
    signature = sigv4.signature(signing_key, sigv4.string_to_sign(timestamp, scope, canonical))
    return f"{place.scheme}://{place.netloc}{encoded}?{query}&X-Amz-Signature={signature}"
