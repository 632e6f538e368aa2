"""Objects on the local disk: the indexed engine on an SQLite file and files."""

from __future__ import annotations

from drivers.local.store import Local
from gateway.hookspecs import hookimpl
from gateway.storage import Store

__all__ = ["Local", "gateway_drivers"]


@hookimpl
def gateway_drivers() -> list[type[Store]]:
    return [Local]
