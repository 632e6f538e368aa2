"""Tags and parts of an object: how many there are is known, and what is in them is asked
for when somebody looks. Most readers never do, and reads stay one request each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import overload

from gateway.storage import Part


class Tags(Mapping[str, str]):
    """`load` may raise any `StorageError`, and does so where the tags are looked at."""

    __slots__ = ("_count", "_found", "_load")

    def __init__(self, count: int, load: Callable[[], Mapping[str, str]]) -> None:
        self._count, self._load = count, load
        self._found: Mapping[str, str] | None = None

    def _loaded(self) -> Mapping[str, str]:
        if self._found is None:
            self._found = self._load()
        return self._found

    def __getitem__(self, key: str) -> str:
        return self._loaded()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._loaded())

    def __len__(self) -> int:
        return self._count if self._found is None else len(self._found)

    def __repr__(self) -> str:
        return f"Tags({self._count})"


class LazyParts(Sequence[Part]):
    __slots__ = ("_count", "_found", "_load")

    def __init__(self, count: int, load: Callable[[], tuple[Part, ...]]) -> None:
        self._count, self._load = count, load
        self._found: tuple[Part, ...] | None = None

    def _loaded(self) -> tuple[Part, ...]:
        if self._found is None:
            self._found = self._load()
        return self._found

    @overload
    def __getitem__(self, index: int) -> Part: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Part]: ...
    def __getitem__(self, index: int | slice) -> Part | Sequence[Part]:
        return self._loaded()[index]

    def __iter__(self) -> Iterator[Part]:
        return iter(self._loaded())

    def __len__(self) -> int:
        return self._count

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._loaded() == tuple(other)

    def __hash__(self) -> int:
        return hash(self._loaded())

    def __repr__(self) -> str:
        return f"Parts({self._count})"
