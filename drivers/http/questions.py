"""What a request to an origin says: the lines behind its first.

Of a request's own lines none goes on that is of the connection (RFC 9110 §7.6.1), or that
the gateway has to say itself: whom it asks, and how long the body is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from gateway.common import loops
from gateway.common.end_to_end import OF_CONNECTION, named
from gateway.common.moments import http_date
from gateway.common.upstream.dialing import Place
from gateway.common.upstream.fields import byte_range, etag_list
from gateway.storage import Conditions, Get, InvalidRequest

Lines = list[tuple[str, str]]

OURS = frozenset({"host", "content-length", "expect"})
_OF_READING = frozenset(
    {"range", "if-range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since"}
)
_NOT_SAID = OF_CONNECTION | OURS | _OF_READING | {loops.FIELD}
_CREDENTIALS = frozenset({"authorization", "cookie"})

OF_AMAZON = "x-amz-"
"""Begins lines that change what a signed request asks S3 for."""

AGENT = "storage-gateway"
_VIA = f"1.1 {AGENT}"
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_UNSAYABLE = re.compile("[\x00-\x08\x0a-\x1f\x7f]")
_SENDABLE = re.compile(r'\*|(?:W/)?[^"\x00-\x20\x7f\u0100-\U0010ffff]*')


def end_to_end(lines: Iterable[tuple[str, str]]) -> Lines:
    """Without those of the connection, also those that it names itself."""
    lines = list(lines)
    said = [value for name, value in lines if name.lower() == "connection"]
    left_out = OF_CONNECTION.union(*map(named, said))
    return [one for one in lines if one[0].lower() not in left_out]


def of_read(want: Get, *, ranges: bool) -> Lines:
    """Of a GET, or of a HEAD, which knows no `ranges` (RFC 9110 §14.2)."""
    given = [one for one in want.headers.items() if one[0].lower() not in _OF_READING]
    lines = passed_on(given)
    if not any(name.lower() == "accept-encoding" for name, _ in lines):
        lines.append(("accept-encoding", "identity"))
    if ranges and want.range is not None and want.part is None:
        lines.append(("range", byte_range(want.range)))
    if want.conditions is not None:
        lines += _of_conditions(want.conditions)
    return lines


def of_visitors(want: Get) -> Get:
    """What is asked of an origin with rights that are not the asker's: the object, in whichever
    form they take it, and nothing that has a meaning to who knows them."""
    said = want.headers.items()
    kept = {
        name: value for name, value in said
        if name.lower() not in _CREDENTIALS and not name.lower().startswith(OF_AMAZON)
    }  # fmt: skip
    return replace(want, query="", headers=kept)


def passed_on(given: Iterable[tuple[str, str]]) -> Lines:
    """Lines of somebody's request. Raises `InvalidRequest` for one that is none."""
    lines = [(name, _value(name, value)) for name, value in end_to_end(given)]
    via = [value for name, value in lines if name.lower() == "via"]
    lines = [one for one in lines if one[0].lower() not in OURS and one[0].lower() != "via"]
    if not any(name.lower() == "user-agent" for name, _ in lines):
        lines.append(("user-agent", AGENT))
    return [*lines, ("via", ", ".join([*via, _VIA]))]


def _value(name: str, value: str) -> str:
    value = value.strip(" \t")
    if _TOKEN.fullmatch(name) is None or _UNSAYABLE.search(value):
        raise InvalidRequest(f"The header {name!r} cannot be passed on.")
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogatepass").decode("latin-1")
    return value


def _of_conditions(conditions: Conditions) -> Iterator[tuple[str, str]]:
    """Tags that no origin can have said are not asked for; what comes is compared anyway."""
    for name, tags in (
        ("if-match", conditions.if_match),
        ("if-none-match", conditions.if_none_match),
    ):
        if tags and all(_SENDABLE.fullmatch(one) for one in tags):
            yield name, etag_list(tags)
    if conditions.modified_since is not None:
        yield "if-modified-since", http_date(conditions.modified_since)
    if conditions.unmodified_since is not None:
        yield "if-unmodified-since", http_date(conditions.unmodified_since)


def own_lines(given: Mapping[str, str]) -> Lines:
    """Those that a configuration has for the origin. Raises `ValueError`."""
    lines = []
    for name, value in given.items():
        lower = name.lower()
        if lower in _NOT_SAID or not isinstance(value, str):
            raise ValueError(f"request_headers: {name!r} is not for a configuration to say")
        try:
            lines.append((lower, _value(name, value)))
        except InvalidRequest:
            raise ValueError(f"request_headers: {name!r} is no header, or has no text") from None
    return lines


def with_own(lines: Lines, own: Lines) -> Lines:
    """`own` lines in place of those of their names."""
    names = {name.lower() for name, _ in own}
    return [*(one for one in lines if one[0].lower() not in names), *own]


def with_hop(lines: Lines, name: str) -> Lines:
    """With this gateway's `name` behind all that have passed the request on (RFC 8586)."""
    before = [value for one, value in lines if one.lower() == loops.FIELD]
    others = [one for one in lines if one[0].lower() != loops.FIELD]
    return [*others, (loops.FIELD, ", ".join([*before, name]))]


def without_secrets(lines: Lines, own: Lines) -> Lines:
    """What another place than the origin is sent: nothing by which somebody is known."""
    left_behind = _CREDENTIALS | {name.lower() for name, _ in own}
    return [one for one in lines if one[0].lower() not in left_behind]


def head(method: str, place: Place, path: str, lines: Lines) -> bytes:
    """`place` as it is told that it is asked for."""
    said = "".join(f"{name}: {value}\r\n" for name, value in lines)
    return f"{method} {path} HTTP/1.1\r\nHost: {place.header}\r\n{said}\r\n".encode("latin-1")
