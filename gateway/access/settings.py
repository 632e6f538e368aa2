"""Kinds of settings that a service may have: what a mode says of each that it owns.

A setting is a document, kept as it came. Its kind says how it is parsed, and, where it
says who may do what, how it becomes rules: by those every door decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from gateway.access.actions import RULES, Action
from gateway.access.rules import Limits, Rule
from gateway.storage import Put

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SettingKind(Generic[T]):
    """`name` is what the catalog and the configuration call it. `parse` raises `ValueError`,
    which says what is wrong. `read`, `write` and `remove` are the actions of who does so.

    `rules`: those that a setting makes, each time anew from what was parsed, for the service of
    that name; and how far others count. The owner must be able to look at such a setting and to
    remove it, when nobody can tell any more what it says: `read` and `remove` are among
    `actions.RULES`.

    `defaults`: what an object that is made (put, copied to, begun in parts) is to have, of what
    was parsed, of what was said of it, and the time; so it holds through every door. Where such
    a setting cannot be read nothing is made.

    `fits` is asked when somebody sets it, by whatever door: with the gateway (`modes.Gateway`),
    the service as they have it (`Access`), and what was parsed. It raises `ValueError`, as
    `parse` does, or a `StorageError` where that cannot be for this service.

    `needs_versions`: while a service has such a setting, its versions are not suspended.

    `example`: such a document, for who writes one by hand; "" where there is more to setting it
    than `parse` and `fits` ask.
    """

    name: str
    read: Action
    write: Action
    remove: Action
    parse: Callable[[str], T]
    rules: Callable[[T, str], Iterable[Rule | Limits]] | None = None
    defaults: Callable[[T, Put, int], Put] | None = None
    fits: Callable[[Any, Any, T], None] | None = None
    needs_versions: bool = False
    example: str = ""

    def parsed(self, document: str) -> Parsed[T]:
        """Raises what `parse` raises."""
        return Parsed(document, self.parse(document))

    def __post_init__(self) -> None:
        if self.rules is not None and not {self.read, self.remove} <= RULES:
            allowed = ", ".join(sorted(RULES))
            raise ValueError(
                f"The setting {self.name!r} could lock its owner out: what it makes are rules,"
                f" so its actions read and remove are to be of these: {allowed}."
            )


class Parsed(NamedTuple, Generic[T]):
    """`document` as it came, `value` what it says."""

    document: str
    value: T


Wanted = tuple[SettingKind[Any], Parsed[Any]]
"""What a service is to be made with."""


class Setting(NamedTuple, Generic[T]):
    """What a service has: a document, parsed. `version` is another with each change; 0 where the
    configuration says it."""

    document: str
    value: T
    version: int
