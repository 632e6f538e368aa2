"""Files that one thread or process has open while another removes or replaces them: the one
place that opens, removes and replaces such files.

POSIX allows that for every file. Windows does where all who have it open said so
(FILE_SHARE_DELETE), which Python's `open` does not say. A file that is removed there while it is
open may be *going*: it keeps its name until the last has closed it, and who opens it then is told
that he lacks rights. Here such a file is not there.

What others hold without sharing it (a virus scanner, an indexer, a backup, an editor) is waited
for, a second at most.

May surprise: SQLite and OpenSSL open their files themselves, and do not share them like this.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import ParamSpec, TypeVar

if sys.platform == "win32":
    from gateway.common import windows_files

P = ParamSpec("P")
T = TypeVar("T")
PathName = str | os.PathLike[str]

OWN = 0o600
"""Rights of a new file: for this user alone."""
BINARY = getattr(os, "O_BINARY", 0)
_READ = os.O_RDONLY | BINARY

_WAITS = (0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.4)
"""Seconds between tries."""
HELD = frozenset({32, 33})
"""What Windows says of what another holds: ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION."""
DENIED = HELD | {5}
"""And of what somebody has open and shares, where it is to be replaced: ERROR_ACCESS_DENIED."""


def says(error: OSError, codes: frozenset[int]) -> bool:
    """Whether it is one of those of Windows."""
    return getattr(error, "winerror", None) in codes


def patiently(
    held: frozenset[int], call: Callable[P, T], /, *arguments: P.args, **options: P.kwargs
) -> T:
    """What `call` gives, which is tried again while Windows says one of `held`: so all others
    fail at once, and POSIX waits for nobody."""
    return _tried(_WAITS, held, lambda: call(*arguments, **options))


def _tried(
    waits: Sequence[float],
    held: frozenset[int],
    call: Callable[[], T],
    sleep: Callable[[float], object] = time.sleep,
) -> T:
    for wait in waits:
        try:
            return call()
        except OSError as error:
            if not says(error, held):
                raise
        sleep(wait)
    return call()


def opened(path: PathName, flags: int = _READ, mode: int = OWN) -> int:
    """A descriptor, as of `os.open`. Raises `OSError`."""
    if sys.platform == "win32":
        return patiently(HELD, windows_files.opened, path, flags)
    return os.open(path, flags, mode)


def opener(path: str, flags: int) -> int:
    """For `open(…, opener=…)`."""
    return opened(path, flags)


def read(path: PathName) -> bytes:
    """All of it. Raises `OSError`."""
    with open(path, "rb", buffering=0, opener=opener) as file:
        return file.readall()


def remove(path: PathName) -> None:
    """Once nobody has it open it is not there any more, and neither was it if it was missing.
    Nobody is waited for. Raises `OSError`."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except PermissionError:
        if sys.platform != "win32" or not windows_files.is_going(path):
            raise


def replace(path: PathName, target: PathName) -> None:
    """`os.replace`, whoever reads the target. Raises `OSError`."""
    if sys.platform == "win32":
        patiently(DENIED, windows_files.replace, path, target)
    else:
        os.replace(path, target)
