"""Whether what is kept is what was written: sizes and CRCs of all bytes of a service, and of
objects in plain bytes their CRC64NVME, so that blocks that are whole are also the object's own.

It walks the index by key, a page at a time, and reads the bytes of each item
block by block. Nothing is locked and no snapshot stays open, so others write
meanwhile: what looks damaged is looked up once more, and counts only if the
index still wants those bytes.

The walk is by object and not by blob: so each damage has its key at once,
where a walk of the blobs would search all rows for it. A blob that many
objects share is read once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator
from typing import Any, NamedTuple

from drivers.indexed.blobs import Blobs
from drivers.indexed.blocks import Crcs
from drivers.indexed.cipher import TAG
from drivers.indexed.compression import BadFrame, decompressed, library
from drivers.indexed.layout import Layout
from drivers.indexed.records import Piece, unpack_pieces
from drivers.indexed.space import Space
from gateway.storage import NULL_VERSION, Corrupt, Damage, NoSuchStore, Scrubbed, StorageError
from gateway.storage.checksums import HASHERS, Hasher, encode, full_object

_SUM = "CRC64NVME"

PAGE = 500
"""Items that are taken from the index at once; their bytes are not among them."""


class Item(NamedTuple):
    """What has bytes: an object, a version, an annotation, or a part. `still` and `values` are
    SQL and parameters that find it as long as it needs these bytes. `sum`: its CRC64NVME, if it
    has one."""

    key: str
    version: str | None
    part: str
    size: int
    pieces: list[Piece] | None
    still: str
    values: tuple[object, ...]
    sum: str = ""


def scrub(space: Space, service: int) -> Iterator[Scrubbed]:
    versioning = space.one("SELECT versioning FROM services WHERE id = ?", (service,))
    if versioning is None:
        raise NoSuchStore
    check = _Check(space)
    for item in _items(space, service, versioned=versioning[0] != "off"):
        message = yield from check.item(item)
        if message and not _needed(space, item):
            message = ""
        damage = Damage(item.key, item.version, item.part + message) if message else None
        yield Scrubbed(objects=1, damage=damage)


def _needed(space: Space, item: Item) -> bool:
    return space.one(item.still, item.values) is not None


# what there is

_ITEM = "o.key, o.sequence, o.version, o.size, o.blob, o.manifest, m.pieces, o.detail"
_FROM = "LEFT JOIN manifests m ON m.id = o.manifest WHERE o.service = ?"
_STILL = " UNION ALL ".join(
    f"SELECT 1 FROM {table} WHERE service = ? AND key = ? AND sequence = ?"
    " AND blob IS ? AND manifest IS ?"
    for table in ("objects", "versions")
)
_ANNOTATION_STILL = (
    "SELECT 1 FROM annotations WHERE service = ? AND key = ? AND sequence = ? AND name = ?"
    " AND blob IS ?"
)
_PART_STILL = (
    "SELECT 1 FROM parts p JOIN uploads u ON u.id = p.upload"
    " WHERE p.upload = ? AND p.number = ? AND p.pieces = ? AND u.ended IS NULL"
)


def _items(space: Space, service: int, *, versioned: bool) -> Iterator[Item]:
    """All of a service. What moves to the older versions meanwhile may come twice."""
    for row in _pages(space, _objects(service)):
        yield _item(service, row, versioned=versioned)
    if versioned:
        for row in _pages(space, _versions(service)):
            yield _item(service, row, versioned=True)
    for row in _pages(space, _annotations(service)):
        yield _annotation(service, row, versioned=versioned)
    for key, upload in _pages(space, _uploads(service)):
        for number, packed, size in _pages(space, _parts(upload)):
            name = f"Part {number} of the upload {upload}: "
            named = upload, number, packed
            yield Item(key, None, name, size, _unpacked(packed), _PART_STILL, named)


def _item(service: int, row: Any, *, versioned: bool) -> Item:
    key, sequence, version, size, blob, manifest, packed, detail = row
    pieces: list[Piece] | None = None
    if packed is not None:
        pieces = _unpacked(packed)
    elif manifest is None:
        pieces = [] if blob is None else [Piece(blob, 0, size)]
    shown = version if versioned or version != NULL_VERSION else None
    found_by = (service, key, sequence, blob, manifest)
    still = found_by * 2  # in either table
    return Item(key, shown, "", size, pieces, _STILL, still, _sum(detail))


def _annotation(service: int, row: Any, *, versioned: bool) -> Item:
    key, sequence, name, size, blob, checksums, version = row
    pieces = [] if blob is None else [Piece(blob, 0, size)]
    shown = version if versioned or version != NULL_VERSION else None
    still = (service, key, sequence, name, blob)
    said = f"Its annotation {name}: "
    return Item(key, shown, said, size, pieces, _ANNOTATION_STILL, still, _sum(checksums))


def _sum(text: str) -> str:
    """Of a `detail`, or of checksums alone. "" as well where the row is damaged: reading the
    object says so."""
    if f'"{_SUM}":' not in text:
        return ""
    try:
        found = json.loads(text)
        return str(found.get("c", found)[_SUM])
    except (ValueError, LookupError, TypeError):
        return ""


def _unpacked(packed: bytes) -> list[Piece] | None:
    """None when that row is damaged: the others are to be looked at."""
    try:
        return unpack_pieces(packed)
    except Corrupt:
        return None


Query = Callable[[Any], list[tuple[str, tuple[object, ...]]]]
"""The statements that give what follows a row (None: the first), one after the other."""


def _pages(space: Space, query: Query) -> Iterator[Any]:
    last: Any = None
    while True:
        rows: list[Any] = []
        with space.reading() as connection:
            for sql, parameters in query(last):
                if len(rows) < PAGE:
                    limit = f"{sql} LIMIT {PAGE - len(rows)}"
                    rows += connection.execute(limit, parameters).fetchall()
        if not rows:
            return
        yield from rows
        last = rows[-1]


def _objects(service: int) -> Query:
    sql = f"SELECT {_ITEM} FROM objects o {_FROM} AND o.key > ? ORDER BY o.key"
    return lambda last: [(sql, (service, "" if last is None else last[0]))]


def _versions(service: int) -> Query:
    older = f"SELECT {_ITEM} FROM versions o {_FROM} AND o.marker = 0"
    same = f"{older} AND o.key = ? AND o.sequence < ? ORDER BY o.sequence DESC"
    beyond = f"{older} AND o.key > ? ORDER BY o.key, o.sequence DESC"

    def following(last: Any) -> list[tuple[str, tuple[object, ...]]]:
        if last is None:
            return [(beyond, (service, ""))]
        return [(same, (service, last[0], last[1])), (beyond, (service, last[0]))]

    return following


def _annotations(service: int) -> Query:
    version = " UNION ALL ".join(
        f"SELECT version FROM {table} o"
        " WHERE o.service = a.service AND o.key = a.key AND o.sequence = a.sequence"
        for table in ("objects", "versions")
    )
    sql = (
        f"SELECT a.key, a.sequence, a.name, a.size, a.blob, a.checksums, ({version} LIMIT 1)"
        " FROM annotations a WHERE a.service = ?"
    )
    order = "ORDER BY a.key, a.sequence, a.name"
    behind = f"{sql} AND (a.key, a.sequence, a.name) > (?, ?, ?) {order}"
    return lambda last: (
        [(f"{sql} {order}", (service,))] if last is None else [(behind, (service, *last[:3]))]
    )


def _uploads(service: int) -> Query:
    begun = "SELECT key, id FROM uploads WHERE service = ? AND ended IS NULL"
    same, beyond = f"{begun} AND key = ? AND id > ? ORDER BY id", f"{begun} AND key > ?"

    def following(last: Any) -> list[tuple[str, tuple[object, ...]]]:
        key, upload = last or ("", "")
        return [
            (same, (service, key, upload)),
            (f"{beyond} ORDER BY key, id", (service, key)),
        ]

    return following


def _parts(upload: str) -> Query:
    sql = "SELECT number, pieces, size FROM parts WHERE upload = ? AND number > ? ORDER BY number"
    return lambda last: [(sql, (upload, 0 if last is None else last[0]))]


# what is wrong with it

Steps = Generator[Scrubbed, None, str]
"""Steps of reading; its value says what is wrong, "" when nothing is."""


class _Check:
    """Remembers the blobs that several objects share: a bit for each, and what was wrong."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._seen = bytearray()
        self._wrong: dict[int, str] = {}
        self._sums: dict[int, tuple[str, int]] = {}
        """(CRC64NVME, size) of the blobs of one item that were read for it, and are plain."""

    def item(self, item: Item) -> Steps:
        if item.pieces is None:
            return "The index has lost the list of its parts."
        if sum(piece.length for piece in item.pieces) != item.size:
            return "The index does not know where all of its bytes are."
        ends: dict[int, int] = {}
        for piece in item.pieces:
            ends[piece.blob] = max(ends.get(piece.blob, 0), piece.start + piece.length)
        found = ""
        self._sums.clear()
        for blob, end in ends.items():
            found = (yield from self._blob(blob, end)) or found
        return found or self._compared(item)

    def _compared(self, item: Item) -> str:
        """Where all of its blobs were read for it, and are its own from end to end."""
        sums = [self._sums.get(piece.blob, ("", -1)) for piece in item.pieces or ()]
        whole = all(
            (piece.start, piece.length) == (0, size)
            for piece, (_, size) in zip(item.pieces or (), sums, strict=True)
        )
        if not item.sum or not whole or full_object(_SUM, sums) == item.sum:
            return ""
        return f"Its bytes are others than were written: they have another {_SUM}."

    def _blob(self, blob: int, end: int) -> Steps:
        if self._was_seen(blob):
            return self._wrong.get(blob, "")
        sql = "SELECT refs, size, name, crcs, seal, data, ends FROM blobs WHERE id = ?"
        try:
            row = self._space.one(sql, (blob,))
        except StorageError as error:
            return f"Its place in the index cannot be read: {error}"
        if row is None:
            return "The index has lost its bytes."
        refs, size, name, crcs, seal, data, ends = row
        if end > size:
            return "The index says that it is longer than its bytes."
        layout, hasher = Layout(size, TAG if seal else 0, ends or b""), HASHERS[_SUM]()
        whole = _Decompressing(hasher, layout) if ends and not seal else hasher
        try:
            layout.check()
            if data is not None:
                what = "Its bytes in the index are"
                wrong = yield from _read(iter((data,)), crcs, layout.stored, what, whole)
            else:
                wrong = yield from _file(self._space.blobs, name or "", crcs, layout, whole)
        except Corrupt as error:
            wrong = error.message
        if not seal and not wrong:
            self._sums[blob] = encode(hasher.digest()), size
        if refs > 1:
            self._remember(blob, wrong)
        return wrong

    def _was_seen(self, blob: int) -> bool:
        return blob >> 3 < len(self._seen) and bool(self._seen[blob >> 3] >> (blob & 7) & 1)

    def _remember(self, blob: int, wrong: str) -> None:
        missing = (blob >> 3) + 1 - len(self._seen)
        if missing > 0:
            self._seen.extend(bytes(missing))
        self._seen[blob >> 3] |= 1 << (blob & 7)
        if wrong:
            self._wrong[blob] = wrong


class _Decompressing:
    """Takes the stored blocks of a compressed blob for who takes its plain bytes. Raises
    `Unavailable` at once where nothing can be decompressed."""

    def __init__(self, hasher: Hasher, layout: Layout) -> None:
        library()
        self._hasher, self._layout, self._number = hasher, layout, 0

    def update(self, block: bytes, /) -> None:
        """Raises `BadFrame`."""
        plain = decompressed(block, self._layout.plain_length(self._number))
        self._number += 1
        self._hasher.update(plain)


def _file(
    blobs: Blobs, name: str, crcs: bytes | None, layout: Layout, whole: Hasher | _Decompressing
) -> Steps:
    try:
        blocks = blobs.blocks(name, 0, layout)
    except FileNotFoundError:
        return "Its file is gone."
    except StorageError as error:
        return f"Its file {name} cannot be read: {error}"
    try:
        wrong = yield from _read(blocks, crcs, layout.stored, f"Its file {name} is", whole)
        if wrong and blobs.known is not None:
            blobs.known.forget(name)
        return wrong
    except StorageError as error:
        return f"Its file {name} cannot be read: {error}"
    finally:
        getattr(blocks, "close", lambda: None)()


def _read(
    blocks: Iterator[bytes],
    crcs: bytes | None,
    stored: int,
    what: str,
    whole: Hasher | _Decompressing,
) -> Steps:
    """`whole` takes all that is read."""
    read, found = 0, Crcs()
    for number, block in enumerate(blocks):
        read += len(block)
        yield Scrubbed(bytes=len(block))
        found.update(block)
        if crcs and found.packed[-4:] != crcs[4 * number : 4 * number + 4]:
            return f"{what} damaged: block {number} was changed."
        try:
            whole.update(block)
        except BadFrame:
            return f"{what} damaged: block {number} cannot be decompressed."
    if read != stored:
        return f"{what} {'shorter' if read < stored else 'longer'} than was written."
    return ""
