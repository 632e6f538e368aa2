"""The S3 mode as a WSGI application: parse, authenticate, find the operation, answer.

It stands on no framework: the table in `operations` says which request is whose, paths,
queries and signatures are read as S3 has them, and bodies pass through unread. Everything
that a client can cause is an S3 error document; what is left is logged, and InternalError.

A request is an operation's when its method and scope are, and its query (and
headers) have all that the operation names; of several the one that names most.
A parameter that names an operation never falls through to another: `DELETE
/bucket?cors` does not delete the bucket.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gateway.modes import Gateway, WSGIApp
from gateway.modes.s3 import (
    bodies,
    constraints,
    cross_origin,
    errors,
    hoisted,
    known_headers,
    sums,
)
from gateway.modes.s3.delivery.access_logs import Logged
from gateway.modes.s3.operations import FORM, NOT_HERE, SIGNED_ONLY, TABLE, Handler, Operation
from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.replies import Reply
from gateway.modes.s3.request import S3Request, Scope, signed_hosts
from gateway.modes.s3.signatures import diagnosis
from gateway.modes.s3.signatures.auth import Authenticated, SignedRequest, authenticate, check_head
from gateway.storage import Busy, Corrupt, NoSuchStore, Readable, StorageError
from gateway.web.replies import send
from gateway.web.request_head import known_variable

log = logging.getLogger("gateway.s3")

_READING = frozenset({"GET", "HEAD"})
_MOST_WARNED = 100


class S3Application:
    """Any request → its answer."""

    def __init__(self, gateway: Gateway, logged: Logged) -> None:
        self.gateway, self._logged = gateway, logged
        self._warned = set[str]()

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        reply = self.answer(environ)
        if cross_origin.ORIGIN in environ:
            cross_origin.add(reply, environ)
        reply.headers.append(("x-amz-request-id", environ["gateway.request_id"]))
        if self._logged.routes:
            self._logged.note(environ, reply)
        return send(reply, environ, start_response)

    def answer(self, environ: dict[str, Any]) -> Reply:
        try:
            reply = self.done(environ)
            if not isinstance(reply.body, bytes):
                _admit(reply.body, environ)
            return reply
        except (StorageError, S3Problem) as error:
            return self._refused(error, environ)
        except Exception as error:
            # The log has it whole, the client its request id.
            log.error(
                "%s %r failed", environ["REQUEST_METHOD"], environ["PATH_INFO"], exc_info=error
            )
            return self._refused(S3Problem("InternalError"), environ)

    def done(self, environ: dict[str, Any]) -> Reply:
        """What is asked for. Raises what `document` says."""
        record = environ["gateway.record"]
        try:
            request = S3Request(environ, self.gateway)
        except S3Problem:
            check_head(environ)  # what is too large is said first
            raise
        operation = find_operation(request)
        record.operation, record.sid, record.key = operation.name, request.bucket, request.key
        if request.method == "OPTIONS":
            return cross_origin.preflight(request)
        if cross_origin.ORIGIN in environ:
            cross_origin.prepare(request)
        request.authenticated = found = who(request)
        record.key_id, record.account = found.identity.key, found.identity.account
        if not found.identity.account and operation.name in SIGNED_ONLY:
            raise S3Problem("AccessDenied", SIGNED_ONLY[operation.name])
        if request.method not in _READING:
            unknown = found.unknown if found.credential else known_headers.given(environ)
            if unknown:
                self._warn_of(unknown)
        if request.query and hoisted.fold(request):
            operation = find_operation(request)  # a header may choose it
            record.operation = operation.name
            if request.method not in _READING:
                self._warn_of(hoisted.unknown(request.query))
        request.action = operation.action
        try:
            constraints.check(request, operation.name)
            return operation.handler(request)
        except NoSuchStore:
            bodies.check_signed(request)
            raise

    def _warn_of(self, names: tuple[str, ...]) -> None:
        """Once of each: a header that a later model has may ask for what is not done here.
        Raises S3Problem for a checksum that nobody would compare."""
        for name in names:
            if name.startswith("x-amz-checksum-"):
                raise sums.unknown_checksum()
            if name not in self._warned and len(self._warned) < _MOST_WARNED:
                self._warned.add(name)
                log.warning("A write was sent with the header %s, which has no effect here.", name)

    def _refused(self, error: StorageError | S3Problem, environ: dict[str, Any]) -> Reply:
        path = _shown_path(environ)
        code, reply = self.document(error, path, environ)
        record = environ["gateway.record"]
        record.code, record.corrupt = code, isinstance(error, Corrupt)
        if isinstance(error, StorageError) and error.trace:
            record.cache = ", ".join(error.trace)
        if reply.status >= 500 and reply.status != 501:
            log.warning("%s %r: %s: %s", environ["REQUEST_METHOD"], path, code, error)
        if environ["REQUEST_METHOD"] == "HEAD":
            errors.to_head(reply, code, error, self.gateway.options.region)
        return reply

    def document(
        self, error: StorageError | S3Problem, path: str, environ: dict[str, Any]
    ) -> tuple[str, Reply]:
        """(code, answer) of an error."""
        return errors.reply(error, path, environ)


def _admit(body: Readable, environ: dict[str, Any]) -> None:
    """Of a long answer, which may hold a thread at its client's pace. Raises `Busy`."""
    try:
        environ["gateway.admission"](answer=True)
    except Busy:
        body.close()
        raise


def _shown_path(environ: dict[str, Any]) -> str:
    text: str = environ["PATH_INFO"]
    return text.encode("latin-1", "replace").decode("utf-8", "replace")


def who(request: S3Request) -> Authenticated:
    gateway = request.gateway
    signed = SignedRequest.of(request.environ, *signed_hosts(request))
    try:
        return authenticate(
            signed, gateway.keys, now_ms=gateway.clock(), region=gateway.options.region
        )
    except S3Problem as problem:
        diagnosis.log_cause(problem)
        raise


# which operation


def _refuse_missing(request: S3Request) -> Reply:
    if request.anonymous:
        raise S3Problem("AccessDenied")
    name = next(one for one in request.query if one in NOT_HERE[request.scope])
    raise S3Problem("NotImplemented", f"The sub-resource {name!r} is not implemented.")


def _refuse_method(request: S3Request) -> Reply:
    methods = sorted({one.method for one in TABLE if one.scope == request.scope})
    raise S3Problem(
        "MethodNotAllowed",
        Method=request.method,
        ResourceType=request.scope.upper(),
        Allow=", ".join(methods),
    )


def _nameless(handler: Handler) -> Operation:
    return Operation("", "", "service", None, handler)


_MISSING, _METHOD = map(_nameless, (_refuse_missing, _refuse_method))


def _by_place() -> Mapping[tuple[Scope, str], tuple[Operation, ...]]:
    found: dict[tuple[Scope, str], list[Operation]] = {}
    for one in TABLE:
        found.setdefault((one.scope, one.method), []).append(one)
    return {
        place: tuple(sorted(ones, key=lambda o: -len(o.query) - bool(o.header)))
        for place, ones in found.items()
    }


_BY_PLACE = _by_place()
_WITHOUT_QUERY = {
    place: tuple((one.header and known_variable(one.header), one) for one in ones if not one.query)
    for place, ones in _BY_PLACE.items()
}
_NAMING: Mapping[Scope, frozenset[str]] = {
    scope: frozenset(one.query[0] for one in TABLE if one.query and "=" not in one.query[0]) | rest
    for scope, rest in NOT_HERE.items()
}
"""By scope of the request. Of several that select an operation the first names it: others may
mean nothing elsewhere (`id`)."""


def find_operation(request: S3Request) -> Operation:
    """The request's operation; one that refuses when there is none."""
    query, place = request.query, (request.scope, request.method)
    if not query:
        for header, one in _WITHOUT_QUERY.get(place, ()):
            if not header or header in request.environ:
                return one
    else:
        named = _NAMING[request.scope].intersection(query)
        for one in _BY_PLACE.get(place, ()):
            if _selects(one, request) and named <= {*one.query, *one.accepts}:
                return one
    if not NOT_HERE[request.scope].isdisjoint(query):
        return _MISSING
    if request.scope == "bucket" and request.method == "POST" and not query:
        return FORM
    return _METHOD


def _selects(operation: Operation, request: S3Request) -> bool:
    if operation.header and known_variable(operation.header) not in request.environ:
        return False
    for selector in operation.query:
        name, has_value, value = selector.partition("=")
        given = request.query.get(name)
        if given is None or (has_value and given != value):
            return False
    return True


def create_app(gateway: Gateway) -> WSGIApp:
    return S3Application(gateway, Logged(gateway))
