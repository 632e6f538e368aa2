"""The management mode as a WSGI application: find the function, authenticate, parse, answer.

Who asks is settled before it is said whether there is such a function, and before a byte of a
body is read. The documents alone are for everybody.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from gateway.modes import Gateway, Page
from gateway.modes.management import documents, errors
from gateway.modes.management.auth import authenticate
from gateway.modes.management.call import Call
from gateway.modes.management.functions import TABLE, limit_of
from gateway.modes.management.problems import ManagementProblem
from gateway.storage import Corrupt
from gateway.web import request_head
from gateway.web.api import json_bodies, parameters
from gateway.web.api.routing import NoSuchFunction, Routing, WrongMethod
from gateway.web.api.table import Function
from gateway.web.replies import Reply, send
from gateway.web.request_facts import RequestFacts

log = logging.getLogger("gateway.management")


class ManagementApplication:
    """Any request → its answer."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway, self._routing = gateway, Routing[Call](TABLE)

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        page = documents.page(environ)
        reply = _shown(page) if page is not None else self._answer(environ)
        reply.headers.append(("x-request-id", environ.get("gateway.request_id", "")))
        reply.headers.append(("x-content-type-options", "nosniff"))
        return send(reply, environ, start_response)

    def _answer(self, environ: dict[str, Any]) -> Reply:
        try:
            return self._done(environ)
        except errors.REFUSALS as error:
            return _refused(error, environ)
        except Exception as error:
            # The log has it whole, the client its request id.
            log.error(
                "%s %r failed", environ["REQUEST_METHOD"], environ["PATH_INFO"], exc_info=error
            )
            return _refused(ManagementProblem("InternalError"), environ)

    def _done(self, environ: dict[str, Any]) -> Reply:
        record = environ["gateway.record"]
        identity = authenticate(environ, self._gateway.keys)
        record.key_id, record.account = identity.key, identity.account
        function, named = self._find(environ)
        record.operation = function.name
        record.sid, record.key = named.get("bucket", ""), named.get("key", "")
        query = _query(environ)
        values = {
            **parameters.read_all(function.parts, named),
            **parameters.read_all(function.query, query),
        }
        facts = RequestFacts(environ, query, self._gateway.clock, self._gateway.country)
        call = Call(environ, self._gateway, identity, facts, values)
        if function.members:
            given = json_bodies.receive(environ, limit_of(function))
            values.update(parameters.read_members(function.members, given))
        elif request_head.has_body(environ):
            raise ManagementProblem("InvalidRequest", f"{function.name} has no body.")
        return function.handler(call)

    def _find(self, environ: dict[str, Any]) -> tuple[Function[Call], dict[str, str]]:
        """Raises `ManagementProblem`."""
        try:
            path = request_head.path(environ)
        except ValueError:
            raise ManagementProblem("InvalidArgument", "The path is not UTF-8.") from None
        try:
            return self._routing.find(environ["REQUEST_METHOD"], path.removeprefix("/"))
        except NoSuchFunction:
            raise ManagementProblem("NoSuchFunction") from None
        except WrongMethod as error:
            allowed = ", ".join(error.allowed)
            raise ManagementProblem(
                "MethodNotAllowed", f"That is called by {allowed}.", [("allow", allowed)]
            ) from None


def _query(environ: dict[str, Any]) -> dict[str, str]:
    """Raises `ManagementProblem`; of a parameter that is there twice nobody knows which counts."""
    text = environ.get("QUERY_STRING", "")
    try:
        found = list(request_head.pairs(text)) if text else []
    except ValueError:
        raise ManagementProblem("InvalidArgument", "The query is not UTF-8.") from None
    names = [name for name, _ in found]
    if len(set(names)) < len(names):
        raise ManagementProblem("InvalidArgument", "A parameter is there twice.")
    return dict(found)


def _shown(page: Page) -> Reply:
    headers = [("content-type", page.content_type), ("cache-control", "no-store")]
    headers += [(name.lower(), value) for name, value in page.headers]
    return Reply(int(page.status[:3]), headers, page.body)


def _refused(error: errors.Refusal, environ: dict[str, Any]) -> Reply:
    request_id = environ.get("gateway.request_id", "")
    code, reply = errors.reply(error, request_id)
    record = environ["gateway.record"]
    record.code, record.corrupt = code, isinstance(error, Corrupt)
    if reply.status >= 500 and reply.status != 501:
        log.warning("%s: %r: %s: %s", request_id, environ["PATH_INFO"], code, error)
    return reply
