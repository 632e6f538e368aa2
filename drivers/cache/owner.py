"""One gateway to a cache folder: its workers share it, another gateway is told and stops.

Each worker holds a lock file of its own, whose name begins with the id that
all processes of the gateway have in common (`Context.instance`). Who comes
looks, in turn, whether a file of another id is held. A worker that dies lets
go of its lock, so a file that nobody holds is only rubbish.
"""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

from gateway.common import looking, open_files, private
from gateway.common.locks import FileLock


def remove_unused(folder: Path, instance: str) -> bool:
    """Remove a cache's folder that no worker has open, and that none will open any more;
    whether it is gone."""
    try:
        gate = FileLock(folder / "workers" / "gate.lock")
    except FileNotFoundError:  # somebody else removes it
        return False
    unused = False
    try:
        gate.acquire()
        with suppress(Owned):
            unused = not _others(folder / "workers", instance)
        if unused:
            # What cannot go now stays until somebody comes again.
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        gate.close()
    if unused and os.name == "nt":  # which leaves the gate's file, as long as it was open
        shutil.rmtree(folder, ignore_errors=True)
    return not looking.is_there(folder)


class Owned(Exception):
    """Another gateway has the folder open."""


class Owner:
    """A worker's share in a folder. `first`: no other worker has one. Raises `Owned`."""

    def __init__(self, folder: Path, instance: str) -> None:
        private.own_folder(folder)
        gate = FileLock(folder / "gate.lock")
        try:
            gate.acquire()
            self.first = not _others(folder, instance)
            self._path = folder / f"{instance}-{secrets.token_hex(4)}.worker"
            self._lock = FileLock(self._path)
            self._lock.acquire()
        finally:
            gate.close()
        self.name = self._path.stem

    def died(self, name: str) -> bool:
        """Whether it is sure that the worker of that `name` has: who only looks at a folder
        has no lock there, and no name of this kind."""
        path = self._path.with_name(f"{name}.worker")
        return "-" in name and not (looking.is_there(path) and _held(path))

    def close(self) -> None:
        """May be called twice."""
        self._lock.close()
        with suppress(OSError):
            open_files.remove(self._path)


def _others(folder: Path, instance: str) -> int:
    """How many of the gateway's workers are there."""
    others = 0
    for path in folder.glob("*.worker"):
        if _held(path):
            if path.stem.partition("-")[0] != instance:
                raise Owned(
                    f"The cache folder {folder.parent} is in use by another gateway. Each"
                    " gateway needs one of its own: set `folder`, or another data folder."
                )
            others += 1
        else:
            with suppress(OSError):  # somebody has it open, on Windows
                open_files.remove(path)
    return others


def _held(path: Path) -> bool:
    lock = FileLock(path)
    try:
        return not lock.try_acquire()
    finally:
        lock.close()
