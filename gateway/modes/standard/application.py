"""The standard mode as a WSGI application: find the function, authenticate, parse, answer.

It is a Falcon application with one sink. Everything a client can cause is an
error in JSON; what is left is logged, and answered with 500 by Falcon's
handler for exceptions.
"""

from __future__ import annotations

import logging
from typing import Any

import falcon

from gateway.modes import Gateway, WSGIApp
from gateway.modes.standard import errors
from gateway.modes.standard.auth import authenticate
from gateway.modes.standard.call import Call
from gateway.modes.standard.functions import BY_NAME
from gateway.modes.standard.problems import StandardProblem
from gateway.storage import NOTHING, Corrupt, StorageError
from gateway.web import request_head
from gateway.web.api import parameters
from gateway.web.api.parameters import Unfit
from gateway.web.api.table import Function
from gateway.web.replies import Reply, Sending

log = logging.getLogger("gateway.standard")


class Sink:
    """Any request → its answer."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def __call__(self, req: falcon.Request, resp: falcon.Response, **_: object) -> None:
        environ = req.env
        reply = self.answer(environ)
        resp.status = reply.status
        resp.set_headers(reply.headers)
        resp.set_header("x-request-id", environ.get("gateway.request_id", ""))
        body = reply.body
        if not isinstance(body, bytes):
            length = reply.length or 0
            resp.stream, resp.content_length = Sending(body), length
        elif req.method == "HEAD" and reply.length is not None:
            resp.content_length = reply.length
        else:
            resp.data = body

    def answer(self, environ: dict[str, Any]) -> Reply:
        record = environ.get("gateway.record")
        query = NOTHING
        try:
            function = find(environ)
            text = environ.get("QUERY_STRING", "")
            query = request_head.parse_query(text) if text else query
            call = Call(environ, self._gateway)
            call.action, call.query = function.action, query
            if record is not None:
                record.operation = function.name
                record.sid, record.key = query.get("sid", ""), query.get("path", "")
            call.identity = authenticate(environ, self._gateway.keys)
            if record is not None:
                record.key_id = call.identity.key
            call.values = parameters.read(function.query, query)
            if record is not None:
                record.key = call.values.get("path") or ""  # without its slash; None: of no file
            return function.handler(call)
        except UnicodeDecodeError:
            return refused(
                StandardProblem("invalid_parameter", "The query is not UTF-8."), environ, query
            )
        except (StorageError, StandardProblem, Unfit) as error:
            return refused(error, environ, query)


def find(environ: dict[str, Any]) -> Function[Call]:
    """The function that the path names. Raises `StandardProblem`."""
    function = BY_NAME.get(environ.get("PATH_INFO", "")[1:])
    if function is None:
        known = ", ".join(BY_NAME)
        raise StandardProblem(
            "function_not_found", f"There is no such function; there are: {known}."
        )
    if environ["REQUEST_METHOD"] not in function.methods:
        methods = ", ".join(function.methods)
        raise StandardProblem(
            "method_not_allowed", f"{function.name} is called by {methods}.", [("allow", methods)]
        )
    return function


def refused(
    error: StorageError | StandardProblem | Unfit, environ: dict[str, Any], query: Any
) -> Reply:
    request_id = environ.get("gateway.request_id", "")
    code, reply = errors.reply(error, request_id, query.get("sid"), query.get("path"))
    record = environ.get("gateway.record")
    if record is not None:
        record.code, record.corrupt = code, isinstance(error, Corrupt)
        if isinstance(error, StorageError) and error.trace:
            record.cache = ", ".join(error.trace)
    if reply.status >= 500 and reply.status != 501:
        log.warning("%s: %s: %s: %s", request_id, environ["PATH_INFO"], code, error)
    if environ["REQUEST_METHOD"] == "HEAD":
        reply.body = b""
        if reply.status != 304:  # what programs need of the document
            reply.headers.append(("x-error", code))
    return reply


def _failed(req: falcon.Request, resp: falcon.Response, error: Exception, _: object) -> None:
    """A mistake of ours: the log has it whole, the client its request id."""
    log.error("%s %r failed", req.method, req.env.get("PATH_INFO"), exc_info=error)
    reply = refused(StandardProblem("internal_error"), req.env, NOTHING)
    resp.status = reply.status
    resp.stream = None
    resp.data = reply.body if isinstance(reply.body, bytes) else b""
    resp.set_headers(reply.headers)
    resp.set_header("x-request-id", req.env.get("gateway.request_id", ""))


def create_app(gateway: Gateway) -> WSGIApp:
    app = falcon.App()
    # An answer without a body has no type.
    app.resp_options.default_media_type = None  # type: ignore[assignment]  # Falcon allows it
    app.add_error_handler(Exception, _failed)
    app.add_sink(Sink(gateway), prefix="/")
    return app
