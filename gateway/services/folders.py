"""Whether the services of a configuration keep out of each other's folders, before any is
opened: links, relative paths and other spellings of a name are seen through.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from gateway.common import folders
from gateway.storage import Place


class Placed(NamedTuple):
    """`at`: where the configuration says it."""

    at: str
    place: Place
    real: Path


def conflicts(found: Iterable[tuple[str, Place]]) -> Iterator[str]:
    """What is wrong, a sentence each, with the place in the configuration first."""
    distinct: dict[tuple[Path, str, bool], Placed] = {}
    for at, place in found:
        real = Path(os.path.normcase(place.folder.resolve()))
        distinct.setdefault((real, place.owner, place.tree), Placed(at, place, real))
    for one in distinct.values():
        if reason := _of_another(one):
            yield f"{one.at}: {reason}"
    for one, other in combinations(distinct.values(), 2):
        if reason := _between(one, other) or _between(other, one):
            yield f"{one.at}, {other.at}: {reason}"


def _of_another(one: Placed) -> str:
    try:
        if not one.place.tree:
            return folders.refusal(one.place.folder, one.place.owner)
        place, said = folders.above(one.place.folder)
    except OSError:
        return ""  # who opens it says why it cannot be read
    if said and _fills(place, one.real):
        return f"{one.place.folder} is kept by a store ({said}), and is no tree of files."
    return ""


def _between(outer: Placed, inner: Placed) -> str:
    if outer.real == inner.real:
        if outer.place.owner == inner.place.owner:
            return ""
        return (
            f"both have the folder {outer.place.folder}, and each would take the other's files"
            " for its own. Give each a folder of its own."
        )
    if outer.place.tree:
        if inner.place.tree or not inner.real.is_relative_to(outer.real):
            return ""
        return (
            f"the folder {inner.place.folder} lies in {outer.place.folder}, where its files"
            " would be served as objects. Choose one outside."
        )
    if _fills(outer.real, inner.real):
        return f"the folder {inner.place.folder} lies among the files of {outer.place.folder}."
    return ""


def _fills(outer: Path, inner: Path) -> bool:
    """Whether a folder is one that a store fills, or lies where it has its files."""
    return inner == outer or inner.is_relative_to(outer / "blobs")
