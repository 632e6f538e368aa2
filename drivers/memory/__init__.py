"""Objects in memory: the indexed engine without a file. Nothing is kept."""

from __future__ import annotations

from drivers.memory.store import Memory
from gateway.hookspecs import hookimpl
from gateway.storage import Store

__all__ = ["Memory", "gateway_drivers"]


@hookimpl
def gateway_drivers() -> list[type[Store]]:
    return [Memory]
