"""Whether these tests run on Wine, which is Windows for most of them: what it has not is said where
a test is left out for it."""

from __future__ import annotations

import ctypes
import sys


def _under_wine() -> bool:
    return sys.platform == "win32" and hasattr(ctypes.WinDLL("ntdll"), "wine_get_version")


UNDER_WINE = _under_wine()
