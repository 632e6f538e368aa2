"""A question to an origin, and on to where it redirects.

A redirect is held against all that the first address was: its scheme, its host's addresses,
its certificate. Once one has led to another place, credentials are left behind for good:
who sent us there could send us back to what only they open. Places that others name have
connections and bounds of their own: one that hangs holds up nothing at the origin itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from drivers.http.exchange import Bounds, Exchange, Heard, Question
from drivers.http.questions import Lines, head, with_own, without_secrets
from drivers.http.targets import Target, redirected
from gateway.common.upstream.answers import broken
from gateway.common.upstream.pool import Closed, Pool

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Asking:
    """`own`: lines that only the origin itself is sent."""

    def __init__(
        self,
        pool: Pool,
        elsewhere: Pool,
        base: Target,
        own: Lines,
        bounds: Bounds,
        clock: Callable[[], int],
    ) -> None:
        self._pool, self._elsewhere, self._base = pool, elsewhere, base
        self._own, self._bounds, self._clock = own, bounds, clock

    def close(self) -> None:
        self._pool.close()
        self._elsewhere.close()

    def read(self, method: str, target: Target, lines: Lines) -> Heard:
        """A GET or a HEAD, its redirects followed; with what it led to, whatever that says.
        Raises `OriginFailed`, `TimedOut`, `Busy`."""
        deadline = time.monotonic() + self._bounds.timeout
        lines, seen = with_own(lines, self._own), {target}
        while True:
            request = head(method, target.place, target.path, lines)
            question = Question(method=method, target=target, head=request, deadline=deadline)
            heard = self._asked(question)
            if not self._leads_on(heard):
                return heard
            heard.close()
            following = self._following(target, heard.headers["location"], seen)
            if following.place != target.place:
                lines = without_secrets(lines, self._own)
            target = following

    def _leads_on(self, heard: Heard) -> bool:
        leads = heard.status in _REDIRECTS and "location" in heard.headers
        return leads and self._bounds.max_redirects > 0

    def _following(self, target: Target, location: str, seen: set[Target]) -> Target:
        """Raises `OriginFailed`."""
        if len(seen) > self._bounds.max_redirects:
            raise broken(f"it redirects more than {self._bounds.max_redirects} times")
        found = redirected(target, location)
        if found in seen:
            raise broken("it redirects in a circle")
        seen.add(found)
        return found

    def forward(
        self, method: str, target: Target, lines: Lines, body: Iterator[bytes] | None
    ) -> Heard:
        """Another request, asked once; its answer whatever it is. `body` in pieces, as they go
        over the wire."""
        return self._asked(
            Question(
                method=method,
                target=target,
                head=head(method, target.place, target.path, with_own(lines, self._own)),
                deadline=time.monotonic() + self._bounds.timeout,
                body=body,
                once=True,
            )
        )

    def _asked(self, question: Question) -> Heard:
        """The answer. Where an idle connection turns out to be closed, another one is taken."""
        at_home = question.target.place == self._base.place
        pool = self._pool if at_home else self._elsewhere
        exchange = Exchange(pool, self._bounds, self._clock)
        brief = not pool.part.take()
        try:
            spared = pool.limits.connections
            while True:
                try:
                    return exchange(question, brief=brief)
                except Closed as closed:
                    if question.once or not (closed.idle and spared):
                        raise closed.error from closed
                    spared -= 1
        finally:
            pool.part.give()
