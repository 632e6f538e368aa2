"""What keeps other pages away from this console: who may ask, and what browsers are told.

The gateway may give out, under the same host, what strangers have stored. So neither the cookie
nor the origin is enough to trust a request: a page of the console is opened by a person as a page
of its own (`Sec-Fetch-Dest: document`), and all else, a script's request or a part of a page, has
a token that only pages of the session know. `Cross-Origin-Opener-Policy` keeps who has opened a
page from reading it. Browsers say these things over TLS and on loopback; over plain HTTP `Origin`
is what there is.

Sources: W3C Fetch Metadata Request Headers; HTML, "Cross-origin opener policies"; RFC 6265bis,
"Cookie Name Prefixes".
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from gateway.modes.console.problems import ConsoleProblem
from gateway.web import request_head
from gateway.web.http_fields import Headers

COOKIE = "gateway"
TOKEN_HEADER = "HTTP_X_CSRF_TOKEN"  # noqa: S105 — its name

CONTENT_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"
"""For what somebody has stored."""

STRICT = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

DEFAULTS: Headers = [
    ("content-security-policy", STRICT),
    ("cache-control", "no-store"),
    # With `no-referrer` browsers send `Origin: null` with a form, as from a stranger.
    ("referrer-policy", "same-origin"),
    ("x-content-type-options", "nosniff"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
]


def page_policy(nonce: str) -> str:
    """Of a page: its own scripts and styles are those that have the nonce, which nothing that is
    put into it can."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'nonce-{nonce}'",
            f"style-src 'nonce-{nonce}'",
            "img-src 'self'",
            "media-src 'self'",
            "frame-src 'self'",
            "connect-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


# the cookie


def secure(environ: Mapping[str, Any]) -> bool:
    return bool(environ["wsgi.url_scheme"] == "https")


def watched(environ: Mapping[str, Any]) -> bool:
    """Whether others on the way may read along: plain HTTP to another machine."""
    return not secure(environ) and not _loopback(request_head.host(environ))


def _loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def cookie_name(environ: Mapping[str, Any]) -> str:
    """Over TLS one that only this host can have set, over TLS. Elsewhere browsers do not take
    such a cookie (Safari not even on loopback), and cookies do not tell ports apart."""
    if secure(environ):
        return f"__Host-{COOKIE}"
    port = environ.get("HTTP_HOST", "").rpartition(":")[2]
    return f"{COOKIE}-{port}" if port.isascii() and port.isdigit() else COOKIE


def cookie(environ: Mapping[str, Any], name: str) -> str:
    """Its value; "" when there is none, or there are two: one of them is somebody else's."""
    # HTTP/2 has several fields, which servers join as others.
    pairs = re.split("[;,]", environ.get("HTTP_COOKIE", ""))
    found = [
        text for one, _, text in (pair.strip().partition("=") for pair in pairs) if one == name
    ]
    return found[0] if len(found) == 1 else ""


def set_cookie(
    environ: Mapping[str, Any], name: str, value: str, life: str = ""
) -> tuple[str, str]:
    """`life`: an attribute; without one it is kept until the browser ends."""
    parts = [f"{name}={value}", "Path=/", "HttpOnly", "SameSite=Lax"]
    parts += ["Secure"] if secure(environ) else []
    return "set-cookie", "; ".join([*parts, life] if life else parts)


# where a request comes from


def require_own(environ: Mapping[str, Any], external_url: str = "") -> None:
    """Raise unless what changes something was asked for by a page of this origin, or by no
    browser (which says nothing of that)."""
    site = environ.get("HTTP_SEC_FETCH_SITE")
    if site is not None:
        if site != "same-origin":
            raise ConsoleProblem("NotFromHere")
        return
    origin = environ.get("HTTP_ORIGIN")
    if origin is None:
        return
    # A proxy that is not trusted may have another host here; then `external_url` says it.
    hosts = {environ.get("HTTP_HOST", "").lower(), urlsplit(external_url).netloc.lower()}
    try:
        host = urlsplit(origin).netloc.lower()
    except ValueError:
        host = ""
    if not host or host not in hosts:
        raise ConsoleProblem("NotFromHere")


def require_opened(environ: Mapping[str, Any], *, token: bool, embedded: bool) -> None:
    """Raise unless a page was opened as one, or who asks for it has the session's `token`, or
    that by which its pages embed things."""
    destination = environ.get("HTTP_SEC_FETCH_DEST", "document")
    if destination != "document" and not token and not embedded:
        raise ConsoleProblem("NotFromHere")


def embed_token(csrf: str) -> str:
    """What the address of an embedded thing has: it may end up in a log, and so is not the
    token of forms."""
    return hmac.new(csrf.encode(), b"embed", hashlib.sha256).hexdigest()[:32]


def equal(given: str, known: str) -> bool:
    return bool(known) and hmac.compare_digest(given.encode(), known.encode())
