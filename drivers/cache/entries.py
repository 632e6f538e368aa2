"""What a cache knows of an object: a `CacheEntry`, as a value and as the text of a row.

An entry may have no bytes (only its head was asked for), some of its blocks,
or all. It may also say that there is no such object, that the source failed,
or that the object is none of the cache's business (`passing`).
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from copy import copy
from typing import Any, NamedTuple

from drivers.indexed.records import pack_parts, unpack_parts
from gateway.storage import (
    NOTHING,
    NoSuchKey,
    NoSuchStore,
    ObjectInfo,
    OriginAnswer,
    StorageError,
    Unavailable,
    Unprocessable,
    errors,
    packed,
    unpacked,
)

MISSING = (NoSuchKey, NoSuchStore)
FAILING = (Unavailable,)
UNFIT = (Unprocessable,)
"""What a source may say that is remembered: what is not there, that it failed, and that nothing
can be made of what is there. That it refuses the gateway itself (`OriginDenied`) is a failure like
others, and as short."""

BEYOND = 60_000
"""Milliseconds. What was fetched further ahead of the clock than that counts no more: the clock
was wrong then, and has been set back, so nobody can tell how old it is."""

FORMAT = 1
"""Of the text of a row. One that a newer release has written is not read."""

_FAILURES = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, (*MISSING, *FAILING, *UNFIT))
}
"""What a source may say that is remembered (see `freshness`)."""


class Unreadable(Exception):
    """A row is damaged, or of another release."""


def typed(values: Sequence[object], kinds: Sequence[type | tuple[type, ...]]) -> None:
    """Raises `Unreadable` unless each value is of its kind: SQLite keeps whatever a damaged
    page has, in any column."""
    for value, kind in zip(values, kinds, strict=True):
        if not isinstance(value, kind):
            raise Unreadable(f"it has a {type(value).__name__} where none belongs")


_BYTES = (bytes, type(None))
_HELD = (int, (str, type(None)), _BYTES, _BYTES, _BYTES, int)


class Held(NamedTuple):
    """A block that is stored: its blob's row in the index, and where its bytes are."""

    blob: int
    name: str | None
    crcs: bytes | None
    seal: bytes | None
    data: bytes | None
    size: int

    @classmethod
    def of(cls, row: Sequence[Any]) -> Held:
        """Raises `Unreadable`."""
        typed(row, _HELD)
        return cls(*row)


class Ageing(NamedTuple):
    """Of an origin's answer its lines but for Age, and when that began to be counted."""

    of: OriginAnswer
    lines: tuple[tuple[str, str], ...]
    born: int


class CacheEntry:
    """`point` is the place in the history of marks up to which it is known to count;
    `until`, in milliseconds, how long it is fresh. `id` is 0 while it is not stored.
    `retry`: the source failed, `failures` times in a row, and is not asked before then.
    `marked`: a purge has made it stale, whatever `until` says.
    `blocks` are those known to be stored; `body` is all of a small object. One that is
    `chosen_by` fields of a request has nothing but those: they say which other is for it.
    `shown` and `trace`: what goes out of it in the `second` for which they were made; `ageing`:
    what of that stays the same (see `showing`)."""

    __slots__ = (
        "ageing",
        "blocks",
        "body",
        "chosen_by",
        "failure",
        "failures",
        "fetched",
        "id",
        "info",
        "key",
        "marked",
        "passing",
        "point",
        "retry",
        "second",
        "shown",
        "tags",
        "trace",
        "until",
        "used",
        "variant",
    )

    def __init__(
        self,
        key: str,
        variant: str = "",
        *,
        point: int,
        fetched: int,
        until: int,
        info: ObjectInfo | None = None,
        failure: StorageError | None = None,
        passing: bool = False,
        tags: tuple[str, ...] = (),
        chosen_by: tuple[str, ...] = (),
        id: int = 0,
    ) -> None:
        self.key, self.variant, self.id = key, variant, id
        self.point, self.fetched, self.until = point, fetched, until
        self.info, self.failure, self.passing, self.tags = info, failure, passing, tags
        self.blocks: dict[int, Held] = {}
        self.body: bytes | None = None
        self.chosen_by = chosen_by
        self.used = fetched
        self.marked = False
        self.retry = self.failures = 0
        self.second = -1
        self.ageing: Ageing | None = None
        self.shown: ObjectInfo | None = None
        self.trace: tuple[str, ...] = ()

    @property
    def validator(self) -> str:
        return validator_of(self.info) if self.info is not None else ""

    @property
    def told(self) -> ObjectInfo | OriginAnswer | None:
        """What the source has said, where it has said something of HTTP."""
        if self.info is not None:
            return self.info
        return None if self.failure is None else self.failure.origin

    @property
    def told_size(self) -> int:
        """Bytes, about, of what readers and the source have said: an address, headers, a page."""
        size = len(self.key) + len(self.variant) + sum(map(len, self.tags))
        origin = None if self.failure is None else self.failure.origin
        if self.info is not None:
            origin = self.info.origin
            size += sum(len(name) + len(text) for name, text in self.info.headers)
        if origin is not None:
            size += sum(len(name) + len(text) for name, text in origin.headers)
            size += len(origin.page or b"")
        return size

    def stale_since(self, now: int) -> CacheEntry:
        """The same, to be asked for anew."""
        later = copy(self)
        later.id, later.until, later.second = 0, min(self.until, now), -1  # it is written anew
        return later

    def postponed(self, now: int, seconds: float) -> CacheEntry:
        """The same, after the source has failed once more: not to be asked about before so
        many seconds from `now`."""
        later = copy(self)
        later.id, later.used, later.second = 0, now, -1  # it is written anew
        later.retry, later.failures = now + round(1000 * seconds), self.failures + 1
        return later

    def dump(self) -> str:
        """All that has no column, as JSON."""
        values: dict[str, Any] = {}
        if self.info is not None:
            values["i"] = _pack_info(self.info)
        if self.failure is not None:
            values["f"] = _pack_failure(self.failure)
        if self.passing:
            values["p"] = 1
        if self.chosen_by:
            values["y"] = self.chosen_by
        if self.retry:
            values["r"] = [self.retry, self.failures]
        return json.dumps(values, ensure_ascii=False, separators=(",", ":"))

    def load(self, text: str) -> None:
        """Raises `Unreadable`."""
        try:
            values = json.loads(text)
            if values.get("n", 1) > FORMAT:
                raise Unreadable(f"it has the format {values['n']}; this release knows {FORMAT}")
            self.passing = "p" in values
            self.chosen_by = tuple(map(str, values.get("y", ())))
            self.retry, self.failures = map(int, values.get("r", (0, 0)))
            if "i" in values:
                self.info = _unpack_info(values["i"])
            if "f" in values:
                self.failure = _unpack_failure(values["f"])
        except (
            LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError,
        ) as error:  # fmt: skip
            raise Unreadable(f"{type(error).__name__}: {error}") from error


def validator_of(info: ObjectInfo) -> str:
    """The same for the same bytes: size and strong ETag, else with the time too. Where an
    origin says neither, each of its answers may have other bytes."""
    strong = bool(info.etag) and not info.etag.startswith("W/")
    told = f"{info.size} {info.etag} {0 if strong else info.modified}"
    if info.etag or info.modified or info.origin is None:
        return told
    return f"{told} {info.origin.asked}"


def joins(info: ObjectInfo) -> bool:
    """Whether parts of an object may be put together that came with several answers (RFC 9111
    §3.4). What only resembles the other, by a weak tag, or was changed just before it was said
    when (RFC 9110 §8.8.2.2), may have other bytes."""
    origin = info.origin
    if origin is None or (info.etag and not info.etag.startswith("W/")):
        return True
    return 0 < info.modified < origin.asked - _SETTLED


_SETTLED = 60_000
"""Milliseconds; clocks differ a little."""


def again(error: StorageError) -> StorageError:
    """The same error for another caller, without the first one's traceback."""
    twin = type(error).__new__(type(error), *error.args)
    twin.args = error.args
    twin.__dict__.update(error.__dict__)
    return twin


def _pack_failure(error: StorageError) -> dict[str, Any]:
    """As the nearest class of the contract: a driver may have some of its own."""
    known = next(kind for kind in type(error).__mro__ if _FAILURES.get(kind.__name__) is kind)
    plain: dict[str, Any] = {
        name: one for name, one in vars(error).items() if isinstance(one, _PLAIN)
    }
    if error.origin is not None:
        plain["origin"] = _pack_origin(error.origin)
    return {"type": known.__name__, **plain}


_PLAIN = (str, int, float, type(None))


def _unpack_failure(values: dict[str, Any]) -> StorageError:
    kind = _FAILURES[values.pop("type")]
    error = kind(values["message"])
    if "origin" in values:
        values["origin"] = _unpack_origin(values["origin"])
    error.__dict__.update(values)
    return error


def _pack_origin(origin: OriginAnswer) -> list[Any]:
    page = None if origin.page is None else b64encode(origin.page).decode()
    return [origin.status, origin.headers, origin.asked, origin.answered, page]


def _unpack_origin(values: list[Any]) -> OriginAnswer:
    typed(values, (int, list, int, int, (str, type(None))))
    status, headers, asked, answered, page = values
    return OriginAnswer(
        status=status,
        headers=tuple((str(name), str(text)) for name, text in headers),
        asked=asked,
        answered=answered,
        page=None if page is None else b64decode(page),
    )


_SHORT = {
    "content_type": "t",
    "headers": "h",
    "metadata": "m",
    "tags": "l",
    "protection": "p",
    "encryption": "x",
    "storage_class": "sc",
    "owner": "o",
    "attributes": "a",
}
_LONG = {short: name for name, short in _SHORT.items()}


def _pack_info(info: ObjectInfo) -> dict[str, Any]:
    values = {
        "v": info.version,
        "c": dict(info.checksums),
        "ct": info.checksum_type,
        "q": pack_parts(info.parts) if info.parts else None,
        "or": None if info.origin is None else _pack_origin(info.origin),
    }
    return {
        **{"k": info.key, "s": info.size, "e": info.etag, "d": info.modified},
        **{name: value for name, value in values.items() if value},
        **{_SHORT.get(name, name): value for name, value in packed(info).items()},
    }


def _unpack_info(values: dict[str, Any]) -> ObjectInfo:
    found = values.get
    typed([values[name] for name in "ksedt"], (str, int, str, int, str))
    return ObjectInfo(
        key=values["k"],
        size=values["s"],
        etag=values["e"],
        modified=values["d"],
        version=found("v"),
        checksums=found("c", NOTHING),
        checksum_type=found("ct"),
        parts=unpack_parts(found("q", "")),
        origin=_unpack_origin(values["or"]) if "or" in values else None,
        **unpacked({_LONG.get(name, name): value for name, value in values.items()}),
    )
