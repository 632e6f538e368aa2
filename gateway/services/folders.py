"""Whether the services of a configuration keep out of each other's folders, before any is
opened: links, relative paths and other spellings of a name are seen through.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from gateway.common import folders
from gateway.storage import Place


class Placed(NamedTuple):
    """`at`: where the configuration says it; `holder`: who has it, for whoever gives it back."""

    at: str
    place: Place
    real: Path
    holder: object


class Clash(NamedTuple):
    """What is wrong, a sentence with the places in the configuration; `at` is the first."""

    at: str
    text: str


_Key = tuple[Path, str, bool]


class Folders:
    """Those that stores fill. A new one is held against those that it lies in and those that
    lie in it, and no other: there may be thousands."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[_Key, list[Placed]] = {}
        self._at: dict[Path, set[_Key]] = {}
        self._below: dict[Path, set[_Key]] = {}

    def add(self, at: str, place: Place, holder: object = None) -> list[Clash]:
        """What is wrong with it."""
        one = Placed(at, place, _real(place), holder)
        # Disks are looked at before the lock: who opens another waits for none that hangs.
        reason = "" if _key(one) in self._known else _of_another(one)
        with self._lock:
            known = self._known.setdefault(_key(one), [])
            known.append(one)
            if len(known) > 1:
                return []
            return [*([Clash(at, f"{at}: {reason}")] if reason else []), *self._placed(one)]

    def _placed(self, one: Placed) -> Iterator[Clash]:
        """The first that is there, from now on."""
        for other in self._near(one):
            if reason := _between(other, one) or _between(one, other):
                yield Clash(other.at, f"{other.at}, {one.at}: {reason}")
        self._at.setdefault(one.real, set()).add(_key(one))
        for folder in one.real.parents:
            self._below.setdefault(folder, set()).add(_key(one))

    def _near(self, one: Placed) -> Iterator[Placed]:
        for folder in (one.real, *one.real.parents):
            yield from (self._known[key][0] for key in self._at.get(folder, ()))
        yield from (self._known[key][0] for key in self._below.get(one.real, ()))

    def remove(self, holder: object) -> None:
        """All that this one has, whatever others have of the same."""
        with self._lock:
            for key, known in list(self._known.items()):
                known[:] = [one for one in known if one.holder is not holder]
                if not known:
                    del self._known[key]
                    self._at[key[0]].discard(key)
                    for folder in key[0].parents:
                        self._below[folder].discard(key)


def _key(one: Placed) -> _Key:
    return one.real, one.place.owner, one.place.tree


def conflicts(found: Iterable[tuple[str, Place]]) -> Iterator[str]:
    """What is wrong, a sentence each, in the order of the places."""
    folders, order, wrong = Folders(), dict[str, int](), list[Clash]()
    for at, place in found:
        order.setdefault(at, len(order))
        wrong += folders.add(at, place)
    yield from (one.text for one in sorted(wrong, key=lambda one: order[one.at]))


def unlike(found: Iterable[tuple[str, Place]]) -> Iterator[str]:
    """What stores that share a folder do not say alike, a sentence for each folder."""
    shared: dict[tuple[Path, str], list[tuple[str, Place]]] = {}
    for at, place in found:
        if place.terms:
            shared.setdefault((_real(place), place.owner), []).append((at, place))
    for (at, first), *others in shared.values():
        named = [
            (other, [name for name, value in place.terms if (name, value) not in first.terms])
            for other, place in others
        ]
        if wrong := sorted({name for _, names in named for name in names}):
            places = ", ".join([at, *(other for other, names in named if names)])
            yield (
                f"{places}: they have the folder {first.folder} together, and differ in"
                f" {' and '.join(wrong)}: what one promises, another may not keep. Say the"
                " same there, or give each a folder of its own."
            )


def _real(place: Place) -> Path:
    return Path(os.path.normcase(place.folder.resolve()))


def _of_another(one: Placed) -> str:
    try:
        if not one.place.tree:
            return folders.refusal(one.place.folder, one.place.owner) or _foreign(one.place)
        place, said = folders.above(one.place.folder)
    except OSError:
        return ""  # who opens it says why it cannot be read
    if said and _fills(place, one.real):
        return f"{one.place.folder} is kept by a store ({said}), and is no tree of files."
    return ""


def _foreign(place: Place) -> str:
    return folders.foreign(place.folder, place.known) if place.known else ""


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
