"""A gateway in memory whose bindings are asked as browsers ask, in process: configuration, doors
and mode are real; only the server is not there."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes

from gateway.access.identity import Identity
from gateway.config import Configuration, load
from gateway.plugins.finding import Plugins
from gateway.services.runtime import Runtime, open_runtime
from gateway.storage import BytesBody, Put
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.record import Record
from gateway.web import request_head
from gateway.web.admission import Admission
from gateway.web.app import create_app

HOST = "www.example"
OWNER = Identity(key="owner", account="root", access="admin")


_ONCE = (
    "content-type",
    "content-length",
    "content-range",
    "etag",
    "vary",
    "cache-control",
    "cache-status",
    "location",
    "x-content-type-options",
    "x-request-id",
)


@dataclass
class Answer:
    """`lines`: its headers as they were sent; `headers`: the last of each name."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    lines: list[tuple[str, str]] = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        return [text for one, text in self.lines if one == name]


class _Records(list[Record]):
    """In place of an access log."""

    shed = 0
    add = list.append


class Site:
    """`records`: of all requests, in their order."""

    def __init__(self, runtime: Runtime, configuration: Configuration) -> None:
        self.runtime, self.records = runtime, _Records()
        self.plugins, self.admission = configuration.plugins, Admission(8)
        self.app = create_app(
            runtime,
            configuration,
            admission=self.admission,
            metrics=Metrics(),
            access_log=self.records,  # type: ignore[arg-type]  # what is asked of one
        )

    def put(self, sid: str, key: str, data: bytes = b"", **options: Any) -> None:
        given = Put(size=len(data), **options)
        self.runtime.access(OWNER, sid).put(key, BytesBody(data), given)

    def ask(
        self,
        target: str,
        method: str = "GET",
        headers: Mapping[str, str] = {},
        *,
        host: str = HOST,
        body: bytes | None = None,
        address: str = "192.0.2.1",
        tls: bool = False,
    ) -> Answer:
        """`target` as it is in the request's line."""
        path, _, query = target.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "SCRIPT_NAME": "",
            "QUERY_STRING": query,
            "HTTP_HOST": host,
            "SERVER_PORT": "80",
            "REMOTE_ADDR": address,
            "wsgi.url_scheme": "https" if tls else "http",
            "wsgi.input": io.BytesIO(body or b""),
            "wsgi.errors": sys.stderr,
            **{request_head.variable(name): text for name, text in headers.items()},
        }
        if body is not None:
            environ.setdefault("CONTENT_LENGTH", str(len(body)))
        answer = Answer()

        def start(line: str, said: list[tuple[str, str]]) -> None:
            names = [name for name, _ in said]
            assert all(name == name.lower() for name in names)
            assert all(names.count(name) < 2 for name in _ONCE), names
            answer.status, answer.headers, answer.lines = int(line[:3]), dict(said), said

        pieces = self.app(environ, start)
        answer.body = b"".join(pieces)
        if hasattr(pieces, "close"):
            pieces.close()
        if method != "HEAD" and "content-length" in answer.headers:
            assert int(answer.headers["content-length"]) == len(answer.body)
        return answer


@contextmanager
def serving(
    services: Mapping[str, Mapping[str, Any]],
    bindings: Sequence[Mapping[str, Any]],
    plugins: Plugins | None = None,
    server: Mapping[str, Any] = {},
) -> Iterator[Site]:
    """Each of `bindings` is public, and at `HOST` unless it says where it is."""
    tables = {
        "server": {"memory": True, **server},
        "services": services,
        "bindings": [
            {"mode": "public", **({} if "host" in one else {"host": HOST}), **one}
            for one in bindings
        ],
    }
    configuration = load(tables=tables, environ={}, plugins=plugins)
    runtime = open_runtime(configuration, server="waitress", environ={})
    try:
        yield Site(runtime, configuration)
    finally:
        runtime.close()
