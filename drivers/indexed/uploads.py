"""Uploads in parts: each part is a blob; completing them writes a manifest."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from drivers.indexed.batch import Transaction
from drivers.indexed.blobs import Blob
from drivers.indexed.records import (
    Piece,
    Row,
    info_of,
    pack_detail,
    pack_parts,
    pack_pieces,
    unpack_parts,
    unpack_pieces,
    unpack_upload,
)
from drivers.indexed.rows import Content, add_blob, release_blob
from drivers.indexed.sharing import part_encryption
from drivers.indexed.shelf import Draft, Shelf
from drivers.indexed.space import Space
from gateway.storage import (
    BadDigest,
    Complete,
    InvalidPart,
    InvalidPartOrder,
    InvalidRequest,
    NoSuchUpload,
    ObjectInfo,
    Part,
    PartRef,
    PartTooSmall,
    Put,
    Upload,
)
from gateway.storage.checksums import (
    FULL_OBJECT_ONLY,
    UNNAMED,
    composite,
    etag_of_parts,
    full_object,
    matches,
)
from gateway.storage.objects import ChecksumType

REMEMBERED = 24 * 3_600_000
"""Milliseconds for which a completed upload's answer is given again."""

LAST_PART = 10_000


class Kept(NamedTuple):
    """A part as the index has it."""

    number: int
    pieces: list[Piece]
    size: int
    etag: str
    modified: int
    checksums: dict[str, str]

    @classmethod
    def of(cls, values: Any) -> Kept:
        number, pieces, size, etag, modified, checksums = values
        return cls(number, unpack_pieces(pieces), size, etag, modified, json.loads(checksums))

    @property
    def part(self) -> Part:
        return Part(self.number, self.size, self.etag, self.modified, self.checksums)


def begin(txn: Transaction, service: int, key: str, text: str, time: int) -> Upload:
    """`text`: the options, packed."""
    upload = f"{time:011x}{secrets.token_hex(16)}"
    txn.execute(
        "INSERT INTO uploads (id, service, key, begun, options) VALUES (?, ?, ?, ?, ?)",
        (upload, service, key, time, text),
    )
    txn.ledger(service).uploads += 1
    return unpack_upload(upload, key, time, text)


def under_way(find: Callable[..., Any], service: int, key: str, upload: str) -> Upload:
    """The upload, unless it has ended. `find(sql, parameters)` gives the first row."""
    row = find(
        "SELECT begun, options FROM uploads"
        " WHERE id = ? AND service = ? AND key = ? AND ended IS NULL",
        (upload, service, key),
    )
    if row is None:
        raise NoSuchUpload(key=key, upload=upload)
    return unpack_upload(upload, key, *row)


def check_number(number: int) -> None:
    if not 1 <= number <= LAST_PART:
        raise InvalidRequest(f"A part's number is between 1 and {LAST_PART}, not {number}.")


def keep_blob(
    txn: Transaction, service: int, key: str, upload: str, part: Part, blob: Blob | None,
    due: int | None,
) -> Part:  # fmt: skip
    """Make a stored body a part."""
    under_way(txn.one, service, key, upload)
    pieces = [] if blob is None else [Piece(add_blob(txn, blob), 0, part.size)]
    return _keep(txn, service, upload, part, pieces, due)


def keep_shared(
    txn: Transaction, service: int, key: str, upload: str, part: Part, pieces: list[Piece],
    due: int | None,
) -> Part:  # fmt: skip
    """Make a stretch of an object a part; no byte moves."""
    under_way(txn.one, service, key, upload)
    for piece in pieces:
        txn.execute("UPDATE blobs SET refs = refs + 1 WHERE id = ?", (piece.blob,))
    return _keep(txn, service, upload, part, pieces, due)


def _keep(
    txn: Transaction, service: int, upload: str, part: Part, pieces: list[Piece], due: int | None
) -> Part:
    ledger = txn.ledger(service)
    used = ledger.used
    replaced = txn.one(
        "SELECT pieces, size FROM parts WHERE upload = ? AND number = ?", (upload, part.number)
    )
    if replaced is not None:
        _release(txn, replaced[0], due)
        ledger.waiting -= replaced[1]
    ledger.waiting += part.size
    ledger.limit(used)
    txn.execute(
        "INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            upload, part.number, pack_pieces(pieces), part.size, part.etag, part.modified,
            json.dumps(dict(part.checksums)),
        ),
    )  # fmt: skip
    return part


def _release(txn: Transaction, packed: bytes, due: int | None) -> None:
    for piece in unpack_pieces(packed):
        release_blob(txn, piece.blob, due)


_PARTS = "SELECT number, pieces, size, etag, modified, checksums FROM parts WHERE upload = ?"


def list_parts(rows: Iterable[Any]) -> tuple[Part, ...]:
    return tuple(Kept.of(values).part for values in rows)


PARTS_AFTER = f"{_PARTS} AND number > ? ORDER BY number LIMIT ?"


def abort(txn: Transaction, service: int, key: str, upload: str, due: int | None) -> None:
    under_way(txn.one, service, key, upload)
    ledger = txn.ledger(service)
    ledger.waiting -= _drop_parts(txn, upload, due)
    txn.execute("DELETE FROM uploads WHERE id = ?", (upload,))
    ledger.uploads -= 1


def _drop_parts(
    txn: Transaction, upload: str, due: int | None, *, keep: frozenset[int] = frozenset()
) -> int:
    """Drop all; the blobs of the parts numbered in `keep` belong to the object now. The bytes
    that wait no more."""
    sql = "SELECT number, pieces, size FROM parts WHERE upload = ?"
    rows = txn.execute(sql, (upload,)).fetchall()
    for number, pieces, _ in rows:
        if number not in keep:
            _release(txn, pieces, due)
    txn.execute("DELETE FROM parts WHERE upload = ?", (upload,))
    return sum(size for _, _, size in rows)


# complete


def complete(
    shelf: Shelf, key: str, upload: str, refs: Sequence[PartRef], options: Complete
) -> ObjectInfo:
    """Make the object, or give the answer of the first time again. A customer's key must
    be given with it, as with each part, though no byte is read."""
    answered = _answered(shelf, key, upload, refs)
    if answered is not None:
        part_encryption(answered.encryption, options.encryption)
        return answered
    begun = under_way(shelf.txn.one, shelf.service, key, upload).options
    part_encryption(begun.encryption, options.encryption)
    if options.protection is not None:
        begun = replace(begun, protection=options.protection)
    uploaded = {part.number: part for part in map(Kept.of, shelf.txn.execute(_PARTS, (upload,)))}
    kept = _chosen(uploaded, key, refs, options.min_part)
    size = sum(part.size for part in kept)
    if options.size is not None and options.size != size:
        raise InvalidRequest(
            f"The parts have {size} bytes; {options.size} were said to be in all.", key=key
        )
    checksums, kind = _checksums(begun, kept, options)
    parts = tuple(part.part for part in kept)
    etag = etag_of_parts([part.etag for part in kept])

    def content(txn: Transaction, _replaced: Row | None) -> Content:
        pieces = [piece for part in kept for piece in part.pieces]
        cursor = txn.execute(
            "INSERT INTO manifests (refs, pieces, parts) VALUES (1, ?, ?)",
            (pack_pieces(pieces), pack_parts(parts)),
        )
        return Content(manifest=cursor.lastrowid)

    detail, waited = _detail(begun, checksums, kind), sum(part.size for part in uploaded.values())
    draft = Draft(key, size, etag, begun, detail, content, waited=waited)
    row = shelf.put(draft, options.conditions)
    numbers = frozenset(part.number for part in kept)
    _drop_parts(shelf.txn, upload, shelf.due.whole, keep=numbers)
    _remember(shelf, upload, refs, row, parts)
    return info_of(row, versioned=shelf.ledger.versioned, parts=parts)


def _detail(begun: Put, checksums: dict[str, str], kind: ChecksumType | None) -> str:
    return pack_detail(replace(begun, checksum_type=kind), checksums)


def _asked(refs: Sequence[PartRef]) -> list[list[Any]]:
    return [[ref.number, ref.etag] for ref in refs]


def _remember(
    shelf: Shelf, upload: str, refs: Sequence[PartRef], row: Row, parts: Sequence[Part]
) -> None:
    answer = {
        "asked": _asked(refs),
        "row": list(row),
        "versioned": shelf.ledger.versioned,
        "parts": pack_parts(parts),
    }
    shelf.txn.execute(
        "UPDATE uploads SET ended = ?, answer = ? WHERE id = ?",
        (shelf.time, json.dumps(answer), upload),
    )
    shelf.ledger.uploads -= 1


def _answered(shelf: Shelf, key: str, upload: str, refs: Sequence[PartRef]) -> ObjectInfo | None:
    row = shelf.txn.one(
        "SELECT answer FROM uploads WHERE id = ? AND service = ? AND key = ? AND ended IS NOT NULL",
        (upload, shelf.service, key),
    )
    if row is None:
        return None
    answer = json.loads(row[0])
    if answer["asked"] != _asked(refs):
        raise NoSuchUpload(key=key, upload=upload)
    return info_of(
        Row._make(answer["row"]),
        versioned=answer["versioned"],
        parts=unpack_parts(answer["parts"]),
    )


def _chosen(
    kept: Mapping[int, Kept], key: str, refs: Sequence[PartRef], min_part: int
) -> list[Kept]:
    """The parts that the caller names, in its order, checked against what is kept."""
    if not refs:
        raise InvalidRequest("An upload is completed with one part at least.", key=key)
    chosen: list[Kept] = []
    for ref in refs:
        if chosen and ref.number <= chosen[-1].number:
            raise InvalidPartOrder(key=key)
        part = kept.get(ref.number)
        if part is None or part.etag != ref.etag or not matches(ref.checksums, part.checksums):
            raise InvalidPart(key=key, number=ref.number)
        chosen.append(part)
    for part in chosen[:-1]:
        if part.size < min_part:
            raise PartTooSmall(number=part.number, size=part.size, minimum=min_part, key=key)
    return chosen


def _checksums(
    begun: Put, kept: Sequence[Kept], options: Complete
) -> tuple[dict[str, str], ChecksumType | None]:
    """The object's checksums from those of its parts, compared with what is declared."""
    computed: dict[str, str] = {}
    algorithms = begun.checksums or UNNAMED
    kind: ChecksumType = (
        options.checksum_type
        or begun.checksum_type
        or ("COMPOSITE" if FULL_OBJECT_ONLY.isdisjoint(algorithms) else "FULL_OBJECT")
    )
    for algorithm in algorithms:
        values = [part.checksums.get(algorithm) for part in kept]
        texts = [value for value in values if value is not None]
        if len(texts) < len(kept):
            continue
        if kind == "FULL_OBJECT":
            sizes = [part.size for part in kept]
            computed[algorithm] = full_object(algorithm, list(zip(texts, sizes, strict=True)))
        else:
            computed[algorithm] = composite(algorithm, texts)
    for algorithm, declared in options.checksums.items():
        value = computed.get(algorithm, "")
        if declared != (value if "-" in declared else value.partition("-")[0]):
            raise BadDigest(algorithm=algorithm, declared=declared, computed=value, kept=True)
    return computed, kind if computed else None


def forget_ended(txn: Transaction, time: int) -> int:
    """Drop the answers that need not be given again."""
    return txn.execute("DELETE FROM uploads WHERE ended < ?", (time - REMEMBERED,)).rowcount


_STEP = 100


def drop_in_steps(space: Space, service: int, upload: str | None = None) -> None:
    """Drop the parts of an upload, or of all of a service, where the disk has no room for
    one commit of them all."""
    only, named = ("", ()) if upload is None else (" AND u.id = ?", (upload,))
    sql = (
        "SELECT p.upload, p.number, p.pieces, p.size FROM uploads u"
        f" JOIN parts p ON p.upload = u.id WHERE u.service = ?{only} LIMIT {_STEP}"
    )

    def step(txn: Transaction) -> int:
        due = space.due(space.clock()).whole
        rows = txn.execute(sql, (service, *named)).fetchall()
        for one, number, pieces, size in rows:
            _release(txn, pieces, due)
            txn.execute("DELETE FROM parts WHERE upload = ? AND number = ?", (one, number))
            txn.ledger(service).waiting -= size
        return len(rows)

    while space.write(step, plain=True, room="remove"):
        pass


def drop_all(txn: Transaction, service: int, due: int | None) -> None:
    """Drop all uploads of a service that goes: S3 lets a bucket with uploads be deleted."""
    rows = txn.execute("SELECT id FROM uploads WHERE service = ?", (service,)).fetchall()
    for (upload,) in rows:
        _drop_parts(txn, upload, due)
        txn.execute("DELETE FROM uploads WHERE id = ?", (upload,))
