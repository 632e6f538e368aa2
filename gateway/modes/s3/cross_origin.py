"""Requests of pages of other origins: preflights, and what answers say to them.

A bucket's rules (`configuration.cors`) say who may. Nobody is authenticated for that: a
preflight has no signature, and that a page may read an answer says nothing of what the answer
is. Errors say it too, or a page could not tell one from another.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html
https://docs.aws.amazon.com/AmazonS3/latest/API/RESTOPTIONSobject.html
"""

from __future__ import annotations

from typing import Any

from gateway.access.identity import ANONYMOUS
from gateway.modes.s3.configuration import cors
from gateway.modes.s3.configuration.cors import METHODS, CorsRule, Match
from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.replies import Headers, Reply, value
from gateway.modes.s3.request import S3Request
from gateway.storage import NoSuchStore
from gateway.web.http_fields import is_token, utf8

ORIGIN = "HTTP_ORIGIN"
_METHOD = "HTTP_ACCESS_CONTROL_REQUEST_METHOD"
_HEADERS = "HTTP_ACCESS_CONTROL_REQUEST_HEADERS"
_VARY = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"
_SAID = "gateway.s3.cross-origin"
"""Where the environ has what the answer is to say, whatever becomes of the request."""


def prepare(request: S3Request) -> None:
    """For a request with an `Origin`. Raises BadRequest for what asks in a wrong form where
    the bucket has rules."""
    rules = _rules(request)
    if rules:
        method = _method(request.environ) or request.method
        headers = _asked(request.environ)
        found = cors.match(rules, request.environ[ORIGIN], method, headers)
        if found is not None:
            request.environ[_SAID] = _said(found)


def add(reply: Reply, environ: dict[str, Any]) -> None:
    """Say what was prepared."""
    said = environ.get(_SAID)
    if said is None:
        return
    own = [text for name, text in reply.headers if name == "vary"]
    reply.headers += said
    if own:
        reply.headers.append(("vary", ", ".join([*own, _VARY])))


def preflight(request: S3Request) -> Reply:
    environ = request.environ
    if not environ.get(ORIGIN):
        raise _bad("Insufficient information. Origin request header needed.")
    method, headers = _method(environ), _asked(environ)
    rules = _rules(request)
    if rules is None:
        raise _forbidden(method, "BUCKET", "Bucket not found")
    if not rules:
        raise _forbidden(method, "BUCKET", "CORS is not enabled for this bucket.")
    if method is None:
        raise _bad("Invalid Access-Control-Request-Method: null")
    found = cors.match(rules, environ[ORIGIN], method, headers)
    if found is None:
        raise _forbidden(
            method,
            request.scope.upper(),
            "This CORS request is not allowed. This is usually because the evalution of Origin,"
            " request method / Access-Control-Request-Method or Access-Control-Request-Headers"
            " are not whitelisted by the resource's CORS spec.",
        )
    said = _said(found)
    if headers:
        said.append(("access-control-allow-headers", ", ".join(headers)))
    return Reply(200, said)


def _rules(request: S3Request) -> tuple[CorsRule, ...] | None:
    """None: there is no such bucket."""
    if not request.bucket:
        return ()
    try:
        access = request.gateway.access(ANONYMOUS, request.bucket)
    except NoSuchStore:
        return None
    kind = cors.SETTING.kind
    if kind.name not in access.settings:
        return ()
    return request.gateway.obeyed(access, kind) or ()


def _method(environ: dict[str, Any]) -> str | None:
    """What a page asks for."""
    asked: str | None = environ.get(_METHOD)
    if asked is not None and asked not in METHODS:
        raise _bad(f"Invalid Access-Control-Request-Method: {utf8(asked)}")
    return asked


def _asked(environ: dict[str, Any]) -> list[str]:
    """The headers that a page wants to send, in lower case."""
    names = [one.strip(" \t") for one in environ.get(_HEADERS, "").split(",")]
    for name in filter(None, names):
        if not is_token(name):
            raise _bad(f'Access-Control-Request-Headers "{utf8(name)}" contains invalid character.')
    return [name.lower() for name in names if name]


def _said(found: Match) -> Headers:
    rule, origin = found
    said = [
        ("access-control-allow-origin", value(origin)),
        ("access-control-allow-methods", ", ".join(rule.methods)),
    ]
    if rule.exposed:
        said.append(("access-control-expose-headers", ", ".join(rule.exposed)))
    if rule.max_age:
        said.append(("access-control-max-age", rule.max_age))
    if origin != "*":
        said.append(("access-control-allow-credentials", "true"))
    return [*said, ("vary", _VARY)]


def _bad(message: str) -> S3Problem:
    return S3Problem("BadRequest", message)


def _forbidden(method: str | None, kind: str, message: str) -> S3Problem:
    return S3Problem(
        "AccessForbidden",
        f"CORSResponse: {message}",
        Method=method or "OPTIONS",
        ResourceType=kind,
    )
