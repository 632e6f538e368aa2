"""A driver, a layer and a mode of somebody else: it imports the contract and the hooks only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from gateway.hookspecs import hookimpl
from gateway.modes import Gateway, Mode, WSGIApp
from gateway.storage import (
    BytesBody,
    Context,
    Get,
    Layer,
    Listable,
    ListPage,
    ListQuery,
    NoSuchKey,
    ObjectInfo,
    Opened,
    Store,
    page_of,
    wanted,
)


@dataclass
class Written(Store, Listable):
    """Objects that are written in the configuration."""

    driver: ClassVar[str] = "written"
    contract: ClassVar[tuple[int, int]] = (1, 0)
    texts: Mapping[str, str] = field(default_factory=dict)

    def open(self, context: Context) -> None:
        self._since = context.clock()

    def get(self, key: str, want: Get = Get()) -> Opened:
        info = self._about(key)
        start, length = wanted(info, want)
        data = self.texts[key].encode()[start : start + length]
        return Opened(info=info, body=BytesBody(data), start=start, length=length)

    def list(self, query: ListQuery = ListQuery()) -> ListPage:
        return page_of(sorted(self.texts), self._about, query)

    def _about(self, key: str) -> ObjectInfo:
        text = self.texts.get(key)
        if text is None:
            raise NoSuchKey(key=key)
        size = len(text.encode())
        return ObjectInfo(key=key, size=size, etag=f"{size}-written", modified=self._since)


@dataclass
class Stamped(Layer):
    """What is behind it, with a word in each object's metadata."""

    driver: ClassVar[str] = "stamped"
    passes: ClassVar[frozenset[type]] = frozenset({Listable})
    source: Store
    word: str = "seen"

    def get(self, key: str, want: Get = Get()) -> Opened:
        opened = self.source.get(key, want)
        metadata = {**opened.info.metadata, "stamp": self.word}
        return replace(opened, info=replace(opened.info, metadata=metadata))


class Hello:
    """An API of one answer."""

    name = "hello"

    def claims(self, environ: dict[str, Any]) -> bool:
        return "HTTP_X_HELLO" in environ

    def app(self, gateway: Gateway) -> WSGIApp:
        def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
            start("200 OK", [("Content-Length", "5")])
            return [b"hello"]

        return answer


@hookimpl
def gateway_drivers() -> list[type[Store]]:
    return [Written, Stamped]


@hookimpl
def gateway_modes() -> list[Mode]:
    return [Hello()]
