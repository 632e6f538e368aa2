"""A question to origins in turn, and on to where they redirect.

Who cannot answer is followed by the next one, as `health` says: a read whatever has become of
it, as it changes nothing; a request of another kind only while nothing of it was sent, since
nobody knows what an origin did that was silent. All of it has one time.

A redirect is held against all that the first address was: its scheme, its host's addresses,
its certificate. Once one has led to another place, credentials are left behind for good:
who sent us there could send us back to what only they open. Places that others name have
connections and bounds of their own: one that hangs holds up nothing at the origin itself,
and tells nothing of how that is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from drivers.http.exchange import Bounds, Exchange, Heard, NotAsked, Question
from drivers.http.health import UNAVAILABLE, Health, Turn
from drivers.http.questions import Lines, head, with_hop, with_own, without_secrets
from drivers.http.signing import Signer
from drivers.http.targets import Origin, Target, of_key, redirected
from gateway.common import loops
from gateway.common.upstream.answers import broken
from gateway.common.upstream.pool import Closed, Pool
from gateway.storage import Busy, Unavailable

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What is asked of one origin after the other. `once`: not again after it was sent."""

    method: str
    key: str
    query: str
    lines: Lines
    deadline: float
    body: Iterator[bytes] | None = None
    once: bool = False


class Asking:
    """`origins` with the pool of each. `own`: lines that only they are sent; `signer`: what signs
    requests to them. `name`: what this gateway is called among who passes requests on."""

    def __init__(
        self,
        origins: Sequence[tuple[Origin, Pool]],
        elsewhere: Pool,
        health: Health,
        own: Lines,
        bounds: Bounds,
        clock: Callable[[], int],
        signer: Signer | None = None,
        name: str = "",
    ) -> None:
        self._signer, self._name = signer, name or loops.own_name()
        self._origins, self._elsewhere, self._health = origins, elsewhere, health
        self._own, self._bounds, self._clock = own, bounds, clock

    def close(self) -> None:
        for _, pool in self._origins:
            pool.close()
        self._elsewhere.close()

    def read(self, method: str, key: str, query: str, lines: Lines) -> Heard:
        """A GET or a HEAD, its redirects followed; with what it led to, whatever that says.
        Raises `BadKey`, `OriginFailed`, `TimedOut`, `Busy`."""
        return self._in_turn(self._asked(method, key, query, lines), self._health.order())

    def at(self, origin: int, method: str, key: str, lines: Lines) -> Heard:
        """The same of that origin alone."""
        return self._in_turn(self._asked(method, key, "", lines), [origin])

    def forward(
        self, method: str, key: str, query: str, lines: Lines, body: Iterator[bytes] | None
    ) -> Heard:
        """Another request, sent once; its answer whatever it is. `body` in pieces, as they go
        over the wire."""
        asked = self._asked(method, key, query, lines, body, once=True)
        return self._in_turn(asked, self._health.order())

    def _asked(
        self,
        method: str,
        key: str,
        query: str,
        lines: Lines,
        body: Iterator[bytes] | None = None,
        *,
        once: bool = False,
    ) -> _Asked:
        return _Asked(
            method=method,
            key=key,
            query=query,
            lines=with_hop(with_own(lines, self._own), self._name),
            deadline=time.monotonic() + self._bounds.timeout,
            body=body,
            once=once,
        )

    def _in_turn(self, asked: _Asked, order: list[int]) -> Heard:
        """The first answer of one that can answer; else the last one of all that could not, or
        why there is none."""
        heard, error = None, None
        while turn := self._health.turn(order, has_answer=heard is not None):
            order.remove(turn.origin)
            try:
                found = self._of_one(asked, turn)
            except NotAsked as failed:
                error = failed.error
            except Unavailable as failed:
                if asked.once:
                    raise
                error = failed
            else:
                heard = found
                if asked.once or heard.status not in UNAVAILABLE:
                    return heard
            if time.monotonic() >= asked.deadline:
                break
        if heard is not None:
            return heard
        assert error is not None  # somebody was asked
        raise error

    def _of_one(self, asked: _Asked, turn: Turn) -> Heard:
        """Raises `NotAsked`, `Unavailable`."""
        origin, _ = self._origins[turn.origin]
        try:
            target = of_key(origin.base, asked.key, asked.query)
        except BaseException:
            self._health.left(turn)
            raise
        lines, seen, trusted = asked.lines, {target}, True
        while True:
            heard = self._at(asked, turn, target, lines, trusted=trusted)
            if asked.once or not self._leads_on(heard):
                return heard
            heard.close()
            following = self._following(origin, target, heard.headers["location"], seen)
            if following.place != target.place:
                lines, trusted = without_secrets(lines, self._own), False
            target = following

    def _leads_on(self, heard: Heard) -> bool:
        leads = heard.status in _REDIRECTS and "location" in heard.headers
        return leads and self._bounds.max_redirects > 0

    def _following(
        self, origin: Origin, target: Target, location: str, seen: set[Target]
    ) -> Target:
        """Raises `OriginFailed`."""
        if len(seen) > self._bounds.max_redirects:
            raise broken(f"it redirects more than {self._bounds.max_redirects} times")
        found = origin.home(redirected(target, location))
        if found in seen:
            raise broken("it redirects in a circle")
        seen.add(found)
        return found

    def _at(
        self, asked: _Asked, turn: Turn, target: Target, lines: Lines, *, trusted: bool
    ) -> Heard:
        """One answer, of which `health` is told if it is the origin's own. `trusted`: nobody else
        has led here."""
        origin, pool = self._origins[turn.origin]
        at_home = target.place == origin.base.place
        called, path = origin.called if at_home else target.place, target.path
        if trusted and self._signer is not None:
            path, signed = self._signer(asked.method, called, path, self._own)
            lines = [*lines, *signed]
        question = Question(
            method=asked.method,
            target=target,
            head=head(asked.method, called, path, lines),
            deadline=asked.deadline,
            body=asked.body,
            once=asked.once,
        )
        if not at_home:
            return self._over(self._elsewhere, question)
        begun = time.monotonic()
        try:
            heard = self._over(pool, question)
        except (Unavailable, NotAsked) as failed:
            error = failed.error if isinstance(failed, NotAsked) else failed
            if isinstance(error, Busy) or self._was_late(question, begun):
                self._health.left(turn)
            else:
                self._health.failed(turn, error)
            raise
        except BaseException:
            self._health.left(turn)
            raise
        self._health.heard(turn, heard.status)
        return heard

    def _was_late(self, question: Question, begun: float) -> bool:
        """Whether others had used the time up: who had little of it need not be down."""
        over = time.monotonic() >= question.deadline
        return over and question.deadline - begun < self._bounds.timeout / 2

    def _over(self, pool: Pool, question: Question) -> Heard:
        """The answer. Where an idle connection turns out to be closed, another one is taken."""
        exchange = Exchange(pool, self._bounds, self._clock)
        try:
            brief = not pool.part.take()
        except Busy as error:
            raise NotAsked(error) from error
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
