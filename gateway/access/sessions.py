"""Sessions: who has signed in with a key, and is known by a token from then on.

A session is its key's: it may what that may at each moment, and is over when that is switched
off, revoked, or has another secret.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Protocol

from gateway.access.identity import Identity

IDLE = 30 * 60_000
LONGEST = 12 * 3_600_000
"""Milliseconds, without a request and altogether, after which a session is over."""
SEEN = 5 * 60_000
"""Milliseconds between two writes of when a session was seen; so it is over that much later than
`IDLE` at the latest, and never sooner."""


class Purpose(NamedTuple):
    """What a session is for: its token is good for nothing else. `idle`: milliseconds without a
    request after which it is over; `token` makes one that nobody guesses."""

    name: str
    idle: int
    token: Callable[[], str]


PAGES = Purpose("pages", IDLE, partial(secrets.token_urlsafe, 32))
"""Somebody looks at pages, and may go away from them."""
CALLS = Purpose("calls", LONGEST, partial(secrets.token_hex, 16))
"""A program calls an API, whenever it likes."""
PURPOSES = (PAGES, CALLS)


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

    def begin_session(
        self, key: str, *, address: str = "", agent: str = "", purpose: Purpose = PAGES
    ) -> str:
        """The token of a new session, for who has proved to have the key's secret. Raises
        `NotFound` when the key may not be used now."""

    def session(self, token: str, purpose: Purpose = PAGES) -> SessionInfo | None:
        """The session of that token; None when there is none, or it is over, or for another
        purpose."""

    def end_session(self, token: str) -> None: ...

    def end_sessions(self, key: str) -> int:
        """How many the key had."""

    def refuse_session(self, key: str) -> None:
        """Have it known that somebody could not prove to have that key."""
