"""All that was configured, decoded and checked: what `load` makes of the tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from gateway.access.grants import Grant
from gateway.access.identity import Account
from gateway.config.mode_tables import switched_off
from gateway.config.tables import (
    AcmeOptions,
    Binding,
    CatalogOptions,
    EventOptions,
    Key,
    KmsOptions,
    Listener,
    LogOptions,
    ManagementKey,
    ReportOptions,
    ServerOptions,
    VolumeOptions,
    WebhookOptions,
)
from gateway.modes import Mode, Options
from gateway.modes.protocols import ProtocolListener
from gateway.storage import NOTHING, Store

if TYPE_CHECKING:
    from gateway.plugins.finding import Plugins

S = TypeVar("S", bound=Store)


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
    documents by kind, which no API changes. `events`: who is told of changes; of `[buckets]`, of
    those of all buckets. `grants`: what it gives to others than its owner. `volume`: the one that
    it is in; "" for none.
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
    events: tuple[EventOptions, ...] = ()
    grants: tuple[Grant, ...] = ()
    volume: str = ""

    @property
    def bucket(self) -> str:
        """What it is called in its volume; "" where it is in none."""
        return bucket_of(self.sid, self.volume) if self.volume else ""

    def linked(self, stores: Mapping[str, S]) -> dict[str, S]:
        """What it links to, by field, of stores by sid."""
        return {field: stores[sid] for field, sid in self.links.items()}


def bucket_of(sid: str, volume: str) -> str:
    """What a service is called in a volume."""
    return sid.removeprefix(f"{volume}.")


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
    log_overrides: Mapping[str, Any] = field(default_factory=dict)
    lenient: bool = False
    written: int = 0
    tables: Mapping[str, Any] = field(default_factory=dict, repr=False)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    root: tuple[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """All that was configured, checked. `root` is the environment's root key, if it has one,
    or was made for who keeps nothing; `acme`: who gives certificates, None where nobody does;
    `mode_tables` are those of modes, by name; `left_out` says why services do not run that need a
    plugin which cannot be used; `reports` is None where none are kept."""

    origin: Origin
    server: ServerOptions
    catalog: CatalogOptions
    logs: LogOptions = field(default_factory=LogOptions)
    kms: KmsOptions = field(default_factory=KmsOptions)
    reports: ReportOptions | None = None
    acme: AcmeOptions | None = None
    accounts: tuple[Account, ...]
    keys: tuple[Key, ...]
    management_keys: tuple[ManagementKey, ...] = ()
    root: Key | None
    buckets: Declared
    services: Mapping[str, Declared]
    volumes: Mapping[str, VolumeOptions] = NOTHING
    bindings: tuple[Binding, ...]
    listeners: tuple[DeclaredListener, ...] = ()
    webhooks: Mapping[str, WebhookOptions] = NOTHING
    mode_tables: Mapping[str, Any] = NOTHING
    left_out: Mapping[str, str] = field(default_factory=dict)
    plugins: Plugins = field(repr=False, compare=False)

    @property
    def modes_off(self) -> frozenset[str]:
        """Those that are there, and whose table is not."""
        return switched_off(self.plugins.modes, self.mode_tables)

    @property
    def modes(self) -> dict[str, Mode]:
        """Those that are on, by name."""
        off = self.modes_off
        return {name: mode for name, mode in self.plugins.modes.items() if name not in off}

    @property
    def open_modes(self) -> list[Mode]:
        """Those that are asked for what came by no binding. The default mode gets what no other
        claims, so it is asked last."""
        modes, server = self.modes.values(), self.server
        asked = [mode for mode in modes if mode.name not in server.only_bound]
        return sorted(asked, key=lambda mode: mode.name == server.default_mode)

    @property
    def data(self) -> Path | None:
        """The data folder; None when nothing is kept."""
        return None if self.server.memory else self.server.data

    def with_root(self, root: Key) -> Configuration:
        """With this root key, in other processes too."""
        origin = replace(self.origin, root=(root.id, root.secret.reveal()))
        return replace(self, root=root, origin=origin)

    def with_log_file(self, file: Path) -> Configuration:
        """With its log there, in other processes and when it is read again, too."""
        given = {**self.origin.log_overrides, "file": str(file)}
        origin = replace(self.origin, log_overrides=given)
        return replace(self, logs=replace(self.logs, file=file), origin=origin)

    def mode_options(self, server: Literal["granian", "waitress"] = "granian") -> Options:
        """What modes see of `[server]`."""
        return Options(
            region=self.server.region,
            domains=self.server.domains,
            external_url=self.server.external_url or "",
            max_body=self.server.body_limit(server),
            lifecycle_day=self.server.lifecycle_day,
        )
