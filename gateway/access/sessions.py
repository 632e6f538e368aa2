"""Sessions: who has signed in with a key, and is known by a token from then on.

A session is its key's: it may what that may at each moment, and is over when that is switched
off, revoked, or has another secret.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from gateway.access.identity import Identity

IDLE = 30 * 60_000
LONGEST = 12 * 3_600_000
"""Milliseconds, without a request and altogether, after which a session is over."""
SEEN = 5 * 60_000
"""Milliseconds between two writes of when a session was seen; so it is over that much later than
`IDLE` at the latest, and never sooner."""


class SessionInfo(NamedTuple):
    """`csrf`: a token that only pages of this session have. Times are in milliseconds since the
    epoch; `seen` is that of some request of the last five minutes."""

    identity: Identity
    csrf: str
    created: int
    seen: int
    address: str
    agent: str


class Sessions(Protocol):
    """Those of all workers."""

    def begin_session(self, key: str, *, address: str = "", agent: str = "") -> str:
        """The token of a new session, for who has proved to have the key's secret. Raises
        `NotFound` when the key may not be used now."""

    def session(self, token: str) -> SessionInfo | None:
        """The session of that token; None when there is none, or it is over."""

    def end_session(self, token: str) -> None: ...

    def end_sessions(self, key: str) -> int:
        """How many the key had."""

    def refuse_session(self, key: str) -> None:
        """Have it known that somebody could not prove to have that key."""
