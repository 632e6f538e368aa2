"""An HTTP origin on loopback that keeps objects and knows what HTTP asks of it; and stores in
front of it. For what it must not do see `gateway.testing.upstreams`."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any
from urllib.parse import quote

from drivers.http import Http
from gateway.storage import (
    Conditions,
    Context,
    Get,
    NotModified,
    ObjectInfo,
    PreconditionFailed,
    Range,
    Store,
    pieces,
    resolve_range,
)
from gateway.testing.upstreams import Exchange, Upstream, answer, md5
from gateway.web.http_fields import byte_range, etags, parse_date

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
MODIFIED = "Wed, 21 Oct 2015 07:28:00 GMT"


def keep(exchange: Exchange) -> None:
    """What an origin does that knows ranges and conditions (RFC 9110 §13, §14)."""
    seen = exchange.seen
    data = exchange.upstream.objects.get(seen.target)
    if data is None:
        answer(404, b"nothing here", {"Cache-Control": "max-age=7"})(exchange)
        return
    said: dict[str, str | int] = {"ETag": f'"{md5(data)}-x"', "Last-Modified": MODIFIED}
    said["Accept-Ranges"] = "bytes"
    info = ObjectInfo(
        key="", size=len(data), etag=f"{md5(data)}-x", modified=parse_date(MODIFIED) or 0
    )
    try:
        _conditions(seen.headers).check_read(info)
    except NotModified:
        answer(304, b"", said)(exchange)
        return
    except PreconditionFailed:
        answer(412, b"no")(exchange)
        return
    asked = byte_range(seen.headers.get("range", "")) if seen.method == "GET" else None
    if asked is None:
        answer(200, data, said)(exchange)
    else:
        _ranged(exchange, asked, data, said)


def _ranged(exchange: Exchange, asked: Range, data: bytes, said: dict[str, str | int]) -> None:
    found = resolve_range(asked, len(data))
    if found is None or not found[1]:
        answer(416, b"", {"Content-Range": f"bytes */{len(data)}"})(exchange)
        return
    start, length = found
    said["Content-Range"] = f"bytes {start}-{start + length - 1}/{len(data)}"
    answer(206, data[start : start + length], said)(exchange)


def _conditions(headers: Mapping[str, str]) -> Conditions:
    return Conditions(
        if_match=etags(headers.get("if-match", "")),
        if_none_match=etags(headers.get("if-none-match", "")),
        modified_since=parse_date(headers.get("if-modified-since", "")),
        unmodified_since=parse_date(headers.get("if-unmodified-since", "")),
    )


def path_of(key: str, below: str = "") -> str:
    return f"{below}/" + quote(key, safe="/~:@!$&'()*+,;=-._")


class Fetching:
    """Stores that are closed with it; `http` may connect to loopback."""

    def __init__(self) -> None:
        self._open: list[Store] = []

    def http(self, *urls: str, **options: Any) -> Http:
        context = options.pop("context", Context())
        given = {"allow": LOOPBACK, "read_timeout": 10.0, **options}
        store = Http(url=urls, **given)
        store.open(context)
        self._open.append(store)
        return store

    def close(self) -> None:
        for store in self._open:
            store.close()


def read(store: Store, key: str = "k", want: Get = Get()) -> bytes:
    with store.get(key, want) as opened:
        data = b"".join(pieces(opened.body))
        assert len(data) == opened.length
        return data


def kept(upstream: Upstream, **objects: bytes) -> None:
    """Have it keep these, and do what origins do."""
    upstream.always(keep)
    upstream.objects.update({path_of(key): data for key, data in objects.items()})
