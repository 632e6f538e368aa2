"""Certificates that are added while it runs, beside the files that a listener has.

A process has one set of them, for all of its listeners that speak TLS. A name gets the most
specific certificate for it, whoever has it; of two that are alike the configuration's counts,
then of those that people brought the one that was added or replaced last, then what an authority
was asked for. Who asks for a name that none has gets the first of the listener's files.

One that is over, or soon will be, is said once a day, by one worker for all; the metrics say
of each when that is.

A context is made when it is first asked for, and kept until that certificate changes
(measured: 2.4 ms, and some 20 KiB): there may be thousands.
"""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from gateway.common.moments import utc
from gateway.common.x509 import SOON, CannotUse, NamedCertificate
from gateway.servers.certificates import FileCertificates, by_name, chosen
from gateway.storage.objects import now

log = logging.getLogger("gateway")

DAY = 86_400.0
EXPIRES = "gateway_certificate_expires_timestamp_seconds"
RETRY = 10.0
"""Seconds after which one that could not be used is tried again: for want of room, say."""


class AddedCertificates:
    """Those of this process. All methods may be called in any thread. `clock` is in milliseconds
    since the epoch."""

    def __init__(self, clock: Callable[[], int] = now) -> None:
        self._clock = clock
        self._known: Mapping[tuple[str, int], _Added] = {}
        self._labels: Mapping[str, _Added] = {}
        self._waiting: list[Callable[[], object]] = []

    def named(self, label: str) -> ssl.SSLContext | None:
        found = self._labels.get(label)
        return None if found is None else found.context()

    def replace(self, certificates: Iterable[NamedCertificate]) -> None:
        """From the next handshake on there are these, and no others."""
        known, labels = dict[tuple[str, int], _Added](), dict[str, _Added]()
        for one in sorted(certificates, key=lambda one: (not one.ordered, one.revision)):
            key = one.name, one.revision
            known[key] = self._known.get(key) or _Added(one)
            labels.update(dict.fromkeys(one.hosts, known[key]))
        if known.keys() != self._known.keys():
            log.info("added certificates have changed: %d are shown by name", len(known))
        self._known, self._labels = known, labels
        self._call_waiting()

    def gauges(self) -> Iterator[tuple[tuple[str, ...], float]]:
        """When each is over, in seconds since the epoch."""
        for one in self._known.values():
            yield (EXPIRES, one.certificate.name), one.certificate.expires / 1000

    def warn(self) -> None:
        """Log which are over, or soon will be."""
        for one in self._known.values():
            said = one.certificate
            name, hosts, expires = said.name, said.hosts, said.expires
            left = (expires - self._clock()) / 1000
            if left <= SOON.total_seconds():
                log.warning(
                    "the added certificate %s (%s) is %s: until %s",
                    name,
                    ", ".join(hosts),
                    "over, and clients refuse it" if left <= 0 else "soon over",
                    f"{utc(expires):%Y-%m-%d}",
                )

    def when_some(self, call: Callable[[], object]) -> None:
        """Have `call` called as soon as there is one, which may be now; and perhaps again."""
        self._waiting.append(call)
        self._call_waiting()

    def __bool__(self) -> bool:
        return bool(self._known)

    def _call_waiting(self) -> None:
        if self._known:
            for call in self._waiting:
                call()


class _Added:
    """One, with its context as soon as somebody has asked for it."""

    __slots__ = ("_context", "_due", "_told", "certificate")

    def __init__(self, certificate: NamedCertificate) -> None:
        self.certificate = certificate
        self._context: ssl.SSLContext | None = None
        self._due, self._told = 0.0, False

    def context(self) -> ssl.SSLContext | None:
        """None when it cannot be used now: what comes behind it is shown."""
        if self._context is None and time.monotonic() >= self._due:
            try:
                self._context = self.certificate.context()
            except CannotUse as error:
                self._due = time.monotonic() + RETRY
                if not self._told:
                    self._told = True
                    log.error(
                        "the added certificate %s cannot be used: %s",
                        self.certificate.name,
                        error,
                    )
        return self._context


class ListenerCertificates:
    """What a listener shows: see above."""

    def __init__(self, files: FileCertificates, added: AddedCertificates) -> None:
        self.files, self.added = files, added

    def for_name(self, name: str) -> ssl.SSLContext | None:
        return chosen(name, self.files, self.added) or self.files.first

    @property
    def several(self) -> bool:
        return len(self.files.all) > 1 or bool(self.added)

    def by_name(self, *, http2: bool = False) -> ssl.SSLContext:
        """A context for each handshake from now on, with what there is by then."""
        self.files.watch()
        return by_name(self, http2=http2)
