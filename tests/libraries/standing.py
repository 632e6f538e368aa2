"""`Standing`: names, parameters and texts of a library's source that files of ours rely on."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pytest


@dataclass(frozen=True, kw_only=True)
class Standing:
    """`ours`: the one file in which all of it is. `public`: others that import the library too,
    and call what it documents. `takes`: parameters of a function (`module:Class.method`),
    `written`: texts of its source. Blanks and line ends do not count."""

    distribution: str
    module: str
    ours: str
    public: tuple[str, ...] = ()
    takes: Mapping[str, str] = field(default_factory=dict)
    written: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def installed(self) -> str:
        """Its version; skips the test where there is none."""
        try:
            return version(self.distribution)
        except PackageNotFoundError:
            pytest.skip(f"{self.distribution} is not installed here")

    def moved(self) -> list[str]:
        where = f"{self.distribution} {self.installed()}"
        return [f"{where}: {what} ({self.ours})" for what in self._moved()]

    def _moved(self) -> Iterator[str]:
        for name, promised in self.takes.items():
            if (found := _named(name)) is None:
                yield f"{name} is gone"
            elif (now := " ".join(inspect.signature(found).parameters)) != promised:
                yield f"{name} takes {now}, no longer {promised}"
        for name, texts in self.written.items():
            if (found := _named(name)) is None:
                yield f"{name} is gone"
                continue
            source = _plain(inspect.getsource(found))
            yield from (f"{name} has no {one!r}" for one in texts if _plain(one) not in source)


def _named(name: str) -> Any:
    """None when it is not there."""
    module, _, path = name.partition(":")
    try:
        return reduce(getattr, path.split("."), importlib.import_module(module))
    except (ImportError, AttributeError):
        return None


def _plain(source: str) -> str:
    return " ".join(source.split())
