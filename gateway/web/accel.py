"""Answers that nginx in front sends by itself, for it is told of a file (`X-Accel-Redirect`).

Who may have the object is decided as ever, and so are its headers, conditions and ranges. What is
handed over is an answer that nginx gives as we would:

- its bytes are in one file of the data folder, as they are, and may be lent (`storage.Lends`);
- nginx says each of its headers, by the lines that docs/operations.md shows, which name them.
  Metadata has any name, so what has some is not handed over;
- a range is a single one, which nginx finds in the request as we did; there is no condition, for
  it would hold that against the file.

All else is sent by us. So is, in the end, what is gone when nginx opens it (it was overwritten just
then), or what it may not read: it comes back and asks without saying that it can.

A proxy says that by a header, which is heeded from trusted proxies alone. Who gets it past one of
these learns where in the data folder an object lies that they may read, and no bytes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from gateway.common.end_to_end import ORDERS
from gateway.storage import whole_file
from gateway.web.exchange import WORTH_LENDING, Exchange, Headers, announced
from gateway.web.http_fields import CONDITIONAL

LOCATION = "/-files/"
"""Below it nginx has the data folder."""

ABILITY, REDIRECT = "HTTP_X_SENDFILE_TYPE", "X-Accel-Redirect"
"""As Rack has it."""

MOVED = ("Accept-Ranges", "Cache-Control", "Content-Disposition", "Expires")
"""Headers that nginx keeps by itself, and would say twice if the answer comes by another way in
the end. So they are told as `X-File-…`, and added as the others."""

ADDED = (
    "ETag", "Last-Modified", "Content-Encoding", "Content-Language", "Vary", "Cache-Status", "Age",
    "Content-Security-Policy", "X-Content-Type-Options", "Access-Control-Allow-Origin",
    "Access-Control-Allow-Methods", "Access-Control-Allow-Headers", "Access-Control-Expose-Headers",
    "Access-Control-Allow-Credentials", "Access-Control-Max-Age", "x-amz-request-id",
    "x-request-id", "x-amz-version-id", "x-amz-storage-class", "x-amz-tagging-count",
    "x-amz-checksum-type", "x-amz-checksum-crc32", "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme", "x-amz-checksum-sha1", "x-amz-checksum-sha256",
    "x-amz-expiration", "x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date",
    "x-amz-object-lock-legal-hold", "x-amz-replication-status",
)  # fmt: skip
"""Those that it is told to add (`add_header NAME $upstream_http_NAME`)."""

_OF_BYTES = frozenset({"content-length", "content-range"})
_OF_A_WHOLE = _OF_BYTES | {"accept-ranges"}
"""What it says of a file itself: the last one only where no range is asked for."""

_MOVED = {name.lower(): f"X-File-{name}" for name in MOVED}
_CARRIED = _OF_BYTES | _MOVED.keys() | {name.lower() for name in ADDED} | {"content-type"}
_SINGLE = re.compile("bytes=([0-9]+-[0-9]*|-[0-9]+)")


class Accel(NamedTuple):
    """For `folder`, the data folder."""

    folder: str

    def hand_over(self, environ: Mapping[str, Any], exchange: Exchange, body: object) -> int:
        """Of a trusted proxy's request: the bytes of the answer where nginx sends it. Its headers
        say so then, and of its body nothing is to be read. Else 0."""
        if environ.get(ABILITY) != REDIRECT or exchange.rate is not None:
            return 0
        size = _size(environ, exchange)
        path = whole_file(body) if size > WORTH_LENDING else ""
        if not path.startswith(self.folder + os.sep) or not _is_there(path, size):
            return 0
        within = path[len(self.folder) + 1 :].replace(os.sep, "/")
        length = announced(exchange.headers) or 0
        own = _OF_BYTES if "HTTP_RANGE" in environ else _OF_A_WHOLE
        kept = [one for one in exchange.headers if one[0].lower() not in own]
        exchange.headers = [
            *((_MOVED.get(name.lower(), name), text) for name, text in kept),
            (REDIRECT, LOCATION + quote(within)),
            ("content-length", "0"),
        ]
        return length


def without_orders(headers: Headers) -> Headers:
    """What a mode says; that nginx is to send a file is said here alone, whatever it passes on."""
    return [one for one in headers if not one[0].lower().startswith(ORDERS)]


def _size(environ: Mapping[str, Any], exchange: Exchange) -> int:
    """Of the object, where nginx would answer this request as we do; else 0."""
    headers = {name.lower(): text for name, text in exchange.headers}
    if len(headers) != len(exchange.headers) or not headers.keys() <= _CARRIED:
        return 0
    if not CONDITIONAL.isdisjoint(environ) or "HTTP_IF_RANGE" in environ:
        return 0
    wanted, status = environ.get("HTTP_RANGE"), exchange.line[:3]
    if wanted is None and status == "200":
        return int(headers.get("content-length") or 0)
    if status == "206" and _SINGLE.fullmatch(wanted or ""):
        size = headers.get("content-range", "").rpartition("/")[2]
        return int(size) if size.isdigit() else 0
    return 0


def _is_there(path: str, size: int) -> bool:
    try:
        return Path(path).stat().st_size == size
    except OSError:
        return False
