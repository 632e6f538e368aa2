"""What is said of an object to a browser.

Where it came from an HTTP origin, that is what the origin said, line by line, but for what is
said of these bytes here (their length and range). Else it is what is stored with the object:
its type, and the headers that it was uploaded with; nothing of metadata, tags, versions, owners.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from gateway.common.moments import http_date
from gateway.modes.public.options import PublicOptions
from gateway.storage import ObjectInfo, OriginAnswer
from gateway.web.http_fields import Headers, carried, quoted, value

NOSNIFF = ("x-content-type-options", "nosniff")
STRICT = ("content-security-policy", "default-src 'none'; sandbox")
"""Of pages of our own, which need nothing."""

_OF_BYTES = frozenset({"content-length", "connection", "transfer-encoding"})
_ACTIVE = re.compile("html|xml|xsl|svg|multipart", re.I)
"""In the type of what a browser shows as a document, with all that is in it."""

_BOUND = re.compile("private|no-store|no-cache", re.I)
"""What a configuration does not loosen: who wrote the object knew why."""

_OF_FRESHNESS = frozenset({"cache-control", "expires", "age", "date"})
"""By which a browser tells how long it may keep an answer, and since when: the time that a
configuration gives begins when the answer is sent."""

OF_VALIDATION = frozenset(
    {"etag", "last-modified", "cache-control", "content-location", "date", "expires", "vary"}
    | {"age", "cache-status", "set-cookie"}
)
"""What a 304 says (RFC 9110 §15.4.5)."""


def of_origin(origin: OriginAnswer) -> Headers:
    """Its lines, as they came: several of a name are not always a list (RFC 9110 §5.3)."""
    ours = _OF_BYTES | {"content-range"} if origin.status == 206 else _OF_BYTES
    lines = ((name.lower(), text) for name, text in origin.headers)
    return [(name, value(text)) for name, text in lines if name not in ours]


def described(info: ObjectInfo, options: PublicOptions) -> Headers:
    """What GET and HEAD say of an object, but for lengths and ranges."""
    if info.origin is not None:
        headers = of_origin(info.origin)
    else:
        headers = [
            ("content-type", value(info.content_type)),
            *_tag(info),
            *([("last-modified", http_date(info.modified))] if info.modified > 0 else ()),
            ("accept-ranges", "bytes"),
            *(carried(info.headers) if info.headers else ()),
        ]
    if options.client_cache_time is not None:
        headers = _kept_for(headers, int(options.client_cache_time))
    if options.precompressed:
        headers = varying(headers, "Accept-Encoding")
    if options.append_webp:
        headers = varying(headers, "Accept")
    return _sandboxed(headers, info, options)


def answered(info: ObjectInfo, options: PublicOptions) -> Headers:
    """What an origin says to a request that was passed on: it is of that, and nobody keeps it."""
    assert info.origin is not None
    return _sandboxed(of_origin(info.origin), info, options)


def _sandboxed(headers: Headers, info: ObjectInfo, options: PublicOptions) -> Headers:
    if not options.trusted_content and _ACTIVE.search(info.content_type):
        headers = _added(headers, "content-security-policy", "sandbox")
    return headers


def _tag(info: ObjectInfo) -> Headers:
    return [("etag", quoted(info.etag))] if info.etag else []


def _kept_for(headers: Headers, seconds: int) -> Headers:
    said = ", ".join(text for name, text in headers if name == "cache-control")
    if _BOUND.search(said):
        return headers
    return [
        *(one for one in headers if one[0] not in _OF_FRESHNESS),
        ("cache-control", f"max-age={seconds}"),
    ]


def _added(headers: Headers, name: str, text: str) -> Headers:
    """With one more in a list: of several policies all count, of several `Vary` too."""
    said = [known for one, known in headers if one == name]
    return [*(one for one in headers if one[0] != name), (name, ", ".join([*said, text]))]


def varying(headers: Headers, name: str) -> Headers:
    """With one more request header in `Vary`."""
    named = {
        one.strip().lower() for key, text in headers if key == "vary" for one in text.split(",")
    }
    return headers if name.lower() in named or "*" in named else _added(headers, "vary", name)


def traced(headers: Headers, trace: Iterable[str]) -> Headers:
    """With what caches on the way say of themselves, the nearest to the origin first (RFC 9211
    §2)."""
    said = ", ".join(trace)
    return _added(headers, "cache-status", value(said)) if said else headers
