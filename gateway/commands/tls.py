"""Certificates of the configuration, as they are at the start: usable, whose, and until when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from gateway.common import x509
from gateway.common.x509 import CannotUse, Description
from gateway.config import Configuration, Listener
from gateway.servers import CannotServe
from gateway.servers.certificates import SOON, Certificate, CertificateFiles, described, read


def files_of(listener: Listener) -> tuple[CertificateFiles, ...]:
    return tuple(CertificateFiles(one.certificate, one.key) for one in listener.tls or ())


def certificates(configuration: Configuration) -> list[Certificate]:
    """Each once. Raises `CannotServe` for one that cannot be used, with its place."""
    options, found = configuration.server, dict[CertificateFiles, Certificate]()
    for own, listener in _listeners(configuration):
        place = "server.tls" if listener.tls is options.tls else f"{own}.tls"
        for files in files_of(listener):
            try:
                found[files] = found.get(files) or read(files)
            except CannotUse as error:
                raise CannotServe(f"{place}: {error}.") from error
    return list(found.values())


def _listeners(configuration: Configuration) -> list[tuple[str, Listener]]:
    """With their places."""
    own = enumerate(configuration.server.listeners)
    others = [(one.place, one.listener) for one in configuration.listeners]
    return [*((f"server.listen[{n}]", one) for n, one in own), *others]


def said(configuration: Configuration) -> dict[Path, Description | None]:
    """What the certificates say, for who may perhaps not read their keys; None: nor them."""
    paths = [files.certificate for _, one in _listeners(configuration) for files in files_of(one)]
    return {path: _said(path) for path in paths}


def _said(path: Path) -> Description | None:
    try:
        return x509.described(path.read_bytes())
    except (OSError, ValueError):
        return None


def lines(configuration: Configuration) -> Iterator[str]:
    return map(described, certificates(configuration))


def warnings(configuration: Configuration) -> Iterator[str]:
    now = datetime.now(UTC)
    for one in certificates(configuration):
        if one.expires <= now:
            yield f"clients refuse a certificate that is over: {described(one)}."
        elif one.expires - now <= SOON:
            yield f"a certificate is soon over: {described(one)}."
