"""Finds the configuration file, decodes it, and reports everything wrong at once.

Reading a configuration opens and writes nothing but the file itself and the
files of secrets that it names.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import platformdirs

from gateway.access.identity import ROOT_ACCOUNT, Account
from gateway.common import looking
from gateway.common.ids import ID, ID_RULE
from gateway.common.nearest_name import nearest
from gateway.config.bindings import (
    check_default,
    check_only_bound,
    check_options,
    facts_of,
    read_bindings,
)
from gateway.config.configuration import Configuration, Declared, Origin
from gateway.config.decode import Decoder
from gateway.config.links import check_construction, check_events, check_links, leave_out
from gateway.config.listeners import read_listeners
from gateway.config.mode_tables import having_tables, read_mode_tables, switched_off
from gateway.config.paths import expanded, here
from gateway.config.problems import (
    BAD,
    ConfigProblem,
    ConfigurationError,
    Problems,
    join,
    names,
    shown,
)
from gateway.config.services import ServiceReader, check_account
from gateway.config.tables import (
    EVERY_ACCOUNT,
    AcmeOptions,
    CatalogOptions,
    Key,
    KmsOptions,
    LogOptions,
    ManagementKey,
    ReportOptions,
    ServerOptions,
    VolumeOptions,
    WebhookOptions,
)
from gateway.config.texts import SID, SID_RULE
from gateway.config.volumes import check_places, read_volumes
from gateway.modes import HavingReports
from gateway.plugins.checking import TABLES
from gateway.plugins.finding import PluginError, Plugins
from gateway.storage import Secret

FILE = "gateway.toml"
ROOT_KEY = "GATEWAY_ROOT_ACCESS_KEY"
ROOT_SECRET = "GATEWAY_ROOT_SECRET_KEY"  # noqa: S105 - a variable's name


def load(
    path: str | os.PathLike[str] | None = None,
    *,
    overrides: Mapping[str, Any] | None = None,
    log_overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    plugins: Plugins | None = None,
    tables: Mapping[str, Any] | None = None,
    lenient: bool = False,
) -> Configuration:
    """The configuration: `path`, else GATEWAY_CONFIG, else ./gateway.toml, else defaults.

    `overrides` are options of `[server]` from the command line, which win, `log_overrides` such
    of `[logs]`. `tables` are
    what a file would say, and then none is looked for. `lenient`: plugins that cannot be
    used are left out, with the services that need them. Raises `ConfigurationError` with
    all problems, and `PluginError`.
    """
    environ = os.environ if environ is None else environ
    plugins = _usable(plugins, lenient=lenient)
    file = find_file(path, environ) if tables is None else None
    origin = Origin(
        path=None if file is None else str(file),
        overrides=dict(overrides or {}),
        log_overrides=dict(log_overrides or {}),
        lenient=lenient,
        written=0 if file is None else _written(file),
        tables=dict(tables or {}) if file is None else _read(file),
    )
    return _made(origin, environ, plugins)


def load_again(
    origin: Origin,
    *,
    environ: Mapping[str, str] | None = None,
    plugins: Plugins | None = None,
) -> Configuration:
    """What `load` made of it in another process, without a look at any file that it read.
    `environ` is to be that process's. Raises what `load` does."""
    plugins = _usable(plugins, lenient=origin.lenient)
    return _made(origin, os.environ if environ is None else environ, plugins)


def find_data(path: str | os.PathLike[str] | None = None) -> Path | None:
    """The data folder, whatever else is wrong with the configuration; None when nothing is
    kept. Raises `ConfigurationError`."""
    file = find_file(path)
    server = {} if file is None else _read(file).get("server", {})
    folder = here() if file is None else file.parent
    decoder = Decoder(problems=Problems(), folder=folder, environ=os.environ)
    known = server if isinstance(server, dict) else {}
    given = {key: known[key] for key in ("data", "memory") if key in known}
    options = decoder.build(ServerOptions, given, "server")
    if options is BAD:
        raise ConfigurationError(decoder.problems, str(file or ""))
    if options.memory or options.data:
        return None if options.memory else Path(options.data)
    if (usual := _data_folder()) is None:
        raise ConfigurationError([ConfigProblem("server.data", f"missing; {_HOMELESS}")])
    return usual


_HOMELESS = "this user has no home folder to keep data in: give --data."


def _usable(plugins: Plugins | None, *, lenient: bool) -> Plugins:
    plugins = Plugins.load(lenient=lenient) if plugins is None else plugins
    if plugins.problems and not lenient:
        raise PluginError(plugins.message)
    return plugins


def _made(origin: Origin, environ: Mapping[str, str], plugins: Plugins) -> Configuration:
    decoder = Decoder(
        problems=Problems(),
        folder=here() if origin.path is None else Path(origin.path).parent,
        environ=environ,
        texts=dict(origin.secrets),
    )
    reader = _Reader(found=origin.tables, decoder=decoder, plugins=plugins, origin=origin)
    configuration = reader.read()
    if configuration is None or decoder.problems:
        raise ConfigurationError(decoder.problems, origin.path or "")
    return replace(configuration, origin=replace(origin, secrets=decoder.texts))


def _data_folder() -> Path | None:
    """The user's own; None without HOME, and with no entry in the system's list of users."""
    try:
        found = platformdirs.user_data_path("storage-gateway", appauthor=False)
    except RuntimeError:
        return None
    return found if found.is_absolute() else None  # older ones leave a "~" at its beginning


def find_file(
    path: str | os.PathLike[str] | None = None, environ: Mapping[str, str] | None = None
) -> Path | None:
    """The file that `load` reads, absolute; None: there is none, and none was asked for. Raises
    `ConfigurationError`."""
    named = path or (os.environ if environ is None else environ).get("GATEWAY_CONFIG")
    if named:
        try:
            return here() / expanded(named)
        except ValueError as error:
            raise ConfigurationError(
                [ConfigProblem("", f"The configuration file {error}.")]
            ) from None
    usual = usual_file()
    try:
        return usual if looking.is_there(usual) else None
    except OSError as error:
        problem = f"cannot be looked for: {error.strerror}. Start elsewhere, or give --config."
        raise ConfigurationError([ConfigProblem(str(usual), problem)]) from None


def usual_file() -> Path:
    """Where one is looked for if none was named."""
    return here() / FILE


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        problem = f"the configuration file cannot be read: {error.strerror}."
    except UnicodeDecodeError:
        problem = "the configuration file is not UTF-8 text."
    except tomllib.TOMLDecodeError as error:
        problem = f"not TOML: {error}."
    except RecursionError:
        problem = "not a configuration: something in it is nested hundreds of times."
    except ValueError:  # of int()
        problem = "not a configuration: it has a number of thousands of digits."
    raise ConfigurationError([ConfigProblem(str(file), problem)])


def _written(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns // 1_000_000
    except OSError:  # gone, since it was found
        return 0


class _Reader:
    def __init__(
        self, *, found: Mapping[str, Any], decoder: Decoder, plugins: Plugins, origin: Origin
    ) -> None:
        self.found, self.decoder, self.plugins, self.origin = found, decoder, plugins, origin
        self.problems = decoder.problems

    def read(self) -> Configuration | None:
        self._check_tables()
        server = self._server()
        logs = self._logs()
        catalog = self.decoder.build(CatalogOptions, self.found.get("catalog", {}), "catalog")
        kms = self.decoder.build(KmsOptions, self.found.get("kms", {}), "kms")
        reports = self._reports()
        acme = self._acme()
        tables = self._tables("accounts")
        accounts = self._accounts(tables)
        named = (table.get("id") for _, table in tables)
        known = frozenset({ROOT_ACCOUNT, *(one for one in named if isinstance(one, str))})
        keys, management_keys = self._keys(known)
        root = self._root()
        mode_tables = read_mode_tables(self.decoder, self.plugins.modes, self.found)
        bindings = read_bindings(
            self.decoder, self.plugins.modes, self._tables("bindings"), self._off
        )
        listeners = read_listeners(
            self.decoder, self.plugins.listeners, self._tables("listeners"), server
        )
        webhooks = self._webhooks(known)
        volumes = self._volumes(known)
        services = ServiceReader(
            decoder=self.decoder,
            plugins=self.plugins,
            accounts=known,
            memory=server is not BAD and server.memory,
            volumes=volumes,
        )
        declared, buckets, left_out = self._services(services, webhooks)
        check_options(
            self.problems, self.plugins.modes, bindings, declared, facts_of(self.problems, server)
        )
        if self.problems or buckets is None:
            return None
        return Configuration(
            origin=self.origin,
            server=server,
            catalog=catalog,
            logs=logs,
            kms=kms,
            reports=reports,
            acme=acme,
            accounts=accounts,
            keys=keys,
            management_keys=management_keys,
            root=root,
            buckets=buckets,
            services=declared,
            volumes=volumes,
            left_out=left_out,
            bindings=tuple(bindings.values()),
            listeners=listeners,
            webhooks=webhooks,
            mode_tables=mode_tables,
            plugins=self.plugins,
        )

    def _reports(self) -> ReportOptions | None:
        on = (mode for name, mode in self.plugins.modes.items() if name not in self._off)
        if "reports" not in self.found and not any(isinstance(mode, HavingReports) for mode in on):
            return None
        built = self.decoder.build(ReportOptions, self.found.get("reports", {}), "reports")
        return None if built is BAD else built

    def _acme(self) -> AcmeOptions | None:
        if "acme" not in self.found:
            return None
        if find_spec("acme") is None:
            install = "pip install 'storage-gateway[acme]'"
            self.problems.add("acme", f"needs a library that is not installed: {install}")
        built = self.decoder.build(AcmeOptions, self.found["acme"], "acme")
        return None if built is BAD else built

    def _volumes(self, accounts: frozenset[str]) -> dict[str, VolumeOptions]:
        found = read_volumes(self.decoder, self.found.get("volumes", {}))
        for name, one in found.items():
            place = join(join("volumes", name), "account")
            check_account(self.problems, one.account, accounts, place)
        return found

    def _services(
        self, services: ServiceReader, webhooks: Mapping[str, WebhookOptions]
    ) -> tuple[dict[str, Declared], Declared | None, dict[str, str]]:
        """Those that are declared, what [buckets] says, and why some are left out."""
        written = self.found.get("services", {})
        declared = services.services(written)
        buckets = services.buckets(self.found.get("buckets", {}))
        left_out = leave_out(declared, services.unknown)
        check_links(self.problems, declared, written if isinstance(written, dict) else {})
        check_construction(self.problems, declared, buckets, services.volumes)
        check_places(self.problems, declared.values())
        telling = declared.values() if buckets is None else (buckets, *declared.values())
        check_events(self.problems, telling, declared, webhooks)
        return declared, buckets, left_out

    def _check_tables(self) -> None:
        known = [*TABLES, *having_tables(self.plugins.modes)]
        for name in self.found:
            if name not in known:
                self.problems.add(
                    name, f"unknown table.{nearest(name, known)} Known: {names(known)}."
                )

    @property
    def _off(self) -> frozenset[str]:
        """A mode whose table is wrong is not: that was reported."""
        return switched_off(self.plugins.modes, self.found)

    def _server(self) -> Any:
        found = self.found.get("server", {})
        if not isinstance(found, dict):
            self.problems.add("server", f"found {shown(found)}; allowed: a table.")
            return BAD
        overrides, before = self.origin.overrides, len(self.problems)
        server = self._placed(self.decoder.build(ServerOptions, {**found, **overrides}, "server"))
        mode = found.get("default_mode", "s3")
        check_default(self.problems, self.plugins.modes, mode, "server.default_mode", self._off)
        if server is not BAD:
            check_only_bound(self.problems, self.plugins.modes, server, "server")
        for number, (place, message) in enumerate(self.problems[before:], before):
            option = place.removeprefix("server.").split("[")[0]
            if option in overrides:
                self.problems[number] = ConfigProblem(f"--{option.replace('_', '-')}", message)
        return server

    def _logs(self) -> Any:
        found, typed = self.found.get("logs", {}), self.origin.log_overrides
        merged = {**found, **typed} if isinstance(found, dict) else found
        return self.decoder.build(LogOptions, merged, "logs")

    def _placed(self, server: Any) -> Any:
        """With the user's own data folder, where one is needed and none was given."""
        if server is BAD or server.memory or server.data is not None:
            return server
        folder = _data_folder()
        if folder is None:
            self.problems.add("server.data", f"missing; {_HOMELESS}")
            return BAD
        return replace(server, data=folder)

    def _tables(self, name: str) -> list[tuple[str, dict[str, Any]]]:
        """(place, table) of each table of an array of tables."""
        found = self.found.get(name, [])
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            self.problems.add(name, f"found {shown(found)}; allowed: tables, each as [[{name}]].")
            return []
        return [(f"{name}[{number}]", one) for number, one in enumerate(found)]

    def _check_ids(self, tables: list[tuple[str, dict[str, Any]]]) -> None:
        seen: dict[str, str] = {}
        for place, table in tables:
            id = table.get("id")
            if not isinstance(id, str):
                continue  # reported by the decoder
            if not ID.fullmatch(id):
                self.problems.add(f"{place}.id", f"found {shown(id)}; {ID_RULE}.")
            other = seen.setdefault(id, place)
            if other != place:
                self.problems.add(f"{place}.id", f"{shown(id)} is declared before, as {other}.")

    def _webhooks(self, accounts: frozenset[str]) -> dict[str, WebhookOptions]:
        found = self.found.get("webhooks", {})
        if not isinstance(found, dict):
            self.problems.add("webhooks", f"found {shown(found)}; allowed: tables.")
            return {}
        for name in found:
            if not ID.fullmatch(name):
                self.problems.add(join("webhooks", name), f"{ID_RULE}.")
        built = {
            name: self.decoder.build(WebhookOptions, table, join("webhooks", name))
            for name, table in found.items()
        }
        webhooks = {name: one for name, one in built.items() if one is not BAD}
        for name, one in webhooks.items():
            for account in one.accounts:
                place = join(f"webhooks.{name}", "accounts")
                check_account(self.problems, account, {*accounts, EVERY_ACCOUNT}, place)
        return webhooks

    def _built(self, tables: list[tuple[str, dict[str, Any]]], kind: type[Any]) -> list[Any]:
        return [self.decoder.build(kind, table, place) for place, table in tables]

    def _accounts(self, tables: list[tuple[str, dict[str, Any]]]) -> tuple[Account, ...]:
        self._check_ids(tables)
        return tuple(one for one in self._built(tables, Account) if one is not BAD)

    def _keys(self, accounts: frozenset[str]) -> tuple[tuple[Key, ...], tuple[ManagementKey, ...]]:
        tables, managing = self._tables("keys"), self._tables("management_keys")
        self._check_ids([*tables, *managing])
        keys = self._built(tables, Key)
        management_keys = self._built(managing, ManagementKey)
        secrets = dict[str, str]()
        for (place, table), key in zip(
            [*tables, *managing], [*keys, *management_keys], strict=True
        ):
            check_account(self.problems, table.get("account"), accounts, f"{place}.account")
            if key is not BAD:
                other = secrets.setdefault(key.secret.reveal(), place)
                if other != place:
                    self.problems.add(f"{place}.secret", f"is the same as that of {other}.")
        for place, table in tables:
            access = table.get("access")
            for sid in access if isinstance(access, dict) else ():
                if not SID.fullmatch(sid):
                    self.problems.add(f"{place}.access", f"found {shown(sid)}; {SID_RULE}.")
        return (
            tuple(one for one in keys if one is not BAD),
            tuple(one for one in management_keys if one is not BAD),
        )

    def _root(self) -> Key | None:
        """The root key: handed over, or of the environment, both variables or neither."""
        environ = self.decoder.environ or {}
        given = environ.get(ROOT_KEY, ""), environ.get(ROOT_SECRET, "")
        key, secret = self.origin.root or given
        if not key and not secret:
            return None
        if not key or not secret:
            missing, other = (ROOT_KEY, ROOT_SECRET) if not key else (ROOT_SECRET, ROOT_KEY)
            self.problems.add(missing, f"is not set, but {other} is; set both, or neither.")
        elif not ID.fullmatch(key):
            self.problems.add(ROOT_KEY, f"{ID_RULE}.")
        if not key or not secret:
            return None
        return Key(id=key, secret=Secret(secret), account=ROOT_ACCOUNT, access="admin")
