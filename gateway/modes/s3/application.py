"""The S3 mode as a WSGI application: parse, authenticate, find the operation, answer.

It is a Falcon application whose router gives one responder for all, so that any
method and any key arrives. (A sink of Falcon's is found only after all routes were
tried, and its requests are parsed twice: measured, 3 µs of 34.) Everything a client
can cause is an S3 error document; what is left is logged, and answered as
InternalError by Falcon's handler for exceptions.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import falcon

from gateway.modes import Gateway, WSGIApp
from gateway.modes.s3 import errors, hoisted, operations
from gateway.modes.s3.auth import Authenticated, SignedRequest, authenticate
from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.replies import Reply, Sending
from gateway.modes.s3.request import S3Request, signed_hosts
from gateway.storage import Busy, Corrupt, StorageError

log = logging.getLogger("gateway.s3")


class Everything:
    """A router (falcon.readthedocs.io/en/stable/api/routing.html#custom-routers) by which
    all requests have one responder. It is also the table of responders by method."""

    def __init__(self, responder: Callable[..., None]) -> None:
        self._responder = responder

    def find(self, uri: str, req: Arrived | None = None) -> tuple[Any, ...]:
        """(resource, responders by method, fields of the path, template)"""
        return self, self, {}, None

    def __getitem__(self, method: str) -> Callable[..., None]:
        return self._responder


class Arrived:
    """What Falcon has to know of a request, in place of its own class, which parses all that
    `S3Request` parses."""

    __slots__ = ("env", "method", "path", "uri_template")

    is_websocket = False

    def __init__(self, env: dict[str, Any], options: object) -> None:
        self.env, self.method, self.path = env, env["REQUEST_METHOD"], env["PATH_INFO"]


class Sink:
    """Any request → its answer."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def __call__(self, req: Arrived, resp: falcon.Response) -> None:
        environ = req.env
        reply = self.answer(environ)
        resp.status = reply.status
        reply.headers.append(("x-amz-request-id", environ.get("gateway.request_id", "")))
        resp.set_headers(reply.headers)
        body = reply.body
        if not isinstance(body, bytes):
            length = reply.length or 0
            resp.stream, resp.content_length = Sending(body, length), length
        elif req.method == "HEAD" and reply.length is not None:
            resp.content_length = reply.length
        else:
            resp.data = body

    def answer(self, environ: dict[str, Any]) -> Reply:
        record = environ.get("gateway.record")
        try:
            request = S3Request(environ, self._gateway)
            operation = operations.find(request)
            if record is not None:
                record.operation, record.sid = operation.name, request.bucket
                record.key = request.key
            if request.method == "OPTIONS":
                refuse_preflight(request)
            request.authenticated = who(request)
            if record is not None:
                record.key_id = request.identity.key
            if request.query and hoisted.fold(request):
                operation = operations.find(request)  # a header may choose it
                if record is not None:
                    record.operation = operation.name
            request.action = operation.action
            return admitted(operation.handler(request), environ)
        except (StorageError, S3Problem) as error:
            return refused(error, environ, record, self._gateway.settings.region)


def admitted(reply: Reply, environ: dict[str, Any]) -> Reply:
    """A long answer, if it may hold a thread at its client's pace. Raises `Busy`."""
    if not isinstance(reply.body, bytes) and "gateway.admission" in environ:
        try:
            environ["gateway.admission"](answer=True)
        except Busy:
            reply.body.close()
            raise
    return reply


def refused(
    error: StorageError | S3Problem, environ: dict[str, Any], record: Any, region: str
) -> Reply:
    path = _shown_path(environ)
    code, reply = errors.reply(error, path, environ.get("gateway.request_id", ""))
    if record is not None:
        record.code, record.corrupt = code, isinstance(error, Corrupt)
    if reply.status >= 500 and reply.status != 501:
        log.warning("%s %r: %s: %s", environ["REQUEST_METHOD"], path, code, error)
    if environ["REQUEST_METHOD"] == "HEAD":
        errors.to_head(reply, code, error, region)
    return reply


def _shown_path(environ: dict[str, Any]) -> str:
    text: str = environ.get("PATH_INFO", "")
    return text.encode("latin-1", "replace").decode("utf-8", "replace")


def who(request: S3Request) -> Authenticated:
    gateway = request.gateway
    signed = SignedRequest.of(request.environ, *signed_hosts(request))
    return authenticate(
        signed, gateway.keys, now_ms=gateway.clock(), region=gateway.settings.region
    )


def refuse_preflight(request: S3Request) -> None:
    """A CORS preflight is never authenticated. No bucket has CORS rules: AWS answers 403."""
    environ = request.environ
    if "HTTP_ORIGIN" not in environ or "HTTP_ACCESS_CONTROL_REQUEST_METHOD" not in environ:
        raise S3Problem("InvalidRequest", "Insufficient information. Origin request header needed.")
    raise S3Problem("AccessForbidden", "CORSResponse: CORS is not enabled for this bucket.")


def _failed(req: falcon.Request, resp: falcon.Response, error: Exception, _: object) -> None:
    """A mistake of ours: the log has it whole, the client its request id."""
    log.error("%s %r failed", req.method, req.env.get("PATH_INFO"), exc_info=error)
    _say(S3Problem("InternalError"), req, resp)


def _no_method(req: falcon.Request, resp: falcon.Response, *_: object) -> None:
    """Falcon refuses the one method that it has a meaning of its own for, WEBSOCKET."""
    methods = ", ".join(sorted({one.method for one in operations.TABLE}))
    _say(S3Problem("MethodNotAllowed", Method=req.method, Allow=methods), req, resp)


def _say(problem: S3Problem, req: falcon.Request, resp: falcon.Response) -> None:
    environ = req.env
    code, reply = errors.reply(problem, _shown_path(environ), environ.get("gateway.request_id", ""))
    record = environ.get("gateway.record")
    if record is not None:
        record.code = code
    resp.status = reply.status
    resp.data = reply.body if isinstance(reply.body, bytes) and req.method != "HEAD" else b""
    resp.stream = None
    reply.headers.append(("x-amz-request-id", environ.get("gateway.request_id", "")))
    resp.set_headers(reply.headers)


def create_app(gateway: Gateway) -> WSGIApp:
    router: Any = Everything(Sink(gateway))  # Falcon's types know its own classes only
    request: Any = Arrived
    app: falcon.App[falcon.Request, falcon.Response] = falcon.App(
        router=router, request_type=request
    )
    # An answer without a body has no type.
    app.resp_options.default_media_type = None  # type: ignore[assignment]  # Falcon allows it
    app.add_error_handler(Exception, _failed)
    app.add_error_handler(falcon.HTTPError, _no_method)
    return app
