"""Telling a process to end, as its user would: SIGTERM; on Windows, which has none, Ctrl-C.

There a console's events go to all of its processes. So what is to be told has a console of its
own (`OWN_CONSOLE`), and a small process goes there to press the keys. (Ctrl-Break would do as
well, but Wine 8 cannot send it.)
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

OWN_CONSOLE = getattr(subprocess, "CREATE_NO_WINDOW", 0)
"""For `creationflags`: one without a window."""

_CTRL_C = """
import ctypes, sys
kernel = ctypes.WinDLL("kernel32", use_last_error=True)
kernel.FreeConsole()
if not kernel.AttachConsole(int(sys.argv[1])):
    sys.exit(f"it has no console: {ctypes.get_last_error()}")
kernel.SetConsoleCtrlHandler(None, True)
if not kernel.GenerateConsoleCtrlEvent(0, 0):
    sys.exit(f"Ctrl-C cannot be sent: {ctypes.get_last_error()}")
"""


def stop(process: subprocess.Popen[Any]) -> None:
    """Without waiting until it has ended."""
    if sys.platform != "win32":
        process.terminate()
    elif process.poll() is None:
        command = [sys.executable, "-I", "-S", "-c", _CTRL_C, str(process.pid)]
        subprocess.run(command, stdin=subprocess.DEVNULL, check=True)
