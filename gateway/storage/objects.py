"""What is known of an object without reading its bytes: `ObjectInfo`, and what it is made of.

What a copy, an upload in parts, a row of an index or a cache's entry takes along of an
object is decided here: the fields of `Properties`, by `carried`, `packed` and `unpacked`.
A new one is declared there, and nowhere else.

Times are integer milliseconds since the epoch (UTC). Sizes are bytes. ETags
are without quotes. Checksums and digests are base64 text, as the S3 API and
RFC 9530 write them. Keys are text whose UTF-8 bytes are the key.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from hmac import compare_digest
from operator import attrgetter
from typing import Any, Literal, NamedTuple


class _Nothing(dict[str, Any]):
    """Always empty. Hashable, because dataclasses refuse a default that is not
    (Python 3.11's MappingProxyType is not); a dict, because reading those is quick."""

    __slots__ = ()

    def __hash__(self) -> int:  # type: ignore[override]  # a dict has none
        return 0

    def __repr__(self) -> str:
        return "NOTHING"

    def _refuse(self, *_: object, **__: object) -> Any:
        raise TypeError("NOTHING stays empty.")

    __setitem__ = setdefault = update = __ior__ = _refuse

    def __reduce__(self) -> str:
        return "NOTHING"


NOTHING: Mapping[str, Any] = _Nothing()
"""An empty mapping that is safe to share as a default."""


def now() -> int:
    """The time, as objects have it."""
    return time.time_ns() // 1_000_000


NULL_VERSION = "null"
"""The version of an object that was written while versioning was not on."""

REDIRECT = "redirect"
"""The attribute that says where a web site sends those who ask for the object: a path or a URL."""

ChecksumType = Literal["FULL_OBJECT", "COMPOSITE"]
RetentionMode = Literal["governance", "compliance"]


class Secret:
    """Text or bytes that no log, repr or traceback shows. `reveal()` gives them."""

    __slots__ = ("_value",)

    def __init__(self, value: str | bytes) -> None:
        self._value = value

    def reveal(self) -> str:
        value = self._value
        return value if isinstance(value, str) else value.decode()

    def reveal_bytes(self) -> bytes:
        value = self._value
        return value if isinstance(value, bytes) else value.encode()

    def __repr__(self) -> str:
        return "Secret(…)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return compare_digest(self.reveal_bytes(), other.reveal_bytes())

    def __hash__(self) -> int:
        return hash(self.reveal_bytes())

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError("a Secret is not pickled")


_DAY = 86_400_000
_DAYS = {"days": 1, "years": 365}


class Period(NamedTuple):
    """A length of time, as it was said."""

    number: int
    unit: Literal["days", "years"]

    @property
    def days(self) -> int:
        """A year has 365, as S3 counts."""
        return self.number * _DAYS[self.unit]

    def after(self, time: int) -> int:
        return time + self.days * _DAY


EventHold = Period | Literal["over"]
"""What becomes of one: it is on, and a retention ends so long after it; or it is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """What keeps a version from being removed: a retention until a time, and a hold. Where the
    retention awaits an `event`, it ends so long after that, and not before `until`: while
    nobody says that the event was (`Protects.set_retention`), its end is ever as far away."""

    mode: RetentionMode | None = None
    until: int | None = None
    hold: bool = False
    event: Period | None = None

    def __bool__(self) -> bool:
        """Whether it keeps a version from anything, or did until a time that is over."""
        return self.mode is not None or self.hold

    def ends(self, time: int) -> int | None:
        """When the retention ends if the event is at `time`; None where there is none."""
        if self.mode is None or self.event is None:
            return self.until if self.mode is not None else None
        return max(self.until or 0, self.event.after(time))

    def retains(self, time: int, *, bypass: bool) -> bool:
        """Whether the retention counts at `time`, for who bypasses governance or does not."""
        return (self.ends(time) or 0) > time and not (bypass and self.mode == "governance")

    def keeps(self, time: int, *, bypass: bool) -> bool:
        """Whether the version must stay."""
        return self.hold or self.retains(time, bypass=bypass)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encryption:
    """Encryption at rest. `managed`: under the gateway's own key (SSE-S3).
    `customer`: under `key`, 32 bytes that come with each request and are never
    stored (SSE-C); `key_md5` is their MD5 in base64. `kms`: by a key service, the
    gateway's or an upstream's (SSE-KMS), under its key `key_id` ("" for its default), bound to
    `context` (base64 of JSON); `double` in two layers (DSSE-KMS).
    """

    kind: Literal["managed", "customer", "kms"] = "managed"
    key: Secret | None = None
    key_md5: str = ""
    key_id: str = ""
    context: str = ""
    double: bool = False
    bucket_key: bool | None = None
    """Whether a key of the bucket stands between object and key service; None: not said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Properties:
    """What is said of an object beside its bytes: what `ObjectInfo` and `Put` have in common."""

    content_type: str = "binary/octet-stream"
    headers: tuple[tuple[str, str], ...] = ()
    """Representation headers other than Content-Type (Cache-Control, Content-Encoding,
    …): names as the field's standard writes them, in order, duplicates kept."""
    metadata: Mapping[str, str] = NOTHING
    """The user's own: lower-case names without prefix; values as they came."""
    tags: Mapping[str, str] = NOTHING
    protection: Protection | None = None
    encryption: Encryption | None = None
    storage_class: str = "STANDARD"
    owner: str = ""
    """Id of the account that wrote it; "" where the store's objects have no such owner."""
    attributes: Mapping[str, Any] = NOTHING
    """What modes keep with an object and drivers carry without reading (JSON values), but for
    those that a foreign store has a place of its own for (`REDIRECT`)."""


class Part(NamedTuple):
    """A part of an object that was uploaded in several."""

    number: int
    size: int
    etag: str
    modified: int
    checksums: Mapping[str, str] = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginAnswer:
    """What an HTTP origin answered, for who shows it as it came, or keeps it by the rules of
    RFC 9111.

    `headers`: its lines as they came, in their order, those of one name apart; without those
    that are of the connection (RFC 9110 §7.6.1). `asked` and `answered`: when the request
    went out, and when the head was there (RFC 9111 §4.2.3). `page`: the body of an answer
    that is an error, all of it; None where there was none, and where it was too long.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    asked: int
    answered: int
    page: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectInfo(Properties):
    """All that is known of one version of an object without reading its bytes."""

    key: str
    size: int
    etag: str
    """32 lower-case hexadecimal digits are the MD5 of its bytes, unless it has parts or is
    encrypted under a customer's key or by a key service: then they tell nothing of the bytes.
    What else is no MD5 has a `-` in it. An `origin` says whatever it likes; "": nothing."""
    modified: int
    version: str | None = None
    """None where the store never kept versions; `NULL_VERSION` for the null version."""
    checksums: Mapping[str, str] = NOTHING
    checksum_type: ChecksumType | None = None
    parts: Sequence[Part] = ()
    """Empty unless it was uploaded in parts. A store that fronts another may fetch what is
    in it, and in `tags`, when somebody looks; how many there are is known. Nobody looks
    while a lock is held or a transaction is open: see `settled`."""
    origin: OriginAnswer | None = field(default=None, compare=False)
    """Where it came from an HTTP origin: what that answered, of which all above is made. It is
    of this answer, and not of the object: no copy has it."""
    trace: tuple[str, ...] = field(default=(), compare=False)
    """Of what `stat` answers: what caches on the way say of that, as `Opened.trace` of a read."""


_ALL = tuple(one.name for one in fields(ObjectInfo) if one.name != "origin")
_of_all: Callable[[ObjectInfo], tuple[Any, ...]] = attrgetter(*_ALL)
_SETTERS = tuple(getattr(ObjectInfo, name).__set__ for name in (*_ALL, "origin"))


def answered(info: ObjectInfo, origin: OriginAnswer) -> ObjectInfo:
    """The same object, of which an origin has answered this: `replace` in a third of its time,
    for a cache that does it each second for each of its objects."""
    made = object.__new__(ObjectInfo)
    for put, known in zip(_SETTERS, (*_of_all(info), origin), strict=True):
        put(made, known)
    return made


# what an object takes along of another

_FIELDS = fields(Properties)
_NAMES = tuple(one.name for one in _FIELDS)
_USUAL = tuple(one.default for one in _FIELDS)
_values: Callable[[Properties], tuple[Any, ...]] = attrgetter(*_NAMES)


def carried(properties: Properties, **others: Any) -> dict[str, Any]:
    """All of them, as arguments of a `Put` or an `ObjectInfo`; `others` in place of theirs.

    A customer's key is not carried: it comes with each request. Nor is a protection that
    protects from nothing.
    """
    found: dict[str, Any] = dict(zip(_NAMES, _values(properties), strict=True))
    encryption, protection = found["encryption"], found["protection"]
    if encryption is not None and encryption.key is not None:
        found["encryption"] = replace(encryption, key=None)
    if protection is not None and not protection:
        found["protection"] = None
    return {**found, **others} if others else found


def stated(properties: Properties) -> frozenset[str]:
    """The names of those that say something: what a store keeps, or else refuses."""
    values = zip(_NAMES, _values(properties), _USUAL, strict=True)
    return frozenset(name for name, value, usual in values if (value != usual if usual else value))


_PROTECTION = ("mode", "until", "hold", "event")
_ENCRYPTION = ("kind", "key_md5", "key_id", "context", "double", "bucket_key")
_LISTED: Mapping[type, Callable[[Any], tuple[Any, ...]]] = {
    Protection: attrgetter(*_PROTECTION),
    Encryption: attrgetter(*_ENCRYPTION),
}


def packed(properties: Properties, without: Container[str] = ()) -> dict[str, Any]:
    """The same by name, as JSON has it. What is empty is left out, and what is `without`."""
    values = zip(_NAMES, _values(properties), strict=True)
    return {name: _plain(value) for name, value in values if value and name not in without}


def _plain(value: Any) -> Any:
    listed = _LISTED.get(type(value))
    if listed is not None:
        return listed(value)
    return dict(value) if isinstance(value, Mapping) else value


def _protection(values: Sequence[Any]) -> Protection:
    """Earlier releases wrote the first three."""
    found = dict(zip(_PROTECTION, values, strict=False))
    if found.get("event"):
        found["event"] = Period(*found["event"])
    return Protection(**found)


def _encryption(values: Sequence[Any]) -> Encryption:
    """Earlier releases wrote the first two."""
    return Encryption(**dict(zip(_ENCRYPTION, values, strict=False)))


_READ: Mapping[str, Callable[[Any], Any]] = {
    "headers": lambda pairs: tuple((name, text) for name, text in pairs),
    "protection": _protection,
    "encryption": _encryption,
}


def unpacked(values: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments again, from what was `packed`; what is not of `Properties` is left out.
    Raises `ValueError`, `TypeError` or `LookupError` for what is damaged."""
    return {
        name: _READ[name](value) if name in _READ else value
        for name, value in values.items()
        if value and name in _NAMES
    }
