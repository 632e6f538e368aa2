"""What the command line does, for who manages the gateway from elsewhere: by the same editors.

What is changed counts here when it is acknowledged. May surprise: options that name variables
of the environment or files of secrets are refused, so that a key of the gateway's is no way to
read what else is on its machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

from gateway.access.identity import ROOT_ACCOUNT, Identity
from gateway.access.rules import Facts
from gateway.catalog import CatalogError
from gateway.config import Binding, Configuration, ConfigurationError, given
from gateway.config import typed as as_typed
from gateway.config.bindings import told
from gateway.config.paths import here
from gateway.modes.operating import (
    AuditInfo,
    BindingInfo,
    CertificateInfo,
    DriverInfo,
    FollowerInfo,
    GatewayInfo,
    JobInfo,
    ModeInfo,
    NotAccepted,
    ReplicaInfo,
    ServiceDetails,
    ServiceInfo,
    ServicePage,
    Trouble,
)
from gateway.services.administration import Administration
from gateway.services.binding_editor import BindingEditor
from gateway.services.certificate_editor import CertificateEditor
from gateway.services.credentials import CredentialKeeper
from gateway.services.service_editor import ServiceEditor
from gateway.services.survey import Survey
from gateway.services.unsafe import declared_certificates, missing, unsafe
from gateway.services.versions import versions
from gateway.storage import Forbidden, Replicates, StorageError, Unavailable


@runtime_checkable
class Watched(Protocol):
    """What tells of all that it runs, as jobs and followers of a gateway do."""

    def snapshot(self) -> Sequence[Any]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ThisProcess:
    """What of it an operator sees: which `server` it is, what runs behind requests, and how
    it is made to see a change at once."""

    server: str
    jobs: object
    followers: object
    notice: Callable[[], object]


class GatewayOperator(CredentialKeeper):
    """Implements `gateway.modes.operating.Operator`."""

    def __init__(
        self, gateway: Administration, identity: Identity, facts: Facts, process: ThisProcess
    ) -> None:
        """Raises `Forbidden` for who manages nothing."""
        if not identity.manages_something:
            raise Forbidden("This key manages nothing.")
        self._gateway, self._identity, self._facts = gateway, identity, facts
        self._catalog, self._whole = gateway.catalog, process

    @property
    def _process(self) -> ThisProcess:
        self._require_everything()
        return self._whole

    @property
    def _configuration(self) -> Configuration:
        self._require_everything()
        return self._gateway.chain.configuration

    def _require_everything(self) -> None:
        """Raise `Forbidden` for who manages an account alone: all but keys is the gateway's."""
        if not self._identity.manages_everything:
            raise Forbidden("This key manages an account, and not the gateway.")

    @property
    def _editor(self) -> ServiceEditor:
        file = self._configuration.origin.path
        folder = here() if file is None else Path(file).parent
        return ServiceEditor(self._configuration, self._catalog, folder=folder, environ=None)

    @property
    def _bindings(self) -> BindingEditor:
        return BindingEditor(self._configuration, self._catalog)

    @property
    def _survey(self) -> Survey:
        return Survey(self._gateway, self._editor)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with translated():
            yield
        with suppress(StorageError):  # it is made: who follows the catalog sees it soon
            self._process.notice()

    # services

    def services(self, after: str = "", limit: int = 100, text: str = "") -> ServicePage:
        with translated():
            return self._survey.page(after, limit, text)

    def service(self, sid: str) -> ServiceDetails:
        with translated():
            return self._survey.details(sid)

    def chain(self, sid: str = "") -> Sequence[ServiceInfo]:
        with translated():
            return self._survey.chain(sid)

    def drivers(self) -> Sequence[DriverInfo]:
        return self._configuration.plugins.drivers_for_people()

    def written(self, driver: str, typed: Iterable[tuple[str, str]]) -> dict[str, Any]:
        known = self._configuration.plugins.drivers.get(driver)
        return as_typed.table(typed, {} if known is None else known.options)

    def add_service(
        self,
        sid: str,
        driver: str,
        options: Mapping[str, Any],
        *,
        name: str = "",
        account: str = ROOT_ACCOUNT,
    ) -> str:
        with self._changing():
            return self._editor.add(sid, driver, options, name=name, account=account)

    def change_service(
        self,
        sid: str,
        options: Mapping[str, Any],
        *,
        unset: Iterable[str] = (),
        name: str | None = None,
    ) -> None:
        with self._changing():
            self._editor.change(sid, options, unset=unset, name=name)

    def remove_service(self, sid: str) -> None:
        with self._changing():
            self._editor.remove(sid)

    # doors

    def bindings(self) -> Sequence[BindingInfo]:
        own = enumerate(self._configuration.bindings)
        declared = [self._binding(one, f"bindings[{number}]") for number, one in own]
        with translated():
            added = self._bindings.all()
        return [*declared, *(self._binding(one, part_of=whole) for one, whole in added)]

    def _binding(self, one: Binding, declared: str = "", part_of: str = "") -> BindingInfo:
        host, port, prefix = one.door
        return BindingInfo(
            host=host,
            port=port,
            prefix=prefix,
            mode=one.mode,
            service=one.service,
            options=tuple(given.changed(one)),
            declared=declared,
            part_of=part_of,
            notes=tuple(told(self._configuration.plugins.modes, one)),
        )

    def modes(self) -> Sequence[ModeInfo]:
        return self._configuration.plugins.modes_for_people(self._configuration.modes_off)

    def written_binding(self, mode: str, typed: Iterable[tuple[str, str]]) -> dict[str, Any]:
        return as_typed.table(typed, self._configuration.plugins.options_of_bindings(mode))

    def add_binding(self, table: Mapping[str, Any]) -> BindingInfo:
        with self._changing():
            return self._binding(self._bindings.add(table))

    def remove_binding(self, host: str, port: int, prefix: str) -> None:
        table = {"host": host, "port": port, "prefix": prefix}
        with self._changing():
            self._bindings.remove({name: value for name, value in table.items() if value})

    def certificates(self) -> Sequence[CertificateInfo]:
        found = declared_certificates(self._configuration).items()
        declared = [
            CertificateInfo(
                str(path),
                said.names if said else (),
                round(said.expires.timestamp() * 1000) if said else None,
                declared=True,
            )
            for path, said in found
        ]
        with translated():
            rows = CertificateEditor(self._catalog).all()
        return declared + [
            CertificateInfo(one.name, one.hosts, one.expires, declared=False) for one in rows
        ]

    # what runs

    def audit(
        self,
        before: int | None = None,
        limit: int = 100,
        *,
        since: int = 0,
        actor: str = "",
        action: str = "",
        subject: str = "",
    ) -> Sequence[AuditInfo]:
        self._require_everything()
        return self._catalog.audit(
            before, limit, since=since, actor=actor, action=action, subject=subject
        )

    def jobs(self) -> Sequence[JobInfo]:
        return cast("Sequence[JobInfo]", _seen(self._process.jobs))

    def followers(self) -> Sequence[FollowerInfo]:
        return cast("Sequence[FollowerInfo]", _seen(self._process.followers))

    def replicas(self) -> Sequence[ReplicaInfo]:
        progress = {one.name: one for one in self.followers()}
        return [
            ReplicaInfo(sid, follows, progress.get(f"replica {sid}"))
            for sid, service in self._survey.able(Replicates)
            if (follows := service.need(Replicates).followed)
        ]

    def about(self) -> GatewayInfo:
        configuration = self._configuration
        listeners = [one.address for one in configuration.server.listeners]
        return GatewayInfo(
            file=configuration.origin.path or "",
            sections=tuple(given.sections(configuration)),
            unsafe=tuple(unsafe(configuration, listeners, self._process.server)),
            missing=tuple(missing(configuration)),
            versions=tuple(versions()),
        )


def _seen(running: object) -> Sequence[Any]:
    return running.snapshot() if isinstance(running, Watched) else ()


@contextmanager
def translated() -> Iterator[None]:
    """What the editors raise, as modes know it."""
    try:
        yield
    except ConfigurationError as error:
        raise NotAccepted(Trouble(*one) for one in error.problems) from error
    except CatalogError as error:
        raise Unavailable(str(error)) from error
