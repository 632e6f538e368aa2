"""Certificates of the configuration, as they are at the start: usable, whose, and until when."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.common.x509 import CannotUse
from gateway.config import Configuration, Listener
from gateway.servers import CannotServe
from gateway.servers.certificates import Certificate, CertificateFiles, described, read
from gateway.services.unsafe import listening


def files_of(listener: Listener) -> tuple[CertificateFiles, ...]:
    return tuple(CertificateFiles(one.certificate, one.key) for one in listener.tls or ())


def certificates(configuration: Configuration) -> list[Certificate]:
    """Each once. Raises `CannotServe` for one that cannot be used, with its place."""
    options, found = configuration.server, dict[CertificateFiles, Certificate]()
    for own, listener in listening(configuration):
        place = "server.tls" if listener.tls is options.tls else f"{own}.tls"
        for files in files_of(listener):
            try:
                found[files] = found.get(files) or read(files)
            except CannotUse as error:
                raise CannotServe(f"{place}: {error}.") from error
    return list(found.values())


def lines(configuration: Configuration) -> Iterator[str]:
    return map(described, certificates(configuration))
