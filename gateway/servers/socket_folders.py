"""Folders for sockets that have paths, which may not be long (unix(7), `sun_path`)."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from contextlib import suppress

NAME = 24
"""Bytes that the name of a socket may have there."""

_PATH = 107 if sys.platform == "linux" else 103
LONGEST = _PATH - len("/gateway-12345678/") - NAME
"""Bytes that the path of the folder for temporary files may have."""

_USUAL = ("/tmp", "/var/tmp")  # noqa: S108 - what is made there is this user's own


def socket_folder() -> tempfile.TemporaryDirectory[str]:
    """A new one that only this user may enter, where temporary files are; when that path is
    too long, at one of the usual places. Raises `OSError`."""
    wanted = tempfile.gettempdir()
    if len(os.fsencode(wanted)) <= LONGEST:
        return _made(wanted)
    for place in _USUAL:
        with suppress(OSError):
            return _made(place)
    raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), wanted)


def _made(place: str) -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="gateway-", dir=place, ignore_cleanup_errors=True)
