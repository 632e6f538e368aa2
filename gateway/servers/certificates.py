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

from gateway.common.steady import Steady

log = logging.getLogger("gateway")

INTERVAL = 2.0

Stamp = tuple[tuple[int, int, int], ...]
"""Of each file: when it was written, its size and its number."""


class CannotUse(Exception):
    """A certificate, with its key; the message says which, and why."""


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
        text = files.certificate.read_bytes()
    except ssl.SSLError as error:  # an OSError too
        reason = (error.reason or str(error)).replace("_", " ").lower()
        raise CannotUse(
            f"the certificate {files.certificate} cannot be used with the key {files.key}: {reason}"
        ) from error
    except OSError as error:
        raise CannotUse(
            f"the certificate {files.certificate} or its key cannot be read: {error.strerror}"
        ) from error
    try:
        names, expires = _described(text)
    except ValueError as error:  # not as RFC 5280 has it, in what OpenSSL does not look at
        raise CannotUse(f"the certificate {files.certificate} cannot be read: {error}") from error
    return Certificate(files=files, names=names, expires=expires, context=context)


def new_context() -> ssl.SSLContext:
    """A server's, without a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    return context


def _no_password() -> str:
    """There is nobody to type one; a key that needs one is not readable, then."""
    return ""


def _described(text: bytes) -> tuple[tuple[str, ...], datetime]:
    from cryptography import x509  # takes its time, and who has no TLS does without

    found = x509.load_pem_x509_certificate(text)
    try:
        said = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = [
            *said.get_values_for_type(x509.DNSName),
            *map(str, said.get_values_for_type(x509.IPAddress)),
        ]
    except x509.ExtensionNotFound:  # an old one; clients of today want names there
        common = found.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        names = [str(one.value) for one in common]
    return tuple(name.lower() for name in names), found.not_valid_after_utc


def by_name(certificates: Certificates) -> ssl.SSLContext:
    """A context whose handshakes get what `for_name` says at that time."""

    def choose(
        connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _context: ssl.SSLContext
    ) -> int | None:
        found = certificates.for_name((name or "").lower())
        if found is None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        connection.context = found
        return None

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
        self.all = [read(one) for one in files]
        self._names = _table(self.all)

    def for_name(self, name: str) -> ssl.SSLContext | None:
        names = self._names
        found = names.get(name) or names.get(f"*.{name.partition('.')[2]}") or names[""]
        return found.context

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
        took another's place."""
        self._changed = changed or self._changed
        threading.Thread(target=self._watch, name="certificates", daemon=True).start()

    def by_name(self) -> ssl.SSLContext:
        """A context for each handshake from now on, with what files say by then."""
        self.watch()
        return by_name(self)

    def _watch(self) -> None:
        steady, pause = Steady(log, "certificates are not looked for"), threading.Event()
        while not pause.wait(INTERVAL):
            steady(self.look)


def _table(certificates: Sequence[Certificate]) -> dict[str, Certificate]:
    """By name, the first of several that have it; "" is the first of all."""
    table = {"": certificates[0]}
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
    """`photos.example, *.zone.example until 2027-01-03 (photos.pem)`."""
    names = ", ".join(one.names) or "no name"
    return f"{names} until {one.expires:%Y-%m-%d} ({one.files.certificate})"
