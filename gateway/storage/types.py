"""What is asked of a store and what it answers: frozen, slotted, keyword-only.

Units are those of `objects`, where what is known of one object is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, TypeVar

from gateway.storage.annotations import Brought
from gateway.storage.bodies import Readable
from gateway.storage.conditions import Conditions
from gateway.storage.objects import (
    NOTHING,
    ChecksumType,
    Encryption,
    ObjectInfo,
    Properties,
    Protection,
)

Versioning = Literal["off", "on", "suspended"]
Checksum = str | Callable[[], str]
"""A promised checksum: its base64 text; `""` to have it computed and kept; or a
function that gives the text once the body was read (it came in a trailer)."""


class Range(NamedTuple):
    """Bytes `first` to `last`, both counted in; `last` None: to the end.

    `first` None: the last `last` bytes (a suffix, RFC 9110 §14.1.2).
    """

    first: int | None
    last: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Get:
    """What to read. `query` is that of the request, as it came and without its `?`: transforms
    read their parameters in it (an image's width), an HTTP origin is sent it. `headers` (names
    in lower case) are those of the request on which an origin's answer may depend: who fills
    them lets every reader say them to it. A store that heeds either `Varies`. `keyless` is for
    `stat`: what is asked is no more than what may be known without a customer's key (tags,
    grants, protection); a store that tells nothing without it raises `WrongKey` all the same.
    `checksums`, too: they are asked for, which of what a key service encrypts are for who could
    have its key: `stat` raises what its `get` would (`DisabledEncryptionKey`)."""

    range: Range | None = None
    conditions: Conditions | None = None
    version: str | None = None
    part: int | None = None
    query: str = ""
    headers: Mapping[str, str] = NOTHING
    encryption: Encryption | None = None
    keyless: bool = False
    checksums: bool = False

    def said(self, query: str, headers: Mapping[str, str] = NOTHING) -> Get:
        """The same with another query and other headers: what `replace` does, at a third of its
        cost, for caches do it at each hit."""
        return Get(
            range=self.range,
            conditions=self.conditions,
            version=self.version,
            part=self.part,
            query=query,
            headers=headers,
            encryption=self.encryption,
            keyless=self.keyless,
            checksums=self.checksums,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Put(Properties):
    """What is there with the first byte's commit: nothing of it is added later.

    `size` is None only where a source's end is its own proof (a copy from
    another store). `checksums` are checked and kept with the object, `digests`
    only checked (Content-MD5, a signed payload hash). The `tags` of a copy may be
    those of an `ObjectInfo`, which are fetched when somebody looks: see `settled`.
    `cause` is for the change feed: a word of the mode's for what it does. `annotations`: those
    that it is made with, for a store that `Annotates` only; none, where a copy upstream would
    bring some, when it is empty; None where nobody said.
    """

    size: int | None = None
    checksums: Mapping[str, Checksum] = NOTHING
    checksum_type: ChecksumType | None = None
    digests: Mapping[str, str] = NOTHING
    conditions: Conditions | None = None
    cause: str = ""
    annotations: tuple[Brought, ...] | None = None


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
    the object behind a delete marker. `bypass` overrides a governance retention. `cause`: as
    of a `Put`."""

    version: str | None = None
    conditions: Conditions | None = None
    bypass: bool = False
    cause: str = ""


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


@dataclass(slots=True, kw_only=True)
class Opened:
    """An object that is being read: `length` bytes of it from `start`.

    Nobody changes one: who wants another uses `replace`. It is not frozen because each read
    makes one, and freezing it takes seven times as long.

    Use it as a context manager, or close it. `status` other than 200 is an HTTP origin's: a
    success of another kind, or whatever it answers to what was passed on (`Forwards`);
    `trace` is for Cache-Status and metrics.
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
class Forward:
    """A request to be passed on to an origin. `headers`: its lines, in order, as they came;
    what of them is of the connection, or is the gateway's to say (Host, framing), is left out
    by who sends them. `size` of its body; None: known at the end only."""

    method: str
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRef:
    """A part as the caller of `complete` names it."""

    number: int
    etag: str
    checksums: Mapping[str, str] = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Complete:
    """How an upload is completed. All parts but the last have `min_part` bytes at
    least; `size` and `checksums`, when given, are those of the whole object; `protection`,
    when given, is in place of what it began with."""

    conditions: Conditions | None = None
    min_part: int = 0
    size: int | None = None
    checksums: Mapping[str, str] = NOTHING
    checksum_type: ChecksumType | None = None
    protection: Protection | None = None
    encryption: Encryption | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A multipart upload under way; `options` are those that it began with (without
    a customer's key)."""

    id: str
    key: str
    begun: int
    """0 where the store does not say it of that upload; its lists may."""
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
    cause: str = ""
    """As the `Put` or the `Delete` said; of an update what it was: "tags", "no tags" (none are
    left), "attributes" and the names of those, "retention", "hold", "annotation" or
    "no annotation" (it is gone) and its name. Of a purge "keep_versions": the store has kept the
    version for as long as it was told to. "" where nobody said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePage:
    changes: tuple[Change, ...]
    last: int
    """Sync id of the newest change of the store, whether it is on this page or not."""
    feed: str = ""
    """Tells the feed from that of another store which had the same name before."""
    cut: bool = False
    """Some of what came after `after` is no longer kept: the page begins with what is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    objects: int
    """Versions count, delete markers do not."""
    bytes: int
    """Those of annotations count."""
    current: int
    """Keys that have an object: as many as a list without versions shows."""
    uploads: int = 0
    """Those under way."""
    waiting: int = 0
    """Bytes of the parts of uploads under way."""
    quota: int | None = None
    """Bytes that `bytes` and `waiting` may be together."""


class VolumeStats(NamedTuple):
    quota: int | None
    """Bytes that all its buckets may have together."""
    used: int
    """Of the quota: `Stats.bytes` and `Stats.waiting` of all its buckets."""
    buckets: int


class VolumeRecount(NamedTuple):
    """The bytes that a volume counts, and those that its buckets count together, both of one
    moment."""

    counted: int
    found: int

    @property
    def right(self) -> bool:
        return self.counted == self.found


class Recount(NamedTuple):
    """What is counted, and what is there, both of one moment."""

    counted: Stats
    found: Stats

    @property
    def right(self) -> bool:
        return self.counted == self.found


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
    """1 when this step ends an object, a version, an annotation, or a part of an upload."""
    damage: Damage | None = None


class BucketInfo(NamedTuple):
    name: str
    created: int
