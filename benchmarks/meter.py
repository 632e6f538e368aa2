"""Measures where time goes between named functions: they are wrapped while it lasts.

Each stage gets the time of its functions less that of the stages that they call. What the
wrapping itself costs is measured on empty functions and taken off. Nothing stays behind,
and nothing in the code that is measured knows of it.
"""

from __future__ import annotations

import functools
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any

Clock = Callable[[], int]
"""Nanoseconds."""

_CALIBRATION = 400
_TRIES = 60


class Gone(Exception):
    """A function that is not there: the table of stages is to follow the code."""


class Meter:
    """For one thread. `own` has each stage's nanoseconds since `reset`."""

    def __init__(self, clock: Clock = time.perf_counter_ns) -> None:
        self.clock: Clock = clock
        self.own: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.called: Counter[str] = Counter()
        self._within: list[list[Any]] = [["", 0]]
        self._inside, self._outside = 0.0, 0.0
        self._inside, self._outside = self._calibrated()

    def reset(self) -> None:
        for one in (self.own, self.calls, self.called):
            one.clear()

    def stages(self) -> Mapping[str, float]:
        """Each stage's nanoseconds, without what the wrapping cost."""
        return {
            stage: spent - self.calls[stage] * self._inside - self.called[stage] * self._outside
            for stage, spent in self.own.items()
        }

    def wrap(self, function: Callable[..., Any], stage: str) -> Callable[..., Any]:
        clock, within = self.clock, self._within
        own, calls, called = self.own, self.calls, self.called

        @functools.wraps(function)
        def timed(*args: Any, **options: Any) -> Any:
            frame: list[Any] = [stage, 0]
            within.append(frame)
            begin = clock()
            try:
                return function(*args, **options)
            finally:
                spent = clock() - begin
                within.pop()
                own[stage] += spent - frame[1]
                calls[stage] += 1
                outer = within[-1]
                outer[1] += spent
                called[outer[0]] += 1

        return timed

    def _calibrated(self) -> tuple[float, float]:
        """(charged to a wrapped function, charged to its caller) for each call, in ns; the
        lowest of many short tries, for whatever disturbs can only add."""

        def nothing() -> None:
            return None

        def plain() -> None:
            for _ in range(_CALIBRATION):
                nothing()

        wrapped = self.wrap(nothing, "inner")

        def calling() -> None:
            for _ in range(_CALIBRATION):
                wrapped()

        outer, inside, outside = self.wrap(calling, "outer"), [], []
        for _ in range(_TRIES):
            begin = self.clock()
            plain()
            bare = (self.clock() - begin) / _CALIBRATION
            self.reset()
            outer()
            inside.append(self.own["inner"] / _CALIBRATION - bare / 2)
            outside.append(self.own["outer"] / _CALIBRATION - bare / 2)
        self.reset()
        return max(0.0, min(inside)), max(0.0, min(outside))

    @contextmanager
    def installed(self, stages: Mapping[str, Sequence[str]]) -> Iterator[None]:
        """Wrap the functions ("module:name" or "module:Class.name") of each stage, wherever
        they were imported to, until the block ends. Raises `Gone`."""
        with ExitStack() as stack:
            for stage, names in stages.items():
                for name in names:
                    self._install(stack, stage, name)
            yield

    def _install(self, stack: ExitStack, stage: str, name: str) -> None:
        module, _, path = name.partition(":")
        *owners, last = path.split(".")
        try:
            holder = functools.reduce(getattr, owners, import_module(module))
            function = vars(holder)[last]
        except (ImportError, AttributeError, KeyError) as error:
            raise Gone(f"{name} (of the stage {stage!r}) is not there") from error
        timed = self.wrap(function, stage)
        places = [holder] if owners else _importers(function, last)
        for place in places:
            setattr(place, last, timed)
            stack.callback(setattr, place, last, function)


def _importers(function: Any, name: str) -> list[Any]:
    """The modules that have the function under its name."""
    found = [one for one in list(sys.modules.values()) if getattr(one, "__dict__", None)]
    return [one for one in found if vars(one).get(name) is function]
