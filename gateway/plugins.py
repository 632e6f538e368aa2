"""Finds plugins and what they bring: drivers by name, and API modes by name.

A plugin is a module named by an entry point of the group `gateway.plugins`.
What is wrong with one is a `PluginError` that names it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType

import pluggy

from gateway import hookspecs
from gateway.fields import Option, options_of
from gateway.modes import Mode
from gateway.storage import CAPABILITIES, Layer, Store

GROUP = "gateway.plugins"


class PluginError(Exception):
    """A plugin cannot be used; the message names it, and says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """`plugin` is the entry point's name; `options` are the dataclass's fields."""

    name: str
    kind: type[Store]
    plugin: str
    options: Mapping[str, Option]

    @property
    def capabilities(self) -> tuple[str, ...]:
        """What its stores can do, or as a layer hand through."""
        passes = self.kind.passes if issubclass(self.kind, Layer) else frozenset()
        return tuple(
            one.__name__ for one in CAPABILITIES if issubclass(self.kind, one) or one in passes
        )


class Plugins:
    """All that was registered. Tests register modules of their own; a server `load`s."""

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self.drivers: dict[str, Driver] = {}
        self.modes: dict[str, Mode] = {}

    @classmethod
    def load(cls) -> Plugins:
        """Those of the installed distributions, by their entry points."""
        plugins = cls()
        found = {(one.name, one.value): one for one in entry_points(group=GROUP)}
        for point in found.values():
            plugins.register(_imported(point), point.name)
        return plugins

    def register(self, module: ModuleType | object, name: str) -> None:
        """Add a plugin. Raises `PluginError`."""
        if self._manager.has_plugin(name):
            raise PluginError(f'Two plugins are named "{name}".')
        try:
            self._manager.register(module, name)
            self._manager.check_pending()
        except pluggy.PluginValidationError as error:
            known = ", ".join(_hook_names())
            raise PluginError(f'The plugin "{name}": {error} Known hooks: {known}.') from error
        for kind in self._brought("gateway_drivers", name):
            self._add_driver(kind, name)
        for mode in self._brought("gateway_modes", name):
            self._add_mode(mode, name)

    def _brought(self, hook: str, plugin: str) -> Iterator[object]:
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            if implementation.plugin_name == plugin:
                yield from implementation.function()

    def _add_driver(self, kind: object, plugin: str) -> None:
        if not (isinstance(kind, type) and issubclass(kind, Store) and is_dataclass(kind)):
            raise PluginError(f'The plugin "{plugin}": {kind!r} is not a dataclass and a Store.')
        if not kind.driver:
            raise PluginError(
                f'The plugin "{plugin}": {kind.__name__} has no name;'
                ' give it the class attribute `driver = "…"`.'
            )
        other = self.drivers.get(kind.driver)
        if other is not None:
            raise PluginError(
                f'The driver "{kind.driver}" is brought by two plugins:'
                f' "{other.plugin}" and "{plugin}".'
            )
        try:
            options = options_of(kind)
        except NameError as error:
            raise PluginError(
                f'The plugin "{plugin}": the annotations of {kind.__name__} cannot be read:'
                f" {error}. Import what they name outside of TYPE_CHECKING."
            ) from error
        self.drivers[kind.driver] = Driver(
            name=kind.driver, kind=kind, plugin=plugin, options=options
        )

    def _add_mode(self, mode: object, plugin: str) -> None:
        name = getattr(mode, "name", "")
        if not name or not callable(getattr(mode, "app", None)):
            raise PluginError(f'The plugin "{plugin}": {mode!r} is not a mode.')
        if name in self.modes:
            raise PluginError(f'The plugin "{plugin}" brings the mode "{name}", which exists.')
        self.modes[name] = mode  # type: ignore[assignment]  # checked: it has what Mode asks


def _imported(point: EntryPoint) -> object:
    try:
        return point.load()
    except Exception as error:  # a foreign module may raise anything; it is named and raised
        raise PluginError(
            f'The plugin "{point.name}" ({point.value}) cannot be imported:'
            f" {type(error).__name__}: {error}"
        ) from error


def _hook_names() -> list[str]:
    return sorted(name for name in vars(hookspecs) if name.startswith("gateway_"))
