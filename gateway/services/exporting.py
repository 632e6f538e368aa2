"""A gateway as a configuration file: what its own file says, and behind it what the catalog has.

A bucket becomes a declared service of the same driver and options: over the same data folder it
has the same objects. Secrets become variables; the file names them, and never has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from gateway.access.identity import ROOT_ACCOUNT, Account, managing
from gateway.access.rules import AUTHENTICATED, EVERYONE
from gateway.catalog import Catalog, CatalogError, ServiceRow
from gateway.catalog.rows import NOWHERE, ORDERED
from gateway.common.units import format_duration
from gateway.config import Configuration, Key, ServerOptions, WebhookOptions
from gateway.config.configuration import bucket_of
from gateway.config.elsewhere import Elsewhere
from gateway.config.paths import here
from gateway.config.services import EVENTS, GRANTS, SETTINGS
from gateway.config.tables import AcmeOptions, CatalogOptions, Listener, LogOptions, ManagementKey
from gateway.config.volumes import VOLUME
from gateway.modes import HavingOptions
from gateway.services import soundness
from gateway.storage import NoSuchStore, Secret, Store, Versioning

Table = dict[str, Any]
_PAGE = 1000
_DOOR = ("host", "port", "prefix", "mode", "service")


@dataclass(slots=True)
class Exported:
    """`tables` are those of the file, `variables` what they name, `notes` what they do not say,
    a sentence each; `certificates` are PEM, by the name of a file: its chain, its key."""

    tables: Table
    variables: Mapping[str, Secret]
    notes: list[str] = field(default_factory=list)
    certificates: dict[str, Secret] = field(default_factory=dict)


class Exporter:
    """`versioning` is asked of each bucket, and raises `NoSuchStore` for one that is half made;
    `certificates`: where their files will be; None: nowhere."""

    def __init__(
        self,
        configuration: Configuration,
        catalog: Catalog,
        versioning: Callable[[str], Versioning],
        certificates: Path | None = None,
    ) -> None:
        self._configuration, self._catalog = configuration, catalog
        self._versioning, self._files = versioning, certificates
        file = configuration.origin.path
        self._elsewhere = Elsewhere(here() if file is None else Path(file).parent)
        self._written = configuration.origin.tables
        self._plugins = configuration.plugins
        self._notes: list[str] = []
        self._certificates: dict[str, Secret] = {}
        self._accounts: dict[str, Table] = {}

    def export(self) -> Exported:
        services = self._services()  # first: what they name is among the accounts
        tables: Table = {
            "server": self._server(),
            "logs": self._logs(),
            "catalog": self._catalog_options(),
            "kms": self._kms(),
            "reports": self._reports(),
            "acme": self._acme(),
            "webhooks": self._webhooks(),
            **self._keys(),
            "buckets": self._of_driver(self._written.get("buckets", {}), ("buckets",)),
            "volumes": self._volumes(services),
            "services": services,
            "bindings": self._bindings(),
            "listeners": self._listeners(),
        }
        found = {"server": tables.pop("server"), "accounts": self._all_accounts(), **tables}
        given = {name: table for name, table in found.items() if table}
        return Exported(given, self._elsewhere.variables, self._notes, self._certificates)

    # the gateway's own

    def _server(self) -> Table:
        given = {**self._written.get("server", {}), **self._configuration.origin.overrides}
        server = self._elsewhere.table(ServerOptions, given, ("server",))
        server["data"] = str(self._configuration.data)
        if added := self._tls():
            before = server.get("tls", [])
            server["tls"] = [*(before if isinstance(before, list) else [before]), *added]
        return server

    def _logs(self) -> Table:
        given = {**self._written.get("logs", {}), **self._configuration.origin.log_overrides}
        return self._elsewhere.table(LogOptions, given, ("logs",))

    def _tls(self) -> list[Table]:
        """Certificates of the catalog: they are shown where a listener has one already."""
        all_of_them = self._catalog.certificates()[1]
        rows = [row for row in all_of_them if not row.name.startswith(ORDERED)]
        if not rows:
            return []
        if self._files is None or not self._configuration.server.tls:
            why = "give --secrets" if self._files is None else "no listener of it speaks TLS"
            names = ", ".join(row.name for row in rows)
            self._notes.append(f"Certificates that were added are not in it ({why}): {names}.")
            return []
        tables = []
        for row in rows:
            key = self._catalog.keyring.unseal_private_key(row.name, row.sealed)
            file = row.name.replace("/", "~")  # no name that an operator gives has one
            files = {"certificate": f"{file}.pem", "key": f"{file}.key"}
            self._certificates |= {files["certificate"]: Secret(row.chain), files["key"]: key}
            tables.append({name: str(self._files / file) for name, file in files.items()})
        return tables

    def _acme(self) -> Table:
        """Its certificates are ordered anew, those that were ordered by hand, too."""
        written = self._written.get("acme", {})
        orders = self._catalog.orders().values()
        wanted = [one.host for one in orders if one.wanted and not one.declared]
        table = self._elsewhere.table(AcmeOptions, written, ("acme",)) if written else {}
        if not written or not wanted:
            return table
        names = table.get("names", [])
        before = [names] if isinstance(names, str) else names
        return {**table, "names": [*before, *(one for one in wanted if one not in before)]}

    def _catalog_options(self) -> Table:
        given = self._written.get("catalog", {})
        if self._configuration.catalog.embedded:
            return {}
        return self._elsewhere.table(CatalogOptions, given, ("catalog",))

    def _kms(self) -> Table:
        made = [one.name for one in self._catalog.encryption_keys()]
        if not made:
            return {}
        self._notes.append(
            "Encryption keys are in it by name: what they encrypt can be read with this catalog, or"
            " a backup of it."
        )
        return {"keys": sorted({*self._configuration.kms.keys, *made})}

    def _reports(self) -> Table:
        reports = self._configuration.reports
        durations = {} if reports is None else asdict(reports)
        return {name: format_duration(value) for name, value in durations.items()}

    def _webhooks(self) -> Table:
        return {
            name: self._elsewhere.table(WebhookOptions, table, ("webhook", name))
            for name, table in self._written.get("webhooks", {}).items()
        }

    def _listeners(self) -> list[Table]:
        found = []
        for table in self._written.get("listeners", []):
            kind = self._plugins.listeners[table["protocol"]]
            own = self._elsewhere.table(kind, table, ("listener", table["protocol"]))
            found.append(self._elsewhere.table(Listener, own, ("listener", table["protocol"])))
        return found

    # who

    def _all_accounts(self) -> list[Table]:
        return [*self._written.get("accounts", []), *self._accounts.values()]

    def _account(self, id: str) -> str:
        """It, which the file is to declare."""
        declared = {ROOT_ACCOUNT, *(one.id for one in self._configuration.accounts)}
        if id not in declared and id not in (EVERYONE, AUTHENTICATED):
            known = self._catalog.account(id) or Account(id=id)
            given = {"id": id, "name": known.name, "email": known.email}
            self._accounts[id] = {name: text for name, text in given.items() if text}
        return id

    def _keys(self) -> dict[str, list[Table]]:
        for account in self._catalog.made_accounts():
            self._account(account.id)
        found = {
            name: [
                self._elsewhere.table(kind, table, ("key", table["id"]))
                for table in self._written.get(name, [])
            ]
            for name, kind in (("keys", Key), ("management_keys", ManagementKey))
        }
        secrets = dict[str, str]()
        for info in self._catalog.all_keys():
            credential = self._catalog.credential(info.id)
            if info.declared or info.revoked:
                continue
            if credential is None:
                self._notes.append(f"The key {info.id} is not in it: it does not count now.")
                continue
            other = secrets.setdefault(credential.secret.reveal(), info.id)
            if other != info.id:  # a file's keys are found by their secrets alone
                self._notes.append(f"The key {info.id} is not in it: {other} has the same secret.")
                continue
            place = ("key", info.id, "secret")
            table = {
                "id": info.id,
                "secret_env": self._elsewhere.variable(place, credential.secret.reveal()),
                "account": self._account(info.account),
            }
            if info.manages and info.access == managing(info.account):
                found["management_keys"].append(table)
                continue
            access = info.access if isinstance(info.access, str) else dict(info.access)
            found["keys"].append({**table, "access": access})
            if info.manages and access != "admin":
                self._notes.append(f"The key {info.id} manages no keys by the file.")
        return found

    # services and doors

    def _services(self) -> Table:
        """Declared ones, those that were added, and buckets."""
        written = self._written.get("services", {})
        tables = {sid: self._of_driver(table, ("service", sid)) for sid, table in written.items()}
        whole, problems = soundness.with_added(self._configuration, self._catalog)
        self._notes += [f"Left out: {one}" for one in problems]
        for row in self._rows():
            if row.sid in tables:
                continue
            table = self._bucket(row) if row.store is None else None
            if row.store is not None and row.sid in whole.services:
                given = {"driver": row.store.driver, "name": row.store.name}
                given |= {"account": row.owner, **self._catalog.options(row)}
                table = self._of_driver(given, ("service", row.sid))
            if table is not None and row.within != NOWHERE:
                self._put_into(table, row, tables)
            if table is not None:
                table["account"] = self._account(row.owner)
                if row.grants:
                    table[GRANTS] = [
                        {"to": self._account(one.grantee), "permission": one.permission}
                        for one in row.grants
                    ]
                tables[row.sid] = table
        self._add_settings(tables)
        return tables

    def _put_into(self, table: Table, row: ServiceRow, others: Table) -> None:
        volume, bucket = row.within
        called = bucket_of(row.sid, volume)
        there = (sid for sid, one in others.items() if one.get(VOLUME) == volume)
        if called in (bucket_of(sid, volume) for sid in there):
            table.pop(VOLUME, None)
            self._notes.append(
                f"The service {row.sid} is not in the volume {volume} by the file: another is"
                f" called {called} there."
            )
            return
        table[VOLUME] = volume
        if called != bucket:
            self._notes.append(
                f"The service {row.sid} is called {called} in the volume {volume} by the file, and"
                f" was {bucket}."
            )

    def _volumes(self, services: Table) -> Table:
        """Of which some have lost their quota: a file's services have stores of their own."""
        tables, filled = Table(), {table.get(VOLUME) for table in services.values()}
        after = ""
        while rows := self._catalog.volumes(after=after, limit=_PAGE):
            for row in rows:
                tables[row.name] = table = Table(account=self._account(row.owner))
                if row.quota is not None and row.name in filled:
                    self._notes.append(
                        f"The quota of the volume {row.name} ({row.quota} bytes) is not in it: its"
                        " buckets are services there, each of which may have a quota of its own."
                    )
                elif row.quota is not None:
                    table["quota"] = row.quota
            after = rows[-1].name
        return {**self._written.get("volumes", {}), **tables}

    def _rows(self) -> Iterator[ServiceRow]:
        after: str | None = ""
        while after is not None:
            rows = self._catalog.services(after, _PAGE)
            yield from rows
            after = rows[-1].sid if len(rows) == _PAGE else None

    def _of_driver(self, given: Mapping[str, Any], place: tuple[str, ...]) -> Table:
        driver = given.get("driver", self._configuration.buckets.driver.driver)
        found = self._elsewhere.table(self._plugins.drivers[driver].kind, given, place)
        return {name: value for name, value in found.items() if value != ""}

    def _bucket(self, row: ServiceRow) -> Table | None:
        """None where it cannot be said in a file."""
        buckets = self._configuration.buckets
        if buckets.driver.probe is not Store.probe:
            self._notes.append(f"The bucket {row.sid} is an upstream's: its owner is not in it.")
            return None
        try:
            versioning = self._versioning(row.sid)
        except NoSuchStore:  # half made
            return None
        table = self._of_driver(self._written.get("buckets", {}), ("buckets",))
        table["driver"] = buckets.driver.driver
        if "keep_versions" in self._plugins.drivers[buckets.driver.driver].options:
            table["keep_versions"] = "forever" if versioning == "on" else "off"
        table.pop(EVENTS, None)
        hooks = self._configuration.webhooks
        told = [one for one in buckets.events if hooks[one.webhook].is_open_to(row.owner)]
        if told:
            table[EVENTS] = [{**asdict(one), "kinds": list(one.kinds)} for one in told]
        return table

    def _add_settings(self, tables: Table) -> None:
        kinds = self._plugins.kinds
        for sid in sorted({sid for kind in kinds for sid in self._catalog.services_having(kind)}):
            if sid not in tables:
                self._notes.append(f"Settings of {sid} are not in it: it is no service of its own.")
                continue
            own = tables[sid].get(SETTINGS, {})
            made = self._catalog.settings_of(sid).by_kind.items()
            said = {name: one.document for name, one in made if name in kinds}
            tables[sid][SETTINGS] = {**said, **own}

    def _bindings(self) -> list[Table]:
        found = [dict(table) for table in self._written.get("bindings", [])]
        for row in self._catalog.stores().bindings:
            named = {name: getattr(row, name) for name in _DOOR if getattr(row, name)}
            try:
                found.append({**named, **self._catalog.binding_options(row)})
            except CatalogError as error:  # its options cannot be unsealed
                self._notes.append(f"Left out: the binding {row.at}: {error}")
        return [*map(self._binding, found)]

    def _binding(self, table: Mapping[str, Any]) -> Table:
        mode = self._plugins.modes.get(table["mode"])
        if not isinstance(mode, HavingOptions):
            return dict(table)
        words = (str(table[name]) for name in ("host", "port", "prefix") if name in table)
        return self._elsewhere.table(mode.binding_options, table, ("binding", *words))
