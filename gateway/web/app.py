"""One WSGI application: finds the door of a request, measures it, and logs its end.

What a mode gets in the environ, besides PEP 3333's:

| | |
|---|---|
| `gateway.request_id` | 16 hexadecimal digits, new for each request |
| `gateway.record` | the `Record` whose operation, key, sid and code the mode sets |
| `gateway.tls_version` | as in "1.3", where the server tells it; "" behind a trusted proxy |
| `gateway.client` | the client's address, behind trusted proxies too (see `forwarded`) |
| `HTTP_HOST`, `wsgi.url_scheme` | what that client asked for, likewise |
| `HTTP_…` of a header whose name has `_` | a variable of its own: see `request_head.variable` |
| `gateway.admission` | to be called before bytes move at the client's pace (see `admission`) |
| `gateway.binding` | the `Binding` by which the request came, if it came by one |

What a server may say: `gateway.takes_stretches`, where it has the system send a `Stretch` that
comes among the pieces of a body.

A mode calls `start_response` before it returns. What it raises is a bug:
logged with the request id and answered with a bare 500, which says no more
than that id. Measured: 5 µs of CPU for a small request in its thread (7 with a body), and
2 µs behind it for its line of the access log.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable
from itertools import count
from typing import Any, NamedTuple

from gateway.common import actor
from gateway.config import Configuration
from gateway.modes import Gateway, WSGIApp
from gateway.storage import Busy
from gateway.telemetry.access_log import AccessLog
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.record import Record
from gateway.web import request_head
from gateway.web.accel import Accel, without_orders
from gateway.web.admission import RETRY_AFTER, Admission
from gateway.web.doors import Doors
from gateway.web.exchange import Exchange, Left, Received, Sent
from gateway.web.forwarded import Ambiguous, Proxies, within
from gateway.web.rates import Bucket, Paced
from gateway.web.request_facts import by_tls, version_of
from gateway.web.unsized import PERHAPS, settle

log = logging.getLogger("gateway")


class Routes(NamedTuple):
    """What a configuration says of where requests go: all of a request goes by one of them."""

    doors: Doors
    proxies: Proxies = Proxies()
    accel: Accel | None = None
    """For what these proxies can send by themselves."""


def create_routes(
    gateway: Gateway,
    configuration: Configuration,
    pages: WSGIApp | None = None,
) -> Routes:
    """Make each mode's application, once. `pages` answers `/-/…`; None: nobody does."""
    server = configuration.server
    doors = Doors(
        configuration.open_modes,
        {name: mode.app(gateway) for name, mode in configuration.modes.items()},
        default=server.default_mode,
        bindings=configuration.bindings,
        domains=server.domains,
        own=pages if server.health else None,
        proofs=gateway.certificates.answer if gateway.certificates.offered else None,
    )
    files = configuration.data if server.accel == "nginx" else None
    return Routes(
        doors,
        Proxies(server.trusted_proxies, server.proxy_headers),
        None if files is None else Accel(str(files)),
    )


def create_app(
    gateway: Gateway,
    configuration: Configuration,
    *,
    admission: Admission,
    metrics: Metrics,
    access_log: AccessLog | None = None,
    pages: WSGIApp | None = None,
) -> App:
    """The application of one configuration (see `create_routes`)."""
    routes = create_routes(gateway, configuration, pages)
    return App(routes, admission=admission, metrics=metrics, access_log=access_log)


def _ids() -> Callable[[], str]:
    """Ids that never repeat in a process, nor in practice between processes."""
    first, odd, mask = secrets.randbits(64), 0x9E3779B97F4A7C15, (1 << 64) - 1
    numbers = count(first)
    return lambda: f"{next(numbers) * odd & mask:016X}"


class App:
    def __init__(
        self,
        routes: Routes,
        *,
        admission: Admission,
        metrics: Metrics,
        access_log: AccessLog | None = None,
    ) -> None:
        self._routes, self._admission, self._metrics = routes, admission, metrics
        self._log, self._new_id = access_log, _ids()
        metrics.watch("gateway_refused", lambda: admission.refused)
        metrics.watch("gateway_slow_places_held", lambda: admission.held)
        if access_log is not None:
            metrics.watch("gateway_log_lines_shed", lambda: access_log.shed)

    def switch(self, routes: Routes) -> Callable[[], bool]:
        """Requests that begin from now on go by these. What it gives says whether all others
        are over: answered, and their bodies sent or given up."""
        self._routes = routes
        # After it: who began before and is not in here has read the new ones.
        before, under_way = list(self._admission.under_way), self._admission.under_way

        def over() -> bool:
            before[:] = [one for one in before if one in under_way]
            return not before

        return over

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        exchange = Exchange(self._new_id(), environ, self._admission, self._over)
        self._metrics.begin()
        environ["gateway.request_id"] = exchange.request_id
        environ["gateway.record"] = exchange
        environ["gateway.admission"] = exchange.admit
        actor.current.set(exchange)  # until this thread has another
        if request_head.has_body(environ):
            length = environ.get("CONTENT_LENGTH") or ""
            environ["wsgi.input"] = Received(
                environ["wsgi.input"], int(length) if length else None, exchange
            )
        body = self._answer(environ, exchange)
        if exchange.unread and exchange.never_asked(environ):
            exchange.headers = [*exchange.headers, ("Connection", "close")]
        start_response(exchange.line, exchange.headers)
        if isinstance(body, list):
            exchange.sent += sum(map(len, body))
            exchange.over()
        return body

    def _answer(self, environ: dict[str, Any], exchange: Exchange) -> list[bytes] | Sent:
        """What the mode returns; long answers are admitted, or refused."""
        doors, proxies, accel = self._routes  # once: they may be switched
        try:
            environ["gateway.client"] = exchange.client = proxies.settle(environ)
            if exchange.unread and PERHAPS in environ:
                settle(environ)
            door = doors.choose(environ)
            exchange.mode, exchange.sid = door.mode, door.service
            if self._metrics.reports:
                exchange.counted_as = door.counted_as
                exchange.tls, exchange.http = by_tls(environ), version_of(environ)
            body = door.app(environ, exchange)
            if not exchange.line:
                raise RuntimeError("The mode returned before it called start_response.")
            if accel is not None:
                exchange.headers = without_orders(exchange.headers)
            if isinstance(body, list):
                return body
            if (
                accel is not None
                and within(exchange.peer, proxies.networks)
                and (length := accel.hand_over(environ, exchange, body))
            ):
                return _handed_over(body, exchange, length)
            return self._sent(body, exchange, lends="gateway.takes_stretches" in environ)
        except Busy:
            return _refuse(exchange)
        except Ambiguous as error:
            return _plain(exchange, "400 Bad Request", str(error))
        except Exception:
            # The last boundary: whatever a mode got wrong, its client gets an answer, the
            # operator a traceback, and the other requests go on.
            log.exception("%s: %s failed", exchange.request_id, exchange.mode or "the gateway")
            return _fail(exchange)

    def _sent(self, body: Iterable[bytes], exchange: Exchange, *, lends: bool) -> Sent:
        """A long answer, of a mode that may have forgotten to ask for its place."""
        if not exchange.answering:
            try:
                exchange.admit(answer=True)
            except Busy:
                getattr(body, "close", lambda: None)()
                raise
        if exchange.rate is None:
            sent = Sent(body, exchange, lends=lends)
            if lends:
                exchange.sending = sent
            return sent
        if self._admission.paces:
            exchange.sending = Left(body, exchange)
            return exchange.sending
        return Sent(Paced(body, Bucket(exchange.rate)), exchange)

    def note(self, record: Record) -> None:
        """One that came by no HTTP, and is over."""
        self._metrics.begin()
        self._over(record)

    def _over(self, record: Record) -> None:
        self._metrics.end(record)
        if self._log is not None:
            self._log.add(record)
        if record.then is not None:
            record.then(record)


def _plain(exchange: Exchange, status: str, text: str, *more: tuple[str, str]) -> list[bytes]:
    body = f"{text} Request: {exchange.request_id}\n".encode()
    exchange(
        status,
        [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("x-request-id", exchange.request_id),
            *more,
        ],
    )
    return [] if exchange.method == "HEAD" else [body]


def _refuse(exchange: Exchange) -> list[bytes]:
    exchange.code = "SlowDown"
    retry = ("Retry-After", str(RETRY_AFTER))
    return _plain(exchange, "503 Slow Down", Busy.message, retry)


def _handed_over(body: Iterable[bytes], exchange: Exchange, length: int) -> list[bytes]:
    getattr(body, "close", lambda: None)()
    exchange.sent = length
    return []


def _fail(exchange: Exchange) -> list[bytes]:
    exchange.code = "InternalError"
    return _plain(exchange, "500 Internal Server Error", "Something went wrong here.")
