"""Files that several processes append to, and that may be renamed while they do.

What one call of `os.write` takes is in the file as a whole, behind all that was there: O_APPEND on
POSIX, on Windows a handle that may do nothing but append. There such a handle also lets others
rename and remove the file, which an open one of Python's own does not.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from gateway.common import private

if sys.platform == "win32":
    import _winapi
    import msvcrt

    _APPEND = 0x4 | 0x80 | 0x100000  # FILE_APPEND_DATA, FILE_READ_ATTRIBUTES, SYNCHRONIZE
    _SHARED = 0x1 | 0x2 | 0x4  # with who reads, writes and removes
    _OPEN_ALWAYS = 4

    def open_to_append(path: Path) -> int:
        """A descriptor; the file is made where there is none. Raises `OSError`."""
        handle = _winapi.CreateFile(str(path), _APPEND, _SHARED, 0, _OPEN_ALWAYS, 0, 0)
        return msvcrt.open_osfhandle(handle, os.O_APPEND | os.O_NOINHERIT)

else:

    def open_to_append(path: Path) -> int:
        """A descriptor; the file is made where there is none. Raises `OSError`."""
        return private.opener(str(path), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
