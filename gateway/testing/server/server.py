"""`gateway.testing.Server`: the whole gateway in this process, in memory, on a real socket.

What answers is what `gateway serve --memory` runs: the same configuration,
catalog, modes and stores. Only the HTTP server is another (`loop`). Nothing
of it is kept, nothing listens beyond 127.0.0.1, and several may run at once.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from typing import Any

from gateway.access.access import Access
from gateway.access.identity import ROOT_ACCOUNT, Account, Identity, KeyAccess
from gateway.background.followers import Following
from gateway.config import Configuration, load
from gateway.config.load import ROOT_KEY, ROOT_SECRET
from gateway.plugins.finding import Plugins, preload
from gateway.services.runtime import Runtime, open_runtime
from gateway.storage import (
    AlreadyExists,
    Busy,
    BytesBody,
    ListQuery,
    Put,
    Secret,
    StorageError,
    pieces,
)
from gateway.storage.objects import now
from gateway.telemetry.metrics import Metrics
from gateway.testing.server.faults import Fault, Faults, check_operation
from gateway.testing.server.keys import Credentials, Reach
from gateway.testing.server.loop import Loop
from gateway.testing.server.recording import Recorded, Recorder
from gateway.testing.server.stage import Stage
from gateway.web.admission import Admission
from gateway.web.app import App, create_app
from gateway.web.health import create_pages

Content = bytes | str | tuple[bytes, Put]
Buckets = Mapping[str, Mapping[str, Content]]
"""Objects by bucket and key: bytes, text (stored as UTF-8), or bytes and what is said of them."""

_ADMIN = Identity(key="testing", account=ROOT_ACCOUNT, access="admin")
preload()  # so that a start is quick; what a mode imports when it is first used comes with it
importlib.import_module("gateway.modes.s3.application")

_THREADS = 1_000_000
"""For the admission of slow clients: here each of them gets a thread."""


class Server:
    """A context: it serves from `with` to its end. Or call `start` and `stop`.

        with Server(buckets={"photos": {"cat.jpg": b"…"}}) as server:
            s3 = server.client()
            assert s3.get_object(Bucket="photos", Key="cat.jpg")["Body"].read() == b"…"

    `access_key` and `secret_key` (made up when not given) are of the account
    `root`, and may do everything. `services` declares services: tables of options by
    id, as the configuration has them; `config` is a configuration file in its place.
    `plugins` are used in place of the installed ones.
    """

    def __init__(
        self,
        buckets: Buckets | None = None,
        *,
        access_key: str = "",
        secret_key: str = "",
        region: str = "us-east-1",
        services: Mapping[str, Mapping[str, Any]] | None = None,
        config: str | PathLike[str] | None = None,
        plugins: Plugins | None = None,
    ) -> None:
        made = Credentials.make(ROOT_ACCOUNT, "admin")
        self.access_key = access_key or made.access_key
        self.secret_key = secret_key or made.secret_key
        self.region = region
        root = replace(made, access_key=self.access_key, secret_key=self.secret_key)
        self._keys = {ROOT_ACCOUNT: root}
        self._clients: dict[tuple[str, str], Any] = {}
        self._buckets = buckets or {}
        self._configuration = load(
            config,
            overrides={"memory": True, "region": region},
            environ={ROOT_KEY: self.access_key, ROOT_SECRET: self.secret_key},
            plugins=plugins,
            tables={"services": services or {}} if config is None else None,
        )
        self._faults = Faults()
        self._loop: Loop | None = None

    # running

    def start(self) -> Server:
        """Listen, with the buckets that were given. Raises `RuntimeError` when it runs."""
        if self._loop is not None:
            raise RuntimeError("The server runs already.")
        self._followers = Following(None, now)
        self._followers.start()
        self._metrics = Metrics()
        self._stage = Stage(self._open(), self._faults, self._followers)
        application = _application(self._stage, self._configuration, self._metrics)
        self._recorder = Recorder(application, self._faults)
        self.seed(self._buckets)
        self._loop = Loop(self._recorder)
        self._loop.start()
        return self

    def stop(self) -> None:
        """May be called twice."""
        loop, self._loop = self._loop, None
        if loop is not None:
            self._faults.clear()
            self._stage.stopping.set()
            loop.stop()
            self._followers.stop()
            self._stage.close()
            self._clients.clear()

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _open(self) -> Runtime:
        """A runtime in memory that knows all keys made so far."""
        made = [key for key in self._keys.values() if key.account != ROOT_ACCOUNT]
        configuration = self._configuration
        accounts = [Account(id=key.account, name=key.account) for key in made]
        configuration = replace(
            configuration,
            accounts=(*configuration.accounts, *accounts),
            keys=(*configuration.keys, *(key.declared() for key in made)),
        )
        followers = Following(None, now)
        runtime = open_runtime(
            configuration, environ={}, followers=followers, numbers=self._metrics.numbers
        )
        runtime.before_close.append(followers.stop)
        followers.start()
        return runtime

    def reset(self) -> None:
        """As at the start: buckets, objects, grants, faults and recorded requests are gone, and
        the buckets that were given are there again. Keys and clients stay as they are."""
        self._faults.clear()
        self._stage.exchange(self._open())
        self._followers.look()
        self._recorder.requests.clear()
        self.seed(self._buckets)

    # what is in it

    def seed(self, buckets: Buckets) -> None:
        """Put objects, and make their buckets where they are not there."""
        for bucket, objects in buckets.items():
            access = self._bucket(bucket)
            for key, content in objects.items():
                data, options = content if isinstance(content, tuple) else (content, Put())
                body = data.encode() if isinstance(data, str) else data
                access.put(key, BytesBody(body), replace(options, size=len(body)))

    def _bucket(self, bucket: str) -> Access:
        stage = self._stage
        try:
            return stage.create(_ADMIN, bucket)
        except AlreadyExists:
            return stage.access(_ADMIN, bucket)

    def objects(self, bucket: str) -> dict[str, bytes]:
        """All that is in a bucket, by key. Raises `NoSuchStore`."""
        access, found = self._stage.access(_ADMIN, bucket), dict[str, bytes]()
        after: str | None = ""
        while after is not None:
            page = access.list(ListQuery(after=after))
            for entry in page.entries:
                with access.get(entry.key) as opened:
                    found[entry.key] = b"".join(pieces(opened.body))
            after = page.next
        return found

    # reaching it

    @property
    def port(self) -> int:
        if self._loop is None:
            raise RuntimeError("The server does not run: use it as a context, or call start().")
        return self._loop.port

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def account(self, name: str = ROOT_ACCOUNT, access: KeyAccess = "own") -> Credentials:
        """The key of an account. Both are made when they are not there; `access` is then what
        the key may do (see `gateway.access.identity.KeyAccess`)."""
        known = self._keys.get(name)
        if known is None:
            known = self._keys[name] = Credentials.make(name, access)
            self._stage.catalog.add_key(
                id=known.access_key,
                secret=Secret(known.secret_key),
                account=name,
                access=access,
            )
        return known

    def _reach(self, account: str) -> Reach:
        return Reach(self.endpoint_url, self.region, self.account(account))

    def env(self, account: str = ROOT_ACCOUNT) -> dict[str, str]:
        """Environment variables by which boto3, s3fs, the aws command and others find this
        server, and nothing of the machine's own configuration."""
        return self._reach(account).environment()

    def storage_options(self, account: str = ROOT_ACCOUNT) -> dict[str, Any]:
        """What s3fs takes, and pandas and others as `storage_options`."""
        return self._reach(account).storage_options()

    def client(self, service: str = "s3", account: str = ROOT_ACCOUNT, **options: Any) -> Any:
        """A boto3 client (boto3 must be installed) with path-style addresses; `options` are
        `boto3.client`'s. Without any it is the same one each time, for they are slow to make."""
        if options:
            return self._reach(account).client(service, options)
        known = self._clients.get((service, account))
        if known is None:
            known = self._clients[service, account] = self._reach(account).client(service, {})
        return known

    # what came, and what goes wrong

    def requests(self, operation: str = "*", bucket: str = "*", key: str = "*") -> list[Recorded]:
        """The requests that fit (with `*` and `?`), oldest first, since the start or reset.
        Raises `ValueError` when no operation can fit; "" is that of what was none."""
        if operation:
            self._check(operation)
        return [one for one in tuple(self._recorder.requests) if one.fits(operation, bucket, key)]

    def fail(self, error: StorageError | None = None, **which: Any) -> Fault:
        """Answer with `error` in place of doing it; without one with S3's 503 SlowDown. `which`
        for all four: `operation`, `bucket`, `key` (with `*` and `?`) and `times`. All four
        raise `ValueError` when no operation is called so."""
        return self._strike(Fault(kind="error", error=error or Busy(retry_after=0), **which))

    def slow(self, seconds: float, **which: Any) -> Fault:
        """Wait so long before doing it."""
        return self._strike(Fault(kind="slow", seconds=seconds, **which))

    def cut(self, after: int | None = None, **which: Any) -> Fault:
        """Do it, and break the connection after so many bytes of the answer's body; None:
        before any answer."""
        return self._strike(Fault(kind="cut", after=after, **which))

    def skew(self, seconds: float, **which: Any) -> Fault:
        """Judge signatures by a clock that is so many seconds ahead (or behind, below 0)."""
        return self._strike(Fault(kind="skew", seconds=seconds, **which))

    def _strike(self, fault: Fault) -> Fault:
        self._check(fault.operation)
        return self._faults.add(fault)

    def _check(self, operation: str) -> None:
        check_operation(operation, self._configuration.plugins.modes.values())


def _application(stage: Stage, configuration: Configuration, metrics: Metrics) -> App:
    """As each worker of `gateway serve` makes it, without a log on stderr."""
    return create_app(
        stage,
        configuration,
        admission=Admission(_THREADS),
        metrics=metrics,
        pages=create_pages(metrics, []),
    )
