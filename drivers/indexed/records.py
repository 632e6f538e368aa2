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
    Encryption,
    ObjectInfo,
    Part,
    Protection,
    Put,
    Upload,
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


def pack_protection(protection: Protection | None) -> list[Any] | None:
    if protection is None or protection == Protection():
        return None
    return [protection.mode, protection.until, protection.hold]


def unpack_protection(values: Sequence[Any] | None) -> Protection | None:
    if not values:
        return None
    return Protection(mode=values[0], until=values[1], hold=values[2])


def pack_encryption(encryption: Encryption | None) -> list[str] | None:
    """Without the customer's key: that is never kept."""
    return [encryption.kind, encryption.key_md5] if encryption else None


def unpack_encryption(values: Sequence[Any] | None) -> Encryption | None:
    return Encryption(kind=values[0], key_md5=values[1]) if values else None


def pack_detail(options: Put, checksums: Mapping[str, str]) -> str:
    """All of `options` that has no column of its own."""
    if len(checksums) == 1 and not _says_more(options):
        return _one_checksum(options, *checksums.items())
    values: dict[str, object] = {}
    if options.headers:
        values["h"] = options.headers
    if options.metadata:
        values["m"] = dict(options.metadata)
    if options.tags:
        values["t"] = dict(options.tags)
    if checksums:
        values["c"] = dict(checksums)
        if options.checksum_type:
            values["k"] = options.checksum_type
    if protection := pack_protection(options.protection):
        values["p"] = protection
    if options.encryption:
        values["e"] = pack_encryption(options.encryption)
    if options.attributes:
        values["a"] = dict(options.attributes)
    return _dump(values) if values else ""


def _says_more(options: Put) -> bool:
    return bool(
        options.headers
        or options.metadata
        or options.tags
        or options.protection
        or options.encryption
        or options.attributes
    )


def _one_checksum(options: Put, checksum: tuple[str, str]) -> str:
    """What `_dump` gives, a microsecond sooner, of what most uploads have: a checksum alone.
    Neither its name nor base64 has anything to escape."""
    name, text = checksum
    kind = f',"k":"{options.checksum_type}"' if options.checksum_type else ""
    return f'{{"c":{{"{name}":"{text}"}}{kind}}}'


def change_detail(detail: str, **changes: object) -> str:
    values = _without_empty({**(_load_detail(detail) if detail else {}), **changes})
    return _dump(values) if values else ""


def detail_of(row: Row) -> dict[str, Any]:
    return _load_detail(row.detail) if row.detail else {}


def protection_of(row: Row) -> Protection | None:
    if '"p":' not in row.detail:  # nearly never: JSON takes its time
        return None
    return unpack_protection(detail_of(row).get("p"))


def info_of(row: Row, *, versioned: bool, parts: tuple[Part, ...] = ()) -> ObjectInfo:
    """`versioned`: the service keeps or kept versions; else the null version is not named."""
    version = row.version if versioned or row.version != NULL_VERSION else None
    if not row.detail:
        return ObjectInfo(
            key=row.key,
            size=row.size,
            etag=row.etag,
            modified=row.modified,
            content_type=row.content_type,
            version=version,
            storage_class=row.storage_class,
            owner=row.owner,
            parts=parts,
        )
    detail = _load_detail(row.detail)
    return ObjectInfo(
        key=row.key,
        size=row.size,
        etag=row.etag,
        modified=row.modified,
        content_type=row.content_type,
        version=version,
        headers=tuple((name, value) for name, value in detail.get("h", ())),
        metadata=detail.get("m", NOTHING),
        tags=detail.get("t", NOTHING),
        checksums=detail.get("c", NOTHING),
        checksum_type=detail.get("k"),
        parts=parts,
        protection=unpack_protection(detail.get("p")),
        encryption=unpack_encryption(detail.get("e")),
        storage_class=row.storage_class,
        owner=row.owner,
        attributes=detail.get("a", NOTHING),
    )


def new_info(
    row: Row, options: Put, checksums: Mapping[str, str], *, versioned: bool
) -> ObjectInfo:
    """The same of a row that was just made of these, without reading `detail`."""
    kept, protection = options.encryption, options.protection
    return ObjectInfo(
        key=row.key,
        size=row.size,
        etag=row.etag,
        modified=row.modified,
        content_type=row.content_type,
        version=row.version if versioned or row.version != NULL_VERSION else None,
        headers=options.headers,
        metadata=options.metadata,
        tags=options.tags,
        checksums=checksums,
        checksum_type=options.checksum_type if checksums else None,
        protection=protection and unpack_protection(pack_protection(protection)),
        encryption=Encryption(kind=kept.kind, key_md5=kept.key_md5) if kept else None,
        storage_class=row.storage_class,
        owner=row.owner,
        attributes=options.attributes,
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
            content_type=info.content_type,
            headers=info.headers,
            metadata=info.metadata,
            tags=info.tags,
            checksums=dict.fromkeys(values["algorithms"], ""),
            checksum_type=values["type"],
            protection=info.protection,
            encryption=info.encryption,
            storage_class=info.storage_class,
            owner=info.owner,
            attributes=info.attributes,
        ),
    )
