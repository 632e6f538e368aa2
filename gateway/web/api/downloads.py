"""The bytes of an object as an API gives them: what a request wants, and the answer, whole or in
part, to GET and HEAD. What an API says of an object besides, it adds itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gateway.common.moments import http_date
from gateway.storage import Busy, BytesBody, Get, ObjectInfo, Opened, Store, Varies, range_of
from gateway.web import http_ranges, request_head
from gateway.web.http_fields import (
    CONDITIONAL,
    Headers,
    byte_range,
    carried,
    of_validation,
    quoted,
    read_conditions,
    value,
)
from gateway.web.replies import Reply


def wanted(environ: Mapping[str, Any], store: Store) -> Get:
    """Range and conditions; and what the store reads in a query (an image's width), of which the
    rest is the API's, or nobody's."""
    span, varies = environ.get("HTTP_RANGE"), store.find(Varies)
    names = varies.parameters if varies is not None else None
    return Get(
        range=byte_range(span) if span else None,
        conditions=None if CONDITIONAL.isdisjoint(environ) else read_conditions(environ),
        query=request_head.only(environ["QUERY_STRING"], names) if names else "",
    )


def sent(
    environ: Mapping[str, Any],
    want: Get,
    get: Callable[[Get], Opened],
    described: Callable[[ObjectInfo], Headers],
) -> Reply:
    """A GET's. `described`: what is said of an object, but for its length and range."""
    if_range = environ.get("HTTP_IF_RANGE") if want.range is not None else None
    opened, want = http_ranges.read(get, want, if_range)
    if opened.trace:
        environ["gateway.record"].cache = ", ".join(opened.trace)
    headers, status = described(opened.info), opened.status
    if want.range is not None and status == 200 and opened.length:
        status = 206
        headers += http_ranges.extent(opened.info, opened.start, opened.length)
    body = opened.body
    if isinstance(body, BytesBody):
        return Reply(status, headers, body.data)
    try:  # a long answer takes a place here, where a refusal is still one of the API's
        environ["gateway.admission"](answer=True)
    except Busy:
        opened.close()
        raise
    return Reply(status, headers, body, opened.length)


def told(
    environ: Mapping[str, Any],
    want: Get,
    stat: Callable[[Get], ObjectInfo],
    described: Callable[[ObjectInfo], Headers],
) -> Reply:
    """A HEAD's."""
    if_range = environ.get("HTTP_IF_RANGE") if want.range is not None else None
    info, want = http_ranges.read(stat, want, if_range)
    if info.trace:
        environ["gateway.record"].cache = ", ".join(info.trace)
    headers = described(info)
    if want.range is None:
        return Reply(200, headers, length=info.size)
    start, length = range_of(info, want)
    headers += http_ranges.extent(info, start, length)
    return Reply(206 if length else 200, headers, length=length)


# what every API says of an object


def described(info: ObjectInfo, vary: str) -> Headers:
    """But for its length and range. `vary` names the headers that say who asks: a cache on the way
    must not give to others what one may read. An object's own `Vary` is joined with it."""
    return [
        ("content-type", value(info.content_type)),
        *_tag(info),
        ("last-modified", http_date(info.modified)),
        ("accept-ranges", "bytes"),
        *(carried((("vary", vary), *info.headers)) if info.headers else (("vary", vary),)),
    ]


def validators(info: ObjectInfo, vary: str) -> Headers:
    """Of those what a 304 says (RFC 9110 §15.4.5)."""
    own = carried((("vary", vary), *of_validation(info.headers)))
    return [*_tag(info), ("last-modified", http_date(info.modified)), *own]


def _tag(info: ObjectInfo) -> Headers:
    """None where an HTTP origin says none: two objects would have the same."""
    return [("etag", quoted(info.etag))] if info.etag else []
