"""The tables of `gateway.toml` as dataclasses: the one list of options and defaults.

They are decoded by `decode.py` straight from these fields; an option that is
not a field here (or of a driver) does not exist. Specification: configuration.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from gateway.access.grants import Permission
from gateway.access.identity import (
    ROOT_ACCOUNT,
    Credential,
    Identity,
    KeyAccess,
    Level,
    ServiceLevel,
    managing,
)
from gateway.config.texts import (
    Address,
    CertifiedName,
    EncryptionKeyName,
    HostName,
    HostPattern,
    WebUrl,
)
from gateway.storage import Change, Secret
from gateway.storage.options import AtLeast, Duration, ExistingFile, OneOrMany, Size

Kind = Literal["auto", "granian", "waitress"]
Accel = Literal["off", "nginx"]
"""Who in front sends files of the gateway's by itself."""

ProxyHeaders = Literal["x-forwarded", "forwarded"]
"""What trusted proxies write: `X-Forwarded-For`, `-Host`, `-Proto`; or `Forwarded` (RFC 7239)."""

_IN_URLS = re.compile(r"[!-~]+")
LETS_ENCRYPT = WebUrl("https://acme-v02.api.letsencrypt.org/directory")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+={0,2}")
LONGEST_WEBHOOK = 60
"""Seconds that a webhook may take for an answer."""
EVERY_ACCOUNT = "*"
EventKind = Literal["put", "delete", "purge", "update"]

GIBIBYTE = 1 << 30
LEAST_LOG = 64_000
MAX_BODY: Mapping[str, int] = {"granian": 5 << 40, "waitress": GIBIBYTE}
"""waitress spools a body to disk before the application sees its request."""


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
    accel: Accel = "off"
    default_mode: str = "s3"
    only_bound: Annotated[tuple[str, ...], OneOrMany] = ()
    region: str = "us-east-1"
    max_body: Annotated[int, Size] | None = None
    lifecycle_day: Annotated[float, Duration] = 86_400.0
    tls: Annotated[tuple[Tls, ...], OneOrMany] = ()
    http2: bool = False
    health: bool = True
    metrics_by_service: bool = False
    drain: Annotated[float, Duration] = 30.0
    countries: Annotated[Path, ExistingFile] | None = None
    header_timeout: Annotated[float, Duration] = 30.0
    body_timeout: Annotated[float, Duration] = 60.0

    def __post_init__(self) -> None:
        if not 0.1 <= self.lifecycle_day <= 86_400:
            raise ValueError("lifecycle_day: 0.1s to 1d; less than a day is for tests")
        if self.accel != "off" and not self.trusted_proxies:
            raise ValueError(
                "accel: it is for proxies that trusted_proxies names, and it names none"
            )
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
class LogOptions:
    """`[logs]`. `file` gets what else goes to stderr, in the form of `log_format`. At `max_size`
    bytes it is turned over (0: never, somebody else does it), and `keep` of those before stay."""

    file: Path | None = None
    max_size: Annotated[int, Size] = 100_000_000
    keep: Annotated[int, AtLeast(1)] = 10

    def __post_init__(self) -> None:
        if 0 < self.max_size < LEAST_LOG:
            raise ValueError("max_size: at least 64KB; or 0, and the file is not turned over")

    @property
    def place(self) -> tuple[Path | None, int, int]:
        return self.file, self.max_size, self.keep


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
class ReportOptions:
    """`[reports]`, which has them kept. `flush`: so often each worker writes what it counted."""

    keep: Annotated[float, Duration] = 400 * 86_400.0
    flush: Annotated[float, Duration] = 5.0

    def __post_init__(self) -> None:
        if self.keep < 86_400:
            raise ValueError("keep: at least 1d")
        if not 0.1 <= self.flush <= 60:
            raise ValueError("flush: 0.1s to 60s")


@dataclass(frozen=True, slots=True, kw_only=True)
class AcmeOptions:
    """`[acme]`: who gives certificates, to whom, and for which names. `bindings`: for all host
    names of bindings that no other certificate is for. `ca_file`: who signs the authority's own
    certificate, in PEM, where that is nobody whom the system knows. `eab_key_id`, `eab_key`: what
    an authority gave to whom it knows already, whose the account is to be (RFC 8555 §7.3.4)."""

    directory: WebUrl = LETS_ENCRYPT
    email: str = ""
    terms_agreed: bool = False
    ca_file: Annotated[Path, ExistingFile] | None = None
    names: Annotated[tuple[CertifiedName, ...], OneOrMany] = ()
    bindings: bool = False
    eab_key_id: str = ""
    eab_key: Secret | None = None

    def __post_init__(self) -> None:
        if (self.eab_key is None) == bool(self.eab_key_id):
            raise ValueError("eab_key_id: it goes with eab_key, both or neither")
        if self.eab_key is not None and not _BASE64URL.fullmatch(self.eab_key.reveal()):
            raise ValueError("eab_key: the authority's text, of the characters A-Z a-z 0-9 - _")
        if not self.terms_agreed:
            raise ValueError(
                "terms_agreed: true is needed: that you agree to the terms of service of the"
                " authority, which its directory names"
            )
        if not self.directory.startswith("https:"):
            raise ValueError("directory: an address that begins with https is allowed")


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
class ManagementKey:
    """One of `[[management_keys]]`: it manages what its account has, and root's everything."""

    id: str
    secret: Secret
    account: str = ROOT_ACCOUNT

    def credential(self) -> Credential:
        access = managing(self.account)
        identity = Identity(key=self.id, account=self.account, access=access, manages=True)
        return Credential(id=self.id, secret=self.secret, identity=identity)


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingOptions:
    """What each of `[[bindings]]` has, whatever its mode: a door with its own host, port or
    path prefix."""

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

    def takes(self, host: str, port: str) -> bool:
        """Whether it is for requests of that host (in lower case) at that port, "" for one that
        is not known."""
        named = self.host or host
        fits = host.endswith(named[1:]) if named.startswith("*.") else host == named
        return fits and (self.port is None or str(self.port) == port)

    @property
    def door(self) -> tuple[str, int, str]:
        """What no other has: host, port and prefix, "" and 0 for none."""
        return self.host or "", self.port or 0, self.prefix

    def __str__(self) -> str:
        """By which requests: "img.example.com", ":8080/images"."""
        return f"{self.host or ''}{f':{self.port}' if self.port else ''}{self.prefix}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding(BindingOptions):
    """With the `options` that its mode has for its bindings (`modes.HavingOptions`); None:
    nobody gave any."""

    options: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventOptions:
    """One of a service's `events`: the name of a webhook, and which changes it is told of: those
    of these kinds (`storage.Change`), of keys that begin and end so."""

    webhook: str
    prefix: str = ""
    suffix: str = ""
    kinds: Annotated[tuple[EventKind, ...], OneOrMany] = ("put", "delete", "purge")

    def __post_init__(self) -> None:
        if not self.kinds:
            raise ValueError("kinds: at least one is needed")

    def covers(self, change: Change, fold: Callable[[str], str]) -> bool:
        """`fold`: that of the store."""
        key, prefix, suffix = change.key, fold(self.prefix), fold(self.suffix)
        return key.startswith(prefix) and key.endswith(suffix) and change.kind in self.kinds


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantOptions:
    """One of a service's `grants`: what it gives to an account, by its id; `to` "*": to everybody,
    "~": to all accounts."""

    to: str
    permission: Permission


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeOptions:
    """`[volumes.NAME]`. `quota`: bytes that its buckets may have together; None: any number."""

    account: str = ROOT_ACCOUNT
    quota: Annotated[int, Size] | None = None


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

    def is_open_to(self, account: str) -> bool:
        return EVERY_ACCOUNT in self.accounts or account in self.accounts
