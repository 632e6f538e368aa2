"""Whoever is about to wait says so: a server whose threads lead in turn has another lead from
then on, and no sooner (`servers.crew`). Elsewhere nobody listens."""

from __future__ import annotations

import threading
from collections.abc import Callable


class _Here(threading.local):
    tell: Callable[[], object] | None = None


_here = _Here()


def about_to_wait() -> None:
    """For a disk, an upstream or another thread: for longer than a moment, perhaps."""
    if (tell := _here.tell) is not None:
        tell()


def listen(tell: Callable[[], object] | None) -> None:
    """It is called when this thread is about to wait."""
    _here.tell = tell
