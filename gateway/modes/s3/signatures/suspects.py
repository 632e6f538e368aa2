"""Why a signature does not fit: what usually goes wrong, tried one by one.

Clients and proxies get the same few lines of a canonical request wrong. Each is varied the
way it usually goes wrong; the variation whose signature would have been the one that came
names the line. It is for the log, to help whoever runs the gateway; nothing is ever accepted
because a variation fits.

Proxies tell in headers what they changed. Nobody has to be trusted for that here: what a
stranger claims explains nothing unless the signature is one of just that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, unquote_to_bytes

from gateway.common import sigv4
from gateway.web.request_head import header_name


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

_HOSTS = ("HTTP_X_FORWARDED_HOST", "HTTP_FORWARDED", "HTTP_X_ORIGINAL_HOST", "HTTP_X_HOST")
_PREFIX = "HTTP_X_FORWARDED_PREFIX"
_PATHS = (
    _PREFIX,
    "HTTP_X_FORWARDED_URI",
    "HTTP_X_ORIGINAL_URI",
    "HTTP_X_ORIGINAL_URL",
    "HTTP_X_REWRITE_URL",
)
"""In these proxies say what they changed."""

_LONGEST, _MANY = 2048, 20
"""Characters of such a header, and hosts or parameters, that are tried."""

_FORWARDED_HOST = re.compile(r'host=("[^"]*"|[^;,\s]+)', re.I)
_NOT_ENCODED = re.compile("%(2[17-9A])")


def suspect(
    signed: Signed, path: str, environ: Mapping[str, Any], fits: Callable[[Signed], bool]
) -> str | None:
    """What most likely differs; None when no variation fits (a wrong secret, say).

    `path` is the decoded one.
    """
    for name, variation in _variations(signed, path, environ):
        if variation != signed and fits(variation):
            return name
    return None


def _variations(signed: Signed, path: str, environ: Mapping[str, Any]) -> Iterator[Variation]:
    yield from _paths(signed, path, environ)
    yield from _queries(signed, environ.get("QUERY_STRING", ""))
    yield from _hosts(signed, environ)
    yield from _payloads(signed)
    yield from _headers(signed)
    yield from _methods(signed)


def _paths(signed: Signed, path: str, environ: Mapping[str, Any]) -> Iterator[Variation]:
    for name, one in (
        ("the path was signed encoded twice", sigv4.canonical_path(signed.path)),
        ("the path was signed without being encoded, or came encoded twice", path),
        ("the path was signed with its slashes encoded", "/" + _quote_all(path[1:])),
        ("the path was signed with a slash at its end", signed.path + "/"),
        ("the path was signed without the slash at its end", signed.path.rstrip("/") or "/"),
        ("the path was signed with spaces as '+'", signed.path.replace("%20", "+")),
        ("the path was signed with '+' not encoded", signed.path.replace("%2B", "+")),
        ("the path was signed normalised ('//', '.', '..')", _normalised(signed.path)),
        ("the path was signed with some of !*'() not encoded", _as_browsers(signed.path)),
        *_paths_of_proxies(signed, environ),
    ):
        yield name, signed._replace(path=one)


def _paths_of_proxies(signed: Signed, environ: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key in _PATHS:
        if found := environ.get(key, "")[:_LONGEST].partition("?")[0]:
            asked = sigv4.canonical_path(
                unquote_to_bytes(found.encode("latin-1")).decode("latin-1")
            )
            if key == _PREFIX:
                asked = asked.rstrip("/") + signed.path
            name = header_name(key)
            yield f"the path was signed as {asked!r}: a proxy changed it, as its {name} says", asked


def _as_browsers(text: str) -> str:
    """As JavaScript's encodeURIComponent leaves it."""
    return _NOT_ENCODED.sub(lambda match: chr(int(match[1], 16)), text)


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
    bare = "&".join(one.removesuffix("=") for one in signed.query.split("&"))
    yield (
        "a parameter without value was signed without '=', as older versions of curl do: write it"
        " with one (?acl=)",
        signed._replace(query=bare),
    )
    yield (
        "the query was signed as it was sent, not sorted and encoded",
        signed._replace(query=query),
    )
    yield "the query was not signed", signed._replace(query="")
    yield (
        "the query was signed with some of !*'() not encoded",
        signed._replace(query=_as_browsers(signed.query)),
    )
    parts = signed.query.split("&")
    for part in parts[:_MANY]:
        rest = "&".join(one for one in parts if one != part)
        name = part.partition("=")[0]
        yield f"the parameter {name!r} was added to what was signed", signed._replace(query=rest)


def _lines(signed: Signed) -> list[tuple[str, str]]:
    pairs = (line.partition(":") for line in signed.headers.split("\n")[:-1])
    return [(name, value) for name, _, value in pairs]


def _with(signed: Signed, changed: str, value: str) -> Signed:
    lines = [(name, value if name == changed else old) for name, old in _lines(signed)]
    return signed._replace(headers=sigv4.canonical_headers(lines))


def host_of(signed: Signed) -> str:
    return dict(_lines(signed)).get("host", "")


def _hosts(signed: Signed, environ: Mapping[str, Any]) -> Iterator[Variation]:
    host = host_of(signed)
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
    for other in ("localhost", "127.0.0.1", "[::1]"):
        also = f"{other}:{port}" if bare and port.isdigit() else other
        yield f"the host was signed as {also!r}: something changed it", _with(signed, "host", also)
    for key, also in _hosts_of_proxies(environ):
        yield (
            f"the host was signed as {also!r}: a proxy changed it, as its {header_name(key)} says;"
            " name the proxy in trusted_proxies, set external_url, or have it leave Host alone",
            _with(signed, "host", also),
        )


def _hosts_of_proxies(environ: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    port = environ.get("HTTP_X_FORWARDED_PORT", "")
    for key in _HOSTS:
        text = environ.get(key, "")[:_LONGEST]
        named = _FORWARDED_HOST.findall(text) if key == "HTTP_FORWARDED" else text.split(",")
        for one in named[:_MANY]:
            host = one.strip(' \t"')
            yield key, host
            yield key, f"{host}:{port}"


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
        yield (
            f"the header {name} was signed in lower case; a proxy or the server changed it",
            _with(signed, name, value.lower()),
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
