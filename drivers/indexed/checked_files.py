"""Which blocks of which files were checked lately, so that the system may send them by itself.

What a process reads it checks each time. What leaves without passing through it was checked before:
not longer ago than `LASTS`, in a file that is since then the same by all that the system says of
it. So bytes that rot on the disk without anybody writing them may leave for as long, where the
system has to read them again; `verify = "always"` lends none.

A file that was changed just now is not remembered: what is written to it within the same tick of
the file system's clock would not show.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import NamedTuple

LASTS = 3_600_000
"""Milliseconds."""

SETTLED = 2_000
"""Milliseconds after its last change in which a file is not remembered: FAT's clock has 2 s."""

_FILES = 16_384
"""That are remembered. A cache has one for each MiB. About 0.5 KB each."""

_SPANS = 16
"""Of a file."""

Span = tuple[int, int]
"""From a block to before another."""


class FileState(NamedTuple):
    """What changes with a file. Times are in nanoseconds."""

    size: int
    modified: int
    changed: int
    inode: int

    @classmethod
    def of(cls, file: int) -> FileState:
        """Of an open one. Raises `OSError`."""
        found = os.fstat(file)
        return cls(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


class _Checked(NamedTuple):
    state: FileState
    since: int
    spans: tuple[Span, ...]


class CheckedFiles:
    """By name. `clock` gives milliseconds, of the same clock as the files'."""

    def __init__(self, clock: Callable[[], int], limit: int = _FILES) -> None:
        self.clock, self._limit = clock, limit
        self._files: dict[str, _Checked] = {}
        self._lock = threading.Lock()

    def __contains__(self, name: object) -> bool:
        """Whether it is worth while to ask for more."""
        return name in self._files

    def until(self, name: str, state: FileState, block: int) -> int:
        """The first from `block` on that may not leave unseen."""
        found = self._files.get(name)
        if found is None or not self._holds(found, state):
            return block
        return next((stop for first, stop in found.spans if first <= block < stop), block)

    def _holds(self, found: _Checked, state: FileState) -> bool:
        return found.state == state and 0 <= self.clock() - found.since < LASTS

    def note(self, name: str, state: FileState, since: int, first: int, stop: int) -> None:
        """These blocks were checked, not before `since`, in a file that was in this state then."""
        if first >= stop or since - state.modified // 1_000_000 < SETTLED:
            return
        with self._lock:
            found = self._files.pop(name, None)
            spans: tuple[Span, ...] = ((first, stop),)
            if found is not None and self._holds(found, state):
                since, spans = min(since, found.since), _joined(found.spans, (first, stop))
            self._files[name] = _Checked(state, since, spans)
            while len(self._files) > self._limit:
                del self._files[next(iter(self._files))]

    def forget(self, name: str) -> None:
        """It turned out to be damaged."""
        with self._lock:
            self._files.pop(name, None)


def _joined(spans: tuple[Span, ...], new: Span) -> tuple[Span, ...]:
    """With one more, which comes last; too many of them begin to be forgotten."""
    first, stop = new
    apart = []
    for one in spans:
        if one[1] < first or one[0] > stop:
            apart.append(one)
        else:
            first, stop = min(first, one[0]), max(stop, one[1])
    return (*apart[1 - _SPANS :], (first, stop))
