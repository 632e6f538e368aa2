"""A connection to a place: its name looked up, one of its addresses reached, and TLS begun, all
of it within one time.

The system looks names up without a time-out (resolvers that are silent take half a
minute, and more), so a thread does it, one for each name: who asks meanwhile waits for
the same one.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from gateway.common.system import translate
from gateway.storage import OriginFailed, TimedOut

Address = tuple[Any, ...]
"""As `socket.getaddrinfo` gives them."""


class Place(NamedTuple):
    """Where to connect to, and whether with TLS: then the certificate must be `host`'s."""

    host: str
    port: int
    tls: bool

    @property
    def header(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.header}"


class _Look:
    """One look for a name's addresses."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.found: Sequence[Address] = ()
        self.error: Exception | None = None


class Names:
    """`look` is `socket.getaddrinfo`."""

    def __init__(self, look: Callable[..., Sequence[Address]] = socket.getaddrinfo) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._under_way: dict[tuple[str, int], _Look] = {}

    def addresses(self, host: str, port: int, until: float) -> Sequence[Address]:
        """`until`: by the monotonic clock. Raises `OriginFailed`, `TimedOut`."""
        try:
            return socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
            )
        except (OSError, UnicodeError):
            pass  # no address, but a name
        look = self._begun(host, port)
        if not look.done.wait(max(0.0, until - time.monotonic())):
            raise TimedOut(f"The name {host!r} was not resolved in time.")
        if look.error is not None or not look.found:
            why = getattr(look.error, "strerror", None) or look.error
            raise OriginFailed(f"The name {host!r} does not resolve: {why}.") from look.error
        return look.found

    def _begun(self, host: str, port: int) -> _Look:
        with self._lock:
            found = self._under_way.get((host, port))
            if found is None:
                found = _Look()
                thread = threading.Thread(
                    target=self._run, args=(found, host, port), name="upstream names", daemon=True
                )
                try:
                    thread.start()
                except RuntimeError as error:
                    raise OriginFailed("No thread can be had to resolve names.") from error
                self._under_way[host, port] = found
            return found

    def _run(self, look: _Look, host: str, port: int) -> None:
        try:
            look.found = self._look(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            look.error = error
        finally:
            with self._lock:
                del self._under_way[host, port]
            look.done.set()


def connected(
    place: Place, context: ssl.SSLContext | None, names: Names, seconds: float
) -> socket.socket:
    """Raises `OriginFailed`, `TimedOut`, `Busy` when this machine has no sockets left."""
    until = time.monotonic() + seconds
    plain = _reached(place, names.addresses(place.host, place.port, until), until, seconds)
    if context is None:
        return plain
    try:
        plain.settimeout(max(0.01, until - time.monotonic()))
        return context.wrap_socket(plain, server_hostname=place.host)
    except ssl.SSLCertVerificationError as error:
        plain.close()
        raise OriginFailed(
            f"The certificate of {place} is not to be trusted: {error.verify_message}."
        ) from error
    except TimeoutError as error:
        plain.close()
        raise TimedOut(f"No TLS connection to {place} within {seconds:g} s.") from error
    except (OSError, ValueError) as error:
        plain.close()
        raise OriginFailed(f"No TLS connection to {place}: {error}.") from error


def _reached(
    place: Place, addresses: Sequence[Address], until: float, seconds: float
) -> socket.socket:
    """The first of the addresses that answers; each has its part of the time that is left."""
    failure: OSError | None = None
    for tried, (family, kind, protocol, _, address) in enumerate(addresses):
        patience = (until - time.monotonic()) / (len(addresses) - tried)
        if patience <= 0:
            failure = failure or TimeoutError()
            break
        try:
            plain = socket.socket(family, kind, protocol)
        except OSError as error:
            raise translate(error) from error
        try:
            plain.settimeout(patience)
            plain.connect(address)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            plain.close()
            failure = error
        except BaseException:
            plain.close()
            raise
        else:
            return plain
    if isinstance(failure, TimeoutError):
        raise TimedOut(f"No connection to {place} within {seconds:g} s.") from failure
    raise OriginFailed(f"No connection to {place}: {failure}.") from failure
