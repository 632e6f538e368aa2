"""An index as an earlier release left it: what each step of its schema made is taken back."""

from __future__ import annotations

from collections.abc import Callable

from drivers.indexed.schema import VERSION

_TAKEN_BACK = {
    10: (
        "DROP INDEX services_by_volume",
        "ALTER TABLE services DROP COLUMN volume",
        "DROP TABLE volumes",
    ),
    9: (
        "ALTER TABLE services DROP COLUMN current",
        "ALTER TABLE services DROP COLUMN uploads",
    ),
    8: ("ALTER TABLE blobs DROP COLUMN ends",),
    7: ("ALTER TABLE services DROP COLUMN case_sensitive",),
    6: (
        "ALTER TABLE services DROP COLUMN feed",
        "ALTER TABLE services DROP COLUMN replica",
    ),
    5: ("DROP TABLE annotations",),
    4: ("ALTER TABLE changes DROP COLUMN cause",),
    3: ("ALTER TABLE services DROP COLUMN waiting",),
}


def make_older(execute: Callable[[str], object], version: int) -> None:
    """Have the index of that version of the schema. `execute` runs a statement."""
    for step in range(VERSION, version, -1):
        for statement in _TAKEN_BACK[step]:
            execute(statement)
    execute(f"UPDATE meta SET value = '{version}' WHERE name = 'schema'")
