"""Certificates that accounts bring for their names, as modes see and change them.

Each is shown by name from the next handshake on, in every worker within a second. Who may is asked
in each method, first: what is another account's is `NotFound`, as if it were not there; who
manages everything reaches all by their numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from gateway.access.identity import Identity


class UploadedCertificate(NamedTuple):
    """`number` is never another's; `fingerprint` the SHA-1 of it, in hex; `hosts` are names in
    lower case, `*.…` among them. It `expires` at that time, in milliseconds since the epoch."""

    number: int
    account: str
    hosts: tuple[str, ...]
    fingerprint: str
    expires: int

    def is_for(self, host: str) -> bool:
        """Whether who asks for that name, in lower case, may get it."""
        return any(covers(one, host) for one in self.hosts)


class UploadedCertificates(Protocol):
    """`Gateway.uploaded_certificates`."""

    def list(self, identity: Identity, *, every: bool = False) -> Sequence[UploadedCertificate]:
        """Those of the identity's account, by number; `every`: all, for who manages everything,
        else `Forbidden`."""

    def find(self, identity: Identity, number: int) -> UploadedCertificate: ...

    def upload(
        self, identity: Identity, certificate: str, key: str, bundle: str = ""
    ) -> UploadedCertificate:
        """All PEM; `bundle`: those that lead from the certificate to a known one, if they are not
        behind it. Raises `Forbidden`; `Conflict` for what no client would take, what is over, what
        the account has already, and what is for names of somebody else; `Full` when the
        account has as many as it may have."""

    def remove(self, identity: Identity, number: int) -> None:
        """Who asks for its names gets what is there without it, from the next handshake on."""


def covers(label: str, host: str) -> bool:
    """Whether a certificate for `label` is one for that name (RFC 9525 §6.3)."""
    return label == host or (label.startswith("*.") and label[2:] == host.partition(".")[2])
