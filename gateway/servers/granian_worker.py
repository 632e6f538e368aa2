"""What one worker of granian's runs: servers of it for each listener, one application.

A server of granian takes one certificate, once, so:

- Where a listener has one, granian speaks TLS. When that has changed, another server begins on
  the same socket, and the one before it gets no more connections, and ends after `GRACE`.
- Where it has several, a `TLSFront` speaks TLS, and granian is behind it.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from gateway.servers import Loaded, Plan
from gateway.servers.certificates import Certificate, FileCertificates
from gateway.servers.granian_inside import BACKLOG, SocketServer, SocketServers
from gateway.servers.protocols import Listening
from gateway.servers.sockets import make_impatient
from gateway.servers.tls_front import TLSFront

GRACE = 10.0
"""Seconds that a handshake may take on granian. Idle connections have `header_timeout`."""


class Served(NamedTuple):
    """`certificates` are those of `plan.listen`, then of `plan.protocols`; `folder` is for
    sockets of its own."""

    loaded: Loaded
    plan: Plan
    certificates: Sequence[FileCertificates | None]
    folder: Path | None


def serve(served: Served, sockets: Sequence[socket.socket], servers: SocketServers) -> None:
    """Until this worker is told to end (SIGTERM)."""
    asked = len(served.plan.listen)
    at = list(zip(sockets, served.certificates, strict=True))
    listeners = [_listener(*one, served, servers) for one in at[:asked]]
    served.loaded.listen([_listening(*one) for one in at[asked:]])

    def stop(*_: object) -> None:
        for one in listeners:
            one.stop()

    signal.signal(signal.SIGTERM, stop)
    for one in listeners:
        one.wait()


def _listening(listening: socket.socket, certificates: FileCertificates | None) -> Listening:
    listening.listen(BACKLOG)
    return Listening(listening, None if certificates is None else certificates.by_name())


def _listener(
    listening: socket.socket,
    certificates: FileCertificates | None,
    served: Served,
    servers: SocketServers,
) -> _Direct | _Fronted:
    make_impatient(listening, served.plan.body_timeout)
    if certificates is not None and len(certificates.all) > 1:
        return _Fronted(listening, certificates, served, servers)
    return _Direct(listening, certificates, served, servers)


class _Direct:
    """A listener where granian takes the connections."""

    def __init__(
        self,
        listening: socket.socket,
        certificates: FileCertificates | None,
        served: Served,
        servers: SocketServers,
    ) -> None:
        self._listening, self._app, self._servers = listening, served.loaded.app, servers
        self._grace = served.plan.header_timeout + GRACE
        self._begun: list[SocketServer] = []
        self._stopped = False
        self._lock = threading.Lock()
        self._serve(None if certificates is None else certificates.all[0])
        if certificates is not None:
            certificates.watch(self._serve)

    def _serve(self, tls: Certificate | None) -> None:
        """With that from now on."""
        with self._lock:
            if self._stopped:
                return
            before = self._begun[-1:]
            files = None if tls is None else tls.files
            self._begun.append(self._servers.at(self._listening, self._app, files))
            for one in before:
                one.retire(self._listening, self._grace)

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            for one in self._begun:
                one.stop(self._listening)
            self._listening.close()

    def wait(self) -> None:
        for one in self._begun:
            one.wait()


class _Fronted:
    """A listener where granian is behind a `TLSFront`."""

    def __init__(
        self,
        listening: socket.socket,
        certificates: FileCertificates,
        served: Served,
        servers: SocketServers,
    ) -> None:
        assert served.folder is not None
        behind = served.folder / f"{os.getpid()}-{listening.fileno()}"
        listening.listen(BACKLOG)
        self._front = TLSFront(
            listening,
            certificates.by_name(),
            behind,
            patience=served.plan.header_timeout,
            limit=servers.limit,
        )
        self._server = servers.at_path(behind, self._front.told(served.loaded.app))
        self._front.start()

    def stop(self) -> None:
        self._front.stop()
        self._server.stop()

    def wait(self) -> None:
        self._server.wait()
        self._front.ended.wait()
