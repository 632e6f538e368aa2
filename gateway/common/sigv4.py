"""AWS Signature Version 4, as S3 uses it: pure functions, for verifying and for signing.

A path comes in decoded, in the form WSGI gives it (each character one byte,
latin-1), and is encoded exactly once: S3 neither normalises it nor encodes it
twice. In a query `+` is a space, as it is to S3 (older Java SDKs send it so
and sign `%20`); a plus is `%2B`. Whoever reads parameters must read them alike.

Source: Amazon S3 API Reference, "Authenticating Requests (AWS Signature
Version 4)", with "Transferring Payload in Multiple Chunks" and "Including
Trailing Headers".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from hmac import HMAC, digest
from urllib.parse import quote, unquote_to_bytes

from gateway.storage.objects import Secret

ALGORITHM = "AWS4-HMAC-SHA256"
SERVICE = "s3"
TERMINATOR = "aws4_request"
EMPTY_SHA256 = sha256(b"").hexdigest()
UNSIGNED = "UNSIGNED-PAYLOAD"

_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._~-]*")
_ENCODED = re.compile(
    # unreserved characters as they are, all others (and only they) as %XX in upper case
    r"(?:[A-Za-z0-9._~-]|%(?:[0189A-F][0-9A-F]|2[0-9A-CF]|3[A-F]|40|5[B-E]|60|7[B-DF]))*"
)
_BLANKS = re.compile(r"[ \t]+")


def canonical_path(path: str) -> str:
    """The URI-encoded form of a decoded path; "/" stays as it is."""
    if _PLAIN_PATH.fullmatch(path):
        return path or "/"
    return quote(path.encode("latin-1"), safe="/~")


def canonical_component(text: str) -> str:
    """A name or a value of a raw query in its one canonical encoding."""
    if _ENCODED.fullmatch(text):
        return text
    return quote(unquote_to_bytes(text.replace("+", " ").encode("latin-1")), safe="~")


def canonical_query(query: str, leave_out: str | None = None) -> str:
    """A raw query in canonical form: encoded alike, sorted by name, then value.

    The parameter named `leave_out` (a presigned URL's signature) is left out.
    """
    if not query:
        return ""
    pairs = []
    for part in query.split("&"):
        if part:
            name, _, value = part.partition("=")
            name = canonical_component(name)
            if name != leave_out:
                pairs.append((name, canonical_component(value)))
    pairs.sort()
    return "&".join([f"{name}={value}" for name, value in pairs])


def canonical_value(value: str) -> str:
    """A header's value without blanks around it, and with single ones inside.

    Only space and tab are blanks: other bytes may be halves of UTF-8 characters.
    """
    if " " in value or "\t" in value:
        return _BLANKS.sub(" ", value).strip(" ")
    return value


def canonical_request(
    method: str, path: str, query: str, headers: str, signed: str, payload: str
) -> str:
    """All parts canonical already; `headers` are lines `name:value`, each with its newline."""
    return f"{method}\n{path}\n{query}\n{headers}\n{signed}\n{payload}"


def canonical_headers(headers: Sequence[tuple[str, str]]) -> str:
    lines = "".join([f"{name}:{value}\n" for name, value in headers])
    if " " not in lines and "\t" not in lines:  # as with what SDKs sign
        return lines
    return "".join([f"{name}:{canonical_value(value)}\n" for name, value in headers])


def scope_of(day: str, region: str, service: str = SERVICE) -> str:
    """The credential scope; `day` is YYYYMMDD."""
    return f"{day}/{region}/{service}/{TERMINATOR}"


def string_to_sign(timestamp: str, scope: str, canonical: str) -> str:
    hashed = sha256(canonical.encode("latin-1")).hexdigest()
    return f"{ALGORITHM}\n{timestamp}\n{scope}\n{hashed}"


@lru_cache(maxsize=1024)
def signing_key(secret: str, day: str, region: str, service: str = SERVICE) -> bytes:
    """Derived once per secret, day and region: it costs four HMACs."""
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, TERMINATOR):
        key = digest(key, part.encode(), "sha256")
    return key


@lru_cache(maxsize=1024)
def _keyed(key: bytes) -> HMAC:
    return HMAC(key, digestmod="sha256")


def signature(key: bytes, text: str) -> str:
    """In lower-case hex, as it is sent. A copy of a keyed HMAC is faster than `digest`,
    and keeps the GIL, which others would take at each request."""
    keyed = _keyed(key).copy()
    keyed.update(text.encode("latin-1"))
    return keyed.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """What the signatures of a request's chunks start from: the request's own signature,
    and the key, scope and timestamp (YYYYMMDDTHHMMSSZ) that it was made with."""

    key: Secret
    scope: str
    timestamp: str
    signature: str


class ChunkSigner:
    """Signatures of chunks and trailers, each made over the one before it."""

    __slots__ = ("_key", "_place", "_previous")

    def __init__(self, seed: Seed) -> None:
        self._key = seed.key.reveal_bytes()
        self._place = f"{seed.timestamp}\n{seed.scope}"
        self._previous = seed.signature

    def chunk(self, sha256_hex: str) -> str:
        """The signature of the next chunk, whose bytes have that SHA-256."""
        return self._next("PAYLOAD", f"{EMPTY_SHA256}\n{sha256_hex}")

    def trailer(self, canonical: str) -> str:
        """The signature of the trailers: lines `name:value` sorted by name, each with its
        newline."""
        return self._next("TRAILER", sha256(canonical.encode("latin-1")).hexdigest())

    def _next(self, kind: str, hashed: str) -> str:
        text = f"{ALGORITHM}-{kind}\n{self._place}\n{self._previous}\n{hashed}"
        self._previous = signature(self._key, text)
        return self._previous
