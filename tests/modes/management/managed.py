"""A gateway in memory that is managed in process. Keys: `root`; `manager`, who manages the
account `team`; `viewer`, who does, too, and may read `shared` alone; `auditor`, who does, too,
and may read everything; `reader`, who manages nothing. Services: `files` of root and `shared` of
`team`; `dull` cannot be listed, written or counted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from gateway.access.identity import Identity, KeyAccess
from gateway.config import Configuration, load
from gateway.plugins.finding import Plugins
from gateway.services.runtime import open_runtime
from gateway.storage import Secret
from tests.modes.public_gateway import Answer, Site
from tests.modes.standard_gateway import Sample

SECRETS = {
    "root": "secret-of-root-key-000",
    "manager": "secret-of-the-manager1",
    "viewer": "secret-of-the-viewer-0",
    "auditor": "secret-of-the-auditor0",
    "reader": "secret-of-the-reader-0",
}
MANAGERS: dict[str, KeyAccess] = {
    "manager": "own",
    "viewer": {"shared": "read"},
    "auditor": "read-all",
}
OPERATOR = Identity(key="root", account="root", access="admin")
HOST = "gateway.example"


def configured(**tables: Any) -> Configuration:
    plugins = Plugins.load()
    plugins.register(Sample(), "sample")
    given = {
        "server": {"memory": True},
        "accounts": [{"id": "team", "name": "The team"}],
        "keys": [{"id": "reader", "secret": SECRETS["reader"], "access": "write-all"}],
        "services": {
            "files": {"driver": "memory"},
            "shared": {"driver": "memory", "account": "team"},
            "dull": {"driver": "dull"},
        },
        **tables,
    }
    environ = {"GATEWAY_ROOT_ACCESS_KEY": "root", "GATEWAY_ROOT_SECRET_KEY": SECRETS["root"]}
    return load(tables=given, environ=environ, plugins=plugins)


class Managed:
    """`ask` asks as a client of the API does: what is sent and answered is JSON."""

    def __init__(self, site: Site) -> None:
        self.site, self.runtime = site, site.runtime

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = "root",
        at: str = "/api/v1",
        host: str = HOST,
        headers: Mapping[str, str] = {},
        **query: object,
    ) -> Answer:
        """`body`: bytes are sent as they are."""
        sent = {} if key is None else {"x-api-key": SECRETS.get(key, key)}
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        target = f"{at}{path}" + (f"?{urlencode(query)}" if query else "")
        return self.site.ask(target, method, {**sent, **headers}, host=host, body=data)

    def get(self, path: str, **more: Any) -> Any:
        return said(self.ask("GET", path, **more))

    def put(self, sid: str, key: str, data: bytes = b"", **options: Any) -> None:
        self.site.put(sid, key, data, **options)

    def credential(self, access_key: str = "root") -> int:
        """Its number."""
        found = self.get("/credentials")["credentials"]
        return int(next(one["id"] for one in found if one["access_key"] == access_key))

    def bucket(self, name: str, owner: str = "root") -> None:
        body = {"name": name, "owner_id": self.credential(owner)}
        said(self.ask("POST", "/buckets", body), 201)


def said(answer: Answer, status: int = 200) -> Any:
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    return json.loads(answer.body)


def refused(answer: Answer, status: int, code: str, *words: str) -> str:
    """The message, in which each of these words is."""
    error = said(answer, status)
    assert set(error) == {"code", "message", "requestId"}
    assert error["code"] == code, error
    assert error["requestId"] == answer.headers["x-request-id"]
    for word in words:
        assert word in error["message"], error
    return str(error["message"])


@contextmanager
def managing(bindings: Sequence[Mapping[str, Any]] = (), **tables: Any) -> Iterator[Managed]:
    configuration = configured(bindings=list(bindings), **tables)
    runtime = open_runtime(configuration, server="waitress", environ={})
    try:
        for id, access in MANAGERS.items():
            secret = Secret(SECRETS[id])
            runtime.catalog.add_key(
                account="team", id=id, secret=secret, manages=True, access=access
            )
        yield Managed(Site(runtime, configuration))
    finally:
        runtime.close()
