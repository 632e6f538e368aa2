"""What a replica takes of its source: changes as they were there, with the versions' own ids,
times and order, so that nobody can tell by these which of the two was written to."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from gateway.storage.objects import ObjectInfo
from gateway.storage.types import Change


class Position(NamedTuple):
    """How far a replica is: all up to sync id `sequence` of that `feed`. "": what it has is of
    no known state of any feed."""

    feed: str
    sequence: int


class Received(Protocol):
    """Bytes that are stored already, and nobody's yet."""

    def drop(self) -> None:
        """Nobody's they stay. May be called of what was handed on, too."""


class Arrival(NamedTuple):
    """A change at the source, or a version that it has. `info`: of a version that was put or
    changed, as it is there; None where it is there no more, and of a delete marker.
    `received` are its bytes, None where they are here (`Replicates.holds`). `marker`: it made
    a delete marker."""

    change: Change
    info: ObjectInfo | None = None
    received: Received | None = None
    marker: bool = False
