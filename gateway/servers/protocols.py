"""Listeners of other protocols than HTTP in a process that serves (see `modes.protocols`)."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from typing import NamedTuple

from gateway.modes import Gateway
from gateway.modes.protocols import ProtocolListener

log = logging.getLogger("gateway")


class Listening(NamedTuple):
    """A socket that listens for connections, and what speaks TLS on them."""

    socket: socket.socket
    tls: ssl.SSLContext | None


class CannotStart(Exception):
    """A listener does not begin. The message is for the operator."""


class Protocols:
    """Those of one configuration. All methods may be called in any thread."""

    def __init__(self, listeners: Sequence[ProtocolListener]) -> None:
        self._listeners = listeners
        self._running: list[ProtocolListener] = []
        self._stops: list[threading.Thread] = []
        self._lock = threading.Lock()

    def start(self, gateway: Gateway, sockets: Sequence[Listening]) -> None:
        """At these, in their order. Whoever comes after them gets the sockets too. Raises
        `CannotStart`: those that have begun are still to be stopped."""
        with self._lock:
            for one, listening in zip(self._listeners, sockets, strict=True):
                _start(one, gateway, listening)
                self._running.append(one)

    def stop(self) -> None:
        """Begin to; it may be called twice."""
        with self._lock:
            running, self._running = self._running, []
            for one in running:
                thread = threading.Thread(target=_stop, args=(one,), name="stop", daemon=True)
                thread.start()
                self._stops.append(thread)

    def wait(self) -> None:
        """Until those that were stopped have answered what had begun."""
        for one in self._stops:
            one.join()


def _start(listener: ProtocolListener, gateway: Gateway, listening: Listening) -> None:
    with ExitStack() as unless:
        try:
            mine = unless.enter_context(listening.socket.dup())
            listener.start(gateway, mine, listening.tls)
        except Exception as error:  # a plugin's mistake: what is served now goes on
            what = f"A listener of {listener.protocol} cannot be started"
            log.exception("%s", what)
            raise CannotStart(f"{what}: {type(error).__name__}, see the log.") from error
        unless.pop_all()


def _stop(listener: ProtocolListener) -> None:
    try:
        listener.stop()
    except Exception:  # a plugin's mistake: others stop too
        log.exception("a listener of %s cannot be stopped", listener.protocol)
