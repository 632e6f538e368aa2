"""Header fields that every mode over HTTP reads and writes alike: dates, entity tags,
ranges, conditions, text.

May surprise: WSGI gives headers as latin-1 text; what is valid UTF-8 is read as
that. A Range or a date that is malformed is ignored, as RFC 9110 (§13.1.3,
§14.2) and Amazon S3 have it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from gateway.storage import NOTHING, Conditions, InvalidRequest, Range
from gateway.storage.checksums import decode
from gateway.web.request_head import header_name

Headers = list[tuple[str, str]]

KEPT = (
    ("HTTP_CACHE_CONTROL", "Cache-Control"),
    ("HTTP_CONTENT_DISPOSITION", "Content-Disposition"),
    ("HTTP_CONTENT_ENCODING", "Content-Encoding"),
    ("HTTP_CONTENT_LANGUAGE", "Content-Language"),
    ("HTTP_EXPIRES", "Expires"),
)
"""Headers of an upload that stay with the object, and come back with it."""

CONDITIONAL = frozenset(
    {
        "HTTP_IF_MATCH",
        "HTTP_IF_NONE_MATCH",
        "HTTP_IF_MODIFIED_SINCE",
        "HTTP_IF_UNMODIFIED_SINCE",
    }
)

_ETAG = re.compile(r'(W/)?"([^"]*)"|(\*|[^\s,"]+)')
_RANGE = re.compile(r"[ \t]*bytes=([0-9]*)-([0-9]*)[ \t]*", re.I)
_FAR = 10**18
"""A position that no object reaches: what is beyond it is as far."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")

# reading


def utf8(text: str) -> str:
    """A header's text, of which the bytes are read as UTF-8 when they are that."""
    if text.isascii():
        return text
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def etags(text: str) -> tuple[str, ...]:
    """A list of entity tags (RFC 9110 §13.1.1), without quotes; bare ones are taken too."""
    found = tuple((weak or "") + (inner or bare or "") for weak, inner, bare in _ETAG.findall(text))
    return found or ((text.strip(),) if text.strip() else ())


def matching(text: str | None) -> tuple[str, ...]:
    """An If-Match that names no tag is one that no object has, and not none at all."""
    return () if text is None else etags(text) or ("",)


def parse_date(text: str) -> int | None:
    """Milliseconds of an HTTP date or an ISO 8601 time; None when it is neither."""
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            found = read(text)
            if found.tzinfo is None:
                found = found.replace(tzinfo=UTC)
            return int(found.timestamp() * 1000)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None


def _date(environ: Mapping[str, Any], name: str) -> int | None:
    text = environ.get(name)
    return parse_date(text) if text else None


def read_conditions(environ: Mapping[str, Any], prefix: str = "HTTP_") -> Conditions | None:
    """Of a read; `prefix` is another one for the source of a copy."""
    found = Conditions(
        if_match=matching(environ.get(f"{prefix}IF_MATCH")),
        if_none_match=etags(environ.get(f"{prefix}IF_NONE_MATCH", "")),
        modified_since=_date(environ, f"{prefix}IF_MODIFIED_SINCE"),
        unmodified_since=_date(environ, f"{prefix}IF_UNMODIFIED_SINCE"),
    )
    return None if found == Conditions() else found


def write_conditions(environ: Mapping[str, Any]) -> Conditions | None:
    """Of a write or a delete: all but If-Modified-Since, which is for reads only (RFC 9110
    §13.1.3). Raises `InvalidRequest` for a date that is none: what was to be protected is
    not to be overwritten."""
    if (
        "HTTP_IF_MATCH" not in environ
        and "HTTP_IF_NONE_MATCH" not in environ
        and "HTTP_IF_UNMODIFIED_SINCE" not in environ
    ):
        return None
    found = Conditions(
        if_match=matching(environ.get("HTTP_IF_MATCH")),
        if_none_match=etags(environ.get("HTTP_IF_NONE_MATCH", "")),
        unmodified_since=_date(environ, "HTTP_IF_UNMODIFIED_SINCE"),
    )
    if found.unmodified_since is None and "HTTP_IF_UNMODIFIED_SINCE" in environ:
        raise InvalidRequest("The value of If-Unmodified-Since is no date.")
    return None if found == Conditions() else found


def byte_range(text: str) -> Range | None:
    """One range of bytes; None for none, several, or what is not exactly one that is well
    formed, as with blanks in it: then the whole body is sent (RFC 9110 §14.2, Amazon S3)."""
    match = _RANGE.fullmatch(text)
    if match is None or not (match[1] or match[2]):
        return None
    first, last = _position(match[1]), _position(match[2])
    if first is not None and last is not None and last < first:
        return None
    return Range(first, last)


def _position(digits: str) -> int | None:
    """Digits are not bounded in HTTP, and Python reads 4,300 of them at most."""
    if not digits:
        return None
    plain = digits.lstrip("0") or "0"
    return int(plain) if len(plain) <= 18 else _FAR


def content_length(environ: Mapping[str, Any]) -> int | None:
    """None when none was announced. Raises `ValueError` when it is no length."""
    text = environ.get("CONTENT_LENGTH")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        raise ValueError("The length of the body is not a number.")
    return int(text)


def content_md5(environ: Mapping[str, Any]) -> dict[str, str]:
    """ "MD5" → the digest in base64 (RFC 1864), if it was sent. Raises `ValueError`."""
    text = environ.get("HTTP_CONTENT_MD5")
    if text is None:
        return {}
    try:
        decode("MD5", text.strip())
    except InvalidRequest:
        raise ValueError("Content-MD5 is not the base64 of an MD5.") from None
    return {"MD5": text.strip()}


def kept(environ: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The headers of an upload that stay with the object."""
    return tuple((name, utf8(text)) for key, name in KEPT if (text := environ.get(key)))


def prefixed(environ: Mapping[str, Any], prefix: str) -> Mapping[str, str]:
    """Metadata: headers whose variables (`request_head.variable`) begin with `prefix`, by the
    rest of their names."""
    if prefix not in "\n".join(environ):  # five times as fast as a look at each
        return NOTHING
    start = len(prefix) - len("HTTP_")
    return {
        header_name(key)[start:]: utf8(text)
        for key, text in environ.items()
        if key.startswith(prefix)
    }


# writing


def quoted(etag: str) -> str:
    return f'W/"{etag[2:]}"' if etag.startswith("W/") else f'"{etag}"'


def value(text: str) -> str:
    """Text as WSGI carries it in a header: UTF-8 bytes as latin-1, without control characters."""
    if text.isascii() and text.isprintable():
        return text
    return _CONTROL.sub(" ", text).encode("utf-8", "replace").decode("latin-1")


def of_validation(headers: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Those of an object's own that a 304 says, too (RFC 9110 §15.4.5)."""
    return (one for one in headers if one[0].lower() in {"cache-control", "expires", "vary"})


def is_token(name: str) -> bool:
    """Whether a header may have that name (RFC 9110 §5.6.2)."""
    return _TOKEN.fullmatch(name) is not None


def instead(headers: Headers, *lines: tuple[str, str]) -> Headers:
    """With these in place of others of their names, which are in lower case."""
    names = {name for name, _ in lines}
    return [*(one for one in headers if one[0] not in names), *lines]


def carried(headers: Iterable[tuple[str, str]]) -> Headers:
    """An object's own headers as an answer says them: names in lower case, and several of
    one name as one, which says the same (RFC 9110 §5.3) to clients that look for one."""
    found: dict[str, str] = {}
    for name, text in headers:
        lower = name.lower()
        found[lower] = f"{found[lower]}, {value(text)}" if lower in found else value(text)
    return [*found.items()]
