"""Reading: one query finds the object and, when it is small, its bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from typing import Any, Literal, NamedTuple

from drivers.indexed.blobs import Blob
from drivers.indexed.blocks import check, plain_data, plain_range
from drivers.indexed.cipher import Sealing
from drivers.indexed.records import (
    DAMAGED,
    Piece,
    Row,
    info_of,
    unpack_parts,
    unpack_pieces,
    within,
)
from drivers.indexed.rows import sequence_of
from drivers.indexed.space import Space
from gateway.storage import (
    NULL_VERSION,
    BytesBody,
    Corrupt,
    Encryption,
    Get,
    IteratorBody,
    MethodNotAllowed,
    NoSuchKey,
    NoSuchStore,
    NoSuchVersion,
    ObjectInfo,
    Opened,
    Readable,
    Store,
    Stretch,
    WrongKey,
    lent,
    range_of,
)
from gateway.storage.folding import folded

_COLUMNS = ", ".join(
    f"o.{name}"
    for name in (
        "service", "key", "sequence", "version", "size", "etag", "modified", "content_type",
        "storage_class", "owner", "blob", "manifest", "detail",
    )
)  # fmt: skip
_BLOB = "b.name, b.crcs, b.seal, b.data, b.ends, m.pieces, m.parts"
_JOINED = " LEFT JOIN blobs b ON b.id = o.blob LEFT JOIN manifests m ON m.id = o.manifest"
CURRENT = (
    f"SELECT s.versioning, 0, {_COLUMNS}, {_BLOB} FROM services s"
    f" LEFT JOIN objects o ON o.service = s.id AND o.key = ?{_JOINED} WHERE s.id = ?"
)
_OLDER = (
    f"SELECT s.versioning, o.marker, {_COLUMNS}, {_BLOB} FROM services s"
    " JOIN versions o ON o.service = s.id AND o.key = ?"
)
BY_SEQUENCE = f"{_OLDER}{_JOINED} WHERE s.id = ? AND o.sequence = ? AND o.version = ?"
NULL = f"{_OLDER}{_JOINED} WHERE s.id = ? AND o.version = 'null'"
NEWEST = f"{_OLDER}{_JOINED} WHERE s.id = ? ORDER BY o.sequence DESC LIMIT 1"


class Found(NamedTuple):
    """An object, and where its bytes are."""

    row: Row
    info: ObjectInfo
    name: str | None
    crcs: bytes | None
    seal: bytes | None
    data: bytes | None
    ends: bytes | None
    pieces: bytes | None


def _read(space: Space, service: int, key: str, version: str | None) -> Found:
    values = space.one(CURRENT, (key, service))
    if values is None:
        raise NoSuchStore
    if values[2] is not None and version in (None, values[5]):
        return _found(values)
    if version is None and values[0] == "off":
        raise NoSuchKey(key=key)
    # Versions move between the tables: both are looked at as of one moment.
    with space.reading() as connection:

        def one(sql: str, *parameters: object) -> Any:
            return connection.execute(sql, parameters).fetchone()

        return _found(_any_version(one, service, key, version))


def _any_version(one: Callable[..., Any], service: int, key: str, version: str | None) -> Any:
    values = one(CURRENT, key, service)
    if values is None:
        raise NoSuchStore
    if values[2] is not None and version in (None, values[5]):
        return values
    if version is None:
        newest = one(NEWEST, key, service)
        marker = newest[5] if newest and newest[1] else None
        raise NoSuchKey(key=key, delete_marker=marker)
    if version == NULL_VERSION:
        older = one(NULL, key, service)
    else:
        older = one(BY_SEQUENCE, key, service, sequence_of(version), version)
    if older is None:
        raise NoSuchVersion(key=key, version=version)
    if older[1]:
        raise MethodNotAllowed(key=key, delete_marker=version)
    return older


_TYPES = (int, str, int, str, str, str)
"""Of the columns from `size` to `owner`."""
_BYTES = (bytes, type(None))


def _found(values: Any) -> Found:
    """Raises `Corrupt`: SQLite gives whatever a damaged page has, in any column."""
    if (
        tuple(map(type, values[6:12])) != _TYPES
        or not isinstance(values[18], _BYTES)
        or not isinstance(values[19], _BYTES)
    ):
        raise Corrupt(DAMAGED, key=values[3])
    row = Row._make(values[2:15])
    parts = unpack_parts(values[21]) if values[21] else ()
    info = info_of(row, versioned=values[0] != "off", parts=parts)
    return Found(row, info, *values[15:21])


def check_encryption(info: ObjectInfo, given: Encryption | None) -> Encryption | None:
    """How to decrypt: the object's encryption, with the customer's key that was given."""
    kept = info.encryption
    customer = given is not None and given.kind == "customer"
    if kept is None or kept.kind != "customer":
        if customer:
            raise WrongKey("The object is not encrypted with a customer's key.", key=info.key)
        return kept
    if given is None or given.key is None:
        raise WrongKey(key=info.key)
    if given.key_md5 and kept.key_md5 and given.key_md5 != kept.key_md5:
        raise WrongKey("That is not the key it was encrypted with.", key=info.key, given=True)
    return given


Verify = Literal["read", "scrub", "always"]
"""When blocks are checked: those that are read; none; those that are read, and no others leave."""


class Reader:
    """Opens the bytes of what was found."""

    __slots__ = ("_known", "_sealing", "_space", "_verify")

    def __init__(self, space: Space, sealing: Sealing, *, verify: Verify) -> None:
        self._space, self._sealing, self._verify = space, sealing, verify != "scrub"
        self._known = None if verify == "always" else space.blobs.known

    def open(self, found: Found, start: int, length: int, key: Encryption | None) -> Readable:
        """Raises what is wrong with the first block: later it could only cut the answer."""
        if length == 0:
            return BytesBody(b"")
        if found.data is not None and found.seal is None and found.ends is None:  # as most are
            data = found.data
            if self._verify and found.crcs is not None:
                check(data, found.crcs)
            return BytesBody(data if length == len(data) else data[start : start + length])
        if found.pieces is not None:
            return _begun(self._through(unpack_pieces(found.pieces), start, length, key))
        blob = self._as_kept(found.row.size, *found[2:7])
        blocks = self._blob(blob, start, length, key)
        return blocks if isinstance(blocks, BytesBody) else _begun(blocks)

    def _as_kept(
        self,
        size: int,
        name: str | None,
        crcs: bytes | None,
        seal: bytes | None,
        data: bytes | None,
        ends: bytes | None,
    ) -> Blob:
        """A row of `blobs`, with CRCs only where they are to be compared."""
        if name is None and data is None:
            raise Corrupt("The index has lost a blob.")
        check = (crcs or b"") if self._verify else b""
        return Blob(size, name or "", check, seal or b"", data, ends or b"")

    def _blob(
        self, blob: Blob, start: int, length: int, key: Encryption | None
    ) -> BytesBody | Iterator[bytes]:
        cipher = self._sealing.open(blob.seal, key or Encryption()) if blob.seal else None
        if blob.data is None:
            known = self._known
            return plain_range(self._space.blobs, blob, start, length, cipher=cipher, known=known)
        plain = plain_data(blob, cipher)
        return BytesBody(plain if length == len(plain) else plain[start : start + length])

    def check_key(self, encryption: Encryption) -> None:
        """Raise what a key service says that does not give the key."""
        self._sealing.named(encryption)

    def _through(
        self, pieces: list[Piece], start: int, length: int, key: Encryption | None
    ) -> Iterator[bytes]:
        """The bytes of many pieces: the first is opened now, the others when it is their
        turn, for which blobs that nothing needs are kept; all now, where they are not."""
        first, *rest = within(pieces, start, length)
        if self._space.grace is None:
            return chain(*[self._piece(piece, key) for piece in (first, *rest)])
        return _Chained(
            self._piece(first, key), (partial(self._piece, piece, key) for piece in rest)
        )

    def _piece(self, piece: Piece, key: Encryption | None) -> Iterator[bytes]:
        row = self._space.one(
            "SELECT size, name, crcs, seal, data, ends FROM blobs WHERE id = ?", (piece.blob,)
        )
        if row is None:
            raise FileNotFoundError(piece.blob)
        body = self._blob(self._as_kept(*row), piece.start, piece.length, key)
        return iter((body.read(),)) if isinstance(body, BytesBody) else body


def _begun(pieces: Iterator[bytes]) -> Readable:
    """A body whose first piece is read now, and so checked, unless it was lately."""
    body = IteratorBody(pieces)
    if getattr(pieces, "is_sure", False):
        return body
    try:
        body.begin()
    except BaseException:
        body.close()
        raise
    return body


class _Chained:
    """Iterators one after the other, each made when it is needed. No file is the whole, also where
    what is wanted lies in one."""

    def __init__(
        self, first: Iterator[bytes], rest: Iterator[Callable[[], Iterator[bytes]]]
    ) -> None:
        self._now: Iterator[bytes] = first
        self._rest = rest

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        while True:
            piece = next(self._now, None)
            if piece is not None:
                return piece
            self._begin(next(self._rest))

    @property
    def is_sure(self) -> bool:
        return getattr(self._now, "is_sure", False)

    def stretch(self, most: int, /) -> Stretch | None:
        while True:
            found = lent(self._now, most)
            if found is not None or not getattr(self._now, "is_over", False):
                return found
            begin = next(self._rest, None)
            if begin is None:
                return None
            self._begin(begin)

    def _begin(self, begin: Callable[[], Iterator[bytes]]) -> None:
        self.close()
        try:
            self._now = begin()
        except FileNotFoundError as error:
            raise Corrupt("The bytes of a part are gone.") from error

    def close(self) -> None:
        close = getattr(self._now, "close", None)
        if close is not None:
            close()


_LOOKS = 10


class ReadingView(Store):
    """How objects of one service of a space are read."""

    space: Space
    service: int = 0
    reader: Reader

    def lookup(self, key: str, version: str | None) -> Found:
        """Raises `NoSuchStore`, `NoSuchKey`, `NoSuchVersion`, `MethodNotAllowed`."""
        if not self.case_sensitive:
            key = folded(key)
        memory = self.space.recent.now()
        name = self.service, key, version
        found: Found | None = memory.get(name)
        if found is None:
            found = _read(self.space, self.service, key, version)
            if found.pieces is None:  # a manifest may be long
                memory.keep(name, found, len(found.data or b""))
        return found

    def get(self, key: str, want: Get = Get()) -> Opened:
        """When the first blob is gone already (it was replaced between the look-up and the
        opening), it is looked up once more, some times."""
        for left in reversed(range(_LOOKS)):
            found = self.lookup(key, want.version)
            info = found.info
            if want.part is not None:
                range_of(info, want)  # how many parts there are is in the ETag: no secret
            given = check_encryption(info, want.encryption)
            if want.conditions is not None:
                want.conditions.check_read(info)
            if want.range is None and want.part is None:  # as most do
                start, length = 0, info.size
            else:
                start, length = range_of(info, want)
            try:
                body = self.reader.open(found, start, length, given)
            except FileNotFoundError as error:
                if not left:
                    raise Corrupt("The bytes of the object are gone.", key=info.key) from error
                continue
            return Opened(info=info, body=body, start=start, length=length)
        raise AssertionError

    def stat(self, key: str, want: Get = Get()) -> ObjectInfo:
        info = self.lookup(key, want.version).info
        if not want.keyless:
            check_encryption(info, want.encryption)
        if want.conditions is not None:
            want.conditions.check_read(info)
        range_of(info, want)
        if want.checksums and info.encryption is not None:
            self.reader.check_key(info.encryption)
        return info
