"""Closing all that was opened: what fails at it is told, and keeps nothing else open."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from gateway.storage import StorageError

Closing = tuple[str, Callable[[], object]]
"""What it is, for whoever reads the log, and how it is closed."""


def close_all(log: logging.Logger, closing: Iterable[Closing]) -> None:
    """One after another; the next is asked for when the one before is closed."""
    for name, close in closing:
        try:
            close()
        except Exception as error:  # it may be foreign code's
            mistake = not isinstance(error, StorageError | OSError)
            log.warning("%s: it did not close well: %s", name, error, exc_info=mistake)
