"""Whose a folder of this machine is.

A store that keeps a folder says so in a file there, and takes none of another's: two that
fill one folder would serve, and remove, each other's bytes. Stores of one owner share.

May surprise: a folder without that file is nobody's, whatever lies in it; what an earlier
release made there is for its driver to know.
"""

from __future__ import annotations

import errno
import secrets
from collections.abc import Collection
from pathlib import Path

from gateway.common import open_files, private

FILE = "belongs-to"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_OF_DISKS = frozenset({"lost+found", "System Volume Information", "$RECYCLE.BIN"})
"""Nobody's, in the first folder of a disk."""


class Taken(ValueError):
    """The folder is another's."""


def owner(folder: Path) -> str:
    """What the folder says; "" when it says nothing. Raises `OSError` when it cannot be read."""
    try:
        return open_files.read(folder / FILE).decode("utf-8", "replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return ""


def above(folder: Path) -> tuple[Path, str]:
    """(folder, owner) of the nearest folder that says whose it is, this one or one that it
    lies in; (`folder`, "") when none does."""
    for place in (real := folder.resolve(), *real.parents):
        if said := owner(place):
            return place, said
    return folder, ""


def refusal(folder: Path, name: str) -> str:
    """Why `name` may not have it; "" when it may."""
    said = owner(folder)
    return f"The folder {folder} {taken(said)}" if said not in ("", name) else ""


def foreign(folder: Path, known: Collection[str]) -> str:
    """Why a folder is nobody's to fill that has things in it, and none of the names that are
    `known`; "" when it may be. Raises `OSError`."""
    try:
        found = {one.name for one in folder.iterdir() if not one.name.startswith(".")}
    except (FileNotFoundError, NotADirectoryError):
        return ""
    found -= _OF_DISKS
    if not found or not found.isdisjoint(known):
        return ""
    return (
        f"The folder {folder} has other things in it, such as {min(found)!r}, and nothing of the"
        " gateway's: choose one that is empty, or not there yet."
    )


def taken(said: str) -> str:
    return f"belongs to another store ({said}): choose another folder."


def claim(folder: Path, name: str) -> None:
    """Make it, and have it say that it is `name`'s. Raises `Taken`, and `OSError`.

    On a full disk it goes on saying nothing: what is there can be read, and removed.
    """
    private.make_folder(folder)
    if reason := refusal(folder, name):
        raise Taken(reason)
    if owner(folder):
        return
    draft = folder / f".{FILE}-{secrets.token_hex(4)}"
    try:
        try:
            private.write_text(draft, f"{name}\n")
            open_files.replace(draft, folder / FILE)
        finally:
            open_files.remove(draft)
    except OSError as error:
        if error.errno not in _FULL:
            raise
    if reason := refusal(folder, name):  # another was as quick
        raise Taken(reason)
