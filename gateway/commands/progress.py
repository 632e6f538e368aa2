"""How far a command is that takes long."""

from __future__ import annotations

import sys
import time

LOOKS = 0.2
"""Seconds between two changes of the line that shows it."""


class ProgressLine:
    """One line on a terminal (stderr) that is written over and over; elsewhere nothing."""

    def __init__(self) -> None:
        self.seen = sys.stderr.isatty()
        self._shown, self._next = 0, 0.0

    @property
    def due(self) -> bool:
        """Whether it is time to show another."""
        return self.seen and time.monotonic() >= self._next

    def show(self, line: str) -> None:
        self._next = time.monotonic() + LOOKS
        self._write(line)

    def clear(self) -> None:
        """Before something else is printed."""
        if self._shown:
            self._write("")

    def _write(self, line: str) -> None:
        print(f"\r{line.ljust(self._shown)}\r{line}", end="", file=sys.stderr, flush=True)
        self._shown = len(line)
