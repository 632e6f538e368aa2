"""What the driver stands on of fsspec beyond the calls that all file systems have.

All of it is here. Read on fsspec 2024.6 to 2026.9, with s3fs 2026.9 and paramiko 5.1
behind it; `tests/libraries/test_fsspec.py` says first what has moved:

- `LocalFileSystem._strip_protocol` makes a path of a `file://` URL;
- a file system that renames in one step has an `mv` of its own, the others
  inherit one that copies and removes;
- listings are kept in `dircache`, which may be put in its place;
- the sftp file system is paramiko's `SFTPClient` in `ftp`, on its `SSHClient` in
  `client`; the ftp one has `ftplib`'s in `ftp`. Neither has a call that closes it;
- what sftp opens is paramiko's own file: it can look at itself, read what is asked in
  one go, and write without waiting for an answer to each 32 KiB;
- a buffered file that is `closed` sends nothing more, not from its finalizer either.
"""

from __future__ import annotations

from contextlib import suppress
from socket import IPPROTO_TCP, TCP_NODELAY
from typing import Any


def local_path(url: str) -> str:
    """The path of a `file://` URL."""
    from fsspec.implementations.local import LocalFileSystem

    return str(LocalFileSystem._strip_protocol(url))


def renames(kind: type[Any]) -> bool:
    """Whether such a file system moves a file in one step."""
    from fsspec import AbstractFileSystem

    return kind.mv is not AbstractFileSystem.mv


def settle(fs: Any, timeout: float) -> None:
    """A new file system keeps no listings, and its sftp waits no longer than that."""
    from fsspec.dircache import DirCache

    fs.dircache = DirCache(use_listings_cache=False)
    if is_sftp(fs):
        fs.ftp.get_channel().settimeout(timeout)
        fs.client.get_transport().sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)


def close(fs: Any) -> None:
    """The connection of one that has one; the others go with their last use."""
    for name in ("client", "ftp"):
        closing = getattr(getattr(fs, name, None), "close", None)
        if closing is not None:
            closing()
            return


def is_sftp(fs: Any) -> bool:
    return "sftp" in fs.protocol


def sftp_status(file: Any) -> tuple[int, int]:
    """(size, milliseconds) of what was opened, whatever has its name by now."""
    now = file.stat()
    return now.st_size, now.st_mtime * 1000


def sftp_read(file: Any, start: int, length: int) -> bytes:
    return b"".join(file.readv([(start, length)]))


def hurry(fs: Any, target: Any) -> None:
    """Let a file that is being written wait for its answers at the end only, where it can."""
    if is_sftp(fs):
        target.set_pipelined(True)


def abandon(target: Any) -> None:
    """Nothing of a buffered file that was opened with `autocommit=False` is to stay."""
    with suppress(NotImplementedError):
        target.discard()
    target.closed = True  # else its finalizer would send what it holds
