"""Requests to an upstream: signed, sent, tried again where that is safe, and answered.

`Client.send` gives the answer that counts. It signs anew for each try (keys may
be renewed, the region may be another), follows a bucket to its region once and
remembers it, and waits between tries. What the answer means is `refusals.py`'s.

Tried again is only what did no harm: a request whose body is at hand or was not
begun, and which is either safe to repeat, or was refused before it was done, or
never reached the upstream (an idle connection turned out to be closed).
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import quote

from drivers.s3.answers import DOCUMENT_LIMIT, Framed, Head, Headers, broken, framed
from drivers.s3.connection import Connection, Gone, Place
from drivers.s3.credentials import Key, Keys
from drivers.s3.pool import Pool
from drivers.s3.sending import Outgoing
from gateway.storage import (
    NOTHING,
    PIECE,
    OriginFailed,
    Secret,
    Unavailable,
    sigv4,
)

SMALL = 64 * 1024
"""Bytes of a body that is read at once, so that its connection is free again."""

EXPECTS = 1 << 20
"""Bytes from which on a body that streams waits to be asked for (Expect: 100-continue)."""

CONTINUE = 1.0
"""Seconds after which it goes out without having been asked for."""

_NOT_DONE = frozenset({429, 503})
_FAILED = frozenset({500, 502, 504})
_ELSEWHERE = frozenset({301, 307, 400})
_RENEWABLE = re.compile(
    rb"<Code>(?:ExpiredToken|InvalidToken|InvalidAccessKeyId|SignatureDoesNotMatch|"
    rb"TokenRefreshRequired)</Code>"
)
_REGION = re.compile(rb"<Region>([a-z0-9-]{1,40})</Region>")
_REGION_NAME = re.compile(r"[a-z0-9-]{1,40}")
_USER_AGENT = "storage-gateway"


@dataclass(slots=True, kw_only=True)
class Request:
    """`query`: in canonical form. `headers`: lower-case names, values as latin-1 text.
    `safe`: to be repeated although it may have been done already. `document`: the
    answer's body is wanted whole."""

    method: str
    bucket: str = ""
    key: str = ""
    query: str = ""
    headers: Mapping[str, str] = NOTHING
    body: bytes | Outgoing = b""
    safe: bool = True
    document: bool = False

    @property
    def fresh(self) -> bool:
        """It can be sent (again): its body is at hand."""
        return isinstance(self.body, bytes) or not self.body.begun


class Answer(NamedTuple):
    """`data`: the body when it was small, else `body` streams it (and must be closed)."""

    status: int
    headers: Headers
    data: bytes
    body: Body | None
    length: int


class Body:
    """What streams from an upstream; its connection is free again at its end."""

    __slots__ = ("_connection", "_framed", "_keeps", "_pool")

    def __init__(self, pool: Pool, connection: Connection, body: Framed, *, keeps: bool) -> None:
        self._pool, self._framed, self._keeps = pool, body, keeps
        self._connection: Connection | None = connection

    def read(self, size: int = PIECE, /) -> bytes:
        try:
            piece = self._framed.read(size)
        except BaseException:
            self.close()
            raise
        if not piece or self._framed.left == 0:
            self._end()
        return piece

    def _end(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            keeps = self._keeps and self._framed.clean
            (self._pool.give if keeps else self._pool.drop)(connection)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:  # not read to its end: what follows is nobody's answer
            self._pool.drop(connection)


@dataclass(slots=True, kw_only=True)
class Endpoint:
    """Where an account's buckets are. `of_region` gives the place for a region, where the
    provider has one for each; None: `place` is for all."""

    place: Place
    region: str
    path_style: bool
    of_region: Callable[[str], Place] | None = None
    regions: dict[str, str] = field(default_factory=dict)
    """Of buckets that were found to be in another than `region`."""

    def where(self, bucket: str) -> tuple[Place, str, str]:
        """(place, region, what the path begins with)."""
        region = self.regions.get(bucket, self.region)
        place = self.place
        if region != self.region and self.of_region is not None:
            place = self.of_region(region)
        if not bucket:
            return place, region, ""
        if self.path_style or (place.tls and "." in bucket):  # no certificate has two labels
            return place, region, f"/{bucket}"
        return place._replace(host=f"{bucket}.{place.host}"), region, ""


class Client:
    """One account at one endpoint. `pause` waits between tries."""

    def __init__(
        self,
        endpoint: Endpoint,
        keys: Keys,
        pool: Pool,
        *,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.endpoint, self.keys, self.pool = endpoint, keys, pool
        self._pause = pause

    def close(self) -> None:
        """Connections are the pool's."""

    def send(self, request: Request) -> Answer:
        """The answer, whatever its status; its body is whole or streams.

        Raises `OriginFailed`, `TimedOut`, `Busy`, and what reading the body raises.
        """
        limits = self.pool.limits
        deadline = time.monotonic() + limits.timeout
        tried, moved, renewed = 0, False, False
        while True:
            key = self.keys.current()
            try:
                answer = self._once(request, key, deadline)
            except _Lost as lost:
                if not (lost.harmless or request.safe) or not request.fresh:
                    raise lost.error from lost
                if not lost.free:
                    tried += 1
                if tried > limits.retries or not self._wait(tried, None, deadline, lost.free):
                    raise lost.error from lost
                continue
            status = answer.status
            if status < 300 or status in (304, 404, 412, 416) or not request.fresh:
                return answer
            if status in _NOT_DONE or (status in _FAILED and request.safe):
                tried += 1
                if tried > limits.retries or not self._wait(tried, answer, deadline, False):
                    return answer
            elif status in _ELSEWHERE and not moved and self._moved(request, answer):
                moved = True
            elif status in (400, 403) and not renewed and _RENEWABLE.search(answer.data):
                renewed = True
                if not self.keys.renew(key):
                    return answer
            else:
                return answer
            if answer.body is not None:
                answer.body.close()

    def _wait(self, tried: int, answer: Answer | None, deadline: float, free: bool) -> bool:
        """Wait before another try; False when there is no time for one."""
        if free:
            return True
        seconds = random.uniform(0.5, 1.0) * min(0.05 * 4 ** (tried - 1), 2.0)  # noqa: S311  # spread, no secret
        asked = answer.headers.get("retry-after", "") if answer is not None else ""
        if asked.isdigit() and len(asked) < 5:
            seconds = max(seconds, min(float(asked), 2.0))
        if time.monotonic() + seconds >= deadline:
            return False
        self._pause(seconds)
        return True

    def _moved(self, request: Request, answer: Answer) -> bool:
        """Remember the bucket's region, when the answer names another than was asked."""
        if not request.bucket:
            return False
        named = answer.headers.get("x-amz-bucket-region", "")
        if not named and (match := _REGION.search(answer.data)):
            named = match[1].decode()
        _, region, _ = self.endpoint.where(request.bucket)
        if named == region or not _REGION_NAME.fullmatch(named):
            return False
        self.endpoint.regions[request.bucket] = named
        return True

    def _once(self, request: Request, key: Key | None, deadline: float) -> Answer:
        """Raises `_Lost` where another try may help, and what the body's source raises."""
        place, region, prefix = self.endpoint.where(request.bucket)
        path = f"{prefix}/{request.key}" if request.key or not prefix else prefix
        head, seed = _signed_head(request, place, region, path, key)
        try:
            connection = self.pool.take(place)
        except Unavailable as error:
            raise _Lost(error, harmless=True) from error
        reused = not connection.fresh
        try:
            left = deadline - time.monotonic()
            connection.patience(max(0.01, min(self.pool.limits.read_timeout, left)))
            found = self._exchange(request, connection, head, seed)
        except _FromSource as broke:
            self.pool.failed(connection)
            raise broke.error from None
        except Gone as error:
            failed = OriginFailed(f"The upstream {place} closed the connection.", status=502)
            self.pool.failed(connection, None if reused else failed)
            # Closed before a byte of an answer came: when it was idle before, the upstream
            # did not see the request, as a rule; what is not safe is not repeated for it.
            raise _Lost(failed, free=reused) from error
        except Unavailable as error:
            self.pool.failed(connection, error)
            raise _Lost(error) from error
        except BaseException:
            self.pool.failed(connection)
            raise
        self.pool.answered()
        return self._answer(request, connection, found)

    def _exchange(
        self, request: Request, connection: Connection, head: bytes, seed: sigv4.Seed | None
    ) -> Head:
        """Raises `_FromSource`, `Gone`, `OriginFailed`, `TimedOut`."""
        body = request.body
        if isinstance(body, bytes):
            connection.send(head + body)
        else:
            connection.send(head)
            early = _asked(connection, request.method) if body.length >= EXPECTS else None
            if early is not None:
                return early._replace(keeps=False)
            _stream(connection, body, seed)
        while (found := connection.head(request.method)).status < 200:
            pass
        return found

    def _answer(self, request: Request, connection: Connection, head: Head) -> Answer:
        status, headers, length, keeps = head
        if length == 0:
            connection.rest, rest = b"", connection.rest
            (self.pool.give if keeps and not rest else self.pool.drop)(connection)
            return Answer(status, headers, b"", None, 0)
        source = framed(connection, connection.take_rest(), length)
        body = Body(self.pool, connection, source, keeps=keeps)
        if request.document or status >= 300 or (length is not None and 0 < length <= SMALL):
            try:
                data = _whole(body)
            except Unavailable as error:
                raise _Lost(error) from error
            return Answer(status, headers, data, None, len(data))
        if length is None or length < 0:
            length = -1
        return Answer(status, headers, b"", body, length)


class _Lost(Exception):
    """A try without a usable answer. `harmless`: the upstream did not see it; `free`: it
    costs no try, because an idle connection was closed."""

    def __init__(self, error: Unavailable, *, harmless: bool = False, free: bool = False) -> None:
        super().__init__(str(error))
        self.error, self.harmless, self.free = error, harmless, free


class _FromSource(Exception):
    """What the body's own source raised: no fault of the upstream."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error


def _pieces(body: Outgoing, seed: sigv4.Seed | None) -> Iterator[bytes]:
    pieces = body.pieces(seed)
    while True:
        try:
            piece = next(pieces, None)
        except BaseException as error:
            raise _FromSource(error) from error
        if piece is None:
            return
        yield piece


def _stream(connection: Connection, body: Outgoing, seed: sigv4.Seed | None) -> None:
    """Send it all. An upstream that has answered already and closed is heard."""
    for piece in _pieces(body, seed):
        try:
            connection.send(piece)
        except Gone:
            return


def _asked(connection: Connection, method: str) -> Head | None:
    """Wait until the upstream asks for the body (100). An answer that comes instead."""
    if not connection.readable(CONTINUE):
        return None
    found = connection.head(method)
    while 100 < found.status < 200:
        found = connection.head(method)
    return None if found.status == 100 else found


def _whole(body: Body) -> bytes:
    parts, size = [], 0
    try:
        while piece := body.read(PIECE):
            parts.append(piece)
            size += len(piece)
            if size > DOCUMENT_LIMIT:
                raise broken("its document is too long")
    finally:
        body.close()
    return parts[0] if len(parts) == 1 else b"".join(parts)


# the head of a request

_second = (0, "", "")


def _now() -> tuple[str, str]:
    """(timestamp, day) as signatures have them; formatted once a second."""
    global _second  # noqa: PLW0603  # one clock for all
    second = int(time.time())
    if _second[0] != second:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
        _second = (second, stamp, stamp[:8])
    return _second[1], _second[2]


@lru_cache(maxsize=256)
def _host(place: Place) -> str:
    return place.header


def _signed_head(
    request: Request, place: Place, region: str, path: str, key: Key | None
) -> tuple[bytes, sigv4.Seed | None]:
    """The request's line and headers, and what the signatures of chunks begin with."""
    body, method = request.body, request.method
    headers = {"host": _host(place), **request.headers}
    unsigned = f"user-agent:{_USER_AGENT}\r\n"
    if isinstance(body, bytes):
        payload = sha256(body).hexdigest() if body else sigv4.EMPTY_SHA256
        if body or method in ("PUT", "POST"):
            unsigned += f"content-length:{len(body)}\r\n"
    else:
        payload = body.payload
        headers.update(_with_coding(headers, body.headers))
        unsigned += f"content-length:{body.length}\r\n"
        if body.length >= EXPECTS:
            unsigned += "expect:100-continue\r\n"
    target = sigv4.canonical_path(path.encode().decode("latin-1"))
    wire = f"{target}?{request.query}" if request.query else target
    if key is None:
        lines = "".join([f"{name}:{value}\r\n" for name, value in headers.items()])
        return f"{method} {wire} HTTP/1.1\r\n{lines}{unsigned}\r\n".encode("latin-1"), None
    stamp, day = _now()
    headers["x-amz-content-sha256"], headers["x-amz-date"] = payload, stamp
    if key.token is not None:
        headers["x-amz-security-token"] = key.token.reveal()
    given = sorted(headers.items())
    signed = ";".join([name for name, _ in given])
    canonical = sigv4.canonical_request(
        method, target, request.query, sigv4.canonical_headers(given), signed, payload
    )
    scope = sigv4.scope_of(day, region)
    signing_key = sigv4.signing_key(key.secret.reveal(), day, region)
    signature = sigv4.signature(signing_key, sigv4.string_to_sign(stamp, scope, canonical))
    lines = "".join([f"{name}:{value}\r\n" for name, value in given])
    head = (
        f"{method} {wire} HTTP/1.1\r\n{lines}{unsigned}authorization:{sigv4.ALGORITHM}"
        f" Credential={key.id}/{scope}, SignedHeaders={signed}, Signature={signature}\r\n\r\n"
    )
    seed = None
    if not isinstance(body, bytes):
        seed = sigv4.Seed(
            key=Secret(signing_key), scope=scope, timestamp=stamp, signature=signature
        )
    return head.encode("latin-1"), seed


def _with_coding(given: Headers, added: Mapping[str, str]) -> Headers:
    """`aws-chunked` stands before the codings that the object has itself."""
    own = given.get("content-encoding")
    if own and "content-encoding" in added:
        return {**added, "content-encoding": f"{added['content-encoding']},{own}"}
    return dict(added)


def query_of(pairs: Iterable[tuple[str, str]]) -> str:
    """Parameters in canonical form: encoded, and sorted by name."""
    coded = sorted((quote(name, safe="~"), quote(value, safe="~")) for name, value in pairs)
    return "&".join([f"{name}={value}" for name, value in coded])
