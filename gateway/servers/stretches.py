"""Stretches of open files: sent by the system (sendfile(2)) or read. Not on Windows, where
nobody is offered any."""

from __future__ import annotations

import errno
import os
import sys

from gateway.storage import Stretch

SENDS_FILES = hasattr(os, "sendfile")

CANNOT = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
"""Of `sent`: the system does not send that file by itself."""


if sys.platform == "win32":

    def sent(connection: int, stretch: Stretch) -> int:
        raise NotImplementedError

    def read(stretch: Stretch) -> bytes:
        raise NotImplementedError

else:

    def sent(connection: int, stretch: Stretch) -> int:
        """How much of it was taken; 0: the file has less. Raises `BlockingIOError` when that is
        nothing now, and `OSError`."""
        return os.sendfile(connection, stretch.file, stretch.start, stretch.length)

    def read(stretch: Stretch) -> bytes:
        """All of it. Raises `OSError`; `EOFError`: the file has less."""
        found, at, end = [], stretch.start, stretch.start + stretch.length
        while at < end:
            piece = os.pread(stretch.file, end - at, at)
            if not piece:
                raise EOFError
            found.append(piece)
            at += len(piece)
        return b"".join(found)
