"""A gateway in memory whose Ozone mode trusts the names that it is told, asked in process as its
clients ask. `root` is its administrator; `bilbo` and the others are just names. At the host `BOUND`
all requests are the mode's, also those that do not say so."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Any
from urllib.parse import quote, urlencode

from gateway.config import Configuration, load
from gateway.plugins.finding import Plugins
from gateway.services.runtime import open_runtime
from tests.modes.public_gateway import OWNER, Answer, Site
from tests.modes.standard_gateway import Sample

DATE = "Mon, 26 Jun 2017 04:23:30 GMT"
ALWAYS = {"x-ozone-version": "v1", "date": DATE}
HOST = "ozone.example"
BOUND = "bound.example"
SIMPLE: Mapping[str, Any] = {"auth": "simple", "admins": ["root"]}
ROOT = ("root", "secret-of-root-key-000")
REQUEST_ID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
HTTP_DATE = r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT"
ERROR = ["httpCode", "shortMessage", "resource", "message", "requestID", "hostName"]


class Ozone:
    """`ask` asks as somebody; what is said always is there, unless `headers` say otherwise."""

    def __init__(self, site: Site) -> None:
        self.site, self.runtime = site, site.runtime
        self._numbers = count(1)

    def ask(
        self,
        method: str,
        path: str,
        as_: str | None = "root",
        *,
        owner: str = "",
        body: bytes | None = None,
        headers: Mapping[str, str | None] = {},
        query: Mapping[str, object] = {},
        **parameters: object,
    ) -> Answer:
        """`as_` is who is named in `Authorization`, `owner` in `x-ozone-user`; a header that is
        None is not sent. `parameters` are of the query too, and a `_` in their names is a `-`."""
        given = {name.replace("_", "-"): value for name, value in parameters.items()} | {**query}
        target = quote(path, safe="/%") + (f"?{urlencode(given)}" if given else "")
        sent: dict[str, str | None] = {**ALWAYS}
        if as_ is not None:
            sent["authorization"] = f"OZONE {as_}"
        if owner:
            sent["x-ozone-user"] = owner
        return self.raw(method, target, {**sent, **headers}, body)

    def raw(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str | None] = {},
        body: bytes | None = None,
        host: str = HOST,
    ) -> Answer:
        """As it is given. No client can cause an error of the server, but by asking for what a
        store cannot."""
        sent = {name: text for name, text in headers.items() if text is not None}
        answer = self.site.ask(target, method, sent, host=host, body=body)
        assert answer.status < 500 or answer.status == 501, (method, target, answer.body)
        assert re.fullmatch(REQUEST_ID, answer.headers["x-ozone-request-id"]), answer.lines
        assert answer.headers["x-ozone-server-name"], answer.lines
        return answer

    def volume(self, owner: str = "bilbo", quota: str = "", *, name: str = "") -> str:
        """A new one; its name."""
        name = name or f"volume-{next(self._numbers)}"
        query = {"quota": quota} if quota else {}
        done(self.ask("POST", f"/{name}", owner=owner, query=query), 201)
        return name

    def bucket(self, owner: str = "bilbo", quota: str = "", *, name: str = "bucket") -> str:
        """A new one in a volume of its own: the path of both."""
        path = f"/{self.volume(owner, quota)}/{name}"
        done(self.ask("POST", path, owner), 201)
        return path

    def put(self, bucket: str, key: str, data: bytes = b"data", as_: str = "bilbo") -> None:
        done(self.ask("PUT", f"{bucket}/{key}", as_, body=data), 201)

    def keys(self, bucket: str, as_: str = "bilbo") -> list[str]:
        return [one["keyName"] for one in said(self.ask("GET", bucket, as_))["keyList"]]

    def sid(self, path: str) -> str:
        """Of a bucket: what it is called elsewhere."""
        _, volume, bucket = path.split("/")
        return self.runtime.volumes.bucket(OWNER, volume, bucket).service.about.sid


def said(answer: Answer, status: int = 200) -> Any:
    """The document of an answer."""
    assert answer.status == status, (answer.status, answer.body)
    assert answer.headers["content-type"] == "application/json"
    return json.loads(answer.body)


def done(answer: Answer, status: int = 200) -> Answer:
    """It was done, and there is nothing to say."""
    assert (answer.status, answer.body) == (status, b"")
    assert answer.headers["content-length"] == "0"
    return answer


def refused(answer: Answer, status: int, code: str, *words: str) -> dict[str, Any]:
    """The document of an error, in whose message each of these words is."""
    error: dict[str, Any] = said(answer, status)
    assert list(error) == ERROR
    assert (error["httpCode"], error["shortMessage"]) == (status, code), error
    assert error["requestID"] == answer.headers["x-ozone-request-id"]
    assert error["hostName"] == answer.headers["x-ozone-server-name"]
    assert error["message"]
    for word in words:
        assert word in error["message"], error
    return error


def outcome(answer: Answer) -> str:
    """The status, and the short message of an error: what tables of tests compare."""
    if answer.status < 400:
        return str(answer.status)
    error = json.loads(answer.body)
    refused(answer, answer.status, error["shortMessage"])
    return f"{answer.status} {error['shortMessage']}"


def differing(rows: Iterable[tuple[Any, str, str]]) -> list[tuple[Any, str, str]]:
    """Of (row, found, wanted) those that differ: a table fails once, and names its rows."""
    return [row for row in rows if row[1] != row[2]]


def configured(ozone: Mapping[str, Any] | None = SIMPLE, **tables: Any) -> Configuration:
    """Of `ozone` no table is written where it is None."""
    plugins = Plugins.load()
    plugins.register(Sample(), "sample")
    given: dict[str, Any] = {"server": {"memory": True}, **tables}
    if ozone is not None:
        bound = {"mode": "ozone", "host": BOUND}
        given = {"ozone": dict(ozone), **given, "bindings": [bound, *tables.get("bindings", ())]}
    environ = dict(zip(("GATEWAY_ROOT_ACCESS_KEY", "GATEWAY_ROOT_SECRET_KEY"), ROOT, strict=True))
    return load(tables=given, environ=environ, plugins=plugins)


@contextmanager
def trusting(ozone: Mapping[str, Any] | None = SIMPLE, **tables: Any) -> Iterator[Ozone]:
    configuration = configured(ozone, **tables)
    runtime = open_runtime(configuration, server="waitress", environ={})
    try:
        yield Ozone(Site(runtime, configuration))
    finally:
        runtime.close()
