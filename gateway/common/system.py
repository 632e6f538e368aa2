"""What the operating system refuses, in the contract's words: for whoever has files and sockets
of this machine."""

from __future__ import annotations

import errno
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.storage import Busy, Full, StorageError, Unavailable

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
EXHAUSTED = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS))
"""What the process or the machine has no more of, until others have ended."""

WAITED_FOR = 1 << 20 if hasattr(select, "poll") else 480
"""Connections for which a thread can wait at once. Windows has `select` alone, and Python's takes
512 sockets."""

_FILES_OF_WINDOWS, _ENDLESS = 8192, 1 << 20


def translate(error: OSError) -> StorageError:
    if error.errno in _FULL:
        return Full()
    why = error.strerror or error
    if error.errno in EXHAUSTED or error.errno == errno.EAGAIN:  # no thread, or no lock
        return Busy(f"Too many requests at once ({why}); try again shortly.")
    return Unavailable(f"The disk does not work: {why}.")


@contextmanager
def translating() -> Iterator[None]:
    """What runs inside is of this machine alone: no source, whose errors are its own."""
    try:
        yield
    except OSError as error:
        raise translate(error) from error


def sync_folder(folder: Path) -> None:
    """So that what was made or renamed in it is there after a power failure. Raises `OSError`."""
    if os.name == "nt":  # NTFS journals its folders, and cannot open them
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def most_files() -> int:
    """How many files this process may have open, connections among them."""
    if sys.platform != "win32":
        import resource

        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return _ENDLESS if soft == resource.RLIM_INFINITY else soft
    return _FILES_OF_WINDOWS
