"""Access logs of buckets: which requests are logged, and their way into the target bucket.

A line is made when its request is over and goes into the gateway's spool, with where it is to
go: as its bucket's configuration said then. A job of one worker takes the lines out each
minute and puts them into objects of the target bucket, through the same evaluator and with
the same defaults as any object, as the account that owns both. Delivery is AWS's best effort:
what a target refuses for good (it is gone, is another's, denies it) is dropped at once, and what
it cannot take now (it cannot be reached, is full) after a day; both are counted, and told in the
log once. What a crash cuts short may come twice.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from time import gmtime
from typing import Any, NamedTuple

from gateway.access.access import Access
from gateway.access.grants import GRANTS, Grant
from gateway.access.identity import ANONYMOUS, Identity
from gateway.access.rules import Inside
from gateway.modes import Gateway
from gateway.modes.s3 import grants
from gateway.modes.s3.beside import Beside, noted
from gateway.modes.s3.configuration import public_access_block
from gateway.modes.s3.configuration.access_logging import SETTING, AccessLogging
from gateway.modes.s3.delivery.access_lines import Asked, asked, line, line_beside
from gateway.modes.s3.delivery.log_targets import unfit
from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.replies import Reply
from gateway.storage import (
    NOTHING,
    BytesBody,
    Forbidden,
    InvalidRequest,
    NoSuchStore,
    Protected,
    Put,
    ReadOnly,
    Unavailable,
    Unsupported,
)
from gateway.telemetry.line_spool import Queue, SpooledLine
from gateway.telemetry.record import Record

log = logging.getLogger("gateway.s3")

EVERY = 60.0
"""Seconds between two deliveries."""
_PAGE, _SIZE = 10_000, 8 << 20
"""Lines and bytes of one object."""
_DAY = 86_400_000
_FINAL = (Forbidden, InvalidRequest, NoSuchStore, Protected, ReadOnly, Unsupported)
"""By which a target refuses a log for good: it would refuse the same tomorrow. (A quota may be
raised, and a disk cleared.)"""


class Route(NamedTuple):
    """From a bucket of `owner` to where its log goes."""

    bucket: str
    owner: str
    to: AccessLogging

    @property
    def queue(self) -> Queue:
        name = json.dumps([self.bucket, self.owner, self.to.as_text()])
        return Queue(self.to.bucket, name)

    @classmethod
    def of_queue(cls, queue: Queue) -> Route:
        bucket, owner, to = json.loads(queue.name)
        return cls(bucket, owner, AccessLogging.of_text(to))


class Logged:
    """Which buckets have a log, by name: what requests look at."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.routes: Mapping[str, Route] = NOTHING
        gateway.keep_up_with(self.look)

    def look(self) -> None:
        """As it is by now."""
        found = map(self._route, self._gateway.having(SETTING.kind))
        self.routes = {one.bucket: one for one in found if one is not None}

    def _route(self, sid: str) -> Route | None:
        try:
            access = self._gateway.access(ANONYMOUS, sid)
            to = self._gateway.obeyed(access, SETTING.kind)
        except (NoSuchStore, Unavailable):  # there is nothing to ask for, or nobody can read it
            return None
        return None if to is None else Route(sid, access.service.owner, to)

    def note(self, environ: Mapping[str, Any], reply: Reply) -> None:
        """Have the request's lines written when it is over, where its bucket has a log, or one
        of what it did beside."""
        record = environ["gateway.record"]
        route, routes = self.routes.get(record.sid), self.routes
        more = [(routes[one.bucket], one) for one in noted(environ) if one.bucket in routes]
        if route is not None or more:
            record.then = partial(self._write, route, more, asked(environ, reply))

    def _write(
        self,
        route: Route | None,
        more: Sequence[tuple[Route, Beside]],
        about: Asked,
        record: Record,
    ) -> None:
        add, time = self._gateway.lines.add, round(record.started * 1000)
        if route is not None:
            add(route.queue, time, line(record, about, route.owner))
        for to, one in more:
            add(to.queue, time, line_beside(record, about, to.owner, one))


class LogDelivery:
    """The job."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._told: defaultdict[str, set[str]] = defaultdict(set)
        """Of buckets whose log does not come through."""

    def __call__(self) -> Iterator[int]:
        """How many lines it has delivered, as it goes: of those that wait when it begins, so
        that what one bucket adds meanwhile keeps nobody waiting."""
        lines, done, failed = self._gateway.lines, 0, dict[str, Exception]()
        for queue, last in lines.queues().items():
            route = Route.of_queue(queue)
            while queue.target not in failed and (page := lines.page(queue, _PAGE, _SIZE, last)):
                try:
                    done += self._deliver(route, page)
                except _FINAL as error:
                    lines.lose(queue, page[-1].id)
                    self._tell(route, "is dropped", error)
                except Exception as error:  # whatever it is, other targets are not to wait for it
                    failed[queue.target] = error
                    self._tell(route, "waits", error)
                else:
                    lines.drop(queue, page[-1].id)
                    self._told.pop(route.bucket, None)
                yield done
            error_of_target = failed.get(queue.target)
            if error_of_target and lines.expire(queue, self._gateway.clock() - _DAY):
                self._tell(route, "of more than a day ago is dropped", error_of_target)
        if failed:
            raise next(iter(failed.values()))

    def _tell(self, route: Route, what: str, error: Exception) -> None:
        """Once, until some of it was delivered."""
        if what not in self._told[route.bucket]:
            self._told[route.bucket].add(what)
            log.warning("%s: its access log %s: %s", route.bucket, what, error)

    def _deliver(self, route: Route, page: Sequence[SpooledLine]) -> int:
        """Put a page into the target: as one object, or one for each day. Raises what the
        target raises."""
        to, now = route.to, self._gateway.clock()
        owner = Identity(key="access-logs", account=route.owner)
        access = self._gateway.access(owner, to.bucket, Inside(now))
        if access.service.owner != route.owner:
            raise Forbidden("The target bucket is another account's by now.")
        if why := unfit(self._gateway, access):
            raise Forbidden(why)
        attributes = self._attributes(route, access)
        days = to.partitioned == "EventTime"
        for day, found in groupby(page, lambda one: one.time // _DAY if days else 0):
            group = [*found]
            data = "".join(f"{one.line}\n" for one in group).encode()
            key = log_key(route, self._gateway.options.region, day * _DAY if days else now, group)
            _put(access, key, data, attributes)
        return len(page)

    def _attributes(self, route: Route, target: Access) -> Mapping[str, Any]:
        """The list of who may do what with a log. One that the target has blocked since then is
        left out."""
        given = [Grant(route.owner, "full")]
        for one in route.to.grants:
            try:
                given.append(grants.resolve(one, self._gateway))
            except S3Problem:  # whom it names is not known any more
                log.warning("%s: its access log names %r: unknown", route.bucket, one.grantee)
        block = self._gateway.obeyed(target, public_access_block.SETTING.kind)
        try:
            if block is not None:
                block.of_list(given)
        except S3Problem:
            log.warning("%s: the target of its access log blocks public lists", route.bucket)
            return NOTHING
        return {GRANTS: grants.as_attribute(given)} if len(given) > 1 else NOTHING


def _put(target: Access, key: str, data: bytes, attributes: Mapping[str, Any]) -> None:
    """As text, where the target keeps what an object is."""
    options = Put(size=len(data), attributes=attributes)
    try:
        target.put(key, BytesBody(data), replace(options, content_type="text/plain"))
    except Unsupported as error:
        if error.capability != "content_type":
            raise
        target.put(key, BytesBody(data), options)


def log_key(route: Route, region: str, time: int, lines: Sequence[SpooledLine]) -> str:
    """[prefix][owner/region/bucket/YYYY/MM/DD/]YYYY-MM-DD-hh-mm-ss-UNIQUE; `time` in
    milliseconds. The same lines have the same UNIQUE."""
    t = gmtime(time // 1000)
    date = f"{t.tm_year:04}-{t.tm_mon:02}-{t.tm_mday:02}"
    named = f"{route.queue.name} {lines[0].id} {lines[-1].id} {lines[0].line}"
    unique = hashlib.sha256(named.encode()).hexdigest()[:16].upper()
    folder = (
        f"{route.owner}/{region}/{route.bucket}/{date.replace('-', '/')}/"
        if route.to.partitioned
        else ""
    )
    clock = f"{t.tm_hour:02}-{t.tm_min:02}-{t.tm_sec:02}"
    return f"{route.to.prefix}{folder}{date}-{clock}-{unique}"
