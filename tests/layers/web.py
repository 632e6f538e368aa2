"""An HTTP origin as the contract has it, without a network: what it says is written down."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urljoin

from drivers.cache import Cache
from gateway.common.moments import http_date
from gateway.common.upstream.fields import etag_of, parse_date
from gateway.storage import (
    NOTHING,
    BytesBody,
    Context,
    Forward,
    Forwards,
    Get,
    NoSuchKey,
    NotModified,
    ObjectInfo,
    Opened,
    OriginAnswer,
    OriginFailed,
    Readable,
    Store,
    Varies,
    pieces,
    resolve_range,
)
from gateway.testing.faults import PATIENCE
from tests.layers.origin import Clock, until


class Still(Clock):
    """Time passes by hand only, so that ages are what they are."""

    def __call__(self) -> int:
        return 1_800_000_000_000 + self.ahead


class Said(NamedTuple):
    """`lines`, of which a "Date" is the origin's own to say."""

    lines: Mapping[str, str]
    body: bytes = b"data"
    status: int = 200


class Web(Store, Varies, Forwards):
    """`say` is what it answers, by the request. `gate`: it says nothing before that."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.asked: list[Get] = []
        self.heads, self.content_type = 0, "text/plain"
        self.say: Callable[[Get], Said] = lambda want: Said({})
        self.gate: threading.Event | None = None
        self.waiting = threading.Semaphore(0)

    @property
    def parameters(self) -> None:
        """All."""

    def normal(self, key: str, want: Get) -> Get:
        return replace(want, headers=NOTHING)

    def get(self, key: str, want: Get = Get()) -> Opened:
        self.asked.append(want)
        if self.gate is not None:
            self.waiting.release()
            assert self.gate.wait(PATIENCE)
        said = self.say(want)
        info = self._info(key, said)
        start, length = 0, info.size
        if want.range is not None:
            found = resolve_range(want.range, info.size)
            assert found is not None
            start, length = found
        body = BytesBody(said.body[start : start + length])
        return Opened(info=info, body=body, start=start, length=length, status=said.status)

    def stat(self, key: str, want: Get = Get()) -> ObjectInfo:
        self.heads += 1
        return self._info(key, self.say(want))

    def forward(self, key: str, body: Readable | None, request: Forward) -> Opened:
        said = self.say(Get(query=request.query, headers={"method": request.method}))
        info = self._made(key, said)
        return Opened(info=info, body=BytesBody(said.body), length=info.size, status=said.status)

    def refers_to(self, key: str, reference: str) -> str | None:
        return urljoin(key, reference)

    def _info(self, key: str, said: Said) -> ObjectInfo:
        """Raises what an answer means that is no object."""
        info = self._made(key, said)
        if said.status == 304:
            raise NotModified(info=info)
        if said.status >= 300:
            error = NoSuchKey(key=key) if said.status == 404 else OriginFailed(status=said.status)
            error.origin = info.origin
            raise error
        return info

    def _made(self, key: str, said: Said) -> ObjectInfo:
        now = self._clock()
        lines = {"Date": http_date(now), **said.lines}
        page = said.body if said.status >= 300 else None
        answer = OriginAnswer(
            status=said.status, headers=tuple(lines.items()), asked=now, answered=now, page=page
        )
        return ObjectInfo(
            key=key,
            size=-1 if said.status == 304 else len(said.body),
            etag=etag_of(lines.get("ETag", "")),
            modified=max(0, parse_date(lines.get("Last-Modified", ""))),
            headers=tuple(said.lines.items()),
            content_type=self.content_type,
            origin=answer,
        )


class Front:
    """A cache in front of it."""

    def __init__(self, folder: Path | None = None) -> None:
        self.clock = Still()
        self.web = Web(self.clock)
        self.folder = folder
        self._open: list[Cache] = []

    def cache(self, **options: Any) -> Cache:
        given = {"space": "memory" if self.folder is None else "disk", **options}
        cache = Cache(source=self.web, **given)
        cache.open(Context(sid="c", folder=self.folder, clock=self.clock))
        self._open.append(cache)
        return cache

    def close(self) -> None:
        for cache in self._open:
            cache.close()


class Got(NamedTuple):
    body: bytes
    lines: Mapping[str, str]
    trace: str
    status: int


def got(cache: Cache, key: str = "k", query: str = "", **headers: str) -> Got:
    """`headers` with _ for -."""
    asked = {name.replace("_", "-"): value for name, value in headers.items()}
    with cache.get(key, Get(query=query, headers=asked)) as opened:
        data = b"".join(pieces(opened.body))
    until(lambda: not len(cache._fills))  # the last block is sent before it is stored
    origin = opened.info.origin
    assert origin is not None
    return Got(data, dict(origin.headers), ", ".join(opened.trace), opened.status)


@contextmanager
def held(web: Web) -> Iterator[None]:
    """Inside, it answers nothing."""
    web.gate = threading.Event()
    try:
        yield
    finally:
        web.gate.set()
        web.gate = None
