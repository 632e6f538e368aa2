"""Finds plugins and what they bring: drivers, API modes and listeners of other protocols, each
by its name.

A plugin is a module named by an entry point of the group `gateway.plugins`.
The built-in ones are no exception: they are found, registered and checked in
the same way. What is wrong with one is a `PluginError` that names it and says
what to do; nothing of a plugin that is wrong is used.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import Distribution, EntryPoint, entry_points
from inspect import getdoc
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

from gateway import hookspecs
from gateway.access.settings import SettingKind
from gateway.common.nearest_name import nearest
from gateway.modes import Configuring, HavingOptions, Mode
from gateway.modes.operating import DriverInfo, ModeInfo
from gateway.modes.protocols import ProtocolListener
from gateway.plugins.checking import Unfit, check_listener, check_mode, options_of_driver
from gateway.plugins.describing import mode_info, option_infos
from gateway.plugins.options import Option, options_of
from gateway.storage import CAPABILITIES, Layer, Store

GROUP = "gateway.plugins"
OURS = "storage-gateway"
_UNKNOWN_HOOK = re.compile(r"unknown hook '(\w+)'")
"""As pluggy says it."""


class PluginError(Exception):
    """One or more plugins cannot be used; the message names them, and says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """`plugin` is the entry point's name, `origin` the distribution that brings it;
    `options` are the dataclass's fields."""

    name: str
    kind: type[Store]
    plugin: str
    options: Mapping[str, Option]
    origin: str = ""

    @property
    def links(self) -> tuple[str, ...]:
        """The options that name services which it stands in front of."""
        return tuple(name for name, one in self.options.items() if one.link)

    @property
    def capabilities(self) -> tuple[str, ...]:
        """What its stores can do, or as a layer hand through."""
        passes = self.kind.passes if issubclass(self.kind, Layer) else frozenset()
        return tuple(
            one.__name__ for one in CAPABILITIES if issubclass(self.kind, one) or one in passes
        )

    @property
    def info(self) -> DriverInfo:
        return DriverInfo(
            name=self.name,
            about=getdoc(self.kind) or "",
            plugin=self.plugin,
            layer=issubclass(self.kind, Layer),
            capabilities=self.capabilities,
            options=option_infos(self.options.values()),
            shared=self.kind.shared,
        )


class Plugins:
    """All that was registered. Tests register modules of their own; a server `load`s.

    `problems` are the messages about plugins that are left out; `load` raises them
    unless it is lenient.
    """

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self.drivers: dict[str, Driver] = {}
        self.modes: dict[str, Mode] = {}
        self.listeners: dict[str, type[ProtocolListener]] = {}
        self.kinds: dict[str, SettingKind[Any]] = {}
        self.problems: list[str] = []

    @classmethod
    def load(cls, *, lenient: bool = False) -> Plugins:
        """Those of the installed distributions, by their entry points; our own come first.
        Raises `PluginError` with everything that is wrong, unless `lenient`."""
        plugins = cls()
        for point, origin in _points():
            try:
                plugins.register(_imported(point, origin), point.name, origin)
            except PluginError as error:
                plugins.problems.append(str(error))
        if plugins.problems and not lenient:
            raise PluginError(plugins.message)
        return plugins

    @property
    def message(self) -> str:
        """All problems as one, with the way around them."""
        listed = "".join(f"\n  {one}" for one in self.problems)
        return (
            f"Plugins that cannot be used:{listed}\n"
            "Mend or uninstall what is named; or `gateway serve --lenient` goes on without it,"
            " and without the services that need it."
        )

    def drivers_for_people(self) -> list[DriverInfo]:
        """By name."""
        return [self.drivers[name].info for name in sorted(self.drivers)]

    def modes_for_people(self, without: Collection[str]) -> list[ModeInfo]:
        """By name."""
        return [mode_info(self.modes[name]) for name in sorted({*self.modes}.difference(without))]

    def options_of_bindings(self, mode: str) -> Mapping[str, Option]:
        """Those of that mode; none where there is no such mode."""
        known = self.modes.get(mode)
        return options_of(known.binding_options) if isinstance(known, HavingOptions) else {}

    def register(self, module: ModuleType | object, name: str, origin: str = "") -> None:
        """Add a plugin: all of it, or nothing. Raises `PluginError`."""
        if self._manager.has_plugin(name):
            raise PluginError(
                f'Two plugins are named "{name}"; the second is of {origin or module!r}.'
                " Uninstall one of them."
            )
        who = f'The plugin "{name}"' + (f" ({origin})" if origin else "")
        try:
            self._manager.register(module, name)
            self._manager.check_pending()
            drivers = [self._driver(one, name, origin) for one in self._from("drivers", name)]
            modes = {check_mode(one): one for one in self._from("modes", name)}
            listeners = {check_listener(one): one for one in self._from("listeners", name)}
            for one in listeners.keys() & self.listeners.keys():
                raise Unfit(f'a listener of "{one}" exists already. Rename it.')
            kinds = list(_kinds(modes.values()))
            self._refuse_twice(drivers, modes, kinds)
        except (pluggy.PluginValidationError, Unfit) as error:
            self._manager.unregister(name=name)
            raise PluginError(f"{who}: {error}{_hint(error)}") from error
        self.drivers.update((one.name, one) for one in drivers)
        self.modes.update(modes)  # type: ignore[arg-type]  # checked: they have what Mode asks
        self.listeners.update(listeners)  # type: ignore[arg-type]  # checked: classes of it
        self.kinds.update((one.name, one) for one in kinds)

    def _from(self, what: str, plugin: str) -> Iterator[object]:
        """What that plugin's hook gives. Raises `Unfit`."""
        hook = getattr(self._manager.hook, f"gateway_{what}")
        for implementation in hook.get_hookimpls():
            if implementation.plugin_name != plugin:
                continue
            try:
                yield from implementation.function()
            except Exception as error:  # foreign code may raise anything; it is named and raised
                raise Unfit(
                    f"its hook gateway_{what} failed: {type(error).__name__}: {error}."
                    " It returns a list."
                ) from error

    def _driver(self, kind: object, plugin: str, origin: str) -> Driver:
        options = options_of_driver(kind)
        assert isinstance(kind, type)
        assert issubclass(kind, Store)
        return Driver(name=kind.driver, kind=kind, plugin=plugin, options=options, origin=origin)

    def _refuse_twice(
        self, drivers: list[Driver], modes: Mapping[str, object], kinds: list[SettingKind[Any]]
    ) -> None:
        names = [one.name for one in drivers]
        for name in names:
            other = self.drivers.get(name)
            if other is not None:
                raise Unfit(
                    f'the driver "{name}" is brought by the plugin "{other.plugin}" too.'
                    " Uninstall one of the two, or rename the driver."
                )
            if names.count(name) > 1:
                raise Unfit(f'it brings two drivers with the name "{name}".')
        for name in modes:
            if name in self.modes:
                raise Unfit(f'the mode "{name}" exists already. Rename it.')
        named = [one.name for one in kinds]
        for name in named:
            if name in self.kinds or named.count(name) > 1:
                raise Unfit(f'the kind of settings "{name}" exists already. Rename it.')


def _kinds(modes: Iterable[object]) -> Iterator[SettingKind[Any]]:
    """Those that the modes own. Raises `Unfit`."""
    for mode in modes:
        if isinstance(mode, Configuring):
            for kind in mode.kinds():
                if not isinstance(kind, SettingKind):
                    raise Unfit(f"{mode!r}: its method `kinds` gives a {type(kind).__name__}.")
                yield kind


def preload() -> None:
    """Import our own plugins now, so that the first `load` has less to do."""
    for point, origin in _points():
        if origin.startswith(OURS):
            _imported(point, origin)


def _points() -> list[tuple[EntryPoint, str]]:
    """All entry points with the distribution and its version ("" for one that is none, in
    tests), ours first. They are looked for anew when something was installed since."""
    return _points_at(tuple((place, _changed(place)) for place in sys.path))


def _changed(place: str) -> int:
    try:
        return Path(place).stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=1)
def _points_at(_places: tuple[tuple[str, int], ...]) -> list[tuple[EntryPoint, str]]:
    found = {(one.name, one.value): one for one in entry_points(group=GROUP)}
    origins = {dist: _origin(dist) for dist in {one.dist for one in found.values()}}
    named = [(one, origins[one.dist]) for one in found.values()]
    return sorted(named, key=lambda one: (not one[1].startswith(f"{OURS} "), one[0].name, one[1]))


def _origin(distribution: Distribution | None) -> str:
    """Its metadata is a file that is read and parsed at each look, which takes longer than all
    else of finding plugins: so there is one."""
    if distribution is None:
        return ""
    said = distribution.metadata
    return f"{said['Name']} {said['Version']}"


def _imported(point: EntryPoint, origin: str) -> object:
    try:
        return point.load()
    except Exception as error:  # a foreign module may raise anything; it is named and raised
        remove = point.dist.name if point.dist else "the distribution that brings it"
        raise PluginError(
            f'The plugin "{point.name}" ({f"{origin}: " if origin else ""}{point.value}) cannot be'
            f" imported: {type(error).__name__}: {error}. Install what it needs, or uninstall"
            f" {remove}."
        ) from error


def _hint(error: Exception) -> str:
    if isinstance(error, Unfit):
        return ""
    known = hook_names()
    wrong = _UNKNOWN_HOOK.search(str(error))
    like = nearest(wrong[1], known, prefix="gateway_") if wrong else ""
    return f".{like} Known hooks: {', '.join(f'{name}()' for name in known)}."


def hook_names() -> list[str]:
    """The hooks that a plugin may implement."""
    return sorted(name for name in vars(hookspecs) if name.startswith("gateway_"))
