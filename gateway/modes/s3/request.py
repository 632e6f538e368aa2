"""A request, parsed: which bucket and key, with what parameters, by whom.

The path is decoded once, by `gateway.web.request_head`; that one key is what is
authorized and stored. A host below a configured domain names the bucket
(virtual-hosted style), else the path does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, TypeVar
from urllib.parse import quote, urlsplit

from gateway.access.access import Access
from gateway.access.actions import OF_PREFIX, Action, ObjectAction, of
from gateway.access.identity import ANONYMOUS, Identity
from gateway.access.settings import SettingKind
from gateway.modes import KEY_LIMIT, Gateway, Options
from gateway.modes.s3 import tags
from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.signatures.auth import Authenticated
from gateway.storage import NOTHING, Forbidden, ObjectInfo
from gateway.web import request_head
from gateway.web.request_facts import RequestFacts

T = TypeVar("T")

Scope = Literal["service", "bucket", "object"]

_ANONYMOUS = Authenticated()


@dataclass(slots=True, eq=False)
class S3Facts(RequestFacts):
    """What rules may ask of an S3 request beyond what all requests have.

    `said`: what its document asks for (a retention, tags), as the headers of a put would; None
    where it does not ask for that. It counts, whatever the request's own headers say of it."""

    said: Mapping[str, str | None] | None = None

    def header(self, name: str) -> str | None:
        if self.said is not None and name in self.said:
            return self.said[name]
        return self.environ.get(request_head.variable(name))

    @property
    def tags(self) -> Mapping[str, str]:
        """Those of `x-amz-tagging`. Raises S3Problem."""
        return tags.from_header(self.header(tags.HEADER) or "")


class S3Request:
    """`query` has each parameter's first value. `bucket` and `key` are "" where the path has none.
    `access` is the bucket as `identity` sees it; `action` what the operation does to it."""

    __slots__ = (
        "_access",
        "_facts",
        "action",
        "authenticated",
        "bucket",
        "environ",
        "gateway",
        "host",
        "key",
        "method",
        "path",
        "query",
        "received",
        "scope",
    )

    def __init__(self, environ: dict[str, Any], gateway: Gateway, bucket: str = "") -> None:
        """`bucket`: the one that it is for, whatever the path is; that names a key then."""
        self.environ, self.gateway = environ, gateway
        self.method: str = environ["REQUEST_METHOD"]
        options = gateway.options
        self.host: str = environ.get("HTTP_HOST", "")
        self.authenticated = _ANONYMOUS
        self.action: Action | None = None
        self._access: Access | None = None
        self._facts: S3Facts | None = None
        self.received = False  # its body
        try:
            self.path = request_head.path(environ)
            text = environ.get("QUERY_STRING", "")
            self.query: Mapping[str, str] = request_head.parse_query(text) if text else NOTHING
        except ValueError:
            raise S3Problem("InvalidURI", "The request is not valid UTF-8.") from None
        if bucket:
            self.bucket, self.key = bucket, self.path[1:]
            check_key(self.key)
        else:
            self.bucket, self.key = split(self.path, self.host, options.domains)
        self.scope: Scope = "object" if self.key else "bucket" if self.bucket else "service"

    @property
    def identity(self) -> Identity:
        return self.authenticated.identity

    @property
    def anonymous(self) -> bool:
        return self.identity is ANONYMOUS or not self.identity.account

    @property
    def access(self) -> Access:
        """Raises `NoSuchStore`, and AccessDenied when another owner was expected."""
        found = self._access
        if found is None:
            found = self._access = self.open(self.bucket, "HTTP_X_AMZ_EXPECTED_BUCKET_OWNER")
        return found

    def open(self, bucket: str, expected: str) -> Access:
        """A bucket; `expected` names the header that may say whose it must be."""
        found = self.gateway.access(self.authenticated.identity, bucket, self.facts)
        owner = self.environ.get(expected)
        if owner and owner != found.service.owner:
            raise S3Problem("AccessDenied")
        return found

    def obeyed(self, kind: SettingKind[T]) -> T | None:
        """What a setting of the bucket says; where there is none, that costs a look into a set.
        Raises `Unavailable` when it cannot be read."""
        access = self.access
        return self.gateway.obeyed(access, kind) if kind.name in access.settings else None

    @property
    def wants_checksums(self) -> bool:
        """By `x-amz-checksum-mode`, which is ENABLED or empty."""
        return bool(self.environ.get("HTTP_X_AMZ_CHECKSUM_MODE", "").strip())

    @property
    def facts(self) -> S3Facts:
        """The same ones each time: `access` has them, too."""
        found = self._facts
        if found is None:
            gateway = self.gateway
            known = S3Facts(self.environ, self.query, gateway.clock, gateway.country)
            found = self._facts = known
        return found

    def require(self) -> None:
        """Refuse who may not do what the operation does, before anything else is looked at:
        above all, before a body is read."""
        action = self.action
        assert action is not None, "the operation's action is in the table"
        key = self.key or (self.param("prefix") if action in OF_PREFIX else None)
        version = self.query.get("versionId") if self.query else None
        if version is not None:
            action = of(action, version)
        self.access.require(action, key, version)

    def require_some(self) -> None:
        """The same where the document decides, too: refuse who may do it to no object. What does
        it asks once more, when `facts` know what the document says (`S3Facts.said`)."""
        action = self.action
        assert action is not None, "the operation's action is in the table"
        if not self.access.might(of(action, self.query.get("versionId"))):
            raise Forbidden

    def may_know(self, action: ObjectAction, info: ObjectInfo) -> bool:
        """Of the object that is answered with: whether this may be done to it, by the version
        that is named, for another may be current."""
        try:
            self.access.require_of(action, info, self.query.get("versionId"))
        except Forbidden:
            return False
        return True

    def header(self, name: str) -> str:
        """The value of a header, whose name is in lower case; "" when it is absent."""
        found: str = self.environ.get(request_head.known_variable(name), "")
        return found

    def param(self, name: str) -> str:
        return self.query.get(name, "")

    @property
    def version(self) -> str | None:
        """The version that is named. An empty one is an error, as in S3, and so is what no
        version of the bucket could be called."""
        found = self.query.get("versionId")
        if found == "":
            raise S3Problem(
                "InvalidArgument",
                "Version id cannot be the empty string",
                ArgumentName="versionId",
                ArgumentValue="",
            )
        if found is not None:
            check_version(self.access, found)
        return found

    @property
    def location(self) -> str:
        """The object's address, for who asks as this client does."""
        options, environ = self.gateway.options, self.environ
        by_host = _bucket_of(self.host, options.domains)
        base = options.external_url.rstrip("/")
        if by_host or not base:
            base = f"{environ['wsgi.url_scheme']}://{self.host}{environ.get('SCRIPT_NAME', '')}"
        key = quote(self.key, safe="~")  # AWS encodes slashes, too
        return f"{base}/{key}" if by_host else f"{base}/{self.bucket}/{key}"

    @property
    def region(self) -> str:
        return self.gateway.options.region


def check_version(access: Access, text: str, name: str = "versionId") -> None:
    """Raise InvalidArgument for what no version of the bucket could be called."""
    if not access.service.names_version(text):
        raise S3Problem(
            "InvalidArgument", "Invalid version id specified", ArgumentName=name, ArgumentValue=text
        )


def split(path: str, host: str, domains: tuple[str, ...]) -> tuple[str, str]:
    """(bucket, key) of a path. Raises InvalidURI for a path that names a key and no bucket."""
    if domains and (bucket := _bucket_of(host, domains)):
        key = path[1:]
    else:
        bucket, _, key = path[1:].partition("/")
        if key and not bucket:
            raise S3Problem("InvalidURI", "The path names no bucket.")
    if len(key) * 4 > KEY_LIMIT:
        check_key(key)
    return bucket, key


def check_key(key: str) -> None:
    size = len(key.encode())
    if size > KEY_LIMIT:
        raise S3Problem("KeyTooLongError", MaxSizeAllowed=str(KEY_LIMIT), Size=str(size))


def _bucket_of(host: str, domains: tuple[str, ...]) -> str:
    name = host.partition(":")[0].lower()
    for domain in domains:
        if name.endswith(f".{domain.lower()}"):
            return name[: -len(domain) - 1]
    return ""


def signed_hosts(request: S3Request) -> tuple[str, ...]:
    """The hosts of which the client signed one, the likeliest first. Behind a proxy that
    changes Host it is that of `external_url`; who comes past the proxy signs what it asked."""
    options = request.gateway.options
    if not options.external_url or _bucket_of(request.host, options.domains):
        return (request.host,)
    outside = external_host(options)
    return (outside,) if outside == request.host else (outside, request.host)


@lru_cache(maxsize=64)
def external_host(options: Options) -> str:
    return urlsplit(options.external_url).netloc
