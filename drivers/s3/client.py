"""Requests to an upstream: signed, sent, tried again where that is safe, and answered.

`Client.send` gives the answer that counts. It signs anew for each try (keys may
be renewed, the region may be another), follows a bucket to its region once and
remembers it, and waits between tries. What the answer means is `refusals.py`'s.

Tried again is only what did no harm: a request whose body is at hand or was not
begun, and which is either safe to repeat, or was refused before it was done, or
never reached the upstream (an idle connection turned out to be closed).
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from drivers.s3.credentials import Key, Keys
from drivers.s3.signing import UpstreamRequest, signed_head
from drivers.s3.transfer import Answer, FromSource, Lost, answered, exchange
from gateway.common.upstream.dialing import Place
from gateway.common.upstream.pool import Closed, NotConnected, Pool
from gateway.storage import Unavailable

_NOT_DONE = frozenset({429, 503})
_FAILED = frozenset({500, 502, 504})
_ELSEWHERE = frozenset({301, 307, 400})
_RENEWABLE = re.compile(
    rb"<Code>(?:ExpiredToken|InvalidToken|InvalidAccessKeyId|SignatureDoesNotMatch|"
    rb"TokenRefreshRequired)</Code>"
)
_REGION = re.compile(rb"<Region>([a-z0-9-]{1,40})</Region>")
_REGION_NAME = re.compile(r"[a-z0-9-]{1,40}")


@dataclass(slots=True, kw_only=True)
class Endpoint:
    """Where an account's buckets are. `of_region` gives the place for a region, where the
    provider has one for each; None: `place` is for all."""

    place: Place
    region: str
    path_style: bool
    of_region: Callable[[str], Place] | None = None
    regions: dict[str, str] = field(default_factory=dict)
    """Of buckets that were found to be in another than `region`."""

    def where(self, bucket: str) -> tuple[Place, str, str]:
        """(place, region, what the path begins with)."""
        region = self.regions.get(bucket, self.region)
        place = self.place
        if region != self.region and self.of_region is not None:
            place = self.of_region(region)
        if not bucket:
            return place, region, ""
        if self.path_style or (place.tls and "." in bucket):  # no certificate has two labels
            return place, region, f"/{bucket}"
        return place._replace(host=f"{bucket}.{place.host}"), region, ""


class Client:
    """One account at one endpoint. `pause` waits between tries."""

    def __init__(
        self,
        endpoint: Endpoint,
        keys: Keys,
        pool: Pool,
        *,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.endpoint, self.keys, self.pool = endpoint, keys, pool
        self._pause = pause

    def close(self) -> None:
        """Connections are the pool's."""

    def send(self, request: UpstreamRequest) -> Answer:
        """The answer, whatever its status; its body is whole or streams.

        Raises `OriginFailed`, `TimedOut`, `Busy`, and what reading the body raises.
        """
        part = self.pool.part
        brief = not part.take()
        try:
            return self._send(request, brief)
        finally:
            part.give()

    def _send(self, request: UpstreamRequest, brief: bool) -> Answer:
        """`brief`: without waiting for a place, or between tries."""
        limits = self.pool.limits
        deadline = time.monotonic() + limits.timeout
        tried, spared, moved, renewed = 0, limits.connections, False, False
        while True:
            key = self.keys.current()
            try:
                answer = self._once(request, key, deadline, brief)
            except Lost as lost:
                if not (lost.harmless or request.safe) or not request.fresh:
                    raise lost.error from lost
                if lost.free and spared:
                    spared -= 1
                    continue
                tried += 1
                if tried > limits.retries or not self._wait(tried, None, deadline, brief):
                    raise lost.error from lost
                continue
            status = answer.status
            if status < 300 or status in (304, 404, 412, 416) or not request.fresh:
                return answer
            if status in _NOT_DONE or (status in _FAILED and request.safe):
                tried += 1
                if tried > limits.retries or not self._wait(tried, answer, deadline, brief):
                    return answer
            elif status in _ELSEWHERE and not moved and self._moved(request, answer):
                moved = True
            elif status in (400, 403) and not renewed and _RENEWABLE.search(answer.data):
                renewed = True
                if not self.keys.renew(key):
                    return answer
            else:
                return answer
            if answer.body is not None:
                answer.body.close()

    def _wait(self, tried: int, answer: Answer | None, deadline: float, brief: bool) -> bool:
        """Wait before another try; False when there is no time for one."""
        if brief:
            return False
        seconds = random.uniform(0.5, 1.0) * min(0.05 * 4 ** (tried - 1), 2.0)  # noqa: S311  # spread, no secret
        asked = answer.headers.get("retry-after", "") if answer is not None else ""
        if asked.isdigit() and len(asked) < 5:
            seconds = max(seconds, min(float(asked), 2.0))
        if time.monotonic() + seconds >= deadline:
            return False
        self._pause(seconds)
        return True

    def _moved(self, request: UpstreamRequest, answer: Answer) -> bool:
        """Remember the bucket's region, when the answer names another than was asked."""
        if not request.bucket:
            return False
        named = answer.headers.get("x-amz-bucket-region", "")
        if not named and (match := _REGION.search(answer.data)):
            named = match[1].decode()
        _, region, _ = self.endpoint.where(request.bucket)
        if named == region or not _REGION_NAME.fullmatch(named):
            return False
        self.endpoint.regions[request.bucket] = named
        return True

    def _once(
        self, request: UpstreamRequest, key: Key | None, deadline: float, brief: bool
    ) -> Answer:
        """Raises `Lost` where another try may help, what the pool refuses, and what the
        body's source raises."""
        place, region, prefix = self.endpoint.where(request.bucket)
        path = f"{prefix}/{request.key}" if request.key or not prefix else prefix
        head, seed = signed_head(request, place, region, path, key)
        streams = not isinstance(request.body, bytes)
        try:
            connection = self.pool.take(place, streams=streams, brief=brief, deadline=deadline)
        except NotConnected as failed:
            raise Lost(failed.error, harmless=True) from failed.error
        try:
            with self.pool.asking(connection):
                connection.due(deadline)
                found = exchange(self.pool, request, connection, head, seed)
                return answered(self.pool, request, connection, found)
        except FromSource as broke:
            raise broke.error from None
        except (
            Closed
        ) as closed:  # what was idle costs no try, and what is not safe gets none for it
            raise Lost(closed.error, free=closed.idle) from closed
        except Unavailable as error:
            raise Lost(error) from error
