"""Certificates of listeners: which of them a handshake gets, and how they change while it runs.

A client names the host that it wants (SNI, RFC 6066 §3) before it is answered. Python's `ssl`
asks back then, and what `for_name` says is what it gets. So a certificate that is added,
changed or gone counts from the next handshake on, and no connection is touched.

Files are looked at every `INTERVAL` seconds. One that has changed is read when it has been
the same twice: who renews a certificate writes two files, one after the other. What cannot
be used is said once, and what was there before goes on.
"""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from gateway.common import open_files, x509
from gateway.common.steady import Steady
from gateway.common.x509 import CannotUse, new_context, reason
from gateway.servers.strange_names import keep_quiet

log = logging.getLogger("gateway")

INTERVAL = 2.0

_BOTH = ["h2", "http/1.1"]

Stamp = tuple[tuple[int, int, int], ...]
"""Of each file: when it was written, its size and its number."""


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """PEM: the certificate with those that lead to a known one, and its key."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """`names` are those that it is for, in lower case, `*.…` among them; addresses too."""

    files: CertificateFiles
    names: tuple[str, ...]
    expires: datetime
    context: ssl.SSLContext = field(repr=False, compare=False)


class Certificates(Protocol):
    """Where a listener has its certificates from."""

    def for_name(self, name: str) -> ssl.SSLContext | None:
        """What is shown to who asks for that host, in lower case, "" for who names none; None:
        the handshake is refused. It is asked at each one, in a thread that serves others
        too, so it answers from memory."""


def read(files: CertificateFiles) -> Certificate:
    """Raises `CannotUse`."""
    context = new_context()
    try:
        context.load_cert_chain(files.certificate, files.key, password=_no_password)
        text = open_files.read(files.certificate)
    except ssl.SSLError as error:  # an OSError too
        raise CannotUse(
            f"the certificate {files.certificate} cannot be used with the key {files.key}:"
            f" {reason(error)}"
        ) from error
    except OSError as error:
        raise CannotUse(
            f"the certificate {files.certificate} or its key cannot be read: {error.strerror}"
        ) from error
    try:
        said = x509.described(text)
    except ValueError as error:  # not as RFC 5280 has it, in what OpenSSL does not look at
        raise CannotUse(f"the certificate {files.certificate} cannot be read: {error}") from error
    return Certificate(files=files, names=said.names, expires=said.expires, context=context)


def _no_password() -> str:
    """There is nobody to type one; a key that needs one is not readable, then."""
    return ""


class Named(Protocol):
    """Certificates by what stands in them: names of hosts, and `*.…`."""

    def named(self, label: str) -> ssl.SSLContext | None: ...


def chosen(name: str, *those: Named) -> ssl.SSLContext | None:
    """The one for just this name, else the one for all names beside it (RFC 9525 §6.3); of
    several that are alike, that of whom is given first."""
    for label in (name, f"*.{name.partition('.')[2]}"):
        for one in those:
            found = one.named(label)
            if found is not None:
                return found
    return None


def by_name(certificates: Certificates, *, http2: bool = False) -> ssl.SSLContext:
    """A context whose handshakes get what `for_name` says at that time. `http2`: clients may
    choose it (ALPN, RFC 7301)."""

    def choose(
        connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _context: ssl.SSLContext
    ) -> int | None:
        found = certificates.for_name((name or "").lower())
        if found is None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        if http2:
            found.set_alpn_protocols(_BOTH)
        connection.context = found
        return None

    keep_quiet()
    context = new_context()
    context.sni_callback = choose
    return context


class FileCertificates:
    """Those of the configuration. Who asks for a name that none has gets the first."""

    def __init__(self, files: Sequence[CertificateFiles]) -> None:
        """Raises `CannotUse`."""
        self._stamps = {one: _stamp(one) for one in files}
        self._last = dict(self._stamps)
        self._changed: Callable[[Certificate], None] = lambda _: None
        self._watched = False
        self.all = [read(one) for one in files]
        self._names = _table(self.all)

    def for_name(self, name: str) -> ssl.SSLContext | None:
        return chosen(name, self) or self.first

    def named(self, label: str) -> ssl.SSLContext | None:
        found = self._names.get(label)
        return None if found is None else found.context

    @property
    def first(self) -> ssl.SSLContext:
        return self.all[0].context

    def look(self) -> None:
        """Take over what has changed, and has been the same since the last look."""
        for number, one in enumerate(self.all):
            stamp = _stamp(one.files)
            settled = stamp == self._last[one.files]
            self._last[one.files] = stamp
            if settled and stamp != self._stamps[one.files]:
                self._stamps[one.files] = stamp
                self._take(number, one)

    def _take(self, number: int, before: Certificate) -> None:
        try:
            found = read(before.files)
        except CannotUse as error:
            log.error("a certificate has changed, and the one before it is kept: %s", error)
            return
        self.all = [*self.all[:number], found, *self.all[number + 1 :]]
        self._names = _table(self.all)
        log.info("a certificate has changed: %s", described(found))
        self._changed(found)

    def watch(self, changed: Callable[[Certificate], None] | None = None) -> None:
        """Look from now on, as long as this process lives; `changed` is called with each that
        took another's place. It may be called twice."""
        self._changed = changed or self._changed
        if not self._watched:
            self._watched = True
            threading.Thread(target=self._watch, name="certificates", daemon=True).start()

    def _watch(self) -> None:
        steady, pause = Steady(log, "certificates are not looked for"), threading.Event()
        while not pause.wait(INTERVAL):
            steady(self.look)


def _table(certificates: Sequence[Certificate]) -> dict[str, Certificate]:
    """By name, the first of several that have it."""
    table = dict[str, Certificate]()
    for one in certificates:
        for name in one.names:
            table.setdefault(name, one)
    return table


def _stamp(files: CertificateFiles) -> Stamp:
    """Of files that are not there it is another than of any that are."""
    found = []
    for path in (files.certificate, files.key):
        try:
            status = path.stat()
        except OSError:
            found.append((0, 0, 0))
        else:
            found.append((status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(found)


def described(one: Certificate) -> str:
    return x509.in_words(one.names, one.expires, one.files.certificate)
