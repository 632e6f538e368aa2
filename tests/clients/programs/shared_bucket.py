"""A bucket for clients that make none: by a request that is signed with the standard library."""

from __future__ import annotations

import hashlib
import hmac
import os
import ssl
import urllib.request
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

from life import BUCKET, CERTIFICATE, ENDPOINT

_EMPTY = hashlib.sha256(b"").hexdigest()


def _asked(method: str, key: str = "") -> None:
    path = quote(f"/{BUCKET}/{key}" if key else f"/{BUCKET}", safe="/~")
    host, now = urlsplit(ENDPOINT).netloc, datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{now[:8]}/us-east-1/s3/aws4_request"
    names = "host;x-amz-content-sha256;x-amz-date"
    said = f"host:{host}\nx-amz-content-sha256:{_EMPTY}\nx-amz-date:{now}\n"
    canonical = f"{method}\n{path}\n\n{said}\n{names}\n{_EMPTY}"
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{os.environ['AWS_SECRET_ACCESS_KEY']}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    credential = f"{os.environ['AWS_ACCESS_KEY_ID']}/{scope}"
    request = urllib.request.Request(
        f"{ENDPOINT}{path}",
        method=method,
        headers={
            "x-amz-content-sha256": _EMPTY,
            "x-amz-date": now,
            "Authorization": f"AWS4-HMAC-SHA256 Credential={credential},"
            f"SignedHeaders={names},Signature={key.hex()}",
        },
    )
    context = ssl.create_default_context(cafile=CERTIFICATE) if CERTIFICATE else None
    urllib.request.urlopen(request, context=context).close()


def made() -> None:
    _asked("PUT")


def removed(*keys: str) -> None:
    """With these; fails unless it is empty then."""
    for key in keys:
        _asked("DELETE", key)
    _asked("DELETE")
