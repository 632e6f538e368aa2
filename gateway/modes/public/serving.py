"""What a visitor gets who reads.

| asked for | answer |
|---|---|
| a key | its object; or beside it what is that, compressed |
| "" or what ends in `/` | the index document there, else a list of what there is |
| what is not there, where it is a folder with one of these | 301 to `…/` |
| the prefix of the binding without a slash | 301, likewise |

May surprise: a redirect is relative, and so it leads to nowhere but the same host, by whatever
name and prefix a proxy in front has for it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from urllib.parse import quote

from gateway.modes.public import compressed, listing, replies
from gateway.modes.public.request import Asked
from gateway.storage import (
    BytesBody,
    Forbidden,
    Get,
    NotFound,
    NotModified,
    ObjectInfo,
)
from gateway.web import http_ranges
from gateway.web.http_fields import instead, value
from gateway.web.replies import Reply


def read(asked: Asked) -> Reply:
    """Of a GET or a HEAD. Raises what the store raises."""
    key = asked.key
    if asked.bare:
        return _to_folder(asked, asked.environ.get("SCRIPT_NAME", ""))
    folder = not key or key.endswith("/")
    try:
        return _object(asked, key + asked.index if folder else key)
    except NotFound:
        if folder and listing.lists(asked):
            return listing.page(asked)
        if not folder and _is_folder(asked, f"{key}/"):
            return _to_folder(asked, key)
        raise


def _object(asked: Asked, key: str) -> Reply:
    if asked.options.precompressed:
        return _smaller(asked, key) or _sent(asked, key)
    return _sent(asked, key)


def _smaller(asked: Asked, key: str) -> Reply | None:
    """What is beside it, compressed in a way that the client takes. Raises `NotFound` where there
    is nothing that it could be beside of."""
    plain = asked.access.stat(key, Get(query=asked.query, headers=asked.headers))
    if compressed.is_coded(plain):
        return None
    for coding, suffix in compressed.acceptable(asked.environ.get("HTTP_ACCEPT_ENCODING", "")):
        with suppress(NotFound, Forbidden):
            return _sent(asked, key + suffix, partial(compressed.described, plain, coding))
    return None


def _sent(
    asked: Asked, key: str, seen_as: Callable[[ObjectInfo], ObjectInfo] = lambda info: info
) -> Reply:
    """The object of that key, which is to say of itself what `seen_as` makes of it."""
    try:
        return _stat(asked, key, seen_as) if asked.method == "HEAD" else _get(asked, key, seen_as)
    except NotModified as error:
        asked.note(error.trace)
        described = replies.described(seen_as(error.info), asked.options)
        described = replies.traced(described, error.trace)
        return Reply(304, [one for one in described if one[0] in replies.OF_VALIDATION])


def _get(asked: Asked, key: str, seen_as: Callable[[ObjectInfo], ObjectInfo]) -> Reply:
    want = asked.want()
    if_range = asked.if_range if want.range is not None else None
    opened, want = http_ranges.read(lambda wish: asked.access.get(key, wish), want, if_range)
    asked.note(opened.trace)
    described = replies.described(seen_as(opened.info), asked.options)
    headers = replies.traced(described, opened.trace)
    status = opened.status
    if want.range is not None and status == 200 and opened.length:
        status = 206
        headers = instead(headers, *http_ranges.extent(opened.info, opened.start, opened.length))
    body = opened.body
    if isinstance(body, BytesBody):
        return Reply(status, headers, body.data)
    return Reply(status, headers, body, opened.length)


def _stat(asked: Asked, key: str, seen_as: Callable[[ObjectInfo], ObjectInfo]) -> Reply:
    info = asked.access.stat(key, asked.want())
    asked.note(info.trace)
    headers = replies.traced(replies.described(seen_as(info), asked.options), info.trace)
    return Reply(_status(info), headers, length=info.size)


def _status(info: ObjectInfo) -> int:
    """A success of another kind is an origin's."""
    found = 200 if info.origin is None else info.origin.status
    return found if 200 <= found < 300 and found not in (204, 206) else 200


# folders


def _is_folder(asked: Asked, folder: str) -> bool:
    """Whether there is something to be seen of it."""
    if asked.key.rpartition("/")[2] in (".", ".."):  # a redirect there would lead elsewhere
        return False
    index = asked.index
    try:
        if index:
            asked.access.stat(folder + index)
            return True
    except NotFound:
        pass
    return listing.lists(asked) and listing.is_there(asked, folder)


def _to_folder(asked: Asked, path: str) -> Reply:
    """301 to the same path with a slash: relative to it, so that no part of it is ever taken for
    a host, and none of the request's is believed."""
    last = quote(path.rpartition("/")[2], safe="~")
    query = asked.environ.get("QUERY_STRING", "")
    return Reply(301, [("location", value(f"./{last}/{query and '?'}{query}"))])
