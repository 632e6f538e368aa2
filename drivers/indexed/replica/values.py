"""Single values of a source's answers: each is what the engine itself might have written.

Raises `LookupError`, `TypeError` and `ValueError`, which `told` makes one error of.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from drivers.indexed.writing import LONGEST_KEY
from gateway.common.xml import carries
from gateway.storage import NOTHING, NULL_VERSION
from gateway.storage.checksums import HASHERS

_NULL = f"{NULL_VERSION}-"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = 253_402_300_799_999
"""The last millisecond that has a date of four digits."""
_VERSION = re.compile("[0-9a-f]{32}").fullmatch
_VISIBLE = re.compile("[!#-~]{0,128}").fullmatch
"""What a header holds as it is, in quotes, too."""
_CHECKSUM = re.compile("[A-Za-z0-9+/]{1,100}={0,2}(-[0-9]{1,5})?").fullmatch
_KEPT = frozenset(
    ("cache-control", "content-disposition", "content-encoding", "content-language", "expires")
)
"""Headers that stay with an object. Another would be the server's own: a length, a cookie."""

Json = Mapping[str, Any]


def version(item: Json) -> str:
    """The store's own name of a version (see `gateway/modes/standard/versions.py`)."""
    named = text(item, "version")
    if named == NULL_VERSION or (named.startswith(_NULL) and _VISIBLE(named)):
        return NULL_VERSION
    if not _VERSION(named):
        raise ValueError(f"{named!r} is no version")
    return named


def key(item: Json) -> str:
    found = text(item, "path")
    if not 0 < len(found.encode()) <= LONGEST_KEY:
        raise ValueError("a key has 1 to 1024 bytes of UTF-8")
    return found


def text(item: Json, name: str) -> str:
    value = item[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is no text")
    value.encode()  # of which each character is one
    return value


def word(item: Json, name: str) -> str:
    """What goes into headers, as ETags do."""
    found = text(item, name)
    if not _VISIBLE(found):
        raise ValueError(f"{name} has characters that it cannot have")
    return found


def owner(item: Json) -> str:
    found = text(item, "owner")
    if not carries(found):
        raise ValueError("owner has characters that it cannot have")
    return found


def texts(item: Json, name: str) -> Mapping[str, str]:
    found = item[name]
    if not isinstance(found, dict):
        raise TypeError(f"{name} is no object")
    return {one: text(found, one) for one in _names(found)} or NOTHING


def headers(item: Json) -> tuple[tuple[str, str], ...]:
    found = texts(item, "headers")
    if other := [one for one in found if one.lower() not in _KEPT]:
        raise ValueError(f"{other[0]!r} is no header that an object has")
    return tuple(found.items())


def checksums(item: Json) -> Mapping[str, str]:
    found = texts(item, "checksums")
    if other := [one for one in found.items() if one[0] not in HASHERS or not _CHECKSUM(one[1])]:
        raise ValueError(f"{other[0]!r} is no checksum")
    return found


def _names(found: Json) -> Iterable[str]:
    for name in found:
        name.encode()
        yield name


def number(item: Json, name: str) -> int:
    value = item[name]
    if type(value) is not int or not 0 <= value < 1 << 62:
        raise ValueError(f"{name} is no number that can be")
    return value


def truth(item: Json, name: str) -> bool:
    value = item[name]
    if type(value) is not bool:
        raise TypeError(f"{name} is neither true nor false")
    return value


def time(item: Json, name: str) -> int:
    """Milliseconds since the epoch."""
    found = datetime.fromisoformat(text(item, name))
    passed = found.replace(tzinfo=found.tzinfo or UTC) - _EPOCH
    milliseconds = (passed.days * 86_400 + passed.seconds) * 1000 + passed.microseconds // 1000
    if not 0 <= milliseconds <= _LATEST:
        raise ValueError(f"{name} is no time that can be")
    return milliseconds
