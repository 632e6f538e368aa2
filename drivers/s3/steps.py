"""Lists move on, or are the upstream's failure: no list of it is asked for without end, and none
ends before the upstream said so.

An upstream may ignore where a list is to go on, say that there is more without saying
where, or give page after page with nothing on it. Each of that would be a loop here or
at the client, or an end that is none: who compares two lists deletes the rest.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from itertools import pairwise

from gateway.common.upstream.answers import broken
from gateway.storage import OriginFailed

_MOST = 100


class Steps:
    """The pages that one page of ours takes: the first from `begin`, and others behind those
    that had nothing new on them."""

    def __init__(self, begin: Hashable) -> None:
        self._places = {begin}

    def take(self, place: Hashable) -> None:
        """Go on from there. Raises `OriginFailed` where it has been, and when that goes on
        and on."""
        if place in self._places or len(self._places) >= _MOST:
            raise not_moving()
        self._places.add(place)


def check_ascending(numbers: Iterable[int]) -> None:
    """Of parts, page after page. Raises `OriginFailed`."""
    if any(after <= before for before, after in pairwise(numbers)):
        raise not_moving()


def not_moving() -> OriginFailed:
    return broken("its list says that there is more, and does not move on")
