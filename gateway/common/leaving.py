"""The end of a process in bounded time: what libraries do when an interpreter ends (joining their
threads, `atexit`) may wait for what never comes."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress

EXITING = 3.0
"""Seconds."""


def leave_within(code: int, seconds: float | None = None) -> None:
    """End this process with `code` by then (None: `EXITING`), unless it has ended by itself."""

    def leave() -> None:
        time.sleep(EXITING if seconds is None else seconds)
        leave_now(code)

    threading.Thread(target=leave, name="leaving", daemon=True).start()


def leave_now(code: int) -> None:
    """End this process, whoever else is at work in it."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # nobody reads it any more
            stream.flush()
    os._exit(code)
