"""What is said of an object to a browser.

Where it came from an HTTP origin, that is what the origin said, line by line, but for what is
said of these bytes here (their length and range), and for orders to a proxy in front of us. Else
it is what is stored with the object: its type, and the headers that it was uploaded with; nothing
of metadata, tags, versions, owners.

What is said of many answers alike is put together once and remembered: of what is asked for all
the time, that was a fifth of the work.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from gateway.common.end_to_end import ORDERS
from gateway.common.moments import http_date
from gateway.modes.public.options import PublicOptions
from gateway.storage import ObjectInfo, OriginAnswer
from gateway.web.http_fields import Headers, carried, quoted, value

Lines = tuple[tuple[str, str], ...]

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


_REMEMBERED = 1024
"""Answers of which it is remembered what is said."""


def of_origin(origin: OriginAnswer) -> Headers:
    """Its lines, as they came: several of a name are not always a list (RFC 9110 §5.3)."""
    return _lines_of(origin.status, origin.headers)


def _lines_of(status: int, lines: Lines) -> Headers:
    ours = _OF_BYTES | {"content-range"} if status == 206 else _OF_BYTES
    lower = ((name.lower(), text) for name, text in lines)
    said = [(name, text) for name, text in lower if not name.startswith(ORDERS)]
    return [(name, value(text)) for name, text in said if name not in ours]


def described(info: ObjectInfo, options: PublicOptions) -> Headers:
    """What GET and HEAD say of an object, but for lengths and ranges."""
    origin = info.origin
    if origin is None:
        tag, modified = info.etag, info.modified
        return [*_of_object(info.content_type, tag, modified, tuple(info.headers), options)]
    lines = origin.headers
    age = lines[-1] if lines and lines[-1][0] == "Age" else None  # a cache's, with each second
    rest = lines if age is None else lines[:-1]
    headers, dated = _of_answer(origin.status, rest, info.content_type, options)
    return [*headers] if age is None or not dated else [*headers, ("age", value(age[1]))]


@lru_cache(maxsize=_REMEMBERED)
def _of_object(
    content_type: str, etag: str, modified: int, lines: Lines, options: PublicOptions
) -> Headers:
    headers = [
        ("content-type", value(content_type)),
        *([("etag", quoted(etag))] if etag else ()),
        *([("last-modified", http_date(modified))] if modified > 0 else ()),
        ("accept-ranges", "bytes"),
        *carried(lines),
    ]
    return _by_options(_timed(headers, options), content_type, options)


@lru_cache(maxsize=_REMEMBERED)
def _of_answer(
    status: int, lines: Lines, content_type: str, options: PublicOptions
) -> tuple[Headers, bool]:
    """And whether its age counts."""
    headers = _lines_of(status, lines)
    timed = _timed(headers, options)
    return _by_options(timed, content_type, options), timed is headers


def _timed(headers: Headers, options: PublicOptions) -> Headers:
    """The same where they say for how long it is kept."""
    if options.client_cache_time is None:
        return headers
    return _kept_for(headers, int(options.client_cache_time))


def _by_options(headers: Headers, content_type: str, options: PublicOptions) -> Headers:
    if options.precompressed:
        headers = varying(headers, "Accept-Encoding")
    if options.append_webp:
        headers = varying(headers, "Accept")
    return _sandboxed(headers, content_type, options)


def answered(info: ObjectInfo, options: PublicOptions) -> Headers:
    """What an origin says to a request that was passed on: it is of that, and nobody keeps it."""
    assert info.origin is not None
    return _sandboxed(of_origin(info.origin), info.content_type, options)


def _sandboxed(headers: Headers, content_type: str, options: PublicOptions) -> Headers:
    if not options.trusted_content and _ACTIVE.search(content_type):
        headers = _added(headers, "content-security-policy", "sandbox")
    return headers


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
    if not said:
        return [*headers, (name, text)]
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
