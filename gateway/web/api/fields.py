"""What an answer in JSON is made of: its members, described.

Texts may have `code` in backquotes.
"""

from __future__ import annotations

from typing import Literal, NamedTuple


class Field(NamedTuple):
    """A member of an answer in JSON. `of`: members of the object, or of the objects in a list."""

    name: str
    kind: Literal["text", "integer", "number", "boolean", "time", "list", "texts", "map", "object"]
    about: str
    null: bool = False
    of: tuple[Field, ...] = ()
    values: tuple[str, ...] = ()
    optional: bool = False
