"""The S3 mode as a WSGI application: parse, authenticate, find the operation, answer.

It stands on no framework: what finds the handler is the table in `operations`, paths,
queries and signatures are read as S3 has them, and bodies pass through unread. Everything
that a client can cause is an S3 error document; what is left is logged, and InternalError.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from gateway.modes import Gateway, WSGIApp
from gateway.modes.s3 import errors, hoisted, operations
from gateway.modes.s3.auth import Authenticated, SignedRequest, authenticate
from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.replies import Reply
from gateway.modes.s3.request import S3Request, signed_hosts
from gateway.storage import Busy, Corrupt, StorageError
from gateway.web.replies import send

log = logging.getLogger("gateway.s3")


class S3Application:
    """Any request → its answer."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        reply = self.answer(environ)
        reply.headers.append(("x-amz-request-id", environ["gateway.request_id"]))
        return send(reply, environ, start_response)

    def answer(self, environ: dict[str, Any]) -> Reply:
        try:
            return admitted(self._done(environ), environ)
        except (StorageError, S3Problem) as error:
            return self._refused(error, environ)
        except Exception as error:
            # The log has it whole, the client its request id.
            log.error(
                "%s %r failed", environ["REQUEST_METHOD"], environ["PATH_INFO"], exc_info=error
            )
            return self._refused(S3Problem("InternalError"), environ)

    def _done(self, environ: dict[str, Any]) -> Reply:
        record = environ["gateway.record"]
        request = S3Request(environ, self._gateway)
        operation = operations.find(request)
        record.operation, record.sid, record.key = operation.name, request.bucket, request.key
        if request.method == "OPTIONS":
            refuse_preflight(request)
        request.authenticated = who(request)
        record.key_id = request.identity.key
        if request.query and hoisted.fold(request):
            operation = operations.find(request)  # a header may choose it
            record.operation = operation.name
        request.action = operation.action
        return operation.handler(request)

    def _refused(self, error: StorageError | S3Problem, environ: dict[str, Any]) -> Reply:
        path = _shown_path(environ)
        code, reply = errors.reply(error, path, environ["gateway.request_id"])
        record = environ["gateway.record"]
        record.code, record.corrupt = code, isinstance(error, Corrupt)
        if reply.status >= 500 and reply.status != 501:
            log.warning("%s %r: %s: %s", environ["REQUEST_METHOD"], path, code, error)
        if environ["REQUEST_METHOD"] == "HEAD":
            errors.to_head(reply, code, error, self._gateway.settings.region)
        return reply


def admitted(reply: Reply, environ: dict[str, Any]) -> Reply:
    """A long answer, if it may hold a thread at its client's pace. Raises `Busy`."""
    if not isinstance(reply.body, bytes):
        try:
            environ["gateway.admission"](answer=True)
        except Busy:
            reply.body.close()
            raise
    return reply


def _shown_path(environ: dict[str, Any]) -> str:
    text: str = environ["PATH_INFO"]
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


def create_app(gateway: Gateway) -> WSGIApp:
    return S3Application(gateway)
