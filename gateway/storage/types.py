"""The values that cross the contract: frozen, slotted, keyword-only.

Times are integer milliseconds since the epoch (UTC). Sizes are bytes. ETags
are without quotes. Checksums and digests are base64 text, as the S3 API and
RFC 9530 write them. Keys are text whose UTF-8 bytes are the key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

if TYPE_CHECKING:
    from gateway.storage.conditions import Conditions
    from gateway.storage.streams import Readable


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

NULL_VERSION = "null"
"""The version of an object that was written while versioning was not on."""

Versioning = Literal["off", "on", "suspended"]
ChecksumType = Literal["FULL_OBJECT", "COMPOSITE"]
Checksum = str | Callable[[], str]
"""A promised checksum: its base64 text; `""` to have it computed and kept; or a
function that gives the text once the body was read (it came in a trailer)."""


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

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError("a Secret is not pickled")


class Range(NamedTuple):
    """Bytes `first` to `last`, both counted in; `last` None: to the end.

    `first` None: the last `last` bytes (a suffix, RFC 9110 §14.1.2).
    """

    first: int | None
    last: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """What keeps a version from being removed: a retention until a time, and a hold."""

    mode: Literal["governance", "compliance"] | None = None
    until: int | None = None
    hold: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Encryption:
    """Encryption at rest. `managed`: under the gateway's own key (SSE-S3).
    `customer`: under `key`, 32 bytes that come with each request and are never
    stored (SSE-C); `key_md5` is their MD5 in base64. `kms`: by an upstream's key service
    (SSE-KMS), with its key `key_id` ("" for its default) and `context` (base64 of JSON);
    `double` in two layers (DSSE-KMS). Only a store in front of such an upstream has it.
    """

    kind: Literal["managed", "customer", "kms"] = "managed"
    key: Secret | None = None
    key_md5: str = ""
    key_id: str = ""
    context: str = ""
    double: bool = False
    bucket_key: bool | None = None
    """Whether a key of the bucket stands between object and key service; None: not said."""


class Part(NamedTuple):
    """A part of an object that was uploaded in several."""

    number: int
    size: int
    etag: str
    modified: int
    checksums: Mapping[str, str] = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectInfo:
    """All that is known of one version of an object without reading its bytes."""

    key: str
    size: int
    etag: str
    """32 lower-case hexadecimal digits are the MD5 of its bytes, unless it has parts or is
    encrypted under a customer's key or by a key service. What is no MD5 has a `-` in it."""
    modified: int
    content_type: str = "binary/octet-stream"
    version: str | None = None
    """None where the store never kept versions; `NULL_VERSION` for the null version."""
    headers: tuple[tuple[str, str], ...] = ()
    """Representation headers other than Content-Type (Cache-Control, Content-Encoding,
    …): names as the field's standard writes them, in order, duplicates kept."""
    metadata: Mapping[str, str] = NOTHING
    """The user's own: lower-case names without prefix; values as they came."""
    tags: Mapping[str, str] = NOTHING
    checksums: Mapping[str, str] = NOTHING
    checksum_type: ChecksumType | None = None
    parts: Sequence[Part] = ()
    """Empty unless it was uploaded in parts. A store that fronts another may fetch what is
    in it, and in `tags`, when somebody looks; how many there are is known. Nobody looks
    while a lock is held or a transaction is open: see `settled`."""
    protection: Protection | None = None
    encryption: Encryption | None = None
    storage_class: str = "STANDARD"
    owner: str = ""
    """Id of the account that wrote it; "" where the store's objects have no such owner."""
    attributes: Mapping[str, Any] = NOTHING
    """What modes keep with an object and drivers carry without reading (JSON values)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Get:
    """What to read. `params` are parameters for a transform (an image's width);
    `headers` those request headers that a cache or fetcher may vary on."""

    range: Range | None = None
    conditions: Conditions | None = None
    version: str | None = None
    part: int | None = None
    params: Mapping[str, str] = NOTHING
    headers: Mapping[str, str] = NOTHING
    encryption: Encryption | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """What is there with the first byte's commit: nothing of it is added later.

    `size` is None only where a source's end is its own proof (a copy from
    another store). `checksums` are checked and kept with the object, `digests`
    only checked (Content-MD5, a signed payload hash). The `tags` of a copy may be
    those of an `ObjectInfo`, which are fetched when somebody looks: see `settled`.
    """

    size: int | None = None
    content_type: str = "binary/octet-stream"
    headers: tuple[tuple[str, str], ...] = ()
    metadata: Mapping[str, str] = NOTHING
    tags: Mapping[str, str] = NOTHING
    checksums: Mapping[str, Checksum] = NOTHING
    checksum_type: ChecksumType | None = None
    digests: Mapping[str, str] = NOTHING
    conditions: Conditions | None = None
    protection: Protection | None = None
    encryption: Encryption | None = None
    storage_class: str = "STANDARD"
    owner: str = ""
    attributes: Mapping[str, Any] = NOTHING


S = TypeVar("S", ObjectInfo, Put)


def settled(value: S) -> S:
    """The same with all that is fetched when somebody looks: for who is going to take a lock,
    or to begin a transaction. Raises what a store raises that is asked for it."""
    changes: dict[str, Any] = {}
    if not isinstance(value.tags, dict):
        changes["tags"] = dict(value.tags)
    if isinstance(value, ObjectInfo) and not isinstance(value.parts, tuple):
        changes["parts"] = tuple(value.parts)
    return replace(value, **changes) if changes else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """`version` removes that version for good; without it a versioned store hides
    the object behind a delete marker. `bypass` overrides a governance retention."""

    version: str | None = None
    conditions: Conditions | None = None
    bypass: bool = False


class Deleted(NamedTuple):
    """What a delete did. `existed` is False where there was nothing, and None where
    the store does not learn it (S3's own answer is the same for both).

    `version`: of the delete marker that was made, or of the version removed.
    `marker`: a delete marker was made, or was what was removed.
    """

    key: str
    existed: bool | None
    version: str | None = None
    marker: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An object that is being read: `length` bytes of it from `start`.

    Use it as a context manager, or close it. `status` other than 200 carries
    an origin's redirect or error page; `trace` is for Cache-Status and metrics.
    """

    info: ObjectInfo
    body: Readable
    start: int = 0
    length: int = 0
    status: int = 200
    trace: tuple[str, ...] = ()

    def close(self) -> None:
        self.body.close()

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *exc: object) -> None:
        self.body.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRef:
    """A part as the caller of `complete` names it."""

    number: int
    etag: str
    checksums: Mapping[str, str] = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Complete:
    """How an upload is completed. All parts but the last have `min_part` bytes at
    least; `size` and `checksums`, when given, are those of the whole object."""

    conditions: Conditions | None = None
    min_part: int = 0
    size: int | None = None
    checksums: Mapping[str, str] = NOTHING
    checksum_type: ChecksumType | None = None
    encryption: Encryption | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A multipart upload under way; `options` are those that it began with (without
    a customer's key)."""

    id: str
    key: str
    begun: int
    options: Put


class Change(NamedTuple):
    """One entry of a store's change feed; `sequence` is its sync id."""

    sequence: int
    kind: Literal["put", "delete", "purge", "update"]
    """put: a new current version; delete: a delete marker, or the object gone where
    versions are not kept; purge: a version removed for good; update: labels."""
    time: int
    key: str
    version: str | None
    size: int
    etag: str
    content_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePage:
    changes: tuple[Change, ...]
    last: int
    """Sync id of the newest change of the store, whether it is on this page or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    objects: int
    """Versions count, delete markers do not."""
    bytes: int


PurgeKind = Literal["all", "prefix", "key", "tag"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Purge:
    """What a cache is to let go of: all, or what `value` names. `soft`: it is only to be
    asked for anew, and may still be served where the source fails."""

    kind: PurgeKind = "all"
    value: str = ""
    soft: bool = False


class Mark(NamedTuple):
    """A purge that counts. `point` is its place in the cache's history; `entries`, about
    how many it names."""

    point: int
    time: int
    entries: int


class Damage(NamedTuple):
    """Stored bytes that are not those that were written, and whose they are."""

    key: str
    version: str | None
    """Where versions are or were kept."""
    message: str
    """One sentence: what is wrong, and with which part of an upload under way."""


class Scrubbed(NamedTuple):
    """A step of a scrub."""

    bytes: int = 0
    """Read since the step before."""
    objects: int = 0
    """1 when this step ends an object, a version, or a part of an upload."""
    damage: Damage | None = None


class BucketInfo(NamedTuple):
    name: str
    created: int
