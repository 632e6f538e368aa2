"""Listeners that do not speak HTTP: FTP and the like. A mode answers requests that a server has
read; who speaks another protocol gets connections, and does all the rest.
"""

from __future__ import annotations

import socket
import ssl
from abc import ABC, abstractmethod
from typing import ClassVar

from gateway.modes import Gateway


class ProtocolListener(ABC):
    """A dataclass, whose fields are its options, as a driver's are. One is made for each of
    `[[listeners]]`, in each process that serves; and another in its place when the
    configuration was read again."""

    protocol: ClassVar[str] = ""
    """Its name in the configuration."""

    @abstractmethod
    def start(self, gateway: Gateway, listening: socket.socket, tls: ssl.SSLContext | None) -> None:
        """Take connections from now on, in threads of its own. `listening` listens, and is its
        own; others, in other processes too, may take connections of the same address.
        `tls`, which is its own, too, wraps a server's side of connections, where and when the
        protocol says so: by it a client gets the certificate of the name that it asks for."""

    @abstractmethod
    def stop(self) -> None:
        """Close `listening`, and return when what has begun is answered. It is called once, in
        a thread; a process that ends waits some five seconds for it."""
