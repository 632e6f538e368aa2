"""Who starts the gateway as a service, and is told how it stands.

systemd says by a variable where it wants to hear of it (sd_notify(3)); where nobody does, nothing
is said. What is told to Windows' service manager is in `windows_service`.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

VARIABLE = "NOTIFY_SOCKET"


class ServiceManager(Protocol):
    """What `serve` tells, in this order; `failed` when it returns 1."""

    def starting(self, stop: Callable[[], None]) -> None:
        """By `stop` it can be told to end from now on, in any thread."""

    def serving(self, where: str) -> None:
        """At these addresses."""

    def ending(self) -> None: ...
    def failed(self, why: str) -> None: ...


class Systemd:
    """With `Type=notify` a unit has started when the gateway serves."""

    def __init__(self) -> None:
        self._socket = os.environ.pop(VARIABLE, "")  # what workers start is not asked

    def starting(self, stop: Callable[[], None]) -> None:
        """It sends SIGTERM."""

    def serving(self, where: str) -> None:
        self._tell(f"READY=1\nSTATUS=serves at {where}")

    def ending(self) -> None:
        self._tell("STOPPING=1")

    def failed(self, why: str) -> None:
        self._tell(f"STATUS={why.splitlines()[0]}")

    def _tell(self, text: str) -> None:
        place = self._socket
        if place and sys.platform != "win32":
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as telling:
                telling.connect("\0" + place[1:] if place.startswith("@") else place)
                telling.sendall(text.encode())
