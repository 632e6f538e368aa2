"""A gateway in memory whose CDN control mode is asked in process, as its clients ask.

Who asks, by name: `root`, who manages the gateway; `kusanagi`, whom the samples are about (her
password is `password`), and `batou`, each with an account of their own. `viewer` has a key of
kusanagi's account that may read one service alone, and `auditor` one that may read everything:
they cannot sign in.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from gateway.access.identity import Account, KeyAccess
from gateway.config import Configuration, load
from gateway.plugins.finding import Plugins
from gateway.services.runtime import open_runtime
from gateway.storage import Secret
from gateway.telemetry.report_file import ReportFile
from tests.modes.public_gateway import Answer, Site

HOST = "gateway.example"
SUFFIX = "so.clients.cdn13.com"
FTP = "europe.upload.cdn13.com"
ACCOUNTS = (
    Account(id="kusanagi", name="Motoko Kusanagi", email="major@section9.co.jp"),
    Account(id="batou", name="Batou"),
)
SECRETS = {
    "root": "secret-of-root-key-000",
    "kusanagi": "password",
    "batou": "secret-of-batou-00000",
    "viewer": "secret-of-the-viewer-0",
    "auditor": "secret-of-the-auditor0",
}
KEYS: Mapping[str, tuple[str, KeyAccess]] = {
    "kusanagi": ("kusanagi", "own"),
    "batou": ("batou", "own"),
    "viewer": ("kusanagi", {"files": "read"}),
    "auditor": ("kusanagi", "read-all"),
}


def configured(plugins: Plugins | None = None, **tables: Any) -> Configuration:
    given = {
        "server": {"memory": True},
        "cdn": {"suffix": SUFFIX, "ftp": FTP},
        "services": {"files": {"driver": "memory"}},
        **tables,
    }
    environ = {"GATEWAY_ROOT_ACCESS_KEY": "root", "GATEWAY_ROOT_SECRET_KEY": SECRETS["root"]}
    return load(tables=given, environ=environ, plugins=plugins)


class Cdn:
    """`ask` asks as somebody, by their token in the header; `by="query"` has it in the query.
    A body is sent as JSON, or `form=True`, as a form; bytes are sent as they are."""

    def __init__(self, site: Site) -> None:
        self.site, self.runtime = site, site.runtime
        self._tokens: dict[str, str] = {}

    def sign_in(self, who: str, secret: str | None = None, **more: Any) -> Answer:
        body = {"username": who, "password": SECRETS.get(who, "") if secret is None else secret}
        return self.ask("POST", "/check/login/", body, as_=None, **more)

    def token(self, who: str) -> str:
        found = self._tokens.get(who)
        if found is None:
            found = self._tokens[who] = said(self.sign_in(who))["token"]
        return found

    def raw(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] = {},
        body: bytes | None = None,
        **more: Any,
    ) -> Answer:
        return self.site.ask(target, method, headers, body=body, **{"host": HOST, **more})

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        as_: str | None = "kusanagi",
        by: str = "header",
        form: bool = False,
        at: str = "/v3",
        headers: Mapping[str, str] = {},
        query: Mapping[str, object] = {},
        **more: Any,
    ) -> Answer:
        sent, asked = dict[str, str](), dict(query)
        if as_ is not None and by == "header":
            sent["x-ucdn-token"] = self.token(as_)
        elif as_ is not None:
            asked["token"] = self.token(as_)
        data = body
        if body is not None and not isinstance(body, bytes):
            kind = "application/x-www-form-urlencoded" if form else "application/json"
            sent["content-type"] = kind
            data = (urlencode(body) if form else json.dumps(body)).encode()
        target = f"{at}{path}" + (f"?{urlencode(asked)}" if asked else "")
        return self.raw(method, target, {**sent, **headers}, data, **more)

    def get(self, path: str, **more: Any) -> Any:
        return said(self.ask("GET", path, **more))


def said(answer: Answer, status: int = 200) -> Any:
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    return json.loads(answer.body)


def refused(answer: Answer, status: int, *words: str) -> str:
    """The message, in which each of these words is. There is nothing else in the answer."""
    error = said(answer, status)
    assert list(error) == ["message"], error
    for word in words:
        assert word in error["message"], error
    return str(error["message"])


@contextmanager
def controlling(
    plugins: Plugins | None = None, *, reports: ReportFile | None = None, **tables: Any
) -> Iterator[Cdn]:
    """`reports`: what there is of them."""
    configuration = configured(plugins, **tables)
    runtime = open_runtime(configuration, server="waitress", environ={}, reports=reports)
    try:
        for account in ACCOUNTS:
            runtime.catalog.add_account(account)
        for id, (owner, access) in KEYS.items():
            secret = Secret(SECRETS[id])
            runtime.catalog.add_key(account=owner, id=id, secret=secret, access=access)
        site = Site(runtime, configuration)
        runtime.keep_up(site.app._routes.doors.bind)  # as a worker does
        yield Cdn(site)
    finally:
        runtime.close()
