"""Bindings of the catalog are added and removed: what a file could not have is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from gateway.catalog import BindingRow, Catalog, CatalogError
from gateway.catalog.stores import Stores
from gateway.common.nearest_name import nearest
from gateway.config import Binding, BindingOptions, Configuration, ConfigurationError
from gateway.config.bindings import COMMON, check_options, facts_of, read_bindings
from gateway.config.decode import Decoder
from gateway.config.portable import portable, without_secrets
from gateway.config.problems import BAD, ConfigProblem, Problems, shown
from gateway.services import soundness
from gateway.services.service_editor import closed_part, unless_changed
from gateway.services.stored import binding_of, door_of
from gateway.storage import Conflict

PLACE = "binding"
"""What messages call the one that is added."""


class BindingEditor:
    """All raise `StorageError` and `ConfigurationError`. `folder` and `environ`: as in
    `ServiceEditor`."""

    def __init__(
        self,
        configuration: Configuration,
        catalog: Catalog,
        *,
        folder: Path = Path(),
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._configuration, self._catalog = configuration, catalog
        self._folder, self._environ = folder, environ

    def all(self) -> list[tuple[Binding, str]]:
        """Those of the catalog, each with what it is part of; without options where its mode takes
        them no more."""
        return [(self._known(row), row.part_of) for row in self._catalog.stores().bindings]

    def _known(self, row: BindingRow) -> Binding:
        try:
            return binding_of(self._configuration, self._catalog, row)
        except (ConfigurationError, CatalogError):
            return door_of(row)

    def add(self, table: Mapping[str, Any]) -> Binding:
        """One of `[[bindings]]`, as a file has it."""
        problems = Problems()
        decoder = Decoder(problems=problems, folder=self._folder, environ=self._environ)
        modes, off = self._configuration.plugins.modes, self._configuration.modes_off
        found = read_bindings(decoder, modes, [(PLACE, table)], off)
        if problems:
            raise ConfigurationError(problems)
        (binding,) = found.values()
        self._refuse_declared(binding)
        whole, _ = soundness.with_added(self._configuration, self._catalog)
        check_options(
            problems, modes, found, whole.services, facts_of(problems, self._configuration.server)
        )
        if problems:
            raise ConfigurationError(problems)

        written = {name: value for name, value in table.items() if name not in COMMON}
        own = portable(binding.options, written)
        shown = without_secrets(binding.options, own)

        def add(stores: Stores) -> None:
            self._check_service(binding, stores)
            row = BindingRow(*binding.door, binding.mode, binding.service, own)
            self._catalog.add_binding(row, shown=shown, since=stores.number)

        unless_changed(self._catalog, add)
        return binding

    def remove(self, table: Mapping[str, Any]) -> BindingOptions:
        """The one with that host, port and prefix."""
        problems = Problems()
        decoder = Decoder(problems=problems, folder=Path(), environ=None)
        binding = decoder.build(BindingOptions, {**table, "mode": "any"}, PLACE)
        if binding is BAD:
            raise ConfigurationError(problems)
        self._refuse_declared(binding)
        unless_changed(
            self._catalog,
            lambda stores: self._catalog.remove_binding(*binding.door, since=stores.number),
        )
        return cast(BindingOptions, binding)

    def _refuse_declared(self, binding: BindingOptions) -> None:
        for number, one in enumerate(self._configuration.bindings):
            if one.door == binding.door:
                file = self._configuration.origin.path or "the configuration"
                raise Conflict(f"The binding {one} is declared in {file} (bindings[{number}]).")

    def _check_service(self, binding: Binding, stores: Stores) -> None:
        sid, known = binding.service, {**self._configuration.services, **stores.services}
        if sid and sid not in known and self._catalog.read_service(sid) is None:
            problems = Problems()
            text = f"found {shown(sid)}; there is no such service.{nearest(sid, known)}"
            problems.add(f"{PLACE}.service", text)
            raise ConfigurationError(problems)
        if text := closed_part(sid, stores):
            raise ConfigurationError([ConfigProblem(f"{PLACE}.service", text)])
