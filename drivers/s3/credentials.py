"""Whose requests they are: keys given in the configuration, or found as AWS's tools find them
(`finding.py`), or none: then requests go unsigned, where the configuration says so.

Looking for keys may take as long as whoever gives them takes, so no request does it: a
thread looks, one at a time. Requests go on with the keys that there are while these are
valid. Without any they wait for the first look, a bounded time from its beginning; and
once a look has failed they are told so at once, while another is made behind them.
"""

from __future__ import annotations

import hmac
import threading
import time
from collections.abc import Callable
from typing import NamedTuple, NoReturn, Protocol

from gateway.storage import Busy, OriginFailed, Secret

_REFUSED = 5.0
"""Seconds between two looks for other keys, when the upstream refuses those that are known."""

_SPARED = 30.0
"""Seconds between two looks while there are valid keys."""

_FAILED = 1.0
"""Seconds between two looks while there are none."""

_GIVEN_UP = 300.0
"""Seconds after which a look is not waited for: whoever gives keys may send them a byte at a
time, and the library's time-outs are for each."""

_MOST_LOST = 3
"""Looks that were given up and have not ended, after which none is given up any more."""

_COUNTS = 5.0
"""Seconds for which a look that failed is told to who comes after it."""


class Key(NamedTuple):
    id: str
    secret: Secret
    token: Secret | None = None

    def __repr__(self) -> str:
        return f"Key({self.id!r})"

    def same(self, other: Key) -> bool:
        mine, theirs = (
            (one.secret.reveal_bytes(), one.token.reveal_bytes() if one.token else b"")
            for one in (self, other)
        )
        return self.id == other.id and all(map(hmac.compare_digest, mine, theirs))


class Keys(Protocol):
    """`current`: None for requests that are not signed. `renew` is called when the upstream
    refuses those that were `used`; True when there are others now."""

    def current(self) -> Key | None: ...
    def renew(self, used: Key | None) -> bool: ...


class FixedKeys:
    def __init__(self, key: Key | None) -> None:
        self._key = key

    def current(self) -> Key | None:
        return self._key

    def renew(self, used: Key | None) -> bool:
        return False


class CredentialProvider(Protocol):
    """Keys that were found and what renews them. `due`: they end soon."""

    def due(self) -> bool: ...
    def ended(self) -> bool: ...
    def key(self) -> Key:
        """Renewed when it is due. Raises `OriginFailed`."""


class FoundKeys:
    """`find` looks anew, and raises `OriginFailed`; `patience`: seconds from a look's
    beginning for which requests wait for it."""

    def __init__(
        self,
        find: Callable[[], CredentialProvider],
        patience: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._find, self._patience, self._clock = find, patience, clock
        self._found: tuple[CredentialProvider, Key] | None = None
        self._changed = threading.Condition()
        self._began: float | None = None
        """Of the look under way, which is the `_number`th; `_lost` are earlier ones."""
        self._number = self._lost = 0
        self._ended = self._refused = -_REFUSED
        self._failure: OriginFailed | None = None
        """What the last look failed with."""

    def current(self) -> Key:
        """Raises `OriginDenied` when there are none, `OriginFailed` when they cannot be found
        or renewed, `Busy` when that takes too long."""
        found = self._found
        if found is not None and not found[0].due():
            return found[1]
        with self._changed:
            valid = self._valid()
            since = self._clock() - self._ended
            if self._may_begin() and since >= self._pause(valid):
                self._begin(anew=False)
            if valid is not None:
                return valid
            if self._failure is not None and (self._began is None or since < _COUNTS):
                _raise(self._failure)
            return self._wait()

    def renew(self, used: Key | None) -> bool:
        """Raises `Busy` when it takes too long."""
        if used is None:
            return True
        with self._changed:
            if self._found is not None and not self._found[1].same(used):
                return True
            if self._may_begin():
                if self._clock() - self._refused < _REFUSED:
                    return False
                self._begin(anew=True)
                self._refused = self._clock()
            try:
                return not self._wait().same(used)
            except OriginFailed:  # it is logged, and the refusal says more to who asked
                return False

    def _valid(self) -> Key | None:
        found = self._found
        return None if found is None or found[0].ended() else found[1]

    def _pause(self, valid: Key | None) -> float:
        if valid is not None:
            return _SPARED
        return _FAILED if self._failure is not None else 0.0

    def _may_begin(self) -> bool:
        if self._began is None:
            return True
        return self._clock() - self._began >= _GIVEN_UP and self._lost < _MOST_LOST

    def _begin(self, *, anew: bool) -> None:
        number = self._number + 1
        try:
            threading.Thread(
                target=self._look, args=(anew, number), name="s3 keys", daemon=True
            ).start()
        except RuntimeError:  # the machine has no more threads now
            self._failure = OriginFailed("The upstream's keys cannot be looked for.")
            self._ended = self._clock()
            return
        self._lost += self._began is not None
        self._number, self._began = number, self._clock()

    def _wait(self) -> Key:
        """For the look under way."""
        began = self._began
        while self._began is not None and self._began == began:
            left = self._began + self._patience - self._clock()
            if left <= 0:
                raise Busy("The upstream's keys are still being looked for.", retry_after=1)
            self._changed.wait(left)
        if self._failure is not None:
            _raise(self._failure)
        assert self._found is not None
        return self._found[1]

    def _look(self, anew: bool, number: int) -> None:
        failure: OriginFailed | None = OriginFailed("The upstream's keys cannot be looked for.")
        found = self._found
        try:
            source = self._find() if anew or found is None else found[0]
            found, failure = (source, source.key()), None
        except OriginFailed as error:
            failure = error
        finally:
            with self._changed:
                if number == self._number:
                    self._found, self._failure = found, failure
                    self._began, self._ended = None, self._clock()
                    self._changed.notify_all()
                else:
                    self._lost -= 1


def _raise(failure: OriginFailed) -> NoReturn:
    """Anew for each who is told: an exception carries the traceback of one."""
    raise type(failure)(failure.message, retry_after=failure.retry_after) from failure
