"""The CDN control mode as a WSGI application: find the function, find out who asks, parse, answer.

Who asks is settled before it is said whether there is such a function, and before a byte of a
body is read; signing in alone asks for nothing before.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from gateway.access.identity import ANONYMOUS
from gateway.modes import Gateway
from gateway.modes.cdn import errors
from gateway.modes.cdn.auth import PARAMETER, ByToken
from gateway.modes.cdn.call import Call
from gateway.modes.cdn.functions import BODY_LIMIT, TABLE
from gateway.modes.cdn.options import CdnOptions
from gateway.modes.cdn.problems import CdnProblem
from gateway.storage import Corrupt
from gateway.web import request_head
from gateway.web.api import parameters, typed_bodies
from gateway.web.api.parameters import Unfit
from gateway.web.api.routing import NoSuchFunction, Routing, WrongMethod
from gateway.web.api.table import Function
from gateway.web.replies import Reply, send
from gateway.web.request_facts import RequestFacts

log = logging.getLogger("gateway.cdn")
Found = tuple[Function[Call], dict[str, str]]
_ROOT = "/v3"


class CdnApplication:
    """Any request → its answer."""

    def __init__(self, gateway: Gateway, options: CdnOptions) -> None:
        self._gateway, self._options = gateway, options
        self._routing, self._authenticate = Routing[Call](TABLE), ByToken(gateway)

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        try:
            reply = self._done(environ)
        except errors.REFUSALS as error:
            reply = _refused(error, environ)
        except Exception as error:
            # The log has it whole, the client its request id.
            log.error(
                "%s %r failed", environ["REQUEST_METHOD"], environ["PATH_INFO"], exc_info=error
            )
            reply = _refused(CdnProblem("Failed"), environ)
        reply.headers.append(("x-request-id", environ.get("gateway.request_id", "")))
        reply.headers.append(("x-content-type-options", "nosniff"))
        return send(reply, environ, start_response)

    def _done(self, environ: dict[str, Any]) -> Reply:
        record, query = environ["gateway.record"], _query(environ)
        found = self._find(environ)
        identity = ANONYMOUS
        if isinstance(found, CdnProblem) or not found[0].open:
            identity = self._authenticate(environ, query)
            record.key_id, record.account = identity.key, identity.account
        if isinstance(found, CdnProblem):
            raise found
        function, named = found
        record.operation = function.name
        query.pop(PARAMETER, None)
        facts = RequestFacts(environ, query, self._gateway.clock, self._gateway.country)
        values = {**_parts(function, named), **parameters.read_all(function.query, query)}
        given = {**query, **_body(function, environ, values)}
        call = Call(
            environ, self._gateway, self._options, identity, facts, values, frozenset(given)
        )
        return function.handler(call)

    def _find(self, environ: dict[str, Any]) -> Found | CdnProblem:
        """The problem is for who may know of it."""
        try:
            path = request_head.path(environ).removeprefix("/")
        except ValueError:
            return CdnProblem("InvalidRequest", "The path is not UTF-8.")
        if not environ.get("SCRIPT_NAME", "").endswith(_ROOT):  # it came by a binding
            path = path.removeprefix(f"{_ROOT[1:]}/")
        try:
            return self._routing.find(environ["REQUEST_METHOD"], path.removesuffix("/"))
        except NoSuchFunction:
            return CdnProblem("NoSuchCall")
        except WrongMethod as error:
            allowed = ", ".join(error.allowed)
            headers = [("allow", allowed)]
            return CdnProblem("MethodNotAllowed", f"That is called by {allowed}.", headers)


def _query(environ: dict[str, Any]) -> dict[str, str]:
    """Raises `CdnProblem`; of a parameter that is there twice nobody knows which counts."""
    text = environ.get("QUERY_STRING", "")
    try:
        found = list(request_head.pairs(text)) if text else []
    except ValueError:
        raise CdnProblem("InvalidParameter", "The query is not UTF-8.") from None
    names = [name for name, _ in found]
    if len(set(names)) < len(names):
        raise CdnProblem("InvalidParameter", "A parameter is there twice.")
    return dict(found)


def _parts(function: Function[Call], named: dict[str, str]) -> dict[str, Any]:
    """What is no id is none that is there."""
    try:
        return parameters.read_all(function.parts, named)
    except Unfit:
        raise CdnProblem("NotFound") from None


def _body(
    function: Function[Call], environ: dict[str, Any], values: dict[str, Any]
) -> dict[str, Any]:
    """What came, of which `values` get what it means; what is in the body counts before what is
    in the query."""
    if not function.members:
        if request_head.has_body(environ) and typed_bodies.receive(environ, BODY_LIMIT):
            raise CdnProblem("InvalidParameter", f"{function.name} has no parameters in its body.")
        return {}
    came = typed_bodies.receive(environ, BODY_LIMIT)
    given = parameters.of_texts(function.members, came)
    for name, value in parameters.read_members(function.members, given).items():
        if name in given or name not in values:
            values[name] = value
    return given


def _refused(error: errors.Refusal, environ: dict[str, Any]) -> Reply:
    code, reply = errors.reply(error)
    record = environ["gateway.record"]
    record.code, record.corrupt = code, isinstance(error, Corrupt)
    if reply.status >= 500:
        log.warning("%s: %r: %s: %s", record.request_id, environ["PATH_INFO"], code, error)
    return reply
