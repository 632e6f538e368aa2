"""All that is known of a version, for who keeps a replica of it; and the way back from there is
`drivers/indexed/replica/source.py`.

A version's tags, access control list and retention are told to who may read each of them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from gateway.access.access import Access
from gateway.access.actions import Action, of
from gateway.modes.standard import versions, wire
from gateway.storage import (
    Get,
    MethodNotAllowed,
    NotFound,
    ObjectInfo,
    Part,
    Protection,
)

_ACTIONS: Sequence[Action] = (
    "read-attributes",
    "read-acl",
    "read-tags",
    "read-retention",
    "read-hold",
)


def of_version(access: Access, path: str, named: str | None) -> wire.Item | None:
    """None: it is not there (any more). Raises `Forbidden`."""
    if named is None:
        return None
    version = versions.stored(access, named)
    for action in _ACTIONS:  # of the object, too: who keeps them from it means all versions
        for one in {action, of(action, version)}:
            access.require(one, path)
    try:
        info = versions.stat(access, path, Get(keyless=True), named)
    except (NotFound, MethodNotAllowed):
        return None
    return said(info)


def said(info: ObjectInfo) -> wire.Item:
    encryption = info.encryption
    return {
        "contentType": info.content_type,
        "headers": wire.joined(info.headers),
        "metadata": dict(info.metadata),
        "tags": dict(info.tags),
        "storageClass": info.storage_class,
        "owner": info.owner,
        "encryption": None if encryption is None else encryption.kind,
        "protection": _protection(info.protection),
        "attributes": json.dumps(dict(info.attributes)),
        "checksums": dict(info.checksums),
        "checksumType": info.checksum_type,
        "parts": [*map(_part, info.parts)],
    }


def _protection(kept: Protection | None) -> wire.Item | None:
    if not kept:
        return None
    return {
        "mode": kept.mode,
        "until": None if kept.until is None else wire.time(kept.until),
        "hold": kept.hold,
        "event": None if kept.event is None else f"{kept.event.number} {kept.event.unit}",
    }


def _part(part: Part) -> wire.Item:
    return {
        "number": part.number,
        "size": part.size,
        "etag": part.etag,
        "modified": wire.time(part.modified),
        "checksums": dict(part.checksums),
    }
