"""Dataclasses → JSON and headers. Pure functions.

Times are RFC 3339 in UTC with milliseconds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from gateway.common import words
from gateway.common.moments import utc
from gateway.modes.standard import versions
from gateway.storage import Change, Entry, ObjectInfo, VersionEntry
from gateway.telemetry.request_list import RequestEntry
from gateway.web.api import downloads
from gateway.web.http_fields import (
    Headers,
    is_token,
    value,
)
from gateway.web.replies import Reply

JSON = (("content-type", "application/json"), ("cache-control", "no-store"))
"""Replies in JSON are never cached."""

_VARY = "x-owncdn-key"

Item = dict[str, Any]


def reply(content: Mapping[str, Any], status: int = 200) -> Reply:
    return Reply(status, [*JSON], json.dumps(content).encode())


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    return utc(seconds * 1000).replace(tzinfo=None).isoformat()


def time(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_second(seconds)}.{rest:03}Z"


# JSON


def file(entry: Entry) -> Item:
    return {
        "path": entry.key,
        "size": entry.size,
        "etag": entry.etag,
        "contentType": entry.content_type,
        "modified": time(entry.modified),
        "version": versions.name(entry.version, entry.etag),
    }


def stored(info: ObjectInfo) -> Item:
    return {
        "path": info.key,
        "size": info.size,
        "etag": info.etag,
        "version": versions.name(info.version, info.etag),
        "modified": time(info.modified),
    }


def version(entry: VersionEntry) -> Item:
    return {
        "path": entry.key,
        "version": versions.name(entry.version, entry.etag),
        "size": entry.size,
        "etag": entry.etag,
        "modified": time(entry.modified),
        "deleted": entry.marker,
        "latest": entry.latest,
        "syncId": entry.sequence,
    }


def update(change: Change, info: ObjectInfo | None) -> Item:
    """`info`: of the version that was put, when it is still there."""
    return {
        "syncId": change.sequence,
        "kind": change.kind,
        "time": time(change.time),
        "path": change.key,
        "version": versions.name(change.version, change.etag),
        "size": change.size,
        "etag": change.etag,
        "contentType": change.content_type,
        "headers": {} if info is None else joined(info.headers),
        "metadata": {} if info is None else dict(info.metadata),
    }


def joined(headers: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Fields by name; those that came twice are one list (RFC 9110 §5.3)."""
    found: dict[str, str] = {}
    for name, text in headers:
        found[name] = f"{found[name]}, {text}" if name in found else text
    return found


def request(one: RequestEntry) -> Item:
    return {
        "time": time(one.time // 1000),
        "requestId": one.id,
        "mode": one.mode,
        "method": one.method,
        "sid": one.sid or None,
        "path": one.path,
        "status": one.status,
        "bytesIn": one.received,
        "bytesOut": one.sent,
        "durationMs": one.duration,
        "client": one.client,
        "keyId": one.key_id or None,
        "cache": one.cache or None,
    }


# headers


def validators(info: ObjectInfo) -> Headers:
    """What a 304 says."""
    return [*downloads.validators(info, _VARY), *_version(info)]


def _version(info: ObjectInfo) -> Headers:
    name = versions.name(info.version, info.etag)
    return [] if name is None else [("x-version", value(name))]


def described(info: ObjectInfo) -> Headers:
    """What getfile says of a file, but for its length and range."""
    headers = [*downloads.described(info, _VARY), *_version(info)]
    if info.metadata:
        headers += [
            (f"x-meta-{name}", words.encoded(text))
            for name, text in info.metadata.items()
            if is_token(name)
        ]
    return headers
