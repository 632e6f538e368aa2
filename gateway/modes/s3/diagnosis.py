"""Why a signature does not fit, and what is said of it: the usual suspects, tried one by one.

Clients and proxies get the same few lines of a canonical request wrong. Each
is varied the way it usually goes wrong; the variation whose signature would
have been the one that came names the line. It is for the log, to help whoever
runs the gateway; nothing is ever accepted because a variation fits.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from hmac import compare_digest
from typing import Any, NamedTuple
from urllib.parse import quote

from gateway.common import sigv4
from gateway.modes.s3.claims import Claim
from gateway.modes.s3.problems import TABLE, S3Problem
from gateway.web.request_head import variable

log = logging.getLogger("gateway.s3")

_ECHOED = 8 * 1024
"""Bytes of a canonical request that is explained and sent back: key ids are no secret, so
anybody may cause the work."""


class Signed(NamedTuple):
    """The lines of a canonical request; `headers` is one text, a line per header."""

    method: str
    path: str
    query: str
    headers: str
    signed: str
    payload: str


Variation = tuple[str, Signed]

_ENCODINGS = ("", "identity", "gzip", "gzip, deflate", "gzip, deflate, br", "br, gzip")
_TYPES = ("", "application/octet-stream", "binary/octet-stream")
_EXPECTED: dict[str, tuple[str, ...]] = {
    "accept-encoding": _ENCODINGS,
    "content-length": ("", "0"),
    "content-type": _TYPES,
    "connection": ("", "close", "keep-alive"),
    "expect": ("", "100-continue"),
}
"""What clients sign for headers that proxies and servers remove, add or change."""


def mismatch(
    signed: Signed,
    claim: Claim,
    given: str,
    key: bytes,
    timestamp: str,
    path: str,
    environ: Mapping[str, Any],
) -> S3Problem:
    """What to say of a signature, `given`, that is not the one of `signed` by that key. `path`
    is the decoded one."""
    canonical = sigv4.canonical_request(*signed)
    text = sigv4.string_to_sign(timestamp, claim.scope, canonical)
    message = _dropped(claim, environ)
    if len(canonical) > _ECHOED:
        return S3Problem(
            "SignatureDoesNotMatch", message, AWSAccessKeyId=claim.key_id, StringToSign=text
        )
    if message:
        log.info("%r: %s", claim.key_id, message)
    elif log.isEnabledFor(logging.INFO):

        def fits(variation: Signed) -> bool:
            text = sigv4.string_to_sign(timestamp, claim.scope, sigv4.canonical_request(*variation))
            return compare_digest(sigv4.signature(key, text).encode(), given.encode("latin-1"))

        found = suspect(signed, path, environ.get("QUERY_STRING", ""), fits)
        if found:  # which line differs; never the signature
            log.info("The signature of key %r does not match: %s.", claim.key_id, found)
    return S3Problem(
        "SignatureDoesNotMatch",
        message,
        AWSAccessKeyId=claim.key_id,
        StringToSign=text,
        SignatureProvided=given,
        StringToSignBytes=text.encode("latin-1").hex(" "),
        CanonicalRequest=canonical,
        CanonicalRequestBytes=canonical.encode("latin-1").hex(" "),
    )


def _dropped(claim: Claim, environ: Mapping[str, Any]) -> str:
    """What is to be said when signed headers came without a value at a server that drops what
    is not ASCII; "" otherwise."""
    names = [one for one in claim.signed.split(";") if environ.get(variable(one)) == ""]
    if not names or environ.get("SERVER_SOFTWARE") != "Granian":
        return ""
    return (
        f"{TABLE['SignatureDoesNotMatch'][1]} The signed header {', '.join(names)} arrived empty:"
        " this server drops values outside ASCII. Send them encoded (RFC 2047)."
    )


def suspect(signed: Signed, path: str, query: str, fits: Callable[[Signed], bool]) -> str | None:
    """What most likely differs; None when no variation fits (a wrong secret, say).

    `path` is the decoded one, `query` the one that was sent.
    """
    for name, variation in _variations(signed, path, query):
        if variation != signed and fits(variation):
            return name
    return None


def _variations(signed: Signed, path: str, query: str) -> Iterator[Variation]:
    yield from _paths(signed, path)
    yield from _queries(signed, query)
    yield from _hosts(signed)
    yield from _payloads(signed)
    yield from _headers(signed)
    yield from _methods(signed)


def _paths(signed: Signed, path: str) -> Iterator[Variation]:
    for name, one in (
        ("the path was signed encoded twice", sigv4.canonical_path(signed.path)),
        ("the path was signed without being encoded, or came encoded twice", path),
        ("the path was signed with its slashes encoded", "/" + _quote_all(path[1:])),
        ("the path was signed with a slash at its end", signed.path + "/"),
        ("the path was signed without the slash at its end", signed.path.rstrip("/") or "/"),
        ("the path was signed with spaces as '+'", signed.path.replace("%20", "+")),
        ("the path was signed with '+' not encoded", signed.path.replace("%2B", "+")),
        ("the path was signed normalised ('//', '.', '..')", _normalised(signed.path)),
    ):
        yield name, signed._replace(path=one)


def _quote_all(path: str) -> str:
    return quote(path.encode("latin-1"), safe="~")


def _normalised(path: str) -> str:
    """As signers for services other than S3 do it (RFC 3986 §5.2.4, empty segments dropped)."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    return "/" + "/".join(kept) + ("/" if kept and path.endswith("/") else "")


def _queries(signed: Signed, query: str) -> Iterator[Variation]:
    plus = "the query was signed with '+' as a plus; it is a space, and a plus is %2B"
    yield plus, signed._replace(query=signed.query.replace("%20", "%2B"))
    yield (
        "the query was signed with '+' for a space, not %20",
        signed._replace(query=signed.query.replace("%20", "+")),
    )
    yield (
        "the query was signed as it was sent, not sorted and encoded",
        signed._replace(query=query),
    )
    yield "the query was not signed", signed._replace(query="")
    bare = "&".join(one.removesuffix("=") for one in signed.query.split("&"))
    yield "a parameter without value was signed without '='", signed._replace(query=bare)


def _lines(signed: Signed) -> list[tuple[str, str]]:
    pairs = (line.partition(":") for line in signed.headers.split("\n")[:-1])
    return [(name, value) for name, _, value in pairs]


def _with(signed: Signed, changed: str, value: str) -> Signed:
    lines = [(name, value if name == changed else old) for name, old in _lines(signed)]
    return signed._replace(headers=sigv4.canonical_headers(lines))


def _hosts(signed: Signed) -> Iterator[Variation]:
    host = dict(_lines(signed)).get("host", "")
    bare, _, port = host.rpartition(":")
    if bare and port.isdigit():
        yield "the host was signed without its port", _with(signed, "host", bare)
    else:
        for default in ("80", "443"):
            yield (
                f"the host was signed with port {default}",
                _with(signed, "host", f"{host}:{default}"),
            )
    yield "the host was signed in lower case", _with(signed, "host", host.lower())


def _payloads(signed: Signed) -> Iterator[Variation]:
    for name, payload in (
        ("UNSIGNED-PAYLOAD", sigv4.UNSIGNED),
        ("the hash of an empty body", sigv4.EMPTY_SHA256),
    ):
        declared = _with(signed, "x-amz-content-sha256", payload)
        for one in (signed, declared):
            yield f"the payload was signed as {name}", one._replace(payload=payload)


def _headers(signed: Signed) -> Iterator[Variation]:
    for name, value in _lines(signed):
        for other in _EXPECTED.get(name, ("",)):
            yield (
                f"the header {name} was signed with another value ({other!r});"
                " a proxy or the server changed it",
                _with(signed, name, other),
            )
        if ", " in value:
            yield (
                f"the header {name} came several times and was joined with ', '",
                _with(signed, name, value.replace(", ", ",")),
            )
        if name == "content-type" and ";" in value:
            yield (
                "the header content-type was signed without its parameters",
                _with(signed, name, value.partition(";")[0].strip()),
            )


def _methods(signed: Signed) -> Iterator[Variation]:
    for method in ("GET", "HEAD", "PUT", "POST"):
        yield f"the method was signed as {method}", signed._replace(method=method)
