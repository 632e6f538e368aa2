"""What an operator should know before others find out: a sentence each."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from gateway.common import x509
from gateway.common.units import format_size
from gateway.common.x509 import SOON, Description
from gateway.config import Address, Binding, Configuration, Listener
from gateway.modes import Cautioning
from gateway.services.chain import Chain


def unsafe(
    configuration: Configuration, listeners: Sequence[tuple[str, int]], server: str
) -> Iterator[str]:
    """`listeners` are the addresses where it listens, in the order of the configuration's."""
    options = configuration.server
    behind_tls = (options.external_url or "").startswith("https:")
    for one, bound in zip(options.listeners, listeners, strict=True):
        address = Address(*bound)
        if not address.loopback and not one.tls and not behind_tls:
            yield (
                f"{address} can be reached from other machines, without TLS: what passes can"
                " be read and changed on the way. Set [server] tls, or put a proxy in front and"
                " its address into external_url."
            )
    for other in configuration.listeners:
        if not other.listener.address.loopback and not other.listener.tls:
            yield (
                f"{other.url} can be reached from other machines, without TLS: what passes can"
                " be read and changed on the way, and secrets are among it. Set [server] tls, or"
                f" tls in {other.place}."
            )
    yield from _over(configuration)
    yield from Chain(configuration).unlike(configuration.data)
    for name, mode in configuration.modes.items():
        if isinstance(mode, Cautioning):
            yield from mode.cautions(configuration.mode_tables.get(name))
    ports = {port for _, port in listeners}
    for binding in configuration.bindings:
        yield from deaf(binding, ports)
    if server == "granian" and options.trusted_proxies and options.proxy_headers != "forwarded":
        yield (
            "granian takes X_Forwarded_For for X-Forwarded-For: unless the proxy drops names with"
            ' "_", as nginx does by default, a client can choose its address and host. Let it write'
            " Forwarded instead, and set [server] proxy_headers = 'forwarded'."
        )
    if server == "waitress":
        yield (
            f"waitress reads a body of up to {format_size(options.body_limit('waitress'))}"
            " ([server] max_body) into a temporary file before it is known who sends it."
        )


def missing(configuration: Configuration) -> Iterator[str]:
    """What does not run because of plugins that cannot be used."""
    yield from configuration.plugins.problems
    for sid, why in configuration.left_out.items():
        yield f'the service "{sid}" does not run: {why}.'


def deaf(binding: Binding, ports: Collection[int]) -> Iterator[str]:
    """A binding at a port where nothing listens."""
    if binding.port is not None and binding.port not in ports:
        yield f"a binding waits at port {binding.port}, where nothing listens."


def listening(configuration: Configuration) -> list[tuple[str, Listener]]:
    """All that listens, HTTP or not, with its place."""
    own = enumerate(configuration.server.listeners)
    others = [(one.place, one.listener) for one in configuration.listeners]
    return [*((f"server.listen[{n}]", one) for n, one in own), *others]


def declared_certificates(configuration: Configuration) -> dict[Path, Description | None]:
    """What the certificates say, for who may perhaps not read their keys; None: nor them."""
    paths = [tls.certificate for _, one in listening(configuration) for tls in one.tls or ()]
    return {path: _said(path) for path in paths}


def _said(path: Path) -> Description | None:
    try:
        return x509.described(path.read_bytes())
    except (OSError, ValueError):
        return None


def _over(configuration: Configuration) -> Iterator[str]:
    now = datetime.now(UTC)
    for path, said in declared_certificates(configuration).items():
        if said is None:
            yield f"the certificate {path} cannot be read."
        elif said.expires <= now:
            text = x509.in_words(said.names, said.expires, path)
            yield f"clients refuse a certificate that is over: {text}."
        elif said.expires - now <= SOON:
            text = x509.in_words(said.names, said.expires, path)
            yield f"a certificate is soon over: {text}."
