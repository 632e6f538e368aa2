"""A server's sockets: taken ports are said plainly, and stalled readers are dropped.

Connections that a server does not hand out are found among the process's descriptors, and
only looked at: nothing is duplicated and closed on the way. POSIX drops all
locks that a process has on a file when it closes any descriptor of it, and
SQLite's databases are open here.
"""

from __future__ import annotations

import errno
import select
import socket
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from gateway.servers import CannotServe

STALLED_AFTER = 60.0
"""Seconds in which a client takes nothing of what is sent before TCP drops it."""

ENOUGH_FILES = 65536
_FILES_OF_MACOS = 10240
"""OPEN_MAX, which it may not let a process go beyond, whatever the limit says."""

_FILES, _FILES_OF_A_THREAD = 128, 8
"""What a process has open besides connections: SQLite's (three for each database and
thread), bodies, connections to upstreams."""

_REASONS = {
    errno.EADDRINUSE: "something else listens there already",
    errno.EACCES: "this user may not listen there"
    if sys.platform != "win32"
    else "another has it for itself, or Windows sets it aside"
    " (netsh interface ipv4 show excludedportrange protocol=tcp)",
    errno.EADDRNOTAVAIL: "this machine has no such address",
}


def bound(
    host: str,
    port: int,
    patience: float = STALLED_AFTER,
    *,
    beside: Iterable[tuple[str, int]] = (),
    shared: bool = False,
) -> socket.socket:
    """A socket bound to that address and nothing else. Raises `CannotServe`.

    One at `[::]` takes IPv4 too, unless one for IPv4 has that port among those `beside` it:
    whatever the system's default is (RFC 3493 §5.3). `patience` is what readers get, in
    seconds. `shared`: on Linux this user's other processes may listen there too.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        found = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise CannotServe(f"Cannot listen on {host}:{port}: {error.strerror}.") from error
    try:
        # On Windows SO_REUSEADDR would let two servers share a port.
        exclusive = getattr(socket, "SO_EXCLUSIVEADDRUSE", None)
        found.setsockopt(socket.SOL_SOCKET, exclusive or socket.SO_REUSEADDR, 1)
        if sys.platform == "linux":
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, shared)
        if family == socket.AF_INET6:
            alone = all(":" in other or number != port for other, number in beside)
            found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not alone)
        found.bind((host, port))
        make_impatient(found, patience)
    except OSError as error:
        found.close()
        reason = _REASONS.get(error.errno or 0, error.strerror)
        raise CannotServe(
            f"Cannot listen on {host}:{port}: {reason}."
            " Choose another by --listen or [server] listen."
        ) from error
    return found


def free(host: str, port: int, beside: Iterable[tuple[str, int]] = ()) -> int:
    """The port, checked to be free; one that is when it is 0. Raises `CannotServe`.

    The check matters where a server shares ports between its workers
    (SO_REUSEPORT): a second gateway would get half of the connections.
    """
    with bound(host, port, beside=beside) as found:
        if port:
            found.listen(1)  # a bound port may still be taken: by one that shares it
        return int(found.getsockname()[1])


def wait_until_accepting(host: str, port: int, stop: threading.Event) -> bool:
    """Whether it accepted before `stop`."""
    local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    while not stop.is_set():
        with suppress(OSError), socket.create_connection((local, port), timeout=1):
            return True
        stop.wait(0.02)
    return False


def _file_limits() -> tuple[int, int]:
    """How many files a process may have open now, and how many it may ask for."""
    if sys.platform != "win32":
        import resource

        soft, hard = (
            ENOUGH_FILES if one == resource.RLIM_INFINITY else one
            for one in resource.getrlimit(resource.RLIMIT_NOFILE)
        )
        return soft, max(soft, min(hard, ENOUGH_FILES))
    return ENOUGH_FILES, ENOUGH_FILES


def allow_many_files() -> None:
    """Let this process have as many connections as it may: the usual limit is 1,024."""
    if sys.platform != "win32":
        import resource

        soft, most = _file_limits()
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        for wanted in (most, min(most, _FILES_OF_MACOS)):
            if wanted > soft:
                with suppress(ValueError, OSError):
                    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
                    return


def connections(wanted: int, threads: int) -> int:
    """So many, or fewer where the stores would be left without files to open; but a third of
    all that may be open."""
    _, most = _file_limits()
    others = _FILES + _FILES_OF_A_THREAD * threads
    return min(wanted, max(most - others, most // 3, 1))


def make_impatient(listening: socket.socket, patience: float = STALLED_AFTER) -> None:
    """Drop connections whose other end is gone, or takes nothing. Linux hands these
    options on to what is accepted, and counts a window that stays shut as silence."""
    if sys.platform == "linux":
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(patience * 1000))


def own_sockets() -> Iterator[socket.socket]:
    """This process's TCP sockets, each as long as the caller looks at it. Whoever has
    one may close it meanwhile: then the caller gets an OSError from it."""
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found = socket.socket(fileno=int(entry.name))
        except OSError:  # not a socket, or closed meanwhile
            continue
        try:
            internet = found.family in (socket.AF_INET, socket.AF_INET6)
            if internet and found.type == socket.SOCK_STREAM:
                yield found
        finally:
            found.detach()  # it is the server's


def can_write(connection: socket.socket, seconds: float) -> bool:
    """Wait so long at most until something can be sent, or the connection has ended."""
    if not hasattr(select, "poll"):
        return bool(select.select([], [connection], [], seconds)[1])
    poll = select.poll()
    poll.register(connection, select.POLLOUT)
    return bool(poll.poll(seconds * 1000))
