"""The names of tests that pass, as a run found them and as they are expected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple


class Outcome(NamedTuple):
    """What became of the tests that ran. `failed`: by name, what was said of it."""

    passed: frozenset[str]
    failed: Mapping[str, str]

    @property
    def names(self) -> frozenset[str]:
        return self.passed | self.failed.keys()


class Verdict(NamedTuple):
    """`worse` were expected to pass, and did not; `better` the other way round; `absent` were
    expected to pass, and the suite has no such tests any more."""

    worse: tuple[str, ...]
    better: tuple[str, ...]
    absent: tuple[str, ...]

    @property
    def fits(self) -> bool:
        return not (self.worse or self.better or self.absent)


def on_all(outcomes: Sequence[Outcome]) -> Outcome:
    """Of several stores: a test passes that passes on each of them."""
    failed: dict[str, str] = {}
    for one in reversed(outcomes):
        failed.update(one.failed)
    return Outcome(frozenset().union(*(one.passed for one in outcomes)) - failed.keys(), failed)


def judge(expected: frozenset[str], found: Outcome, *, whole: bool) -> Verdict:
    """`whole`: all tests of the suite ran, so one that did not is there no more."""
    absent = expected - found.names if whole else frozenset[str]()
    return Verdict(
        worse=tuple(sorted(expected & found.failed.keys())),
        better=tuple(sorted(found.passed - expected)),
        absent=tuple(sorted(absent)),
    )


def read(path: Path) -> frozenset[str]:
    """One name a line."""
    return frozenset(path.read_text(encoding="utf-8").split())


def write(path: Path, names: Iterable[str]) -> None:
    text = "".join(f"{name}\n" for name in sorted(names))
    path.write_text(text, encoding="utf-8", newline="\n")


def read_reasons(path: Path) -> Mapping[str, str]:
    """One test a line, and behind its name why it does not pass."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split(maxsplit=1) for line in lines if line)


def told(verdict: Verdict, found: Outcome) -> str:
    """For people."""
    lines = [f"{len(found.passed)} passed, {len(found.failed)} failed"]
    lines += [f"worse:  {name}: {found.failed[name]}" for name in verdict.worse]
    lines += [f"better: {name}" for name in verdict.better]
    lines += [f"absent: {name}" for name in verdict.absent]
    return "\n".join(lines)
