"""Who asks: `Authorization: OZONE <key's id>:<secret>`, or, where names are trusted, `OZONE
<user>`.

Failed attempts are bounded for an address and for what is given as a key's id (`Attempts`). That is
in a database, which a request with a good secret does not wait for: it is asked only when this
process has lately seen one of the two fail. Where a key was proved in this process, others'
attempts keep nobody from it (`Attempts.proved`): else whoever knows a key's id stops its clients.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from gateway.access.identity import Identity, proved
from gateway.common.ids import ID
from gateway.modes import Gateway
from gateway.modes.ozone.options import OzoneOptions
from gateway.modes.ozone.problems import OzoneProblem
from gateway.storage import Unauthorized
from gateway.web.http_fields import utf8
from gateway.web.suspects import Suspects

SCHEME = "OZONE"
_USER = "HTTP_X_OZONE_USER"
_TWICE = re.compile(rf",\s*{SCHEME}\b")
"""WSGI joins lines of one header by commas."""

_PROVED = 10_000

Authenticate = Callable[[Mapping[str, Any]], Identity]


def authentication(gateway: Gateway, options: OzoneOptions) -> Authenticate:
    """Raises `OzoneProblem` and `Unauthorized`."""
    return ByName(options.admins) if options.auth == "simple" else ByKey(gateway)


def _credentials(environ: Mapping[str, Any]) -> str:
    """What stands behind the scheme."""
    given: str = environ.get("HTTP_AUTHORIZATION", "").strip()
    if not given.startswith(SCHEME) or ("," in given and _TWICE.search(given)):
        raise OzoneProblem("badAuthorization")
    return given[len(SCHEME) :].strip()


def owner_named(environ: Mapping[str, Any]) -> str | None:
    """Who is to own a volume: `x-ozone-user` as it came, None when it did not. Raises
    `OzoneProblem`."""
    given: str | None = environ.get(_USER)
    if given is None:
        return None
    if not ID.fullmatch(name := given.strip()):
        raise OzoneProblem("userNotFound", "x-ozone-user names no user.")
    return name


class ByName:
    """Whoever says that they are somebody is. Names have no capitals."""

    def __init__(self, admins: tuple[str, ...]) -> None:
        self._admins = frozenset(admins)

    def __call__(self, environ: Mapping[str, Any]) -> Identity:
        user = (_credentials(environ) or environ.get(_USER, "").strip()).lower()
        if not ID.fullmatch(user):
            raise OzoneProblem("badAuthorization", "The user has no name, or none that is one.")
        access = "admin" if user in self._admins else "own"
        return Identity(key=user, account=user, access=access)  # type: ignore[arg-type]


class ByKey:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway, self._suspects = gateway, Suspects()
        self._proved = set[tuple[str, str]]()
        """Addresses, with keys' ids that were proved there."""

    def __call__(self, environ: Mapping[str, Any]) -> Identity:
        id, _, secret = _credentials(environ).partition(":")
        address = environ["gateway.client"]
        if self._suspects.known(address, id):
            self._bound(address, id)
        found = proved(self._gateway.keys, id, utf8(secret))
        if found is None:
            self._gateway.attempts.failed(address, id)
            self._suspects.add(address, id)
            raise Unauthorized
        if (address, id) not in self._proved:
            self._note(address, id)
        return found.identity

    def _bound(self, address: str, id: str) -> None:
        wait = self._gateway.attempts.wait(address, id)
        if wait and (address, id) in self._proved:
            self._gateway.attempts.proved(address, id)
            wait = self._gateway.attempts.wait(address, id)
        if wait:
            raise OzoneProblem("tooManyAttempts", headers=[("retry-after", str(wait))])

    def _note(self, address: str, id: str) -> None:
        if len(self._proved) >= _PROVED:  # who comes again is noted again
            self._proved.clear()
        self._proved.add((address, id))
