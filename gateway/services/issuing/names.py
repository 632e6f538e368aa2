"""The names for which the configuration asks an authority for certificates."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from gateway.catalog import CertificateRow
from gateway.catalog.rows import ORDERED
from gateway.config import AcmeOptions, Binding, CertifiedName, Configuration
from gateway.services.unsafe import declared_certificates


def declared_names(
    options: AcmeOptions,
    configuration: Configuration,
    bindings: Iterable[Binding],
    certificates: Iterable[CertificateRow],
    now: int,
) -> frozenset[str]:
    """`certificates`: those of the catalog. What stands in `names` is asked for whatever else
    there is; a binding's name is not where a person has brought a certificate for it."""
    found = set[str](options.names)
    if options.bindings:
        brought = frozenset(_brought(configuration, certificates, now))
        found |= {name for name in _hosts(bindings) if not _covered(name, brought)}
    return frozenset(found)


def _hosts(bindings: Iterable[Binding]) -> Iterator[str]:
    for binding in bindings:
        try:
            yield CertifiedName.parse(binding.host or "")
        except ValueError:  # all below a domain, or a name of this machine: nobody certifies that
            continue


def _brought(
    configuration: Configuration, certificates: Iterable[CertificateRow], now: int
) -> Iterator[str]:
    for said in declared_certificates(configuration).values():
        if said is not None and said.expires.timestamp() * 1000 > now:
            yield from said.hosts
    for row in certificates:
        if not row.name.startswith(ORDERED) and row.expires > now:
            yield from row.hosts


def _covered(name: str, hosts: Collection[str]) -> bool:
    return name in hosts or f"*.{name.partition('.')[2]}" in hosts
