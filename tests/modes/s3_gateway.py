"""The gateway in memory, with the S3 mode alone, on a socket: what tests of that mode use."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any, cast
from urllib.parse import quote

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from gateway.access.identity import Credential
from gateway.background.followers import Following, delay
from gateway.config import Configuration, load
from gateway.modes import Options, WSGIApp
from gateway.servers import Endpoint, Loaded, Plan
from gateway.servers.waitress import WaitressServer
from gateway.services.runtime import Runtime, open_runtime
from gateway.storage import NOTHING
from gateway.storage.objects import now
from gateway.telemetry.access_log import AccessLog
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.record import Record
from gateway.web import request_head
from gateway.web.admission import Admission
from gateway.web.app import create_app

_ACCOUNTS = (
    {"id": "main", "name": "Main account"},
    {"id": "other", "name": "Other account", "email": "other@example.com"},
)
_KEYS = (
    {"id": "main-key", "account": "main", "access": "own"},
    {"id": "other-key", "account": "other", "access": "own"},
    {"id": "reader-key", "account": "other", "access": "read-all"},
)


def configuration(
    options: Options,
    declared: Sequence[str] = (),
    webhooks: Mapping[str, Mapping[str, Any]] = NOTHING,
    bindings: Sequence[Mapping[str, object]] = (),
) -> Configuration:
    """`declared` are services of the account `main`; `webhooks` tables by name."""
    server = {
        "memory": True,
        "region": options.region,
        "domains": list(options.domains),
        "max_body": options.max_body,
        **({"external_url": options.external_url} if options.external_url else {}),
    }
    tables = {
        "server": server,
        "accounts": list(_ACCOUNTS),
        "keys": [{**key, "secret": f"secret of {key['id']}"} for key in _KEYS],
        "services": {sid: {"driver": "memory", "account": "main"} for sid in declared},
        "webhooks": webhooks,
        "bindings": list(bindings),
    }
    return load(tables=tables, environ={})


CREDENTIALS: dict[str, Credential] = {
    key.id: key.credential() for key in configuration(Options()).keys
}


def small_gateway(options: Options = Options()) -> Runtime:
    """What the mode gets, without anything in front of it."""
    return open_runtime(configuration(options), server="waitress", environ={})


class _Records(list[Record]):
    """In place of an access log."""

    shed = 0
    add = list.append


class _Signer(S3SigV4Auth):  # type: ignore[misc]  # botocore has no types
    """botocore's signer, with the payload's hash that the test says."""

    def __init__(self, key: str, region: str, payload: str) -> None:
        super().__init__(Credentials(key, f"secret of {key}"), "s3", region)
        self._payload = payload

    def payload(self, request: AWSRequest) -> str:
        return self._payload


class _Presigner(S3SigV4QueryAuth):  # type: ignore[misc]  # botocore has no types
    """The same for a URL."""

    def __init__(self, key: str, region: str, payload: str) -> None:
        super().__init__(Credentials(key, f"secret of {key}"), "s3", region, expires=60)
        self._payload = payload

    def payload(self, request: AWSRequest) -> str:
        return self._payload


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes = b""

    def code(self) -> str:
        """The error code in the document; "" when there is none."""
        return self.body.partition(b"<Code>")[2].partition(b"</Code>")[0].decode()


@dataclass
class Served:
    """A gateway on a socket, with real clients for it. `records`: of all requests, in the
    order in which they were over."""

    gateway: Runtime
    port: int
    records: list[Record]
    _clients: dict[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, key: str = "main-key") -> Any:
        """A boto3 client, which signs; without a key it does not."""
        import boto3
        from botocore import UNSIGNED
        from botocore.config import Config

        if key not in self._clients:
            common: dict[str, Any] = {
                "retries": {"total_max_attempts": 1},
                "s3": {"addressing_style": "path"},
            }
            common["signature_version"] = "s3v4" if key else UNSIGNED
            self._clients[key] = boto3.client(
                "s3",
                endpoint_url=self.url,
                region_name=self.gateway.options.region,
                aws_access_key_id=key or None,
                aws_secret_access_key=f"secret of {key}" if key else None,
                config=Config(**common),
            )
        return self._clients[key]

    def raw(
        self,
        method: str,
        target: str,
        *,
        body: bytes = b"",
        key: str = "main-key",
        headers: dict[str, str] | None = None,
        host: str = "",
    ) -> Answer:
        """A request as it is given, signed unless `key` is "". `target` is percent-encoded."""
        host = host or f"127.0.0.1:{self.port}"
        given = {"Host": host, **(headers or {})}
        if key:
            given = self.signed(method, target, host, body=body, key=key, headers=headers)
        return self.send(method, target, given, body)

    def signed(
        self,
        method: str,
        target: str,
        host: str,
        *,
        body: bytes = b"",
        key: str = "main-key",
        headers: dict[str, str] | None = None,
    ) -> dict[str, str]:
        """All headers of a request, with its signature."""
        given = {"Host": host, **(headers or {})}
        request = AWSRequest(method=method, url=f"http://{host}{target}", data=body)
        payload = given.pop("x-amz-content-sha256", hashlib.sha256(body).hexdigest())
        for name, value in given.items():
            request.headers[name] = value
        _Signer(key, self.gateway.options.region, payload).add_auth(request)
        return {name: value for name, value in request.headers.items() if name != "Content-Length"}

    def presigned(
        self, method: str, target: str, *, headers: dict[str, str] | None = None, host: str = ""
    ) -> tuple[str, dict[str, str]]:
        """(target, headers) of a request by a URL that is valid for a minute; the query that
        `target` has, and the headers, are signed."""
        host = host or f"127.0.0.1:{self.port}"
        given = {"Host": host, **(headers or {})}
        request = AWSRequest(method=method, url=f"http://{host}{target}", headers=given)
        payload = given.get("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
        _Presigner("main-key", self.gateway.options.region, payload).add_auth(request)
        return request.url.removeprefix(f"http://{host}"), given

    def send(self, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> Answer:
        connection = HTTPConnection("127.0.0.1", int(self.port), timeout=60)
        try:
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value.encode("utf-8"))
            if body or method in ("PUT", "POST"):
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body or None)
            answer = connection.getresponse()
            said = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, said, answer.read())
        finally:
            connection.close()


def wrapped(app: WSGIApp) -> WSGIApp:
    """The mode without the gateway's own application around it: who calls it says what
    stands in the environ, but for the record."""

    def call(environ: dict[str, Any], start_response: Any) -> Any:
        request_head.restore(environ)
        record = Record("0123456789ABCDEF", environ["REQUEST_METHOD"], environ["PATH_INFO"], "")
        environ["gateway.request_id"], environ["gateway.record"] = record.request_id, record
        return app(environ, start_response)

    return call


@contextmanager
def serving(
    options: Options = Options(),
    declared: Sequence[str] = (),
    webhooks: Mapping[str, Mapping[str, Any]] = NOTHING,
    delay: Callable[[int], float] = delay,
    bindings: Sequence[Mapping[str, object]] = (),
) -> Iterator[Served]:
    """`delay`: seconds until a follower's next try, after so many failures."""
    configured = configuration(options, declared, webhooks, bindings)
    followers = Following(None, now, delay=delay)
    gateway = open_runtime(configured, server="waitress", environ={}, followers=followers)
    followers.start()
    admission, records = Admission(100, spools=True), _Records()
    app = create_app(
        gateway,
        configured,
        admission=admission,
        metrics=Metrics(None),
        access_log=cast(AccessLog, records),
    )
    server, addresses, ready = WaitressServer(), list[tuple[str, int]](), threading.Event()

    def announce(found: tuple[tuple[str, int], ...]) -> None:
        addresses.extend(found)
        ready.set()

    plan = Plan(
        load=lambda: Loaded(app, gateway.close, admission, gateway.stopping.set),
        listen=(Endpoint("127.0.0.1", 0),),
        threads=4,
    )
    thread = threading.Thread(target=server.run, args=(plan, announce), daemon=True)
    thread.start()
    assert ready.wait(30)
    try:
        yield Served(gateway, addresses[0][1], records)
    finally:
        server.stop()
        followers.stop()
        thread.join(10)


def encoded(key: str) -> str:
    """A key as SDKs write it in a path."""
    return quote(key, safe="/~")
