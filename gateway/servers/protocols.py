"""Listeners of other protocols than HTTP in a process that serves (see `modes.protocols`)."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Sequence
from typing import NamedTuple

from gateway.modes import Gateway
from gateway.modes.protocols import ProtocolListener

log = logging.getLogger("gateway")


class Listening(NamedTuple):
    """A socket that listens for connections, and what speaks TLS on them."""

    socket: socket.socket
    tls: ssl.SSLContext | None


class Protocols:
    """Those of one configuration. All methods may be called in any thread."""

    def __init__(self, listeners: Sequence[ProtocolListener]) -> None:
        self._listeners, self._started = listeners, False
        self._stops: list[threading.Thread] = []
        self._lock = threading.Lock()

    def start(self, gateway: Gateway, sockets: Sequence[Listening]) -> None:
        """At these, in their order. Whoever comes after them gets the sockets too."""
        with self._lock:
            self._started = True
            for one, listening in zip(self._listeners, sockets, strict=True):
                one.start(gateway, listening.socket.dup(), listening.tls)

    def stop(self) -> None:
        """Begin to; it may be called twice."""
        with self._lock:
            started, self._started = self._started, False
            if not started:
                return
            for one in self._listeners:
                thread = threading.Thread(target=_stop, args=(one,), name="stop", daemon=True)
                thread.start()
                self._stops.append(thread)

    def wait(self) -> None:
        """Until those that were stopped have answered what had begun."""
        for one in self._stops:
            one.join()


def _stop(listener: ProtocolListener) -> None:
    try:
        listener.stop()
    except Exception:  # a plugin's mistake: others stop too
        log.exception("a listener of %s cannot be stopped", listener.protocol)
