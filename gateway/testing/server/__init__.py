"""The in-memory test server: see `server.Server`, and docs/testing.md."""

from gateway.testing.server.faults import Fault
from gateway.testing.server.keys import Credentials
from gateway.testing.server.recording import Recorded
from gateway.testing.server.server import Server

__all__ = ["Credentials", "Fault", "Recorded", "Server"]
