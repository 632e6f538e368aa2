"""Requests that go out signed by AWS Signature Version 4, in their headers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from gateway.common import sigv4


class SigningKey(NamedTuple):
    """`key` was derived for the `scope` (`sigv4.signing_key`), and is that of `id`."""

    id: str
    scope: str
    key: bytes

    def __repr__(self) -> str:
        return f"SigningKey({self.id!r}, {self.scope!r})"


_second = (0, "", "")


def moment() -> tuple[str, str]:
    """(timestamp, day) as signatures have them; formatted once a second."""
    global _second  # noqa: PLW0603  # one clock for all
    second = int(time.time())
    if _second[0] != second:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
        _second = (second, stamp, stamp[:8])
    return _second[1], _second[2]


def authorization(
    by: SigningKey,
    stamp: str,
    request: tuple[str, str, str],
    headers: Sequence[tuple[str, str]],
    payload: str,
) -> tuple[str, str]:
    """The Authorization header's value, and the signature in it. `request`: method, path and
    query, both in canonical form. `headers`: all that are signed, sorted, with names in
    lower-case, host and x-amz-date among them. `payload`: the body's SHA-256, or what stands
    for it."""
    signed = ";".join([name for name, _ in headers])
    lines = sigv4.canonical_headers(headers)
    canonical = sigv4.canonical_request(*request, lines, signed, payload)
    signature = sigv4.signature(by.key, sigv4.string_to_sign(stamp, by.scope, canonical))
    value = (
        f"{sigv4.ALGORITHM} Credential={by.id}/{by.scope}, SignedHeaders={signed},"
        f" Signature={signature}"
    )
    return value, signature
