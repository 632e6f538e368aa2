"""What is known of who is connected, and of what is to come next."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from gateway.access.access import Access
from gateway.access.identity import ANONYMOUS, Credential, Identity
from gateway.access.rules import Unknown
from gateway.modes import Gateway
from gateway.modes.ftp.bounds import Bound
from gateway.modes.ftp.control import Control
from gateway.modes.ftp.data import Endpoint
from gateway.modes.ftp.paths import Names, Place, place, resolved
from gateway.modes.ftp.replies import Refused, Reply
from gateway.storage import NoSuchStore
from gateway.telemetry.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What all connections of a listener have in common."""

    gateway: Gateway
    tls: ssl.SSLContext | None
    require_tls: bool
    service: str
    ports: range
    passive_address: str
    transfers: Bound
    patience: float


class Caller(Unknown):
    """What rules may ask of a client."""

    def __init__(self, gateway: Gateway, control: Control) -> None:
        self.address = control.address
        self.country = gateway.country(control.address)
        self.tls = control.secure
        self.tls_versions: Sequence[str] = (control.tls_version,) if control.secure else ()
        self.time = gateway.clock()


@dataclass(slots=True, eq=False)
class Session:
    """`record` is that of the command that is answered now. `credential`: as it was when its
    secret was proved."""

    terms: Terms
    control: Control
    record: Record
    user: str = ""
    failures: int = 0
    credential: Credential | None = None
    identity: Identity = ANONYMOUS
    root: str = ""
    folder: Names = ()
    private: bool = False
    """Data goes by TLS (PROT P)."""
    only_extended: bool = False
    """EPSV ALL was said."""
    endpoint: Endpoint | None = None
    offset: int = 0
    """Of the next transfer (REST)."""
    announced: int | None = None
    """Bytes of the next upload, at least (ALLO)."""
    renamed: Names | None = None
    made: set[Names] = field(default_factory=set)
    """Folders that are made, and that a store does not keep while nothing is in them."""
    leaving: bool = False

    @property
    def gateway(self) -> Gateway:
        return self.terms.gateway

    def say(self, reply: Reply) -> None:
        self.control.say(str(reply))

    def names(self, text: str) -> Names:
        """What a path means, from the folder that the client is in."""
        return resolved(self.folder, text)

    def place(self, names: Names) -> Place:
        """And the record knows it."""
        found = place(self.root, names)
        self.record.sid, self.record.key = found.sid, found.key
        return found

    def access(self, sid: str) -> Access:
        """Raises `NoSuchStore`, also for who may do nothing there."""
        caller = Caller(self.gateway, self.control)
        with suppress(NoSuchStore):
            found = self.gateway.access(self.identity, sid, caller)
            if found.visible:
                return found
        raise NoSuchStore("There is no such folder.", name=sid)

    def services(self) -> Sequence[Access]:
        return self.gateway.services(self.identity, Caller(self.gateway, self.control))

    def require_known(self) -> None:
        """The key is what it was: active, and of that secret; what it may is what it may now.
        Raises `Refused`."""
        if self.credential is None:
            raise Refused(530, "Log in first, with USER and PASS.")
        found = self.gateway.keys.credential(self.credential.id)
        if found is None or found.secret != self.credential.secret:
            raise Refused(421, "The key does not count any more.", closes=True)
        self.identity = found.identity

    def replace_endpoint(self, endpoint: Endpoint | None) -> None:
        before, self.endpoint = self.endpoint, endpoint
        if before is not None:
            before.close()

    def close(self) -> None:
        self.replace_endpoint(None)
        self.control.close()
