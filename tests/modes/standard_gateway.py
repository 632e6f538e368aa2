"""A gateway in memory on a real socket, with every door open: what tests of the standard
mode use. Services: `files` (no versions kept), `kept` (versions for ever), `plain` (a
driver that can do the least, put and delete), `dull` (one that can only be read),
`cached` (one that can be flushed), `fronted` (`kept`, to be read)."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlencode

from gateway.config import Configuration, load
from gateway.hookspecs import hookimpl
from gateway.plugins.finding import Plugins
from gateway.servers import Endpoint, Plan
from gateway.servers.waitress import WaitressServer
from gateway.servers.worker import open_worker
from gateway.storage import (
    BytesBody,
    Delete,
    Deleted,
    Get,
    Intake,
    Layer,
    Mark,
    NoSuchKey,
    ObjectInfo,
    Opened,
    Purge,
    Purges,
    Put,
    Range,
    Readable,
    Store,
    Writable,
    resolve_range,
)
from gateway.storage.errors import InvalidRange

ROOT = "secret-of-root-key-000"
READER = "secret-of-the-reader-0"
WRITER = "secret-of-the-writer-0"
LIMITED = "secret-of-the-limited1"
OWNER = "secret-of-the-owner-00"
S3_KEY = ("root", ROOT)

CONFIG = f"""
[[keys]]
id = "reader"
secret = "{READER}"
access = "read-all"
[[keys]]
id = "writer"
secret = "{WRITER}"
access = {{ files = "write", kept = "write", plain = "write" }}
[[keys]]
id = "limited"
secret = "{LIMITED}"
access = {{ files = "read", fronted = "read" }}
[[accounts]]
id = "other"
[[keys]]
id = "owner"
secret = "{OWNER}"
account = "other"
access = "own"
[services.files]
name = "All files"
driver = "memory"
keep_versions = "off"
[services.kept]
driver = "memory"
keep_versions = "forever"
[services.plain]
driver = "plain"
[services.dull]
driver = "dull"
[services.fronted]
driver = "front"
source = "kept"
[services.cached]
driver = "forgetful"
"""


class Dull(Store):
    """One object, `k`, that can be read."""

    driver: ClassVar[str] = "dull"

    def objects(self) -> dict[str, bytes]:
        return {"k": b"dull"}

    def get(self, key: str, want: Get = Get()) -> Opened:
        data = self.objects().get(key)
        if data is None:
            raise NoSuchKey(key=key)
        info = ObjectInfo(key=key, size=len(data), etag=f"etag-of-{len(data)}", modified=1000)
        if want.conditions is not None:
            want.conditions.check_read(info)
        start, length = resolve_range(want.range or Range(0, None), len(data)) or (0, 0)
        if not length:
            raise InvalidRange(key=key, size=len(data))
        return Opened(
            info=info, body=BytesBody(data[start : start + length]), start=start, length=length
        )


@dataclass(eq=False)
class DullDriver(Dull):
    pass


@dataclass(eq=False)
class Plain(Dull, Writable):
    driver: ClassVar[str] = "plain"

    def open(self, context: Any) -> None:
        self.held: dict[str, bytes] = {}

    def objects(self) -> dict[str, bytes]:
        return self.held

    def put(self, key: str, source: Readable, options: Put = Put()) -> ObjectInfo:
        self.held[key] = b"".join(iter(Intake.of(source, options).read, b""))
        return self.stat(key)

    def delete(self, key: str, options: Delete = Delete()) -> Deleted:
        return Deleted(key, self.held.pop(key, None) is not None)


@dataclass(eq=False)
class Forgetful(Dull, Purges):
    """As a cache is asked: it keeps the purges, and says how many there were."""

    driver: ClassVar[str] = "forgetful"

    def open(self, context: Any) -> None:
        self.purges: list[Purge] = []

    def objects(self) -> dict[str, bytes]:
        told = [(one.kind, one.value, *(["soft"] * one.soft)) for one in self.purges]
        return {"purges": repr(told).encode()}

    def purge(self, purge: Purge = Purge()) -> Mark:
        self.purges.append(purge)
        return Mark(point=len(self.purges), time=0, entries=len(self.purges))


@dataclass(eq=False)
class Front(Layer):
    """Stands in front of another, and lets reads through."""

    driver: ClassVar[str] = "front"
    source: Store

    def get(self, key: str, want: Get = Get()) -> Opened:
        return self.source.get(key, want)


class Sample:
    @hookimpl
    def gateway_drivers(self) -> list[type[Store]]:
        return [DullDriver, Plain, Forgetful, Front]


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        assert self.headers["content-type"] == "application/json", self.body[:200]
        return json.loads(self.body)

    @property
    def error(self) -> str:
        found: str = self.json["error"]
        return found


@dataclass
class Served:
    port: int
    _s3: list[Any] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def call(
        self,
        function: str,
        *,
        method: str = "GET",
        body: bytes | None = None,
        key: str | None = ROOT,
        headers: dict[str, str] | None = None,
        **parameters: object,
    ) -> Answer:
        """One request as any client makes it; `None` parameters are left out."""
        given = {name: value for name, value in parameters.items() if value is not None}
        target = f"/{function}?{urlencode(given)}" if given else f"/{function}"
        return self.send(method, target, body, key=key, headers=headers)

    def send(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        *,
        key: str | None = ROOT,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            sent = {**({} if key is None else {"x-owncdn-key": key}), **(headers or {})}
            connection.request(method, target, body, sent)
            answer = connection.getresponse()
            said = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, said, answer.read())
        finally:
            connection.close()

    def put(self, sid: str, path: str, body: bytes = b"data", **more: Any) -> Answer:
        return self.call("uploadfile", method="PUT", body=body, sid=sid, path=path, **more)

    def s3(self) -> Any:
        """A boto3 client of the same gateway."""
        import boto3
        from botocore.config import Config

        if not self._s3:
            self._s3.append(
                boto3.client(
                    "s3",
                    endpoint_url=self.url,
                    region_name="us-east-1",
                    aws_access_key_id=S3_KEY[0],
                    aws_secret_access_key=S3_KEY[1],
                    config=Config(
                        retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}
                    ),
                )
            )
        return self._s3[0]


def configuration(folder: Path, more: str = "", *, options: str = "memory = true") -> Configuration:
    plugins = Plugins.load()
    plugins.register(Sample(), "sample")
    file = folder / "gateway.toml"
    file.write_text(f"[server]\n{options}\n{CONFIG}{more}", encoding="utf-8")
    environ = dict(zip(("GATEWAY_ROOT_ACCESS_KEY", "GATEWAY_ROOT_SECRET_KEY"), S3_KEY, strict=True))
    return load(file, environ=environ, plugins=plugins)


@contextmanager
def serving(
    folder: Path, *, threads: int = 8, more: str = "", options: str = "memory = true"
) -> Iterator[Served]:
    """`more`: services besides. `options`: those of [server]."""
    server, addresses = WaitressServer(), list[tuple[str, int]]()
    ready = threading.Event()

    def announce(found: tuple[tuple[str, int], ...]) -> None:
        addresses.extend(found)
        ready.set()

    plan = Plan(
        load=partial(
            open_worker, configuration(folder, more, options=options), "waitress", threads, None
        ),
        listen=(Endpoint("127.0.0.1", 0),),
        threads=threads,
    )
    thread = threading.Thread(target=server.run, args=(plan, announce), daemon=True)
    thread.start()
    assert ready.wait(30)
    try:
        yield Served(addresses[0][1])
    finally:
        server.stop()
        thread.join(10)
