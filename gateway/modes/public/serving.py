"""What a visitor gets who reads.

| asked for | answer |
|---|---|
| a key | its object |
| "" or what ends in `/` | the index document there |
| what is not there, where it is a folder with one | 301 to `…/` |
| the prefix of the binding without a slash | 301, likewise |

May surprise: a redirect is relative, and so it leads to nowhere but the same host, by whatever
name and prefix a proxy in front has for it.
"""

from __future__ import annotations

from urllib.parse import quote

from gateway.modes.public import replies
from gateway.modes.public.request import Asked
from gateway.storage import (
    BytesBody,
    Get,
    NotFound,
    NotModified,
    ObjectInfo,
    Opened,
    StorageError,
)
from gateway.web import http_ranges
from gateway.web.http_fields import Headers, value
from gateway.web.replies import Reply


def read(asked: Asked) -> Reply:
    """Of a GET or a HEAD. Raises what the store raises."""
    if asked.bare:
        return _to_folder(asked, asked.environ.get("SCRIPT_NAME", ""))
    index = asked.index if not asked.key or asked.key.endswith("/") else ""
    try:
        return _object(asked, asked.key + index)
    except NotFound:
        if not index and asked.key and _is_folder(asked):
            return _to_folder(asked, asked.key)
        raise


def _object(asked: Asked, key: str) -> Reply:
    try:
        return _stat(asked, key) if asked.method == "HEAD" else _get(asked, key)
    except NotModified as error:
        described = replies.described(error.info, asked.options)
        return Reply(304, [one for one in described if one[0] in replies.OF_VALIDATION])


def _get(asked: Asked, key: str) -> Reply:
    want = asked.want()
    if_range = asked.if_range if want.range is not None else None
    opened, want = http_ranges.read(lambda wish: asked.access.get(key, wish), want, if_range)
    asked.note(opened.trace)
    headers = replies.traced(replies.described(opened.info, asked.options), opened.trace)
    status = opened.status
    if want.range is not None and status == 200 and opened.length:
        status = 206
        headers += http_ranges.extent(opened.info, opened.start, opened.length)
    return sent(status, headers, opened)


def sent(status: int, headers: Headers, opened: Opened) -> Reply:
    body = opened.body
    if isinstance(body, BytesBody):
        return Reply(status, headers, body.data)
    return Reply(status, headers, body, opened.length)


def _stat(asked: Asked, key: str) -> Reply:
    info = asked.access.stat(key, asked.want())
    return Reply(_status(info), replies.described(info, asked.options), length=info.size)


def _status(info: ObjectInfo) -> int:
    """A success of another kind is an origin's."""
    found = 200 if info.origin is None else info.origin.status
    return found if 200 <= found < 300 and found not in (204, 206) else 200


# folders


def _is_folder(asked: Asked) -> bool:
    if asked.key.endswith("/") or asked.key.rpartition("/")[2] in (".", ".."):
        return False
    return bool(asked.index) and _is_there(asked, f"{asked.key}/{asked.index}")


def _is_there(asked: Asked, key: str) -> bool:
    try:
        asked.access.stat(key, Get())
    except StorageError:
        return False
    return True


def _to_folder(asked: Asked, path: str) -> Reply:
    """301 to the same path with a slash: relative to it, so that no part of it is ever taken for
    a host, and none of the request's is believed."""
    last = quote(path.rpartition("/")[2], safe="~")
    query = asked.environ.get("QUERY_STRING", "")
    return Reply(301, [("location", value(f"./{last}/{query and '?'}{query}"))])
