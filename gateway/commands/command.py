"""What a command declares of itself; `main` makes the parser of it, and calls `run`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

Run = Callable[[argparse.Namespace], int]
"""Does it, prints, and returns the exit code. Raises what `main.expected` lists."""


def _nothing(_parser: argparse.ArgumentParser) -> None:
    """For a command without options."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """`text` is one line for people; `arguments` adds what may be typed. One with `commands`
    below it needs one of those, unless it can `run` by itself."""

    name: str
    text: str
    arguments: Callable[[argparse.ArgumentParser], None] = _nothing
    run: Run | None = None
    commands: tuple[Command, ...] = ()
