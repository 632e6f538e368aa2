"""The console as a WSGI application: find the page, ask who it is, compare tokens, answer.

Everything that somebody can cause is a page with its status; what is left is logged, and answered
with 500.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any
from urllib.parse import quote

from gateway.modes import Gateway, WSGIApp
from gateway.modes.console import errors, forms, security
from gateway.modes.console.call import Call
from gateway.modes.console.page import Page
from gateway.modes.console.problems import ConsoleProblem
from gateway.modes.console.rendering import Rendering
from gateway.modes.console.signing_in import SIGN_IN
from gateway.modes.console.static_files import FOLDER, StaticFiles
from gateway.modes.console.table import TABLE
from gateway.storage import Corrupt, StorageError
from gateway.web import request_head
from gateway.web.replies import Reply, send

log = logging.getLogger("gateway.console")

_STATIC = "ConsoleStatic"
_NOWHERE = Page(name="", path="", reach="anyone")


class Console:
    """Any request → its answer."""

    def __init__(self, gateway: Gateway, pages: Sequence[Page]) -> None:
        self._gateway, self._pages = gateway, pages
        self._static = StaticFiles()
        self._rendering = Rendering(pages, self._static)

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        reply = self.answer(environ)
        given = {name for name, _ in reply.headers}
        reply.headers += [one for one in security.DEFAULTS if one[0] not in given]
        reply.headers.append(("x-request-id", environ["gateway.request_id"]))
        if not isinstance(reply.body, bytes):
            _admit(reply, environ)
        return send(reply, environ, start_response)

    def answer(self, environ: dict[str, Any]) -> Reply:
        call = Call(environ, self._gateway, self._rendering, _NOWHERE, "")
        try:
            moved = _moved(environ)
            return self._page(call) if moved is None else moved
        except (StorageError, ConsoleProblem) as error:
            return self._refused(call, error)
        except Exception as error:
            # The log has it whole, the page the request's id.
            log.error("%s %r failed", call.environ["REQUEST_METHOD"], call.path, exc_info=error)
            return self._refused(call, ConsoleProblem("InternalError"))

    def _page(self, call: Call) -> Reply:
        environ, record = call.environ, call.environ["gateway.record"]
        try:
            call.path = request_head.path(environ)[1:]
            call.query = request_head.parse_query(environ.get("QUERY_STRING", ""))
        except ValueError:
            raise ConsoleProblem("BadRequest", "The address is not UTF-8.") from None
        method = environ["REQUEST_METHOD"]
        if call.path.startswith(FOLDER) and method in {"GET", "HEAD"}:
            record.operation = _STATIC
            return self._static.reply(call.path[len(FOLDER) :], call.query.get("v", ""))
        self._recognize(call)
        page, call.values = self._find(call.path)
        record.operation = page.name
        if method not in page.methods:
            raise ConsoleProblem("MethodNotAllowed", "", ("allow", ", ".join(page.methods)))
        call.page = page
        if call.session is None and page.reach != "anyone":
            return _to_sign_in(call)
        if not call.reaches(page):
            raise ConsoleProblem("Forbidden")
        handler = page.post if method == "POST" else page.get
        _require(call)
        assert handler is not None, "the page has the method"
        return handler(call)

    def _recognize(self, call: Call) -> None:
        """Who it is, by the cookie."""
        token = security.cookie(call.environ, security.cookie_name(call.environ))
        call.session = self._gateway.sessions.session(token) if token else None
        if call.session is not None:
            record = call.environ["gateway.record"]
            record.key_id, record.account = call.identity.key, call.identity.account

    def _find(self, path: str) -> tuple[Page, dict[str, str]]:
        for page in self._pages:
            values = page.match(path)
            if values is not None:
                return page, values
        raise ConsoleProblem("NotFound")

    def _refused(self, call: Call, error: StorageError | ConsoleProblem) -> Reply:
        code, status, told = errors.told(error)
        record = call.environ["gateway.record"]
        record.code, record.corrupt = code, isinstance(error, Corrupt)
        if status >= 500 and status != 501:
            log.warning("%s %r: %s: %s", record.method, call.path, code, error)
        if status == 304:
            return Reply(304)
        request_id = call.environ["gateway.request_id"]
        reply = call.show("error.html", status, told=told, status=status, request_id=request_id)
        if isinstance(error, ConsoleProblem):
            reply.headers += error.headers
        return reply


def _moved(environ: dict[str, Any]) -> Reply | None:
    """To the first page: from the gateway's own, and where only the slash is missing. Both are
    said relative to what the browser has asked for, whatever a proxy made of it."""
    place, path = environ.get("SCRIPT_NAME", ""), environ["PATH_INFO"]
    if not path:
        return Reply(308, [("location", f"{quote(place.rpartition('/')[2])}/")])
    if not place and environ.get("gateway.binding") is None:
        return Reply(303, [("location", "-/console/")])
    return None


def _require(call: Call) -> None:
    """Raise unless the request comes from a page of this session, or a person opened it."""
    environ, page = call.environ, call.page
    csrf = "" if call.session is None else call.session.csrf
    told = environ.get(security.TOKEN_HEADER, "")
    scripted = security.equal(told, csrf)
    if environ["REQUEST_METHOD"] != "POST":
        embed = call.query.get("embed", "") if page.embedded else ""
        embedded = bool(csrf) and security.equal(embed, security.embed_token(csrf))
        security.require_opened(environ, token=scripted, embedded=embedded)
        return
    security.require_own(environ, call.gateway.options.external_url)
    given = told
    if page.body == "form":
        call.form = forms.read_fields(environ, page.form_limit)
        given = given or call.form.get(forms.TOKEN, "")
    elif page.body == "multipart":
        call.parts = forms.Parts(environ)
        given = given or call.parts.token
    if page.reach != "anyone" and not security.equal(given, csrf):
        raise ConsoleProblem("Expired")


def _to_sign_in(call: Call) -> Reply:
    """And back to the page, unless something was to be done there."""
    environ = call.environ
    back = "" if environ["REQUEST_METHOD"] == "POST" else call.here
    if "HTTP_HX_REQUEST" in environ:  # the whole page is to go there
        return Reply(401, [("hx-refresh", "true")])
    came = security.cookie(environ, security.cookie_name(environ))
    return call.see(SIGN_IN, said="over" if came else "", next=back)


def _admit(reply: Reply, environ: dict[str, Any]) -> None:
    """Of a long answer. Raises `Busy`."""
    try:
        environ["gateway.admission"](answer=True)
    except StorageError:
        if not isinstance(reply.body, bytes):
            reply.body.close()
        raise


def operations() -> Collection[str]:
    return [_STATIC, *(page.name for page in TABLE)]


def create_app(gateway: Gateway) -> WSGIApp:
    return Console(gateway, [page for page in TABLE if page.offered(gateway)])
