"""What fsspec's `info` says of a file, which each file system writes in its own way."""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from drivers.fsspec.tree import Found

_TIMES = ("LastModified", "last_modified", "mtime", "modified", "updated", "modify", "created")
"""In this order; `created` is all that fsspec's memory has, whose files are never changed."""

_MD5 = re.compile(r"[0-9a-f]{32}")


def found_of(info: Mapping[str, Any]) -> Found | None:
    """None for what is no file."""
    if info.get("type") != "file":
        return None
    size = int(info.get("size") or 0)
    time, etag = _microseconds(info), _etag(info)
    if etag:  # then times need not agree: S3's lists have milliseconds, its HEAD seconds
        modified = time // 1_000_000 * 1000
        token = _hashed(f"{etag} {size}")
    else:
        modified = time // 1000
        etag = f"{time:x}-{size:x}" if time else f"{_hashed(repr(sorted(info.items())))}-0"
        token = _hashed(etag)
    return Found(size, modified, etag, token)


def _etag(info: Mapping[str, Any]) -> str:
    """Its store's own, so that it is an MD5 or has a `-` in it; "" when it has none."""
    md5 = info.get("md5Hash")  # Google's, base64
    if isinstance(md5, str):
        return b64decode(md5).hex()
    found = info.get("ETag") or info.get("etag")
    if not isinstance(found, str):
        return ""
    found = found.removeprefix("W/").strip('"')
    return found if "-" in found or _MD5.fullmatch(found) else f"{found}-0"


def _microseconds(info: Mapping[str, Any]) -> int:
    """Since the epoch; 0 when it does not say."""
    for name in _TIMES:
        value = info.get(name)
        if isinstance(value, int | float):
            return round(value * 1_000_000)
        if isinstance(value, str):
            value = _parsed(value)
        if isinstance(value, datetime):
            aware = value if value.tzinfo else value.replace(tzinfo=UTC)
            return round(aware.timestamp() * 1_000_000)
    return 0


def _parsed(text: str) -> datetime | None:
    """ISO 8601, or RFC 3659's `YYYYMMDDHHMMSS[.sss]` of ftp."""
    if re.fullmatch(r"\d{14}(\.\d+)?", text):
        whole, _, part = text.partition(".")
        moment = datetime.strptime(whole, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        return moment.replace(microsecond=int((part + "000000")[:6]))
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]
