"""The hooks by which drivers, layers and modes join the gateway.

A plugin is a module named by an entry point of the group `gateway.plugins`;
it implements what it needs of these with `@hookimpl`. plugins.md is its guide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

from gateway.storage import Store

if TYPE_CHECKING:
    from gateway.modes import Mode
    from gateway.modes.protocols import ProtocolListener

PROJECT = "gateway"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def gateway_drivers() -> list[type[Store]]:  # type: ignore[empty-body]  # a specification
    """Drivers and layers: dataclasses, each with its name in the class attribute `driver`,
    and in `contract` the version of `gateway.storage` that it was written for."""


@hookspec
def gateway_modes() -> list[Mode]:  # type: ignore[empty-body]  # a specification
    """API modes: each has a `name`, and the methods of `gateway.modes.Mode`."""


@hookspec
def gateway_listeners() -> list[type[ProtocolListener]]:  # type: ignore[empty-body]  # likewise
    """Listeners that do not speak HTTP: dataclasses, each with its name in the class attribute
    `protocol`, and the methods of `gateway.modes.protocols.ProtocolListener`."""
