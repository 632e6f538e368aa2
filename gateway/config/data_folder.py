"""The data folder, and why nothing can be kept in it: tried by making a file, or foreseen.

Nothing is written into that file: a gateway starts on a full disk, too, to read and delete.
"""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

from gateway.common import looking

CHOOSE = "Choose another by --data or [server] data."


def make(folder: Path) -> str:
    """Make it unless it is there, and try it. What is wrong; "" when nothing is."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        return f"The data folder {folder} is not a folder."
    except OSError as error:
        return f"The data folder {folder} cannot be made: {error.strerror}."
    return tried(folder)


def tried(folder: Path) -> str:
    """What is wrong when a file is made in it; "" when nothing is."""
    reason = _failure(folder)
    return reason and f"The data folder {folder} cannot be written: {reason}."


def foreseen(folder: Path) -> str:
    """What is wrong with it, or with the nearest folder above it that is there, by access
    rights and a file that has no name there; "" when nothing is. Leaves nothing behind."""
    nearest = folder
    while not os.path.lexists(nearest) and nearest != nearest.parent:
        nearest = nearest.parent
    done = "written" if nearest == folder else "made"
    reason = _refusal(nearest) or _failure(nearest)
    return reason and f"The data folder {folder} cannot be {done}: {reason}."


def _failure(folder: Path) -> str:
    """Why no file can be made there, whoever may: it is none of a disk, say (/proc)."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def _refusal(folder: Path) -> str:
    try:
        if not looking.is_folder(folder):
            return os.strerror(errno.ENOTDIR)
    except PermissionError as error:  # a link to where this user may not look
        return error.strerror or str(error)
    effective = os.access in os.supports_effective_ids
    if os.access(folder, os.W_OK | os.X_OK, effective_ids=effective):
        return ""
    return os.strerror(errno.EACCES)
