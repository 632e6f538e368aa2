"""`[MODE]`: the table of a mode that has one (`HavingTable`), decoded like any other. Whether it
is there says whether the mode is on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from gateway.config.decode import Decoder
from gateway.config.problems import BAD
from gateway.modes import HavingTable, Mode


def having_tables(modes: Mapping[str, Mode]) -> list[str]:
    """The tables' names, which are the modes'."""
    return sorted(name for name, mode in modes.items() if isinstance(mode, HavingTable))


def switched_off(modes: Mapping[str, Mode], tables: Collection[str]) -> frozenset[str]:
    """The modes whose table is not there."""
    return frozenset(having_tables(modes)).difference(tables)


def read_mode_tables(
    decoder: Decoder, modes: Mapping[str, Mode], found: Mapping[str, Any]
) -> dict[str, Any]:
    """Those that are there and right, by mode."""
    built = {
        name: decoder.build(mode.table, found[name], name)
        for name, mode in modes.items()
        if isinstance(mode, HavingTable) and name in found
    }
    return {name: table for name, table in built.items() if table is not BAD}
