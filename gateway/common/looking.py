"""Whether something is there: yes, no, or an error that says why that cannot be told.

`Path.exists()` and its like said so too until Python 3.13; from 3.14 on they answer no to
who may not look (docs.python.org/3/library/pathlib.html#pathlib.Path.exists), and what
is there would be taken for missing.
"""

from __future__ import annotations

import errno
import stat
from pathlib import Path

_WINDOWS = (21, 123, 1921)
"""A drive without a medium, a name that none can have, a link that leads nowhere."""


def is_there(path: Path) -> bool:
    """Raises `OSError`."""
    return _mode(path) is not None


def is_file(path: Path) -> bool:
    """Raises `OSError`."""
    mode = _mode(path)
    return mode is not None and stat.S_ISREG(mode)


def is_folder(path: Path) -> bool:
    """Raises `OSError`."""
    mode = _mode(path)
    return mode is not None and stat.S_ISDIR(mode)


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):  # the last: no path at all
        return None
    except OSError as error:
        if error.errno == errno.ELOOP or getattr(error, "winerror", None) in _WINDOWS:
            return None
        raise
