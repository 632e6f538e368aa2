"""Rows of the index as values of the contract, and back.

What lists show has a column; the rest of an object is JSON in `detail`, with
short names, and "" when there is nothing: most objects have nothing.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from gateway.storage import (
    NOTHING,
    NULL_VERSION,
    Corrupt,
    ObjectInfo,
    Part,
    Properties,
    Protection,
    Put,
    Stats,
    Upload,
    carried,
    packed,
    unpacked,
)

COLUMNS = (
    "service, key, sequence, version, size, etag, modified, content_type, storage_class,"
    " owner, blob, manifest, detail"
)


class Row(NamedTuple):
    """A row of `objects`, in the order of its columns (those of `versions` begin so)."""

    service: int
    key: str
    sequence: int
    version: str
    size: int
    etag: str
    modified: int
    content_type: str
    storage_class: str
    owner: str
    blob: int | None
    manifest: int | None
    detail: str


class Piece(NamedTuple):
    """A stretch of a blob that is part of an object."""

    blob: int
    start: int
    length: int


_PIECE = struct.Struct("<QQQ")


def pack_pieces(pieces: Sequence[Piece]) -> bytes:
    return b"".join(_PIECE.pack(*piece) for piece in pieces)


def unpack_pieces(packed: bytes) -> list[Piece]:
    """Raises `Corrupt`."""
    try:
        return [Piece(*values) for values in _PIECE.iter_unpack(packed)]
    except struct.error as error:
        raise Corrupt("A list of pieces in the index is damaged.") from error


def within(pieces: list[Piece], start: int, length: int) -> list[Piece]:
    """The stretches of `pieces` that make `length` bytes from `start`."""
    found, at = [], 0
    for piece in pieces:
        first, last = max(start, at), min(start + length, at + piece.length)
        if first < last:
            found.append(Piece(piece.blob, piece.start + first - at, last - first))
        at += piece.length
        if at >= start + length:
            break
    return found


DAMAGED = "A row of the index is damaged."


def _load(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Corrupt(DAMAGED) from error


def _load_detail(text: str) -> dict[str, Any]:
    found = _load(text)
    if not isinstance(found, dict):
        raise Corrupt(DAMAGED)
    return found


_dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _without_empty(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}


_COLUMNS = frozenset({"content_type", "storage_class", "owner"})
_SHORT = {
    "headers": "h",
    "metadata": "m",
    "tags": "t",
    "protection": "p",
    "encryption": "e",
    "attributes": "a",
}
_LONG = {short: name for name, short in _SHORT.items()}


def pack_detail(options: Put, checksums: Mapping[str, str]) -> str:
    """All of `options` that has no column of its own."""
    values: dict[str, Any] = {
        _SHORT.get(name, name): value for name, value in packed(options, _COLUMNS).items()
    }
    if checksums:
        if not values and len(checksums) == 1 and options.checksum_type != "COMPOSITE":
            (pair,) = checksums.items()
            return '{{"c":{{"{}":"{}"}}}}'.format(*pair)  # as most have it; base64 is plain
        values["c"] = dict(checksums)
        if options.checksum_type == "COMPOSITE":  # else it is of the full object
            values["k"] = options.checksum_type
    return _dump(values) if values else ""


def _properties(detail: Mapping[str, Any]) -> dict[str, Any]:
    """Raises `Corrupt`."""
    try:
        return unpacked({_LONG.get(name, name): value for name, value in detail.items()})
    except (LookupError, TypeError, ValueError) as error:
        raise Corrupt(DAMAGED) from error


def change_detail(detail: str, **changes: object) -> str:
    values = _without_empty({**(_load_detail(detail) if detail else {}), **changes})
    return _dump(values) if values else ""


def detail_of(row: Row) -> dict[str, Any]:
    return _load_detail(row.detail) if row.detail else {}


UNPROTECTED = Protection()


def protection_of(row: Row) -> Protection:
    if '"p":' not in row.detail:  # nearly never: JSON takes its time
        return UNPROTECTED
    found: Protection = _properties(detail_of(row)).get("protection", UNPROTECTED)
    return found


def change_protection(detail: str, protection: Protection) -> str:
    return change_detail(detail, p=packed(Properties(protection=protection)).get("protection"))


def version_of(row: Row, *, versioned: bool) -> str | None:
    """`versioned`: the service keeps or kept versions; else the null version is not named."""
    return row.version if versioned or row.version != NULL_VERSION else None


def info_of(row: Row, *, versioned: bool, parts: tuple[Part, ...] = ()) -> ObjectInfo:
    detail = detail_of(row)
    checksums = detail.get("c", NOTHING)
    return ObjectInfo(
        key=row.key,
        size=row.size,
        etag=row.etag,
        modified=row.modified,
        version=version_of(row, versioned=versioned),
        checksums=checksums,
        checksum_type=detail.get("k", "FULL_OBJECT") if checksums else None,
        parts=parts,
        content_type=row.content_type,
        storage_class=row.storage_class,
        owner=row.owner,
        **_properties(detail),
    )


def new_info(
    row: Row, options: Put, checksums: Mapping[str, str], *, versioned: bool
) -> ObjectInfo:
    """The same of a row that was just made of these, without reading `detail`."""
    return ObjectInfo(
        key=row.key,
        size=row.size,
        etag=row.etag,
        modified=row.modified,
        version=version_of(row, versioned=versioned),
        checksums=checksums,
        checksum_type=(options.checksum_type or "FULL_OBJECT") if checksums else None,
        **carried(options),
    )


def pack_parts(parts: Sequence[Part]) -> str:
    return _dump([[*part[:4], dict(part.checksums)] for part in parts])


def unpack_parts(text: str) -> tuple[Part, ...]:
    return tuple(Part(*values) for values in _load(text)) if text else ()


def pack_upload(options: Put) -> str:
    """The options of an upload; the algorithms of its checksums, not their values."""
    return _dump(
        {
            "content_type": options.content_type,
            "storage_class": options.storage_class,
            "owner": options.owner,
            "algorithms": list(options.checksums),
            "type": options.checksum_type,
            "detail": pack_detail(replace(options, checksum_type=None), NOTHING),
        }
    )


def unpack_upload(upload: str, key: str, begun: int, text: str) -> Upload:
    values = _load(text)
    info = info_of(
        Row(
            0, key, 0, NULL_VERSION, 0, "", begun, values["content_type"],
            values["storage_class"], values["owner"], None, None, values["detail"],
        ),
        versioned=False,
    )  # fmt: skip
    return Upload(
        id=upload,
        key=key,
        begun=begun,
        options=Put(
            checksums=dict.fromkeys(values["algorithms"], ""),
            checksum_type=values["type"],
            **carried(info),
        ),
    )


# services

STATS = "objects, bytes, current, uploads, waiting, quota"
"""The columns of a service's row that say how much is in it."""


def stats_of(columns: Sequence[Any]) -> Stats:
    objects, size, current, uploads, waiting, quota = columns
    return Stats(
        objects=objects, bytes=size, current=current, uploads=uploads, waiting=waiting, quota=quota
    )
