"""A gateway in memory whose console is looked at as by a browser without scripts, in process.

Services: `files` (no versions kept), `kept` (versions for ever), `other` (which only `root` may
read). Keys: `root`; `reader`, who may read `files`; `writer`, who may write `files` and `kept`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urldefrag, urlencode, urljoin, urlsplit

from gateway.config import load
from gateway.plugins.finding import Plugins
from gateway.services.runtime import open_runtime
from gateway.telemetry.report_file import ReportFile
from tests.modes.console.html import Element, parse
from tests.modes.public_gateway import Answer, Site

HOST = "gateway.example"
PLACE = "/-/console/"
SECRETS = {
    "root": "secret-of-root-key-000",
    "reader": "secret-of-the-reader-0",
    "writer": "secret-of-the-writer-0",
}
_KEYS = [
    {"id": "reader", "secret": SECRETS["reader"], "access": {"files": "read"}},
    {"id": "writer", "secret": SECRETS["writer"], "access": {"files": "write", "kept": "write"}},
]
_SERVICES = {
    "files": {"driver": "memory", "keep_versions": "off"},
    "kept": {"driver": "memory", "keep_versions": "forever"},
    "other": {"driver": "memory"},
}
FORM = "application/x-www-form-urlencoded"


@dataclass
class Seen:
    """An answer, and its page, where it is one. `address`: what it was asked by."""

    address: str
    answer: Answer
    _page: list[Element] = field(default_factory=list)

    @property
    def status(self) -> int:
        return self.answer.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self.answer.headers

    @property
    def text(self) -> str:
        return self.answer.body.decode()

    @property
    def page(self) -> Element:
        if not self._page:
            self._page.append(parse(self.text))
        return self._page[0]

    @property
    def h1(self) -> str:
        return self.page.one("h1").text

    @property
    def notices(self) -> list[str]:
        return [one.text for one in self.page.all("p", class_="notice")]


class Browser:
    """It has cookies, sends what forms have, and says what browsers say of where a request comes
    from. `at`: the console's place; `tls`: it comes by TLS."""

    def __init__(
        self,
        site: Site,
        *,
        at: str = PLACE,
        host: str = HOST,
        address: str = "192.0.2.1",
        tls: bool = False,
    ) -> None:
        self.site, self.at, self.host, self.address, self.tls = site, at, host, address, tls
        self.cookies: dict[str, str] = {}

    def ask(
        self,
        target: str,
        method: str = "GET",
        headers: Mapping[str, str] = {},
        body: bytes | None = None,
    ) -> Seen:
        """`target` below the console's place, or relative to it."""
        address = urldefrag(urljoin(self.at, target)).url
        sent = dict(headers)
        if self.cookies:
            pairs = (f"{name}={value}" for name, value in self.cookies.items())
            sent.setdefault("cookie", "; ".join(pairs))
        answer = self.site.ask(
            address,
            method,
            sent,
            host=self.host,
            body=body,
            address=self.address,
            tls=self.tls,
        )
        for line in answer.all("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
            if "Max-Age=0" in line:
                del self.cookies[name]
        return Seen(address, answer)

    def get(self, target: str = "", follow: bool = True, **headers: str) -> Seen:
        """`headers` with `_` for `-`."""
        said = {name.replace("_", "-"): text for name, text in headers.items()}
        return self._followed(self.ask(target, headers=said), follow)

    def post(
        self,
        target: str,
        fields: Mapping[str, str] | Sequence[tuple[str, str]],
        follow: bool = True,
        **headers: str,
    ) -> Seen:
        said = {"content-type": FORM, "origin": f"http{'s' * self.tls}://{self.host}"}
        said |= {name.replace("_", "-"): text for name, text in headers.items()}
        seen = self.ask(target, "POST", said, urlencode(fields).encode())
        return self._followed(seen, follow)

    def submit(self, seen: Seen, action: str, follow: bool = True, **values: str) -> Seen:
        """A form of a page, with these values instead of those that it has."""
        form = seen.page.form(action)
        fields = {**form.fields(), **values}
        target = urljoin(seen.address, form["action"])
        if form.get("method") != "post":
            return self.get(f"{target}?{urlencode(fields)}")
        return self.post(target, fields, follow)

    def follow(self, seen: Seen, link: str) -> Seen:
        """The link with that text."""
        found = {one["href"] for one in seen.page.all("a") if one.text == link}
        (address,) = found
        return self.get(urljoin(seen.address, address))

    def sign_in(self, key: str = "root") -> Browser:
        seen = self.submit(self.get("sign-in"), "sign-in", key=key, secret=SECRETS[key])
        assert seen.status == 200, seen.text
        return self

    @property
    def csrf(self) -> str:
        return self.get("sign-in").page.one("meta", name="csrf")["content"]

    def _followed(self, seen: Seen, follow: bool) -> Seen:
        for _ in range(5):
            if not follow or seen.status not in (301, 302, 303, 307, 308):
                return seen
            target = urljoin(seen.address, seen.headers["location"])
            assert not urlsplit(target).netloc, "redirects are relative"
            seen = self.ask(target)
        raise AssertionError(f"redirects without end: {seen.address}")


@contextmanager
def serving(
    plugins: Plugins | None = None,
    services: Mapping[str, Any] = {},
    only_bound: str = "",
    reports: ReportFile | None = None,
    **tables: Any,
) -> Iterator[Site]:
    """`services` besides; other tables as they are."""
    given = {
        "server": {"memory": True, **({"only_bound": only_bound} if only_bound else {})},
        "keys": _KEYS,
        **tables,
        "services": {**_SERVICES, **services},
    }
    root = {"GATEWAY_ROOT_ACCESS_KEY": "root", "GATEWAY_ROOT_SECRET_KEY": SECRETS["root"]}
    configuration = load(tables=given, environ=root, plugins=plugins)
    runtime = open_runtime(configuration, server="waitress", environ=root, reports=reports)
    try:
        yield Site(runtime, configuration)
    finally:
        runtime.close()
