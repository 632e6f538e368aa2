"""Who asks: a token of a session, in the header `X-UCDN-Token` or the parameter `token`.

A token is a session's (`gateway.access.sessions`), so it ends with its key. Guesses are bounded
for an address (`Attempts`), of which a request with a good token waits for nothing: the database
of attempts is asked only of addresses that have lately failed in this process, and not where the
token was proved from there. What others guess there keeps nobody out who has signed in there, in
whichever worker. Where both are given, the header counts.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from gateway.access.identity import ANONYMOUS, Identity, acting_for
from gateway.access.sessions import CALLS
from gateway.modes import Gateway
from gateway.modes.cdn.problems import CdnProblem
from gateway.storage import Unauthorized
from gateway.web.http_fields import utf8
from gateway.web.suspects import Suspects

HEADER = "X-UCDN-Token"
PARAMETER = "token"
_VARIABLE = "HTTP_X_UCDN_TOKEN"
_LONGEST = 128
_PROVED = 10_000


class ByToken:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway, self._suspects = gateway, Suspects()
        self._proved, self._lock = set[tuple[str, str]](), threading.Lock()

    def __call__(self, environ: Mapping[str, Any], query: Mapping[str, str]) -> Identity:
        """Raises `Unauthorized` and `CdnProblem`."""
        token = utf8(environ.get(_VARIABLE, "")) or query.get(PARAMETER, "")
        if not token:
            raise Unauthorized
        address = environ["gateway.client"]
        # What is remembered is no token.
        known = (address, str(hash((HEADER, token))))
        if known not in self._proved and self._suspects.known(*known):
            self._bound(address, token)
        found = self._identity(token)
        if not acting_for(found):
            self._gateway.attempts.failed(address, token)
            self._suspects.add(*known)
            raise Unauthorized
        if known not in self._proved:
            self._note(known)
        return found

    def _identity(self, token: str) -> Identity:
        if len(token) > _LONGEST:
            return ANONYMOUS
        session = self._gateway.sessions.session(token, CALLS)
        return ANONYMOUS if session is None else session.identity

    def _bound(self, address: str, token: str) -> None:
        attempts = self._gateway.attempts
        wait = attempts.wait(address, token)
        if wait and not attempts.knows(address, self._identity(token).key):
            raise CdnProblem("TooManyAttempts", headers=[("retry-after", str(wait))])

    def _note(self, known: tuple[str, str]) -> None:
        with self._lock:
            if len(self._proved) >= _PROVED:  # who comes again is noted again
                self._proved.clear()
            self._proved.add(known)
