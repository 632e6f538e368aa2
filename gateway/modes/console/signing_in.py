"""Signing in with a key's id and secret, and out again.

What a request says of itself before that is nobody's: each sign-in begins a session with a token
of its own, whatever cookie came with it.
"""

from __future__ import annotations

from urllib.parse import unquote

from gateway.access.identity import Credential, proved
from gateway.modes.console import security
from gateway.modes.console.call import Call
from gateway.modes.console.page import Page
from gateway.modes.console.problems import TABLE
from gateway.modes.console.rendering import THEMES
from gateway.storage import NotFound
from gateway.web import request_head
from gateway.web.replies import Reply

SIGN_IN = "sign-in"
_LONGEST = 4096
"""Characters of an id or a secret."""
_GONE = "Max-Age=0"


def sign_in(call: Call) -> Reply:
    key, secret = call.form.text("key")[:_LONGEST], call.form.text("secret")[:_LONGEST]
    address = call.environ["gateway.client"]
    if wait := call.gateway.attempts.wait(address, key):
        return _waiting(call, wait)
    found = proved(call.gateway.keys, key, secret)
    if found is None:
        call.gateway.attempts.failed(address, key)
        call.gateway.sessions.refuse_session(key)
        return _form(call, "WrongKey", TABLE["WrongKey"][1])
    if wait := call.gateway.attempts.begun(address, found.id):
        return _waiting(call, wait)
    return _begun(call, found)


def _waiting(call: Call, seconds: int) -> Reply:
    told = f"{TABLE['TooManyAttempts'][1]} Try again in {seconds} seconds."
    reply = _form(call, "TooManyAttempts", told)
    reply.headers.append(("retry-after", str(seconds)))
    return reply


def show(call: Call) -> Reply:
    return call.show("sign-in.html", trouble="", key="", next=call.query.get("next", ""))


def _form(call: Call, code: str, trouble: str) -> Reply:
    call.environ["gateway.record"].code = code
    key, next_ = call.form.text("key"), call.form.get("next", "")
    return call.show("sign-in.html", TABLE[code][0], trouble=trouble, key=key, next=next_)


def _begun(call: Call, found: Credential) -> Reply:
    agent = call.environ.get("HTTP_USER_AGENT", "")[:200]
    address, record = call.environ["gateway.client"], call.environ["gateway.record"]
    record.key_id, record.account = found.id, found.identity.account
    try:
        token = call.gateway.sessions.begin_session(found.id, address=address, agent=agent)
    except NotFound:  # it was switched off a moment ago
        return _form(call, "WrongKey", TABLE["WrongKey"][1])
    _end(call)
    name = security.cookie_name(call.environ)
    headers = [
        ("location", back(call, call.form.get("next", ""))),
        security.set_cookie(call.environ, name, token),
    ]
    return Reply(303, headers)


def back(call: Call, next_: str) -> str:
    """The address of the page that was asked for before: one of the console, whatever it says."""
    given, _, tail = next_.partition("?")
    path = unquote(given)
    if path[:1] in ("/", "\\") or ".." in path.split("/") or not path.isprintable():
        return call.url()
    try:
        query = request_head.parse_query(tail)
    except ValueError:
        return call.url()
    query.pop("said", None)
    return call.url(path, **query)


def sign_out(call: Call) -> Reply:
    _end(call)
    reply = call.see(SIGN_IN, said="out")
    name = security.cookie_name(call.environ)
    reply.headers.append(security.set_cookie(call.environ, name, "", _GONE))
    return reply


def _end(call: Call) -> None:
    token = security.cookie(call.environ, security.cookie_name(call.environ))
    if token:
        call.gateway.sessions.end_session(token)


def choose_theme(call: Call) -> Reply:
    """ "": as the system has it."""
    theme = call.form.get("theme", "")
    life = f"Max-Age={365 * 86_400}" if theme in THEMES else _GONE
    value = theme if theme in THEMES else ""
    cookie = security.set_cookie(call.environ, "gateway-theme", value, life)
    return Reply(303, [("location", back(call, call.form.get("next", ""))), cookie])


_SAID = {"over": "Your session is over. Sign in to go on.", "out": "You are signed out."}

PAGES = (
    Page(name="ConsoleSignIn", path=SIGN_IN, get=show, post=sign_in, reach="anyone", said=_SAID),
    Page(name="ConsoleSignOut", path="sign-out", post=sign_out),
    Page(name="ConsoleTheme", path="theme", post=choose_theme, reach="anyone"),
)
