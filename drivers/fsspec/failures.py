"""What file systems and their libraries raise → the contract's errors, at this boundary.

fsspec's implementations raise `OSError` and its kinds for most; each library
behind them adds its own (ftplib, paramiko, botocore, …), which are not known
here by name: what a foreign module raises is a failure of the origin.
"""

from __future__ import annotations

import errno
import ftplib
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.storage import (
    BadKey,
    Full,
    NoSuchKey,
    OriginDenied,
    OriginFailed,
    StorageError,
    TimedOut,
    Unsupported,
)

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_IN_THE_WAY = (FileExistsError, IsADirectoryError, NotADirectoryError)
_NO_NAME = frozenset({errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL, errno.ELOOP})
_TIMEOUTS = ("Timeout", "TimeoutError")
"""Libraries have their own errors of these names, which are no `TimeoutError`."""

_OURS = ("builtins", "gateway", "drivers")


@contextmanager
def translated(key: str) -> Iterator[None]:
    """What runs inside raises the contract's errors only, or those of a mistake of ours."""
    try:
        yield
    except StorageError:
        raise
    except Exception as error:
        found = of(error, key)
        if found is None:
            raise
        raise found from error


def of(error: Exception, key: str) -> StorageError | None:
    """The error of the contract; None for what no file system raises. The message never
    quotes the library: it may have put a password there."""
    if isinstance(error, TimeoutError) or type(error).__name__.endswith(_TIMEOUTS):
        return TimedOut(key=key)
    if isinstance(error, FileNotFoundError):
        return NoSuchKey(key=key)
    if isinstance(error, _IN_THE_WAY):
        return BadKey("A file or folder of that name, or above it, is in the way.", key=key)
    if isinstance(error, ftplib.Error):
        return _of_ftp(error, key)
    if isinstance(error, OSError):
        return _of_errno(error, key)
    if isinstance(error, NotImplementedError):
        return Unsupported("The file system behind this service cannot do that.", key=key)
    if isinstance(error, EOFError) or type(error).__module__.partition(".")[0] not in _OURS:
        return OriginFailed(
            f"The file system behind this service failed ({type(error).__name__}).", key=key
        )
    return None


def _of_errno(error: OSError, key: str) -> StorageError:
    if isinstance(error, PermissionError) or error.errno in _DENIED:
        return OriginDenied("The file system denies the gateway that.", key=key)
    if error.errno in _FULL:
        return Full(key=key)
    if error.errno in _NO_NAME:
        return BadKey("The file system has no file of such a name.", key=key)
    name = errno.errorcode.get(error.errno or 0, type(error).__name__)
    return OriginFailed(f"The file system behind this service failed ({name}).", key=key)


def _of_ftp(error: ftplib.Error, key: str) -> StorageError:
    """By RFC 959's codes. 550 is said of a missing file as of a forbidden one."""
    code, text = str(error)[:3], str(error).lower()
    if code in ("452", "552"):
        return Full(key=key)
    if code in ("530", "532") or "denied" in text or "permission" in text:
        return OriginDenied("The file system denies the gateway that.", key=key)
    if code == "550":
        return NoSuchKey(key=key)
    if code == "553":
        return BadKey("The file system has no file of such a name.", key=key)
    return OriginFailed(f"The FTP server behind this service answered {code}.", key=key)
