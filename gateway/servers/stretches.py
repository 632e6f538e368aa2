"""Stretches of open files: sent by the system (sendfile(2)) or read. Not on Windows, where
nobody is offered any."""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from gateway.storage import Stretch

SENDS_FILES = hasattr(os, "sendfile")

CANNOT = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
"""Of `sent`: the system does not send that file by itself."""


WAITS = sys.platform == "linux"
"""Whether the system may wait in `sent` for a client (`waiting`)."""

_BY_PIPE = 1 << 16
"""Bytes that Linux takes from a file at once (pipe(7)). It waits for each of these anew: so a
call for a MiB would be under way for 16 s, where each of these goes within one."""


def allow_waiting(connection: socket.socket, seconds: float, most: int) -> None:
    """From here on `sent` takes about so long for `most` bytes, within `waiting`, or less: else
    nobody saw meanwhile that a slow client does move."""
    if WAITS:
        seconds /= max(1, most // _BY_PIPE)
        whole = int(seconds)
        given = struct.pack("ll", whole, int((seconds - whole) * 1e6))  # socket(7), SO_SNDTIMEO
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, given)


if sys.platform == "win32":

    def waiting(connection: int) -> AbstractContextManager[None]:
        raise NotImplementedError

    def sent(connection: int, stretch: Stretch) -> int:
        raise NotImplementedError

    def read(stretch: Stretch) -> bytes:
        raise NotImplementedError

else:

    @contextmanager
    def waiting(connection: int) -> Iterator[None]:
        """Meanwhile it is the calling thread's alone, and the system waits for its client: a
        call for a MiB, and not two for each hundred KiB, with the interpreter's lock between."""
        os.set_blocking(connection, True)
        try:
            yield
        finally:
            os.set_blocking(connection, False)

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
