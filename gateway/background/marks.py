"""How often each follower's cursor was written, beside the file of the cursors.

A cursor that is brought back from a backup knows nothing of what was handed on since. Its
mark, which is no part of a backup, does: it says a higher number, or it is missing. It is
written after the cursor and before anything is handed on, so it never says more than was
written. It is not synced: what a power cut takes from it makes it say less.

May surprise: where marks are brought back together with the cursors (a snapshot of the file
system), they tell nothing.
"""

from __future__ import annotations

import os
from pathlib import Path

from gateway.background.exclusive import Exclusive
from gateway.common import open_files, private

_DIGITS = 20


class SaveCounts:
    """`folder` is the data folder. All methods raise `OSError`. One process at a time has a
    name: who leads that follower."""

    def __init__(self, folder: Path) -> None:
        self._files = Exclusive(folder, "follower")

    def read(self, name: str) -> int:
        """0 when there is none."""
        try:
            return int(open_files.read(self._file(name)))
        except (FileNotFoundError, ValueError):
            return 0

    def write(self, name: str, saves: int) -> None:
        """In place and in one step: who ends in the middle leaves the one before, or this."""
        path, text = self._file(name), f"{saves:0{_DIGITS}}\n".encode()
        try:
            with open(path, "r+b", buffering=0, opener=private.opener) as file:
                file.write(text)
        except FileNotFoundError:
            self._begin(path, text)

    def forget(self, name: str) -> None:
        open_files.remove(self._file(name))

    def _begin(self, path: Path, text: bytes) -> None:
        """Synced, this once: after a power cut an empty one would look like none."""
        with open(path, "wb", buffering=0, opener=private.opener) as file:
            file.write(text)
            os.fsync(file.fileno())

    def _file(self, name: str) -> Path:
        return self._files.file(name, "mark")
