"""`protocol = "ftp"`: its options, and how it begins and ends."""

from __future__ import annotations

import re
import socket
import ssl
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Annotated, ClassVar

from gateway.common.system import WAITED_FOR
from gateway.modes import Gateway
from gateway.modes.ftp.bounds import Bound
from gateway.modes.ftp.connections import Connections
from gateway.modes.ftp.pool import Pool
from gateway.modes.ftp.session import Terms
from gateway.modes.protocols import ProtocolListener
from gateway.storage.options import AtLeast, Duration

_COMMANDS = 16
"""Threads that no transfer holds."""


@dataclass(eq=False, kw_only=True)
class Ftp(ProtocolListener):
    """FTP, with explicit TLS where it has certificates. Who logs in is a key, by its id and its
    secret.

    `service`: the one that is `/`. Without it that is the service that the key's access names,
    where it names one alone; else a folder with all services that the key may see.
    `passive_ports`: the ports of data connections, as in "50000-50999"; without it any free one.
    `passive_address`: the IPv4 address that clients are told to connect to (PASV), where another
    machine passes connections on.
    `require_tls`: passwords and data in plain are refused; not said, they are where there is `tls`.
    `connections`: how many there may be at once in each process that serves.
    `connections_per_address`: as many of them of one address.
    `transfers`: how many of them may transfer at once, of one address three quarters of these.
    `idle_timeout`: after as long without a command a connection is closed.
    `transfer_timeout`: after as long in which no byte moves a transfer is broken off.
    """

    protocol: ClassVar[str] = "ftp"
    service: str = ""
    passive_ports: str = ""
    passive_address: str = ""
    require_tls: bool | None = None
    connections: Annotated[int, AtLeast(1)] = 200
    connections_per_address: Annotated[int, AtLeast(1)] = 50
    transfers: Annotated[int, AtLeast(1)] = 32
    idle_timeout: Annotated[float, Duration] = 300.0
    transfer_timeout: Annotated[float, Duration] = 60.0

    def __post_init__(self) -> None:
        self._ports = _range(self.passive_ports)
        if self.passive_address and not _is_address(self.passive_address):
            raise ValueError('passive_address: an address of IPv4, as in "192.0.2.1"')
        if self.connections > WAITED_FOR:
            raise ValueError(f"connections: {WAITED_FOR} at most, on this system")
        for name in ("idle_timeout", "transfer_timeout"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: at least 1s")

    def start(self, gateway: Gateway, listening: socket.socket, tls: ssl.SSLContext | None) -> None:
        if self.require_tls and tls is None:
            raise ValueError("require_tls: there is no certificate, here or in [server]")
        if tls is not None:
            # Go's clients, and others, send a file and close, and have read nothing. With a ticket
            # unread, their systems reset the connection, and what was not sent yet is lost.
            tls.num_tickets = 0
        terms = Terms(
            gateway=gateway,
            tls=tls,
            require_tls=tls is not None if self.require_tls is None else self.require_tls,
            service=self.service,
            ports=self._ports,
            passive_address=self.passive_address,
            transfers=Bound(self.transfers, max(1, self.transfers * 3 // 4)),
            patience=self.transfer_timeout,
        )
        bound = Bound(self.connections, self.connections_per_address)
        pool = Pool(self.transfers + _COMMANDS, "ftp-command")
        self._connections = Connections(listening, terms, pool, bound, self.idle_timeout)
        self._connections.start()

    def stop(self) -> None:
        self._connections.stop()


def _is_address(text: str) -> bool:
    try:
        IPv4Address(text)
    except ValueError:
        return False
    return True


def _range(text: str) -> range:
    """Raises `ValueError`."""
    if not text:
        return range(0)
    found = re.fullmatch(r"([0-9]{1,5})-([0-9]{1,5})", text)
    if found is None or not 1024 <= int(found[1]) <= int(found[2]) <= 65535:
        raise ValueError('passive_ports: two ports from 1024 on, as in "50000-50999"')
    return range(int(found[1]), int(found[2]) + 1)
