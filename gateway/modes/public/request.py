"""A request, parsed: which key of which service, and what may change its answer.

The path is decoded once, by `gateway.web.request_head`, and what comes out is the key, as it is:
`..` and `//` are parts of keys like any others, and name nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.access.access import Access
from gateway.access.identity import visitor
from gateway.common.end_to_end import OF_CONNECTION, named
from gateway.common.remembering import remembered
from gateway.modes import KEY_LIMIT, Gateway
from gateway.modes.public.options import PublicOptions
from gateway.modes.public.preferences import weights
from gateway.modes.public.problems import PublicProblem
from gateway.storage import NOTHING, Conditions, Forwards, Get
from gateway.web import request_head
from gateway.web.http_fields import CONDITIONAL, byte_range, read_conditions, utf8
from gateway.web.request_facts import RequestFacts

_NOT_PASSED_ON = frozenset(
    {"HTTP_HOST", "HTTP_FORWARDED", "HTTP_X_FORWARDED", "HTTP_X_HOST", "HTTP_X_ORIGINAL_HOST"}
    | {"HTTP_X_ORIGINAL_URL", "HTTP_X_REWRITE_URL", "HTTP_X_OVERRIDE_URL"}
    | {"HTTP_FRONT_END_HTTPS", "HTTP_X_SCHEME", "HTTP_X_URL_SCHEME"}
    | {"HTTP_X_REAL_IP", "HTTP_TRUE_CLIENT_IP", "HTTP_CLIENT_IP", "HTTP_X_CLIENT_IP"}
    | {"HTTP_X_CLUSTER_CLIENT_IP", "HTTP_CF_CONNECTING_IP", "HTTP_FASTLY_CLIENT_IP"}
    | {"HTTP_X_HTTP_METHOD", "HTTP_X_HTTP_METHOD_OVERRIDE", "HTTP_X_METHOD_OVERRIDE"}
    | {"HTTP_PROXY"}
)
"""Headers by which visitors could say what only a proxy may, or ask for something else than the
request's line does: no cache takes them for a part of the question. `Proxy` is none: programs
that get headers as variables of their environment take it for their proxy's address (httpoxy)."""

_DEFAULTS = PublicOptions()


@remembered(texts=512, longest=64)
def _passed_on(variable: str) -> str:
    """The name of a header, by its variable in the environ; "" for what is none, or is not passed
    on. Each request has a few dozen variables, and mostly the same."""
    if not variable.startswith("HTTP_") or variable.startswith("HTTP_X_FORWARDED_"):
        return ""
    # a `_` is a `-` to many who get it, and something else to a cache
    if variable in _NOT_PASSED_ON or request_head.UNDERSCORE in variable:
        return ""
    name = request_head.header_name(variable)
    return "" if name in OF_CONNECTION else name


class _Headers(Mapping[str, str]):
    """Those of a request that are passed on, read when somebody looks: for most of what a cache
    has nobody does, and there are dozens of variables. Each request has some."""

    __slots__ = ("_environ", "_found")

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self._environ = environ
        self._found: Mapping[str, str] | None = None

    def _read(self) -> Mapping[str, str]:
        if self._found is None:
            environ = self._environ
            found = {name: utf8(text) for key, text in environ.items() if (name := _passed_on(key))}
            for name in named(environ.get("HTTP_CONNECTION", "")):
                found.pop(name, None)
            self._found = found
        return self._found

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, name: str) -> str:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())


class Asked:
    """`key` is the path without the slash at its beginning; `bare`: there was none, so that the
    prefix of the binding itself was asked for. `rate`: how fast the answer may be; None: as its
    client takes it."""

    __slots__ = (
        "_access",
        "bare",
        "environ",
        "gateway",
        "key",
        "method",
        "options",
        "rate",
        "service",
    )

    def __init__(self, environ: dict[str, Any], gateway: Gateway) -> None:
        """Raises `PublicProblem`."""
        self.environ, self.gateway = environ, gateway
        self.method: str = environ["REQUEST_METHOD"]
        self._access: Access | None = None
        binding = environ.get("gateway.binding")
        self.service: str = "" if binding is None else binding.service
        self.options: PublicOptions = getattr(binding, "options", None) or _DEFAULTS
        self.rate = self.options.rate
        try:
            path = request_head.path(environ)
        except ValueError:
            raise PublicProblem("BadRequest") from None
        self.bare, self.key = not path, path[1:]
        if "\0" in self.key:
            raise PublicProblem("BadRequest")
        if len(self.key.encode("utf-8", "surrogatepass")) > KEY_LIMIT:
            raise PublicProblem("UriTooLong")

    @property
    def access(self) -> Access:
        """Raises `NoSuchStore`."""
        found = self._access
        if found is None:
            facts = RequestFacts(self.environ, NOTHING, self.gateway.clock, self.gateway.country)
            identity = visitor(self.service, "write" if self.options.methods == "all" else "read")
            found = self._access = self.gateway.access(identity, self.service, facts)
        return found

    @property
    def index(self) -> str:
        """The document of a folder; "" where there is none."""
        if self.options.index is not None:
            return self.options.index
        return "" if self.access.service.find(Forwards) is not None else "index.html"

    @property
    def raw_query(self) -> str:
        """As it came; "" where it is dropped."""
        return "" if self.options.remove_query else self.environ.get("QUERY_STRING", "")

    @property
    def query(self) -> str:
        """What objects are asked for with."""
        text = self.raw_query
        accept = self.environ.get("HTTP_ACCEPT", "") if self.options.append_webp else ""
        if weights(accept).get("image/webp"):
            return f"{text}&webp=1" if text else "webp=1"
        return text

    def want(self) -> Get:
        """What is to be read of an object. A range is of a GET (RFC 9110 §14.2)."""
        environ = self.environ
        ranged = environ.get("HTTP_RANGE") if self.method == "GET" else None
        return Get(
            range=byte_range(ranged) if ranged else None,
            conditions=self._conditions(),
            query=self.query,
            headers=self.headers,
        )

    def _conditions(self) -> Conditions | None:
        return None if CONDITIONAL.isdisjoint(self.environ) else read_conditions(self.environ)

    @property
    def headers(self) -> Mapping[str, str]:
        """Of the request, all by which an origin may choose its answer."""
        return _Headers(self.environ)

    def note(self, trace: tuple[str, ...]) -> None:
        """For the log."""
        if trace:
            self.environ["gateway.record"].cache = ", ".join(trace)

    @property
    def if_range(self) -> str | None:
        return self.environ.get("HTTP_IF_RANGE")
