"""Whether an answer fits its question. What does not is the upstream's failure, never passed on:

    200             to all; 201 and 204 to all but what reads an object
    206             to a range or a part, with just that
    304             to a read with If-None-Match or If-Modified-Since
    412             to any condition
    416             to a range or a part
    other 2xx, 1xx  to nothing

Version and conditions are compared with what the answer says of them: who
ignores these sends other bytes than were asked for, and calls it a success.
"""

from __future__ import annotations

from dataclasses import replace

from drivers.s3.signing import UpstreamRequest
from gateway.common.upstream.answers import broken
from gateway.storage import NULL_VERSION, Get, ObjectInfo


def check_status(request: UpstreamRequest, status: int) -> None:
    """Raises `OriginFailed`."""
    if status == 200 or not _unasked(request, status):
        return
    raise broken(f"it answered {status} to a {request.method} that did not ask for that")


def _unasked(request: UpstreamRequest, status: int) -> bool:
    asked, reads = request.headers, not request.document and request.method in ("GET", "HEAD")
    if status in (206, 416):
        ranged = "range" in asked or "x-amz-copy-source-range" in asked
        return not ranged and not (reads and "partNumber=" in request.query)
    if status == 304:
        return not reads or not ("if-none-match" in asked or "if-modified-since" in asked)
    if status == 412:
        return not any(name.startswith("if-") or "-if-" in name for name in asked)
    return status < 300 and (reads or status not in (201, 204))


def check_object(want: Get, info: ObjectInfo) -> None:
    """Raises `OriginFailed` for another version, and what conditions raise that the upstream
    did not look at; it is believed where it tells no time."""
    if want.version not in (None, NULL_VERSION, info.version):
        raise broken("it is of another version than was asked for")
    conditions = want.conditions
    if conditions is not None and not info.modified:
        conditions = replace(conditions, modified_since=None, unmodified_since=None)
    if conditions is not None:
        conditions.check_read(info)
