"""When an order may be begun again, and a certificate is renewed. All times are in milliseconds.

Authorities bound who fails: Let's Encrypt takes five refusals of a name in an hour, and 300 orders
of an account in three hours (https://letsencrypt.org/docs/rate-limits/). Here it is fewer, so
that a person who has set something right can try once more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

IN_AN_HOUR = 4
"""Orders of one name."""
IN_THREE_HOURS = 250
"""Orders of all names."""

_REFUSED = (MINUTE, 10 * MINUTE, HOUR, 6 * HOUR, DAY)
_AWAY = (MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR)


def after_refusal(now: int, failures: int, wait: int = 0) -> int:
    """When the next try is due after so many that failed in a row; `wait`: what the authority
    asks for."""
    return now + max(_REFUSED[min(failures, len(_REFUSED)) - 1], wait)


def after_silence(now: int, failures: int) -> int:
    """The same where the authority cannot be reached, which it does not count."""
    return now + _AWAY[min(failures, len(_AWAY)) - 1]


def lately(tries: Iterable[int], now: int) -> tuple[int, ...]:
    """Those that count still."""
    return tuple(one for one in tries if one > now - 3 * HOUR)


def earliest(tries: Sequence[int], now: int) -> int:
    """When there may be another order of a name, of which there were these, oldest first."""
    last = [one for one in tries if one > now - HOUR][-IN_AN_HOUR:]
    return now if len(last) < IN_AN_HOUR else last[0] + HOUR


def renewal(begins: int, expires: int) -> int:
    """When a third of its life is left."""
    return expires - (expires - begins) // 3
