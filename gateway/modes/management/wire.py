"""What is answered, in JSON. Pure functions.

Times are RFC 3339 in UTC, whole seconds; sizes for people are those of `human`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from gateway.common.moments import utc
from gateway.storage import Entry, ObjectInfo, Stats
from gateway.web.replies import Reply

Item = dict[str, Any]

_OF_PARTS = re.compile(r"[0-9a-f]{32}-[0-9]+")
_UNITS = ("B", "KB", "MB", "GB", "TB", "PB", "EB")


def reply(content: Mapping[str, Any], status: int = 200) -> Reply:
    """It is never cached: lists are of who asks."""
    headers = [("content-type", "application/json"), ("cache-control", "no-store")]
    return Reply(status, headers, json.dumps(content).encode())


def done() -> Reply:
    return reply({"message": "Operation completed successfully"})


def time(milliseconds: int) -> str:
    return f"{utc(milliseconds).replace(tzinfo=None, microsecond=0).isoformat()}Z"


def human(size: int) -> str:
    """ "25.0 MB" of 26,214,400 bytes: by powers of 1024, and three digits before the point."""
    number, unit = float(size), 0
    while round(number, 1) >= 1000:
        number, unit = number / 1024, unit + 1
    return f"{number:.1f} {_UNITS[unit]}" if unit else f"{size} B"


def page(name: str, items: list[Item], following: str | None) -> Item:
    """`next` is there when there are more."""
    return {name: items} if following is None else {name: items, "next": following}


def measured(stats: Stats | None) -> Item:
    """What is in a bucket; null where its store does not count."""
    if stats is None:
        return {"object_count": None, "total_size": None, "total_size_human": None}
    return {
        "object_count": stats.current,
        "total_size": stats.bytes,
        "total_size_human": human(stats.bytes),
    }


def item(entry: Entry | ObjectInfo) -> Item:
    """An object, in a list or alone."""
    return {
        "key": entry.key,
        "size": entry.size,
        "size_human": human(entry.size),
        "content_type": entry.content_type,
        "etag": entry.etag,
        "is_multipart": _OF_PARTS.fullmatch(entry.etag) is not None,
        "created_at": time(entry.modified),
    }


def details(sid: str, info: ObjectInfo) -> Item:
    return {
        **item(info),
        "part_count": len(info.parts),
        "metadata": dict(info.metadata),
        "storage_path": _opaque(sid, info),
        "updated_at": time(info.modified),
    }


def _opaque(sid: str, info: ObjectInfo) -> str:
    """Another one for each version of each object; it says nothing of where the bytes are."""
    named = "\0".join((info.key, info.version or "", info.etag, str(info.modified)))
    name = sha256(named.encode()).hexdigest()[:32]
    return f"{sid}/objects/{name[:2]}/{name[2:4]}/{name}"
