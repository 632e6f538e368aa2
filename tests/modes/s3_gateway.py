"""A small gateway over the memory store, served on loopback: what tests of the S3 mode use."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from typing import Any, TypeVar, cast
from urllib.parse import quote

import waitress.server
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from waitress.channel import HTTPChannel

from drivers.memory.store import Memory
from gateway.access.access import Access
from gateway.access.grants import Grant
from gateway.access.identity import Account, Credential, Identity, KeyAccess, Keys
from gateway.access.rules import UNKNOWN, Facts
from gateway.access.settings import Setting, SettingKind
from gateway.modes import Settings, WSGIApp
from gateway.modes.s3 import S3Mode
from gateway.servers.waitress_channel import Parser
from gateway.services.service import Identification, Service
from gateway.storage import (
    AlreadyExists,
    Buckets,
    Changes,
    Conflict,
    Context,
    Followers,
    Forbidden,
    NoFollowers,
    NoSuchStore,
    Secret,
    Store,
)
from gateway.storage.store import now
from gateway.telemetry.record import Record
from gateway.telemetry.request_list import RequestList
from gateway.web import request_head

T = TypeVar("T")

ACCOUNTS = {
    one.id: one
    for one in (
        Account(id="main", name="Main account"),
        Account(id="other", name="Other account", email="other@example.com"),
    )
}


def _credential(key: str, account: str, access: KeyAccess) -> Credential:
    identity = Identity(key=key, account=account, access=access)
    return Credential(id=key, secret=Secret(f"secret of {key}"), identity=identity)


CREDENTIALS = {
    "main-key": _credential("main-key", "main", "own"),
    "other-key": _credential("other-key", "other", "own"),
    "reader-key": _credential("reader-key", "other", "read-all"),
}


class SmallKeys:
    def credential(self, key: str) -> Credential | None:
        return CREDENTIALS.get(key)

    def credential_by_secret(self, secret: str) -> Credential | None:
        raise AssertionError("S3 looks keys up by id")


class SmallGateway:
    """Buckets in memory. `declared` are service ids that cannot be changed."""

    def __init__(self, settings: Settings = Settings()) -> None:
        self.settings = settings
        self.keys: Keys = SmallKeys()
        self.requests = RequestList()
        self.stopping = threading.Event()
        self.followers: Followers = NoFollowers()
        self._store = Memory()
        self._store.open(Context(master_key=Secret(bytes(32))))
        self._about: dict[str, Identification] = {}
        self.records: list[Record] = []

    def close(self) -> None:
        self._store.close()
        self.requests.close()

    def clock(self) -> int:
        return now()

    def account(self, account: str) -> Account | None:
        return ACCOUNTS.get(account)

    def account_by_email(self, email: str) -> Account | None:
        return next((one for one in ACCOUNTS.values() if one.email == email), None)

    @property
    def buckets(self) -> Buckets:
        found = self._store.find(Buckets)
        assert found is not None
        return found

    def access(self, identity: Identity, sid: str, facts: Facts = UNKNOWN) -> Access:
        if sid not in self._about:
            raise NoSuchStore(name=sid)
        store = cast(Store, self.buckets.bucket(sid))
        return Access(Service(self._about[sid], store), identity, facts=facts)

    def feed(self, sid: str) -> Changes:
        return self.access(Identity(), sid).service.need(Changes)

    def services(self, identity: Identity, facts: Facts = UNKNOWN) -> Sequence[Access]:
        found = [self.access(identity, sid) for sid in sorted(self._about)]
        return [one for one in found if one.visible]

    def create(self, identity: Identity, sid: str, grants: Sequence[Grant] = ()) -> Access:
        if not identity.account or identity.access in ("read-all",):
            raise Forbidden
        if sid in self._about:
            raise AlreadyExists
        self.buckets.create(sid)
        self._about[sid] = Identification(
            sid=sid, driver="memory", owner=identity.account, created=now(), grants=tuple(grants)
        )
        return self.access(identity, sid)

    def drop(self, identity: Identity, sid: str, facts: Facts = UNKNOWN) -> None:
        self.access(identity, sid).require("drop")
        if self._about[sid].declared:
            raise Conflict("The service is declared in the configuration.")
        self.buckets.drop(sid)
        del self._about[sid]

    def set_grants(
        self, identity: Identity, sid: str, grants: Sequence[Grant], facts: Facts = UNKNOWN
    ) -> None:
        self.access(identity, sid).require("write-grants")
        self._about[sid] = replace(self._about[sid], grants=tuple(grants))

    def setting(self, access: Access, kind: SettingKind[T]) -> Setting[T] | None:
        raise AssertionError("S3 has no settings yet")

    def set_setting(self, access: Access, kind: SettingKind[T], document: str) -> Setting[T]:
        raise AssertionError("S3 has no settings yet")

    def remove_setting(self, access: Access, kind: SettingKind[Any]) -> bool:
        raise AssertionError("S3 has no settings yet")

    def declare(self, sid: str) -> None:
        """As if the configuration had declared it."""
        self._about[sid] = replace(self._about[sid], declared=f"services.{sid}")


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
    """A gateway on a socket, with real clients for it."""

    gateway: SmallGateway
    port: int
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
                region_name=self.gateway.settings.region,
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
        _Signer(key, self.gateway.settings.region, payload).add_auth(request)
        return {name: value for name, value in request.headers.items() if name != "Content-Length"}

    def presigned(
        self, method: str, target: str, *, headers: dict[str, str] | None = None
    ) -> tuple[str, dict[str, str]]:
        """(target, headers) of a request by a URL that is valid for a minute; the query that
        `target` has, and the headers, are signed."""
        host = f"127.0.0.1:{self.port}"
        given = {"Host": host, **(headers or {})}
        request = AWSRequest(method=method, url=f"http://{host}{target}", headers=given)
        payload = given.get("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
        _Presigner("main-key", self.gateway.settings.region, payload).add_auth(request)
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


def wrapped(app: WSGIApp, gateway: SmallGateway) -> WSGIApp:
    """What the gateway's own application does before a mode sees a request."""

    def call(environ: dict[str, Any], start_response: Any) -> Any:
        request_head.restore(environ)
        record = Record("0123456789ABCDEF", environ["REQUEST_METHOD"], environ["PATH_INFO"], "")
        environ["gateway.request_id"], environ["gateway.record"] = record.request_id, record
        gateway.records.append(record)
        return app(environ, start_response)

    return call


class _Parser(Parser):
    """waitress waits for ever for the body of a request that expects 100-continue and has
    none, as boto3 sends it: see its `HTTPChannel.send_continue`."""

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        if not self.chunked and not self.content_length:
            self.expect_continue = False


class _Channel(HTTPChannel):  # type: ignore[misc]  # waitress has no types
    parser_class = _Parser


@contextmanager
def serving(settings: Settings = Settings()) -> Iterator[Served]:
    gateway = SmallGateway(settings)
    app = wrapped(S3Mode().app(gateway), gateway)
    server = waitress.server.create_server(
        app, host="127.0.0.1", port=0, threads=4, max_request_body_size=1 << 30
    )
    server.channel_class = _Channel
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield Served(gateway, server.effective_port)
    finally:
        with suppress(OSError):  # the loop was awake, and has closed by now
            server.trigger.pull_trigger(server.close)
        thread.join(5)
        server.task_dispatcher.shutdown()
        gateway.close()


def encoded(key: str) -> str:
    """A key as SDKs write it in a path."""
    return quote(key, safe="/~")
