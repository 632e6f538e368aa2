"""What one worker of granian's runs: servers of it for each listener, one application.

A server of granian takes one certificate, once, so:

- Where a listener has one, granian speaks TLS. When that has changed, another server begins on
  the same socket, and the one before it gets no more connections, and ends after `GRACE`.
- Where there are several, a `TLSFront` speaks TLS, and granian is behind it: from when the
  first is added beside the one of a listener, on the same socket in the same way.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from gateway.servers import CannotServe, Loaded, Plan
from gateway.servers.added_certificates import ListenerCertificates
from gateway.servers.certificates import Certificate, FileCertificates
from gateway.servers.granian_inside import BACKLOG, SocketServer, SocketServers
from gateway.servers.protocols import Listening
from gateway.servers.sockets import make_impatient
from gateway.servers.tls_front import TLSFront

GRACE = 10.0
"""Seconds that a handshake may take on granian. Idle connections have `header_timeout`."""


class Served(NamedTuple):
    """`certificates` are those of `plan.listen`, then of `plan.protocols`; `folder` is for
    sockets of its own. `begun` says that it serves, `refuse` why it cannot."""

    loaded: Loaded
    plan: Plan
    certificates: Sequence[FileCertificates | None]
    folder: Path | None
    begun: Callable[[], None]
    refuse: Callable[[str], NoReturn]


def serve(served: Served, sockets: Sequence[socket.socket], servers: SocketServers) -> None:
    """Until this worker is told to end (SIGTERM)."""
    asked = len(served.plan.listen)
    shown = [_shown(one, served.loaded) for one in served.certificates]
    at = list(zip(sockets, shown, strict=True))
    try:
        served.loaded.listen([_listening(*one) for one in at[asked:]])
    except CannotServe as error:
        served.refuse(str(error))
    listeners = [_Listener(*one, served, servers) for one in at[:asked]]

    def stop(*_: object) -> None:
        for one in listeners:
            one.stop()

    signal.signal(signal.SIGTERM, stop)
    served.begun()
    for one in listeners:
        one.wait()


def _shown(files: FileCertificates | None, loaded: Loaded) -> ListenerCertificates | None:
    return None if files is None else ListenerCertificates(files, loaded.certificates)


def _listening(listening: socket.socket, certificates: ListenerCertificates | None) -> Listening:
    listening.listen(BACKLOG)
    return Listening(listening, None if certificates is None else certificates.by_name())


class _Listener:
    """granian takes its connections, or, where there are several certificates, a `TLSFront`
    does: from when there are, until this process ends."""

    def __init__(
        self,
        listening: socket.socket,
        certificates: ListenerCertificates | None,
        served: Served,
        servers: SocketServers,
    ) -> None:
        make_impatient(listening, served.plan.body_timeout)
        self._listening, self._certificates = listening, certificates
        self._served, self._servers = served, servers
        self._direct: list[SocketServer] = []
        self._fronted: tuple[TLSFront, SocketServer] | None = None
        self._stopped = False
        self._lock = threading.Lock()
        if certificates is None:
            self._serve(None)
        elif certificates.several:
            self._front()
        else:
            self._serve(certificates.files.all[0])
            certificates.files.watch(self._serve)
            certificates.added.when_some(self._front)

    def _serve(self, tls: Certificate | None) -> None:
        """With that from now on."""
        with self._lock:
            if self._stopped or self._fronted is not None:
                return
            before = self._direct[-1:]
            files = None if tls is None else tls.files
            self._direct.append(self._servers.at(self._listening, self._served.loaded.app, files))
            self._retire(before)

    def _front(self) -> None:
        """With all certificates that there are, from now on."""
        with self._lock:
            if self._stopped or self._fronted is not None:
                return
            front = self._new_front()
            app = front.told(self._served.loaded.app)
            self._fronted = front, self._servers.at_path(front.behind, app)
            front.start()
            self._retire(self._direct[-1:])

    def _new_front(self) -> TLSFront:
        assert self._served.folder is not None and self._certificates is not None
        behind = self._served.folder / f"{os.getpid()}-{self._listening.fileno()}"
        behind.unlink(missing_ok=True)  # of a try that did not end well
        # Not `dup`: it would make it wait, for granian too, which serves on at the same one.
        listening = socket.socket(fileno=os.dup(self._listening.fileno()))
        listening.listen(BACKLOG)
        return TLSFront(
            listening,
            self._certificates.by_name(http2=self._served.plan.http2),
            behind,
            patience=self._served.plan.header_timeout,
            limit=self._servers.limit // 2,  # each has a connection behind it
        )

    def _retire(self, servers: Sequence[SocketServer]) -> None:
        for one in servers:
            one.retire(self._listening, self._served.plan.header_timeout + GRACE)

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            if self._fronted is not None:
                front, server = self._fronted
                front.stop()
                server.stop()
            for one in self._direct:
                one.stop(self._listening)
            self._listening.close()

    def wait(self) -> None:
        for one in self._direct:
            one.wait()
        if self._fronted is not None:
            front, server = self._fronted
            server.wait()
            front.ended.wait()
