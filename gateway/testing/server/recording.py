"""What came to the test server, for assertions: every request, without its secrets."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from fnmatch import fnmatchcase
from typing import Any

from gateway.modes import WSGIApp
from gateway.storage.objects import now
from gateway.testing.server.connection import Dropped
from gateway.testing.server.faults import Asked, Cut, Faults, as_text
from gateway.testing.server.wire import HEAD

MOST = 10_000
"""Requests that are remembered; older ones are forgotten."""
HIDDEN = "(hidden)"
_SECRET = frozenset(
    {
        "authorization",
        "cookie",
        "x-amz-copy-source-server-side-encryption-customer-key",
        "x-amz-security-token",
        "x-amz-server-side-encryption-customer-key",
        "x-owncdn-key",
    }
)
_SECRET_PARAMETERS = frozenset({"x-amz-credential", "x-amz-security-token", "x-amz-signature"})


@dataclass(slots=True, eq=False)  # not frozen: that takes 2 µs of every request
class Recorded:
    """One request. `path` is decoded; `key` is what follows the bucket in it, "" for none;
    `access_key` is "" for an anonymous one; `status` what was answered, `code` the error
    code ("NoSuchKey"), "" when all went well. Secrets are not in it, or shown as "(hidden)".
    """

    method: str
    path: str
    operation: str
    bucket: str
    key: str
    status: int
    code: str
    access_key: str
    _query: str = field(repr=False)
    _head: bytes = field(repr=False)

    def fits(self, operation: str, bucket: str, key: str) -> bool:
        return (
            fnmatchcase(self.operation, operation)
            and fnmatchcase(self.bucket, bucket)
            and fnmatchcase(self.key, key)
        )

    @property
    def query(self) -> str:
        """As it was sent, but for signatures."""
        parts = (part.partition("=") for part in self._query.split("&"))
        return "&".join(
            f"{name}={HIDDEN}" if name.lower() in _SECRET_PARAMETERS else name + equals + value
            for name, equals, value in parts
        )

    @property
    def headers(self) -> Mapping[str, str]:
        """By name, in lower case."""
        lines = self._head.decode("latin-1").split("\r\n")[1:]
        named = (
            (name.lower(), value.strip()) for name, _, value in (x.partition(":") for x in lines)
        )
        return {name: HIDDEN if name in _SECRET else value for name, value in named}


class Recorder:
    """The application `inside`, with its requests remembered and `faults` in its answers."""

    def __init__(self, inside: WSGIApp, faults: Faults) -> None:
        self._inside, self._faults = inside, faults
        self.requests: deque[Recorded] = deque(maxlen=MOST)

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        status = ""

        def started(line: str, headers: list[tuple[str, str]], *_: object) -> object:
            nonlocal status
            status = line
            if self._faults and (skew := self._faults.skew()):
                headers = [*headers, ("Date", formatdate((now() + skew) // 1000, usegmt=True))]
            return start(line, headers)

        faults = self._faults
        faults.begin(environ)
        body: Iterable[bytes] = self._inside(environ, started)
        self.requests.append(_recorded(environ, int(status[:3])))
        cut = faults.cut(environ) if faults else None
        if cut is None:
            return body
        if cut.after is None:
            getattr(body, "close", lambda: None)()
            raise Dropped
        return Cut(body, cut.after)


def _recorded(environ: dict[str, Any], status: int) -> Recorded:
    record, asked = environ["gateway.record"], Asked.of(environ)
    return Recorded(
        record.method,
        as_text(record.path),
        asked.operation,
        asked.bucket,
        asked.key,
        status,
        record.code,
        record.key_id,
        environ["QUERY_STRING"],
        environ[HEAD],
    )
