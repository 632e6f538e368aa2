"""Files and folders for the gateway's own user alone, whatever its umask is, and for the day
that somebody opens the folder around them.

They are made with their rights: between making and changing, another could open them. What
an earlier release left open is closed when it is met (`close`). On Windows rights are those
of the folder above.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from gateway.common import looking, open_files

FILE, FOLDER = 0o600, 0o700
_OTHERS = 0o077

log = logging.getLogger("gateway")


def make_folder(folder: Path) -> None:
    """Make it, and those above it that are missing."""
    try:
        folder.mkdir(FOLDER)
    except FileNotFoundError:
        make_folder(folder.parent)
        folder.mkdir(FOLDER, exist_ok=True)
    except FileExistsError:
        if not looking.is_folder(folder):
            raise


def own_folder(folder: Path) -> bool:
    """Make a folder within the gateway's, or close it to others; whether it was open to them."""
    make_folder(folder)
    return close(folder)


def opener(path: str, flags: int) -> int:
    """For `open(…, opener=…)`."""
    return open_files.opened(path, flags, FILE)


def write_text(path: Path, text: str) -> None:
    with open(path, "w", encoding="utf-8", opener=opener) as file:
        file.write(text)


def database(path: Path) -> None:
    """Before SQLite opens it: it would make a file that others may read, and gives `-wal`,
    `-shm` and `-journal` the rights that this one has.

    A file that is there is not opened: closing it would take SQLite's locks on it away.
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE))
    except FileExistsError:
        for end in ("", "-wal", "-shm", "-journal"):
            close(path.with_name(path.name + end))


def close(path: Path) -> bool:
    """Take the rights of others away; whether they had any. A link is followed, and what is
    not there is closed."""
    if os.name == "nt":
        return False
    try:
        mode = path.stat().st_mode
        if not mode & _OTHERS:
            return False
        path.chmod(mode & 0o700)
    except FileNotFoundError:
        return False
    except OSError as error:  # it is another's, who decides about it
        log.warning("%s is open to others, and stays so: %s", path, error.strerror or error)
        return False
    return True
