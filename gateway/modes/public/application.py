"""The public mode as a WSGI application: parse, read, answer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from gateway.common import loops
from gateway.modes import Gateway, WSGIApp
from gateway.modes.public import (
    cross_origin,
    error_pages,
    errors,
    forwarding,
    guard,
    replies,
    serving,
    speeds,
)
from gateway.modes.public.problems import PublicProblem
from gateway.modes.public.request import Asked
from gateway.storage import Busy, Corrupt, Get, NoSuchStore, StorageError
from gateway.web.http_fields import instead
from gateway.web.replies import Reply, send

log = logging.getLogger("gateway.public")

_READING = {"GET": "PublicGet", "HEAD": "PublicHead", "OPTIONS": "PublicOptions"}
_FORWARDING = "PublicForward"
OPERATIONS = (*_READING.values(), _FORWARDING)
_ALLOW = ", ".join(_READING)
_OF_DOCUMENT = frozenset(
    ("content-type", "content-encoding", "content-language", "content-security-policy")
)
"""What is said of an error document: it is not what was asked for, and nobody keeps it as that."""

_LONGEST = 1 << 20
"""Bytes of one."""


class PublicApplication:
    """Any request → its answer."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        reply = self.answer(environ)
        ours = replies.NOSNIFF, ("x-request-id", environ["gateway.request_id"])
        reply.headers = instead(reply.headers, *ours)
        return send(reply, environ, start_response)

    def answer(self, environ: dict[str, Any]) -> Reply:
        asked: Asked | None = None
        try:
            if "HTTP_CDN_LOOP" in environ:
                self._refuse_own(environ["HTTP_CDN_LOOP"])
            asked = Asked(environ, self._gateway)
            reply = self._done(asked)
            if not isinstance(reply.body, bytes) or asked.rate is not None:
                _admit(reply, asked)
        except (StorageError, PublicProblem) as error:
            reply = _refused(error, asked, environ)
        except Exception as error:
            # The log has it whole, the visitor the request's id.
            log.error(
                "%s %r failed", environ["REQUEST_METHOD"], environ["PATH_INFO"], exc_info=error
            )
            reply = _refused(PublicProblem("InternalError"), None, environ)
        return reply if asked is None else cross_origin.added(reply, asked)

    def _refuse_own(self, passed: str) -> None:
        """What this gateway has asked for itself, by whatever way it came back, without a look at
        the binding: a page of errors that is behind it would be the same way again."""
        if loops.has_passed(passed, loops.own_name()):
            raise PublicProblem("LoopDetected")

    def _done(self, asked: Asked) -> Reply:
        """Raises `StorageError` and `PublicProblem`."""
        record = asked.environ["gateway.record"]
        record.operation = _READING.get(asked.method, "")
        record.key = asked.key
        if not asked.service:  # not by a binding: nothing is public
            raise NoSuchStore
        if cross_origin.is_preflight(asked):
            return Reply(204, cross_origin.preflight(asked))
        if asked.options.guarded:
            guard.let_in(asked)
        if forwarding.passes_on(asked):
            record.operation = _FORWARDING
            return forwarding.pass_on(asked)
        if asked.method == "OPTIONS":
            return Reply(204, [("allow", _ALLOW)])
        if asked.method not in _READING:
            raise PublicProblem("MethodNotAllowed", ("allow", _ALLOW))
        return serving.read(asked)


def _admit(reply: Reply, asked: Asked) -> None:
    """Of a long answer, which may hold a thread at its client's pace. Raises `Busy`."""
    try:
        if asked.rate is not None and speeds.limited(reply, asked.rate, asked):
            return
        if not isinstance(reply.body, bytes):
            asked.environ["gateway.admission"](answer=True)
    except Busy:
        if not isinstance(reply.body, bytes):
            reply.body.close()
        raise


def _refused(
    error: StorageError | PublicProblem, asked: Asked | None, environ: dict[str, Any]
) -> Reply:
    code, reply = errors.reply(error, environ["gateway.request_id"], environ["REQUEST_METHOD"])
    record = environ["gateway.record"]
    record.code, record.corrupt = code, isinstance(error, Corrupt)
    if reply.status >= 500:
        log.warning("%s %r: %s: %s", environ["REQUEST_METHOD"], environ["PATH_INFO"], code, error)
    document = None if asked is None or reply.status < 400 else _document(asked)
    if document is not None:
        headers = errors.headers_of(error) + document.headers
        reply = Reply(reply.status, headers, document.body)
    if isinstance(error, StorageError) and error.trace:
        record.cache = ", ".join(error.trace)
        reply.headers = replies.traced(reply.headers, error.trace)
    if asked is not None and asked.options.pages:
        reply = error_pages.instead(reply, asked.options.pages, environ)
    return reply


def _document(asked: Asked) -> Reply | None:
    """The one that is sent in place of errors."""
    key = asked.options.error_document
    if not key or asked.method not in ("GET", "HEAD"):
        return None
    try:
        with asked.access.get(key, Get()) as opened:
            headers = replies.described(opened.info, asked.options)
            data = b"".join(iter(opened.body.read, b"")) if opened.length <= _LONGEST else None
    except StorageError:
        return None
    if data is None:
        log.warning("The error document %r is too long to be sent.", key)
        return None
    kept = [one for one in headers if one[0] in _OF_DOCUMENT]
    return Reply(200, kept, data)


def create_app(gateway: Gateway) -> WSGIApp:
    return PublicApplication(gateway)
