"""The HTTP servers, behind one small interface: a `Plan` in, an exit code out.

A server never sees the configuration. It calls `plan.load` in the process
that will answer (granian: in each worker, after it was spawned), serves
`Loaded.app`, and closes it when all that was under way is finished. While it
serves it can be told to `reload`: what `plan.read_again` gives is handed to
`Loaded.prepare` in each of these processes, and goes into effect when all have it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from gateway.common.x509 import CannotUse
from gateway.modes import WSGIApp
from gateway.servers.added_certificates import AddedCertificates
from gateway.servers.certificates import CertificateFiles, FileCertificates
from gateway.servers.protocols import Listening
from gateway.web.admission import Admission


class CannotServe(Exception):
    """The environment does not allow it; the message is for the operator."""


class Prepared(Protocol):
    """A configuration that is open in a process, beside the one that is served."""

    def take_over(self) -> None:
        """Requests that begin from now on are its; the one before is closed when its own are
        over. Raises `CannotServe`: then the one before goes on, and this one is closed."""

    def discard(self) -> None:
        """Close it again."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a process serves, what is under way in it, and how it lets go of it. `wake` is
    called when a stop begins: what waits for something to happen is answered then. `prepare`
    opens what a `Change` says; it raises `CannotServe`. `listen` is called once, with what
    listens at `Plan.protocols`, in their order; it raises that too. `certificates` are shown
    beside the files of each `Endpoint` that has some."""

    app: WSGIApp
    close: Callable[[], None]
    admission: Admission
    wake: Callable[[], None] = lambda: None
    prepare: Callable[[object], Prepared] | None = None
    listen: Callable[[Sequence[Listening]], None] = lambda _: None
    certificates: AddedCertificates = field(default_factory=AddedCertificates)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A configuration that was read again: `message` is for `Loaded.prepare` and can be
    pickled, `load` is for processes that begin to serve when it has gone into effect."""

    message: object
    load: Callable[[], Loaded]


class Endpoint(NamedTuple):
    """Where a listener is, and its certificates; none: it speaks without TLS."""

    host: str
    port: int
    tls: tuple[CertificateFiles, ...] = ()

    @property
    def address(self) -> tuple[str, int]:
        return self.host, self.port


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`load` can be pickled, where processes are spawned. `drain` and the time-outs are in
    seconds, `max_body` in bytes. `http2`: clients that speak TLS may choose it. `protocols` are
    listeners that do not speak HTTP. `claims`: a folder by which workers choose processors of
    their own (see `cpu_affinity`).
    `read_again` raises `CannotServe` with all that is wrong; None: it cannot be done."""

    load: Callable[[], Loaded]
    read_again: Callable[[], Change] | None = None
    listen: tuple[Endpoint, ...]
    protocols: tuple[Endpoint, ...] = ()
    workers: int = 1
    threads: int = 16
    drain: float = 30.0
    header_timeout: float = 30.0
    body_timeout: float = 60.0
    max_body: int = 1 << 30
    http2: bool = False
    claims: Path | None = None

    @property
    def addresses(self) -> list[tuple[str, int]]:
        return [one.address for one in (*self.listen, *self.protocols)]


def certificates_of(endpoint: Endpoint) -> FileCertificates | None:
    """Read now; None where there are none. Raises `CannotServe`."""
    try:
        return FileCertificates(endpoint.tls) if endpoint.tls else None
    except CannotUse as error:
        raise CannotServe(f"{error}.") from error


class HTTPServer(Protocol):
    """`run` calls `ready` once, when the sockets accept, with the addresses in use.

    It returns 0 after SIGTERM or Ctrl-C, 1 when it had to give up. Raises
    `CannotServe` when it cannot begin, or a process of its own cannot be loaded.
    """

    def run(self, plan: Plan, ready: Callable[[tuple[tuple[str, int], ...]], None]) -> int: ...

    def stop(self) -> None:
        """End as SIGTERM does; for any thread, also before `run`."""

    def reload(self) -> None:
        """Read the configuration again, and serve it in all processes, or in none: then
        `CannotServe` says why. Logs how it ended. For any thread, while `run` serves."""
