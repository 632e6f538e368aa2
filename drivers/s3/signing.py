"""A request to an upstream, and its head as it goes out: signed, or not where there is no key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from urllib.parse import quote

from drivers.s3.credentials import Key
from drivers.s3.sending import Outgoing
from gateway.common import sigv4
from gateway.common.signing import SigningKey, authorization, moment
from gateway.common.upstream.answers import Headers
from gateway.common.upstream.dialing import Place
from gateway.storage import NOTHING, Secret

EXPECTS = 1 << 20
"""Bytes from which on a body that streams waits to be asked for (Expect: 100-continue)."""

_USER_AGENT = "storage-gateway"


@dataclass(slots=True, kw_only=True)
class UpstreamRequest:
    """`query`: in canonical form. `headers`: lower-case names, values as latin-1 text.
    `safe`: to be repeated although it may have been done already. `document`: the
    answer's body is wanted whole."""

    method: str
    bucket: str = ""
    key: str = ""
    query: str = ""
    headers: Mapping[str, str] = NOTHING
    body: bytes | Outgoing = b""
    safe: bool = True
    document: bool = False

    @property
    def fresh(self) -> bool:
        """It can be sent (again): its body is at hand."""
        return isinstance(self.body, bytes) or not self.body.begun


@lru_cache(maxsize=256)
def _host(place: Place) -> str:
    return place.header


def _of_body(request: UpstreamRequest, headers: dict[str, str]) -> tuple[str, str]:
    """Its hash, or what stands for it, and the lines that are not signed; `headers` get its own."""
    body, lines = request.body, f"user-agent:{_USER_AGENT}\r\n"
    if isinstance(body, bytes):
        if body or request.method in ("PUT", "POST"):
            lines += f"content-length:{len(body)}\r\n"
        return sha256(body).hexdigest() if body else sigv4.EMPTY_SHA256, lines
    headers.update(_with_coding(headers, body.headers))
    lines += f"content-length:{body.length}\r\n"
    if body.length >= EXPECTS:
        lines += "expect:100-continue\r\n"
    return body.payload, lines


def signed_head(
    request: UpstreamRequest, place: Place, region: str, path: str, key: Key | None
) -> tuple[bytes, sigv4.Seed | None]:
    """The request's line and headers, and what the signatures of chunks begin with."""
    method, headers = request.method, {"host": _host(place), **request.headers}
    payload, unsigned = _of_body(request, headers)
    target = sigv4.canonical_path(path.encode().decode("latin-1"))
    wire = f"{target}?{request.query}" if request.query else target
    if key is None:
        lines = "".join([f"{name}:{value}\r\n" for name, value in headers.items()])
        return f"{method} {wire} HTTP/1.1\r\n{lines}{unsigned}\r\n".encode("latin-1"), None
    stamp, day = moment()
    headers["x-amz-content-sha256"], headers["x-amz-date"] = payload, stamp
    if key.token is not None:
        headers["x-amz-security-token"] = key.token.reveal()
    given = sorted(headers.items())
    derived = sigv4.signing_key(key.secret.reveal(), day, region)
    by = SigningKey(key.id, sigv4.scope_of(day, region), derived)
    said, signature = authorization(by, stamp, (method, target, request.query), given, payload)
    lines = "".join([f"{name}:{value}\r\n" for name, value in given])
    head = f"{method} {wire} HTTP/1.1\r\n{lines}{unsigned}authorization:{said}\r\n\r\n"
    seed = None
    if not isinstance(request.body, bytes):
        seed = sigv4.Seed(key=Secret(derived), scope=by.scope, timestamp=stamp, signature=signature)
    return head.encode("latin-1"), seed


def _with_coding(given: Headers, added: Mapping[str, str]) -> Headers:
    """`aws-chunked` stands before the codings that the object has itself."""
    own = given.get("content-encoding")
    if own and "content-encoding" in added:
        return {**added, "content-encoding": f"{added['content-encoding']},{own}"}
    return dict(added)


def query_of(pairs: Iterable[tuple[str, str]]) -> str:
    """Parameters in canonical form: encoded, and sorted by name."""
    coded = sorted((quote(name, safe="~"), quote(value, safe="~")) for name, value in pairs)
    return "&".join([f"{name}={value}" for name, value in coded])
