"""A connection to a place: its name looked up, one of its addresses reached, and TLS begun, all
of it within one time. Addresses are held against what may be connected to (`networks`) after
the name was resolved, and the connection goes to the address that was looked at.

The system looks names up without a time-out (resolvers that are silent take half a
minute, and more), so a thread does it, one for each name: who asks meanwhile waits for
the same one.
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from gateway.common.system import translate
from gateway.common.upstream.networks import Networks
from gateway.storage import OriginFailed, TimedOut

log = logging.getLogger("gateway.upstream")

Address = tuple[Any, ...]
"""As `socket.getaddrinfo` gives them."""


PORTS = {"http": 80, "https": 443}
"""Where an address leads that names none, by scheme."""


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
    place: Place,
    context: ssl.SSLContext | None,
    names: Names,
    seconds: float,
    networks: Networks | None = None,
) -> socket.socket:
    """`networks`: None where who configured the place may name any. Raises `OriginFailed`,
    `TimedOut`, `Busy` when this machine has no sockets left."""
    until = time.monotonic() + seconds
    addresses = names.addresses(place.host, place.port, until)
    if networks is not None:
        addresses = _permitted(place, addresses, networks)
    plain = _reached(place, addresses, until, seconds)
    if context is None:
        return plain
    try:
        plain.settimeout(max(0.01, until - time.monotonic()))
        # An end without TLS's own is no end: somebody may have cut it (RFC 9112 §9.8).
        return context.wrap_socket(plain, server_hostname=place.host, suppress_ragged_eofs=False)
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


def _permitted(place: Place, addresses: Sequence[Address], networks: Networks) -> list[Address]:
    """Those that may be connected to. Raises `OriginFailed` when there is none; which they are
    is for the log: who asks must not learn what this network looks like."""
    found, refused = list[Address](), dict[str, str]()
    for one in addresses:
        address = str(one[4][0])
        why = networks.refusal(address)
        if why:
            refused[address] = why
        else:
            found.append(one)
    if refused:
        _log_once(str(place), ", ".join(f"{one} ({why})" for one, why in refused.items()))
    if not found:
        raise OriginFailed(f"{place} has no address that may be connected to.")
    return found


@lru_cache(maxsize=256)
def _log_once(place: str, refused: str) -> None:
    log.warning("%s: not connected to %s; `allow` lists the networks that may be", place, refused)


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
