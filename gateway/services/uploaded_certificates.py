"""Certificates that accounts bring: what may be shown to visitors, and for which names.

A handshake asks for a name, and knows no accounts. So an account may bring one for a name that
nobody else has: no binding of another, no certificate of another, none of the gateway's own. Who
has a name that is within `*.…` of another's has that other's name, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from gateway.access.identity import Identity, account_of, acting_for, owner_listed
from gateway.catalog.rows import UploadedRow
from gateway.catalog.uploaded_certificates import Claim, NewCertificate
from gateway.common.moments import utc
from gateway.common.x509 import CannotUse, checked, sha1_of
from gateway.config.texts import HostPattern
from gateway.modes.uploaded_certificates import UploadedCertificate
from gateway.services.administration import Administration
from gateway.services.stored import door_of
from gateway.services.unsafe import declared_certificates
from gateway.services.zones.names import zone_options
from gateway.storage import Conflict, InvalidRequest, NotFound

MOST = 1000
"""Certificates of an account: every worker knows all of them."""

_LONGEST = 100_000
"""Characters of each text: a chain has some thousands."""
_TRIES = 10


class Taken(NamedTuple):
    """Names that somebody has: `account` "" for the gateway itself."""

    account: str
    hosts: Sequence[str]


class GatewayUploadedCertificates:
    """Implements `gateway.modes.uploaded_certificates.UploadedCertificates`."""

    def __init__(self, gateway: Administration, notice: Callable[[], object]) -> None:
        """`notice` has this process see at once what was changed."""
        self._gateway, self._catalog, self._notice = gateway, gateway.catalog, notice

    def list(self, identity: Identity, *, every: bool = False) -> Sequence[UploadedCertificate]:
        owner = owner_listed(identity, every=every)
        rows = self._catalog.uploaded_certificates(owner)
        return [_told(row) for row in rows]

    def find(self, identity: Identity, number: int) -> UploadedCertificate:
        account, row = account_of(identity), self._catalog.uploaded_certificate(number)
        if row is None or not (identity.manages_everything or row.account == account):
            raise NotFound(f"There is no certificate {number}.")
        return _told(row)

    def remove(self, identity: Identity, number: int) -> None:
        self.find(identity, number)
        self._catalog.remove_uploaded_certificate(number)
        self._notice()

    def upload(
        self, identity: Identity, certificate: str, key: str, bundle: str = ""
    ) -> UploadedCertificate:
        account = account_of(identity)
        new = self._checked(certificate, key, bundle)
        for _ in range(_TRIES):
            since, claims = self._catalog.certificate_claims()
            self._check(identity, new, claims)
            try:
                number = self._catalog.add_uploaded_certificate(account, new, since=since)
            except Conflict:
                if self._catalog.certificates_number() == since:
                    raise
                continue  # another was changed meanwhile: look again
            self._notice()
            return self.find(identity, number)
        raise Conflict("Others change certificates all the time: try again.")

    # what may be brought

    def _checked(self, certificate: str, key: str, bundle: str) -> NewCertificate:
        """Raises `Conflict` for what no client would take."""
        for text in (certificate, key, bundle):
            if len(text) > _LONGEST:
                raise InvalidRequest(f"A certificate or key has at most {_LONGEST} characters.")
        chain = f"{certificate}\n{bundle}".encode(errors="replace")
        try:
            found = checked(chain, key.encode(errors="replace"))
        except CannotUse as error:
            raise Conflict(f"The certificate cannot be used: {error}.") from error
        expires = int(found.said.expires.timestamp() * 1000)
        if expires <= self._gateway.clock():
            raise Conflict(f"The certificate is over since {utc(expires):%Y-%m-%d}.")
        for host in found.said.hosts:
            _check_name(host)
        return NewCertificate(
            found.said.hosts, found.chain, found.key, expires, sha1_of(found.chain)
        )

    def _check(self, identity: Identity, new: NewCertificate, claims: Iterable[Claim]) -> None:
        """Raises `Conflict` where somebody else has one of its names, or the account has it."""
        account, claims = account_of(identity), tuple(claims)
        own = [one for one in claims if one.account == account]
        if any(one.fingerprint == new.fingerprint for one in own):
            raise Conflict("The account has this certificate already.")
        if len(own) >= MOST:
            raise InvalidRequest(f"An account has at most {MOST} certificates.")
        bound = [*self._bound()]
        ours = {host for one in bound if one.account == account for host in one.hosts}
        brought = [Taken(one.account or "", one.hosts) for one in claims]
        _refuse_taken(identity, new.hosts, bound)
        # Who has the binding has the name, whoever was quicker with a certificate for it.
        unbound = [host for host in new.hosts if host not in ours]
        _refuse_taken(identity, unbound, [*brought, *self._gateways()])

    def _bound(self) -> Iterator[Taken]:
        """Names of bindings: each is whose the service is to which it leads."""
        configuration = self._gateway.chain.configuration
        self._gateway.added.sync()
        rows = self._gateway.added.rows
        for one in (*configuration.bindings, *map(door_of, self._gateway.added.bindings)):
            if one.host is None:
                continue
            declared, row = configuration.services.get(one.service), rows.get(one.service)
            if declared is not None:
                owner = declared.account
            else:
                row = row or (self._catalog.service(one.service) if one.service else None)
                owner = "" if row is None else row.owner
            yield Taken(owner, [one.host])

    def _gateways(self) -> Iterator[Taken]:
        configuration = self._gateway.chain.configuration
        zones = zone_options(configuration)
        suffixes = () if zones is None else (zones.suffix,)
        for domain in (*configuration.server.domains, *suffixes):
            yield Taken("", [domain, f"*.{domain}"])
        if configuration.acme is not None:  # what somebody has brought would be shown before those
            yield Taken("", configuration.acme.names)
        for said in declared_certificates(configuration).values():
            if said is not None:
                yield Taken("", said.hosts)


def _refuse_taken(identity: Identity, hosts: Sequence[str], taken: Iterable[Taken]) -> None:
    for one in taken:
        if one.account == acting_for(identity):
            continue
        if not one.account and identity.manages_everything:
            continue
        for host in hosts:
            if any(_overlap(host, other) for other in one.hosts):
                raise Conflict(f"The name {host!r} is somebody else's here.")


def _check_name(host: str) -> None:
    """Raises `Conflict` for what is no name that visitors ask for, or names half the world."""
    try:
        HostPattern.parse(host)
        right = not host.startswith("*.") or "." in host[2:]
    except ValueError:
        right = False
    if not right:
        raise Conflict(f"The certificate is for {host!r}, which is no host name.")


def _overlap(one: str, other: str) -> bool:
    """Whether there is a name that both are for; `*.…` is all below it, as of a binding."""
    if one == other:
        return True
    return any(
        wide.startswith("*.") and narrow.removeprefix("*.").endswith(wide[1:])
        for wide, narrow in ((one, other), (other, one))
    )


def _told(row: UploadedRow) -> UploadedCertificate:
    return UploadedCertificate(row.number, row.account, row.hosts, row.fingerprint, row.expires)
