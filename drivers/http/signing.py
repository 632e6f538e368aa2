"""Requests to origins that speak S3, signed so that they need not be open to everybody.

Signed is what names an object, and nothing that a visitor has said of it: queries and lines
`x-amz-…` would be asked for with the rights of the key.
"""

from __future__ import annotations

import re
from base64 import b64decode
from urllib.parse import unquote_to_bytes

from drivers.http.questions import OF_AMAZON, Lines
from gateway.common import sigv4
from gateway.common.signing import SigningKey, authorization, moment
from gateway.common.upstream.dialing import Place
from gateway.storage import Secret

MADE = frozenset({"authorization", "x-amz-date", "x-amz-content-sha256"})
"""Lines that nobody else may say."""

_ID = re.compile(r"[\x21-\x2b\x2d-\x2e\x30-\x7e]+")
_SCOPE = re.compile(r"[\x21-\x2b\x2d-\x7e]+")
_HEX = re.compile(r"[0-9A-Fa-f]{64}")
_LONGEST = 256


class Signer:
    """By `secret` in `region`, from which each day's key is derived, or always by `derived`."""

    def __init__(
        self, id: str, *, secret: Secret | None = None, region: str = "",
        derived: SigningKey | None = None,
    ) -> None:  # fmt: skip
        self._id, self._secret, self._region, self._derived = id, secret, region, derived

    def _key(self, day: str) -> SigningKey:
        if self._derived is not None:
            return self._derived
        assert self._secret is not None
        key = sigv4.signing_key(self._secret.reveal(), day, self._region)
        return SigningKey(self._id, sigv4.scope_of(day, self._region), key)

    def __call__(self, method: str, called: Place, path: str, own: Lines) -> tuple[str, Lines]:
        """The path as it is to be sent, and the lines that sign it together with `own` ones."""
        stamp, day = moment()
        said, _, query = path.partition("?")
        target = sigv4.canonical_path(unquote_to_bytes(said).decode("latin-1"))
        query = sigv4.canonical_query(query)
        added = [("x-amz-content-sha256", sigv4.EMPTY_SHA256), ("x-amz-date", stamp)]
        of_amazon = [one for one in own if one[0].startswith(OF_AMAZON)]
        given = sorted([("host", called.header), *added, *of_amazon])
        value, _ = authorization(
            self._key(day), stamp, (method, target, query), given, sigv4.EMPTY_SHA256
        )
        wire = f"{target}?{query}" if query else target
        return wire, [*added, ("authorization", value)]


def signer_of(
    access_key: str | None,
    secret_key: Secret | None,
    region: str | None,
    signing_key: Secret | None,
    key_scope: str | None,
) -> Signer | None:
    """None where nothing is signed. Raises `ValueError`."""
    pairs = (secret_key, region), (signing_key, key_scope)
    given = [pair for pair in pairs if pair != (None, None)]
    if access_key is None:
        if given:
            raise ValueError("access_key: it is missing; requests are signed by it and a key")
        return None
    if len(given) != 1 or None in given[0]:
        raise ValueError(
            "access_key: it needs either secret_key and region, or signing_key and key_scope"
        )
    if not _fits(_ID, access_key):
        raise ValueError("access_key: visible characters of ASCII without comma and slash")
    if signing_key is not None and key_scope is not None:
        if not _fits(_SCOPE, key_scope):
            raise ValueError('key_scope: allowed: "20260131/eu-central-1/s3/aws4_request"')
        key = SigningKey(access_key, key_scope, _bytes(signing_key.reveal()))
        return Signer(access_key, derived=key)
    if not _fits(_ID, region or ""):
        raise ValueError('region: allowed: "eu-central-1"')
    return Signer(access_key, secret=secret_key, region=region or "")


def _fits(pattern: re.Pattern[str], text: str) -> bool:
    return len(text) <= _LONGEST and pattern.fullmatch(text) is not None


def _bytes(text: str) -> bytes:
    """Of a derived key: 32 of them, in hexadecimal digits or in base64; else the text's own."""
    if _HEX.fullmatch(text):
        return bytes.fromhex(text)
    try:
        found = b64decode(text, validate=True)
    except ValueError:
        found = b""
    return found if len(found) == 32 else text.encode()
