"""Listeners that do not speak HTTP: FTP and the like. A mode answers requests of a server's; who
speaks another protocol answers connections, and does all the rest of it.
"""

from __future__ import annotations

import socket
import ssl
from abc import ABC, abstractmethod
from typing import ClassVar

from gateway.modes import Gateway


class ProtocolListener(ABC):
    """A dataclass; its fields are its options, as a driver's are. One is made for each of
    `[[listeners]]`, in each process that serves."""

    protocol: ClassVar[str]
    """Its name in the configuration."""

    @abstractmethod
    def start(self, gateway: Gateway, listening: socket.socket, tls: ssl.SSLContext | None) -> None:
        """Take connections, in threads of its own. `listening` is bound and listens, and is
        its own from now on; on Linux each process has another at the same address, elsewhere
        all have the same. `tls` is to be wrapped around connections where the protocol says
        so: the certificate is chosen, and changed, behind it."""

    @abstractmethod
    def stop(self) -> None:
        """Close `listening`, and return when those that have begun are answered. It is called
        once, in a thread; the process ends when the time for a stop is over, if not before."""
