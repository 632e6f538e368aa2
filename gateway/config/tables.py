"""The tables of `gateway.toml` as dataclasses: the one list of options and defaults.

They are decoded by `decode.py` straight from these fields; an option that is
not a field here (or of a driver) does not exist. Specification: configuration.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypeVar
from urllib.parse import urlsplit

from gateway.access.identity import Account, Credential, Identity, KeyAccess, Level, ServiceLevel
from gateway.config.decode import Text
from gateway.modes import Settings
from gateway.modes.protocols import ProtocolListener
from gateway.storage import NOTHING, Secret, Store
from gateway.storage.options import AtLeast, Duration, ExistingFile, OneOrMany, Size

if TYPE_CHECKING:
    from gateway.plugins.finding import Plugins

Kind = Literal["auto", "granian", "waitress"]
ProxyHeaders = Literal["x-forwarded", "forwarded"]
"""What trusted proxies write: `X-Forwarded-For`, `-Host`, `-Proto`; or `Forwarded` (RFC 7239)."""

S = TypeVar("S", bound=Store)

SID = re.compile(r"[a-z0-9.-]{3,63}", re.ASCII)
SID_RULE = "a service id has 3 to 63 of the characters a-z 0-9 . -"
ID = re.compile(r"[A-Za-z0-9._@+-]{1,128}", re.ASCII)
ID_RULE = "an id has 1 to 128 of the characters A-Z a-z 0-9 . _ @ + -"

_IN_URLS = re.compile(r"[!-~]+")
LONGEST_WEBHOOK = 60
"""Seconds that a webhook may take for an answer."""
EVERY_ACCOUNT = "*"

GIBIBYTE = 1 << 30
MAX_BODY: Mapping[str, int] = {"granian": 5 << 40, "waitress": GIBIBYTE}
"""waitress spools a body to disk before the application sees its request."""


class _Address(NamedTuple):
    host: str
    port: int


class Address(_Address, Text):
    """Where to listen: "127.0.0.1:9000", "[::1]:9000", "example.com:80"."""

    __slots__ = ()
    described = 'an address such as "127.0.0.1:9000" or "[::1]:9000"'

    @classmethod
    def parse(cls, text: str) -> Address:
        found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]*)):(\d{1,5})", text)
        if found is None or int(found[3]) > 65535:
            raise ValueError(f'"{text}" is not {cls.described}')
        return cls(found[1] or found[2] or "0.0.0.0", int(found[3]))  # noqa: S104 - ":9000" asks for all

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


class HostName(str, Text):
    """A host name, in lower case; a final dot is dropped."""

    __slots__ = ()
    described = 'a host name such as "s3.example.com"'

    @classmethod
    def parse(cls, text: str) -> HostName:
        name = text.lower().rstrip(".")
        if not re.fullmatch(
            r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*", name
        ):
            raise ValueError(f'"{text}" is not {cls.described}')
        return cls(name)


class HostPattern(HostName):
    """A host name, or `*.` before one for all that are below it."""

    __slots__ = ()
    described = 'a host name such as "s3.example.com", or "*.example.com" for all below it'

    @classmethod
    def parse(cls, text: str) -> HostPattern:
        star = "*." if text.startswith("*.") else ""
        try:
            return cls(star + HostName.parse(text.removeprefix("*.")))
        except ValueError:
            raise ValueError(f'"{text}" is not {cls.described}') from None


class EncryptionKeyName(str, Text):
    """The name of a key for SSE-KMS: what the id of a key says, and behind `alias/`."""

    __slots__ = ()
    described = (
        "a name of 1 to 128 of the characters A-Z a-z 0-9 . _ / -, of which a letter or digit"
        " is first"
    )

    @classmethod
    def parse(cls, text: str) -> EncryptionKeyName:
        if not re.fullmatch(r"(?!alias/)[A-Za-z0-9][A-Za-z0-9._/-]{0,127}", text):
            raise ValueError(f'"{text}" is not {cls.described}')
        return cls(text)


class WebUrl(str, Text):
    """`scheme://host[:port][/path]` without credentials; a final slash is dropped."""

    __slots__ = ()
    described = 'an address such as "https://s3.example.com"'

    @classmethod
    def parse(cls, text: str) -> WebUrl:
        parts = urlsplit(text)
        bare = not (parts.query or parts.fragment or parts.username or parts.password)
        if parts.scheme not in ("http", "https") or not parts.hostname or not bare:
            raise ValueError(f"not {cls.described}")
        return cls(text.rstrip("/"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    certificate: Annotated[Path, ExistingFile]
    key: Annotated[Path, ExistingFile]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """One of `listen`: an address with certificates of its own. `tls` is None where those
    of `[server]` count."""

    address: Address
    tls: Annotated[tuple[Tls, ...], OneOrMany] | Literal[False] | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.address}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """`[server]`. `workers` and `threads` are None where the server decides; `data` is where
    nothing is kept, and elsewhere the user's own folder unless it is given (see `load`)."""

    listen: Annotated[tuple[Address | Listener, ...], OneOrMany] = (Address("127.0.0.1", 9000),)
    data: Path | None = None
    memory: bool = False
    server: Kind = "auto"
    workers: Annotated[int, AtLeast(1)] | None = None
    threads: Annotated[int, AtLeast(1)] | None = None
    cpu_affinity: bool = True
    log_format: Literal["text", "json"] = "text"
    domains: Annotated[tuple[HostName, ...], OneOrMany] = ()
    external_url: WebUrl | None = None
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], OneOrMany] = ()
    proxy_headers: ProxyHeaders = "x-forwarded"
    default_mode: str = "s3"
    region: str = "us-east-1"
    max_body: Annotated[int, Size] | None = None
    lifecycle_day: Annotated[float, Duration] = 86_400.0
    tls: Annotated[tuple[Tls, ...], OneOrMany] = ()
    health: bool = True
    drain: Annotated[float, Duration] = 30.0
    header_timeout: Annotated[float, Duration] = 30.0
    body_timeout: Annotated[float, Duration] = 60.0

    def __post_init__(self) -> None:
        if not 0.1 <= self.lifecycle_day <= 86_400:
            raise ValueError("lifecycle_day: 0.1s to 1d; less than a day is for tests")
        if not self.listen:
            raise ValueError("listen: at least one address is needed")
        addresses = [one.address for one in self.listeners]
        twice = [str(one) for one in addresses if one.port and addresses.count(one) > 1]
        if twice:
            raise ValueError(f"listen: {twice[0]} is given twice")
        for name in ("header_timeout", "body_timeout"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: at least 1s")

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """What `listen` says, each with the certificates that it has."""
        return tuple(map(self.with_tls, self.listen))

    def with_tls(self, one: Address | Listener) -> Listener:
        """With the certificates of all, where it has none of its own."""
        if isinstance(one, Address):
            return Listener(address=one, tls=self.tls)
        return replace(one, tls=self.tls) if one.tls is None else one

    def body_limit(self, server: Literal["granian", "waitress"]) -> int:
        """Bytes that a request's body may have on that server."""
        return MAX_BODY[server] if self.max_body is None else self.max_body


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogOptions:
    """`[catalog]`. A secret because it may hold a password: also `url_env`, `url_file`."""

    url: Secret = field(default_factory=lambda: Secret("sqlite"))

    def __post_init__(self) -> None:
        url = self.url.reveal()
        if url != "sqlite" and not url.startswith("postgresql+psycopg://"):
            raise ValueError('url: allowed are "sqlite" and "postgresql+psycopg://…"')

    @property
    def embedded(self) -> bool:
        return self.url.reveal() == "sqlite"


@dataclass(frozen=True, slots=True, kw_only=True)
class KmsOptions:
    """`[kms]`. `keys` are made where the catalog has them not."""

    keys: Annotated[tuple[EncryptionKeyName, ...], OneOrMany] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One of `[[keys]]`."""

    id: str
    secret: Secret
    account: str = "root"
    access: Level | Mapping[str, ServiceLevel] = "own"

    def credential(self) -> Credential:
        access: KeyAccess = self.access
        identity = Identity(key=self.id, account=self.account, access=access)
        return Credential(id=self.id, secret=self.secret, identity=identity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """One of `[[bindings]]`: a door with its own host, port or path prefix."""

    host: HostPattern | None = None
    port: Annotated[int, AtLeast(1)] | None = None
    prefix: str = ""
    mode: str
    service: str = ""

    def __post_init__(self) -> None:
        if not (self.host or self.port or self.prefix):
            raise ValueError("give one of host, port and prefix at least")
        if self.port is not None and self.port > 65535:
            raise ValueError("port: at most 65535")
        if self.prefix and not self.prefix.startswith("/"):
            raise ValueError('prefix: begins with "/"')

    @property
    def door(self) -> tuple[str, int, str]:
        """What no other has: host, port and prefix, "" and 0 for none."""
        return self.host or "", self.port or 0, self.prefix

    def __str__(self) -> str:
        """By which requests: "img.example.com", ":8080/images"."""
        return f"{self.host or ''}{f':{self.port}' if self.port else ''}{self.prefix}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookOptions:
    """`[webhooks.NAME]`. The URL is a secret, for many have a token in it: also `url_env`,
    `url_file`. `accounts`: those whose services may have it told of something. `ca`: who signs
    its certificate, in PEM, where that is nobody whom the system knows."""

    url: Secret
    secret: Secret | None = None
    accounts: Annotated[tuple[str, ...], OneOrMany] = ("root",)
    timeout: Annotated[float, Duration] = 10.0
    batch: Annotated[int, AtLeast(1)] = 1
    ca: Annotated[Path, ExistingFile] | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.url.reveal())
        named = parts.hostname and not parts.username and parts.port != 0
        if parts.scheme not in ("http", "https") or not named:
            raise ValueError('url: an address such as "https://example.com/hook" is allowed')
        if parts.fragment or not _IN_URLS.fullmatch(self.url.reveal()):
            raise ValueError("url: what is no ASCII, a blank or a #fragment is not allowed")
        if not 0 < self.timeout <= LONGEST_WEBHOOK:
            raise ValueError(f"timeout: above 0 and at most {LONGEST_WEBHOOK} s")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredListener:
    """One of `[[listeners]]`; `options` are those of its class, `place` says where it is."""

    place: str
    kind: type[ProtocolListener]
    listener: Listener
    options: Mapping[str, Any]

    def make(self) -> ProtocolListener:
        return self.kind(**self.options)

    @property
    def url(self) -> str:
        return f"{self.kind.protocol}://{self.listener.address}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A service that the file declares, or `[buckets]` (whose `sid` is "").

    `options` are the driver's own, decoded; `links` its fields typed `Store`
    with the sids that they name. `place` says where in the file it is. `settings` are
    documents by kind, which no API changes.
    """

    sid: str
    place: str
    driver: type[Store]
    name: str = ""
    account: str = "root"
    source_path: str = ""
    options: Mapping[str, Any]
    links: Mapping[str, str]
    settings: Mapping[str, str] = NOTHING

    def linked(self, stores: Mapping[str, S]) -> dict[str, S]:
        """What it links to, by field, of stores by sid."""
        return {field: stores[sid] for field, sid in self.links.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a configuration was made of: plain values, by which another process makes the
    same (`load_again`), whatever the files say by then.

    `tables` are what the file at `path` said, or what was given in its place; `secrets` the
    texts of files of secrets, by path; `root` the id and secret of the root key, unless the
    environment is to be asked for it. `written`: when the file was, in milliseconds since
    the epoch: what is known of a service that it declares until the catalog has seen it; 0
    when it cannot be told.
    """

    path: str | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    lenient: bool = False
    written: int = 0
    tables: Mapping[str, Any] = field(default_factory=dict, repr=False)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    root: tuple[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """All that was configured, checked. `root` is the environment's root key, if it has one,
    or was made for who keeps nothing; `left_out` says why services do not run that need a
    plugin which cannot be used."""

    origin: Origin
    server: ServerOptions
    catalog: CatalogOptions
    kms: KmsOptions = KmsOptions()
    accounts: tuple[Account, ...]
    keys: tuple[Key, ...]
    root: Key | None
    buckets: Declared
    services: Mapping[str, Declared]
    bindings: tuple[Binding, ...]
    listeners: tuple[DeclaredListener, ...] = ()
    webhooks: Mapping[str, WebhookOptions] = NOTHING
    left_out: Mapping[str, str] = field(default_factory=dict)
    plugins: Plugins = field(repr=False, compare=False)

    @property
    def data(self) -> Path | None:
        """The data folder; None when nothing is kept."""
        return None if self.server.memory else self.server.data

    def with_root(self, root: Key) -> Configuration:
        """With this root key, in other processes too."""
        origin = replace(self.origin, root=(root.id, root.secret.reveal()))
        return replace(self, root=root, origin=origin)

    def settings(self, server: Literal["granian", "waitress"] = "granian") -> Settings:
        """What modes see of `[server]`."""
        return Settings(
            region=self.server.region,
            domains=self.server.domains,
            external_url=self.server.external_url or "",
            max_body=self.server.body_limit(server),
            lifecycle_day=self.server.lifecycle_day,
        )
