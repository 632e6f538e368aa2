"""What an answer in JSON is made of: its members, described.

Texts may have `code` in backquotes.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal[
    "text",
    "integer",
    "number",
    "boolean",
    "time",
    "list",
    "texts",
    "map",
    "object",
    "rows",
    "rows by name",
]


class Field(NamedTuple):
    """A member of an answer in JSON. `of`: members of the object, or of the objects in a list.
    `rows` is a list of lists of whole numbers; `rows by name` an object of such."""

    name: str
    kind: Kind
    about: str
    null: bool = False
    of: tuple[Field, ...] = ()
    values: tuple[str, ...] = ()
    optional: bool = False
