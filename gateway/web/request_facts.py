"""What rules may ask of a request (`gateway.access.rules.Facts`), when they ask.

Address and scheme are those that `forwarded` settled. A mode adds what only it can read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.storage import NOTHING
from gateway.web.request_head import variable

_TAKEN = ("1.2", "1.3")
"""The versions that listeners take; granian does not tell which."""


_VERSIONS = {"HTTP/1.0": "1.0", "HTTP/1.1": "1.1", "HTTP/2": "2", "HTTP/2.0": "2"}
"""As servers say them, and as reports do."""


def by_tls(environ: Mapping[str, Any]) -> bool:
    """Whether the client asks by https."""
    return bool(environ["wsgi.url_scheme"] == "https")


def version_of(environ: Mapping[str, Any]) -> str:
    """Of HTTP, as in "1.1"; "" for one that is not known. Behind a proxy it is what that speaks."""
    return _VERSIONS.get(environ.get("SERVER_PROTOCOL", ""), "")


def _unknown(_: str) -> str | None:
    return None


@dataclass(slots=True, eq=False)
class RequestFacts:
    """`parameters` are the query's, each with its first value; `countries` knows of an address
    where it is."""

    environ: Mapping[str, Any]
    parameters: Mapping[str, str]
    clock: Callable[[], int]
    countries: Callable[[str], str | None] = _unknown

    @property
    def address(self) -> str:
        found: str = self.environ.get("gateway.client", "")
        return found

    @property
    def country(self) -> str | None:
        return self.countries(self.address)

    @property
    def tls(self) -> bool:
        return by_tls(self.environ)

    @property
    def tls_versions(self) -> Sequence[str]:
        said = self.environ.get("gateway.tls_version")
        if not self.tls or said == "":
            return ()
        return _TAKEN if said is None else (said,)

    @property
    def time(self) -> int:
        return self.clock()

    @property
    def tags(self) -> Mapping[str, str]:
        return NOTHING

    def header(self, name: str) -> str | None:
        """None for those that say something to S3 alone: elsewhere they have no effect, and so
        no rule is fulfilled by them."""
        if name.startswith("x-amz-") or name == "authorization":
            return None
        return self.environ.get(variable(name))

    def query(self, name: str) -> str | None:
        return self.parameters.get(name)
