"""The Ozone mode as a WSGI application: look at what each request has to have, find out who asks,
find the function, parse, answer.

Who asks is settled before it is said whether there is such a function, and before a byte of a
body is read.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gateway.common.moments import http_date
from gateway.modes import Gateway
from gateway.modes.ozone import errors, request, routing
from gateway.modes.ozone.auth import authentication
from gateway.modes.ozone.call import Call
from gateway.modes.ozone.options import OzoneOptions
from gateway.modes.ozone.problems import OzoneProblem
from gateway.storage import NOTHING, Corrupt, StorageError
from gateway.web import request_head
from gateway.web.api import parameters
from gateway.web.http_fields import value
from gateway.web.replies import Reply, send
from gateway.web.request_facts import RequestFacts

log = logging.getLogger("gateway.ozone")


class OzoneApplication:
    """Any request → its answer."""

    def __init__(self, gateway: Gateway, options: OzoneOptions) -> None:
        self._gateway, self._options = gateway, options
        self._authenticate = authentication(gateway, options)
        self._host = value(socket.gethostname()) or "localhost"
        self._absent = 404 if options.not_found_as_404 else 400

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        try:
            reply = self._done(environ)
        except errors.REFUSALS as error:
            reply = self._refused(error, environ)
        except Exception as error:
            # The log has it whole, the client its request id.
            log.error(
                "%s %r failed", environ["REQUEST_METHOD"], environ["PATH_INFO"], exc_info=error
            )
            reply = self._refused(OzoneProblem("internalServerError"), environ)
        reply.headers += (
            ("date", http_date(self._gateway.clock() // 1000 * 1000)),
            ("x-request-id", environ["gateway.request_id"]),
            ("x-ozone-request-id", request_id(environ)),
            ("x-ozone-server-name", self._host),
            ("x-content-type-options", "nosniff"),
        )
        return send(reply, environ, start_response)

    def _done(self, environ: dict[str, Any]) -> Reply:
        record = environ["gateway.record"]
        request.check(environ)
        place = request.place(environ)
        record.key = place.key
        identity = self._authenticate(environ)
        record.key_id, record.account = identity.key, identity.account
        text = environ.get("QUERY_STRING")
        query = _query(text) if text else NOTHING
        function = routing.find(environ["REQUEST_METHOD"], place.depth, query)
        record.operation = function.name
        values = parameters.read(function.query, query) if function.query else {}
        facts = RequestFacts(environ, query, self._gateway.clock, self._gateway.country)
        call = Call(environ, self._gateway, self._options, place, identity, facts, values)
        return function.handler(call)

    def _refused(self, error: errors.Refusal, environ: dict[str, Any]) -> Reply:
        id, path = request_id(environ), environ.get("PATH_INFO", "")
        told = errors.Told(_readable(path), id, self._host, self._absent)
        code, reply = errors.reply(error, told)
        record = environ["gateway.record"]
        record.code, record.corrupt = code, isinstance(error, Corrupt)
        if isinstance(error, StorageError) and error.trace:
            record.cache = ", ".join(error.trace)
        if reply.status >= 500 and reply.status != 501:
            log.warning("%s: %r: %s: %s", record.request_id, path, code, error)
        return reply


def request_id(environ: Mapping[str, Any]) -> str:
    """A UUID (RFC 9562, version 8) of the request's id, which the log has in capitals: its first
    twelve digits, and its last four."""
    id: str = environ["gateway.request_id"].lower()
    return f"{id[:8]}-{id[8:12]}-8000-8000-00000000{id[12:]}"


def _query(text: str) -> dict[str, str]:
    try:
        return request_head.parse_query(text)
    except ValueError:
        raise OzoneProblem("invalidQueryParam", "The query is not UTF-8.") from None


def _readable(path: str) -> str:
    return path.encode("latin-1", "replace").decode("utf-8", "replace")
