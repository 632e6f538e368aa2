"""The `http` driver: its options, and reading."""

from __future__ import annotations

import ssl
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from drivers.http import meaning, questions
from drivers.http.asking import Asking
from drivers.http.exchange import Bounds, Heard
from drivers.http.forwarding import Passing
from drivers.http.health import Health
from drivers.http.signing import MADE, signer_of
from drivers.http.targets import origins_of
from gateway.common import loops
from gateway.common.upstream.networks import Networks
from gateway.common.upstream.pool import Limits, Pool
from gateway.common.upstream.stretch import cut_out, extent, with_last_bytes
from gateway.storage import (
    NULL_VERSION,
    BytesBody,
    Context,
    Forward,
    Get,
    InvalidRange,
    NoSuchKey,
    NoSuchVersion,
    ObjectInfo,
    Opened,
    OriginDenied,
    Probe,
    Readable,
    ReadOnly,
    Secret,
    StorageError,
    Unavailable,
    Varies,
    WrongKey,
    range_of,
)
from gateway.storage.options import AtLeast, Duration, ExistingFile, OneOrMany, Secrets, Size

_DEFAULTS = Limits()
_NO_HEAD = frozenset({405, 501})
Nets = tuple[IPv4Network | IPv6Network, ...]


@dataclass(eq=False)
class Http(Passing, Varies):
    """An HTTP server that is read, or several that have the same.

    `url`: what all keys are below; of several the first that can answer is asked.
    `balance`: "first": in that order; "round": each request begins with the next one.
    `host_header`: what they are told that they are asked for, in place of the host in the URL.
    `username`, `password`: for the origin alone, by basic authentication.
    `access_key`, `secret_key`, `region`: requests to an origin that speaks S3 are signed by these.
    `signing_key`, `key_scope`: what was derived of secret and region, in their place.
    `request_headers`: what the origin is sent with each request, in place of such lines.
    `allow`: networks beyond the public one that may be connected to.
    `deny`: networks that are not connected to, whatever is allowed.
    `ca_file`: certificates to trust in place of the system's.
    `max_redirects`: how many are followed; 0: they are the answer.
    `cache_not_found`: whether a cache in front may remember that something is not there, for the
        time that it has for that.
    `cache_errors`: the same of failures of the origin.
    `connect_timeout`: of a connection: name, all addresses and TLS together.
    `read_timeout`: between two pieces of data.
    `timeout`: until an answer begins, redirects and other origins included.
    `total_timeout`: of all of a body besides.
    `min_rate`: that comes in each second of waiting; an origin that is slower has failed.
    `max_unsized`: of an answer that does not say how long it is.
    `connections`: of each process to the origin, and as many to where it redirects.
    `waiting`: requests of each process that wait for an answer at once.
    """

    driver: ClassVar[str] = "http"
    on_demand = True
    path_keys = True
    keeps_owners = False

    url: Annotated[tuple[str, ...], OneOrMany]
    balance: Literal["first", "round"] = "first"
    host_header: str | None = None
    username: str | None = None
    password: Secret | None = None
    access_key: str | None = None
    secret_key: Secret | None = None
    region: str | None = None
    signing_key: Secret | None = None
    key_scope: str | None = None
    request_headers: Annotated[Mapping[str, Any], Secrets] = field(default_factory=dict)
    allow: Annotated[Nets, OneOrMany] = ()
    deny: Annotated[Nets, OneOrMany] = ()
    ca_file: Annotated[Path, ExistingFile] | None = None
    max_redirects: Annotated[int, AtLeast(0)] = 5
    cache_not_found: bool = True
    cache_errors: bool = True
    connect_timeout: Annotated[float, Duration] = _DEFAULTS.connect_timeout
    read_timeout: Annotated[float, Duration] = _DEFAULTS.read_timeout
    timeout: Annotated[float, Duration] = _DEFAULTS.timeout
    total_timeout: Annotated[float, Duration] | None = None
    min_rate: Annotated[int, Size, AtLeast(0)] = 1 << 10
    max_unsized: Annotated[int, Size, AtLeast(0)] = 1 << 30
    connections: Annotated[int, AtLeast(1)] = _DEFAULTS.connections
    waiting: Annotated[int, AtLeast(1)] = _DEFAULTS.waiting

    def __post_init__(self) -> None:
        self.origins = origins_of(self.url, self.host_header)
        if (self.username is None) != (self.password is None):
            raise ValueError("password: username and password belong together")
        if self.ca_file is not None and not any(one.base.place.tls for one in self.origins):
            raise ValueError("ca_file: the url is not https: there is no certificate")
        for name in ("connect_timeout", "read_timeout", "timeout", "total_timeout"):
            if (value := getattr(self, name)) is not None and value <= 0:
                raise ValueError(f"{name}: it must be more than nothing")
        self._signer = signer_of(
            self.access_key, self.secret_key, self.region, self.signing_key, self.key_scope
        )
        self._own = self._own_lines()

    def _own_lines(self) -> questions.Lines:
        """Raises `ValueError`."""
        given = {
            name: value.reveal() if isinstance(value, Secret) else value
            for name, value in self.request_headers.items()
        }
        own = {name.lower() for name in given}
        if self.password is not None:
            if "authorization" in own:
                raise ValueError("request_headers: username and password make an authorization")
            plain = f"{self.username}:{self.password.reveal()}".encode()
            given["authorization"] = f"Basic {b64encode(plain).decode()}"
        if self._signer is not None and (made := own.union(given) & MADE):
            raise ValueError(f"access_key: signatures make {', '.join(sorted(made))}")
        return questions.own_lines(given)

    # beginning and end

    def open(self, context: Context) -> None:
        limits = Limits(
            connect_timeout=self.connect_timeout,
            read_timeout=self.read_timeout,
            timeout=self.timeout,
            connections=self.connections,
            waiting=self.waiting,
        )
        networks = Networks(self.allow, self.deny)
        *pools, elsewhere = (
            Pool(limits, self._trust, context.threads, networks=networks)
            for _ in (*self.origins, "elsewhere")
        )
        health = Health(
            [str(one.base) for one in self.origins],
            around=self.balance == "round",
            meters=context.meters,
            sid=context.sid,
        )
        bounds = Bounds(
            timeout=self.timeout,
            total_timeout=self.total_timeout,
            min_rate=self.min_rate,
            max_unsized=self.max_unsized,
            max_redirects=self.max_redirects,
        )
        origins = [*zip(self.origins, pools, strict=True)]
        self.asking = Asking(
            origins,
            elsewhere,
            health,
            self._own,
            bounds,
            context.clock,
            signer=self._signer,
            name=loops.own_name(context.instance),
        )

    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca_file)

    def close(self) -> None:
        if hasattr(self, "asking"):
            self.asking.close()

    def probe(self) -> Probe:
        """Of each origin. Raises what the last one does when none answers."""
        found, error = list[Probe](), None
        for number, origin in enumerate(self.origins):
            try:
                found.append(self._probe(number, str(origin.base)))
            except Unavailable as failed:
                error = failed
                found.append(Probe(target=str(origin.base), notes=(f"fails: {failed}",)))
        if not any(one.can for one in found) and error is not None:
            raise error
        able = [one.can for one in found if one.can]
        several = len(found) > 1
        return Probe(
            target=", ".join(one.target for one in found),
            can={name: _all([one[name] for one in able]) for name in able[0]},
            notes=tuple(
                f"{one.target} {note}" if several else note for one in found for note in one.notes
            ),
        )

    def _probe(self, number: int, target: str) -> Probe:
        heard = self.asking.at(number, "HEAD", "", questions.of_read(Get(), ranges=False))
        heard.close()
        if heard.status in (401, 407):
            raise OriginDenied(f"The origin answered {heard.status}.", status=heard.status)
        ranges = heard.headers.get("accept-ranges")
        # of a folder 403 is usual, and tells nothing of what is in it
        can = {
            "read": None if heard.status == 403 else True,
            "ranges": None if ranges is None else ranges == "bytes",
        }
        can |= {"list": False, "versions": False}
        return Probe(target=target, can=can, notes=(f"answers {heard.status} there",))

    # what makes a difference

    @property
    def parameters(self) -> frozenset[str] | None:
        """All that is in a query: an origin may read it as it likes. Where requests are signed,
        nothing."""
        return None if self._signer is None else frozenset()

    def normal(self, key: str, want: Get) -> Get:
        """Which headers make one an origin says in `Vary`, and only then."""
        query = want.query if self._signer is None else ""
        return want.said(query) if want.headers or query != want.query else want

    # reading

    def get(self, key: str, want: Get = Get()) -> Opened:
        with self._cacheable():
            _check(key, want)
            return with_last_bytes(partial(self._get, key), want)

    def _get(self, key: str, want: Get) -> Opened:
        heard = self._heard("GET", key, want)
        try:
            return self._opened(key, want, heard)
        except BaseException:
            heard.close()
            raise

    def _opened(self, key: str, want: Get, heard: Heard) -> Opened:
        asked = want if want.part is None else replace(want, range=None)
        start, length, size = extent(asked, heard.status, heard.headers, heard.length)
        info = meaning.info_of(key, size, heard)
        if want.conditions is not None:  # of which the origin may know nothing
            want.conditions.check_read(info)
        body = heard.body or BytesBody(b"")
        if want.part is not None:
            range_of(info, replace(want, range=None))
        elif want.range is not None and heard.status != 206:
            return cut_out(info, body, want.range)
        status = 200 if heard.status == 206 else heard.status
        return Opened(info=info, body=body, start=start, length=length, status=status)

    def stat(self, key: str, want: Get = Get()) -> ObjectInfo:
        """By a HEAD. Where that does not tell the size, or the origin has none, by a GET."""
        with self._cacheable():
            _check(key, want)
            heard = self._heard("HEAD", key, want)
            size = meaning.size_of(heard)
            if size is None:
                with self._get(key, replace(want, range=None)) as opened:
                    info = opened.info
            else:
                info = meaning.info_of(key, size, heard)
                if want.conditions is not None:
                    want.conditions.check_read(info)
            range_of(info, want)
            return info

    def _heard(self, method: str, key: str, want: Get) -> Heard:
        """A success. Raises what another answer means."""
        heard = self._read(method, key, want)
        if method == "HEAD" and heard.status in _NO_HEAD:
            return heard
        try:
            meaning.check(heard, want, ranges=method == "GET")
            if 200 <= heard.status < 300:
                return heard
            raise self._refused(key, want, heard)
        except BaseException:
            heard.close()
            raise

    def _read(self, method: str, key: str, want: Get) -> Heard:
        if self._signer is not None:
            if not key:  # there it would be the list of the bucket
                raise NoSuchKey(key=key)
            want = questions.of_visitors(want)
        lines = questions.of_read(want, ranges=method == "GET")
        return self.asking.read(method, key, want.query, lines)

    def forward(self, key: str, body: Readable | None, request: Forward) -> Opened:
        if self._signer is not None:  # who asks would have the rights of its key
            raise ReadOnly("An origin with signed requests is only read.", key=key)
        return super().forward(key, body, request)

    def _refused(self, key: str, want: Get, heard: Heard) -> StorageError:
        error = meaning.error_of(key, heard, want)
        if self._signer is not None and error.origin is not None:
            # S3's page is for who has the key: it names that, and what was signed.
            error.origin = replace(error.origin, page=None)
        if heard.status == 416 and not isinstance(error, InvalidRange):
            size = self.stat(key, Get(query=want.query, headers=want.headers)).size
            return InvalidRange(key=key, size=size)
        return error

    @contextmanager
    def _cacheable(self) -> Iterator[None]:
        try:
            yield
        except NoSuchKey as error:
            error.cacheable = self.cache_not_found
            raise
        except Unavailable as error:
            error.cacheable = self.cache_errors
            raise


def _all(said: list[bool | None]) -> bool | None:
    """What holds for each; None where one does not tell."""
    return False if False in said else None if None in said else True


def _check(key: str, want: Get) -> None:
    if want.version not in (None, NULL_VERSION):
        raise NoSuchVersion(key=key, version=want.version or "")
    if want.encryption is not None and want.encryption.kind == "customer":
        raise WrongKey("An HTTP origin has nothing under a customer's key.", key=key, given=True)
