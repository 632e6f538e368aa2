"""Zones as forms: from what a zone is to fields, and from fields to what it is asked to be.

Secrets are in no form again: their fields come empty, and what is left empty stays. Pure
functions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.modes.console.forms import Fields
from gateway.modes.console.problems import ConsoleProblem

Document = Mapping[str, Any]

AUTH: Mapping[str, tuple[str, str, str]] = {
    "none": ("Nothing", "", ""),
    "http_basic": ("User and password", "username", "password"),
    "aws_secret_key": ("S3: access key and secret key", "access_key", "secret_key"),
    "aws_signing_key": ("S3: access key and signing key", "access_key", "signing_key"),
}
"""How an origin is told who asks: a title, and the members of user and secret."""

_LINES = ("custom_domains", "error_pages", "referers")
_LISTS = ("geo_filter_allow", "geo_filter_deny")
_TEXTS = ("limit_rate_global", "expiration", "cache_reuse_from")
_LINKS = ("hash_algorithm", "hash_ttl")
_UPSTREAM = ("type", "endpoints", "proto", "host_header", "auth", "user", "key_scope")
_ENDPOINT = re.compile(r"(\[[^]]*\]|[^:]+)(?::([0-9]+))?")

EMPTY: Document = {
    "object_size": "big",
    "storage_id": None,
    "upstream": None,
    "hash_secret": None,
    "hash_algorithm": "md5",
    "hash_ttl": 3600,
    "limit_rate_security": None,
    **dict.fromkeys((*_LINES, *_LISTS), ()),
    **dict.fromkeys(_TEXTS),
}
"""What the form of a new zone begins with."""


def fields(document: Document) -> dict[str, str]:
    """What its form has."""
    given = {name: _text(document[name]) for name in (*_TEXTS, *_LINKS, "object_size")}
    given |= {name: "\n".join(document[name]) for name in _LINES}
    given |= {name: ", ".join(document[name]) for name in _LISTS}
    given["limit_rate_security"] = "1" if document["limit_rate_security"] else ""
    given["storage"] = _text(document["storage_id"])
    given["origin"] = "storage" if document["storage_id"] else "upstream"
    return given | _upstream_fields(document["upstream"])


def typed(form: Fields, document: Document) -> dict[str, str]:
    """What a form that was refused shows: what was typed, but for its secrets."""
    return {name: form.get(name, "") for name in fields(document)}


def asked(form: Fields, before: Document | None) -> tuple[dict[str, Any], list[str]]:
    """Changes and helpers, as `Zones.patch` takes them; `before` None: what is made is the
    changes. Raises `ConsoleProblem`."""
    wanted: dict[str, Any] = {name: _lines(form, name) for name in _LINES}
    wanted |= {name: form.text(name) or None for name in (*_TEXTS, *_LISTS)}
    if before is None:
        wanted["object_size"] = form.text("object_size")
    helpers = ["clear_security_token"] if form.get("unsigned") == "1" else []
    if not helpers:
        wanted["limit_rate_security"] = "on" if form.get("limit_rate_security") == "1" else None
        wanted |= _links(form, before)
    return wanted | _origin(form, before), helpers


def _links(form: Fields, before: Document | None) -> dict[str, Any]:
    secret = form.text("hash_secret")
    if not secret and (before is None or before["hash_secret"] is None):
        return {}
    found: dict[str, Any] = {name: form.text(name) or None for name in _LINKS}
    return {**found, "hash_secret": secret} if secret else found


def _origin(form: Fields, before: Document | None) -> dict[str, Any]:
    if form.text("origin") == "storage":
        if not form.text("storage"):
            raise ConsoleProblem("BadRequest", "Say which storage it is.")
        return {"storage_id": form.text("storage")}
    secret = form.get("secret", "")
    if before is not None and before["upstream"] is not None and not secret:
        now = _upstream_fields(before["upstream"])
        if all(_same(form.text(name), now[name]) for name in _UPSTREAM):
            return {}
    return {"upstream": _upstream(form, secret)}


def _upstream(form: Fields, secret: str) -> dict[str, Any]:
    kind = form.text("auth") or "none"
    if kind not in AUTH:
        raise ConsoleProblem("BadRequest")
    _, of_user, of_secret = AUTH[kind]
    auth = {"type": kind}
    if of_user:
        if not secret:
            text = "Type the origin's password or secret key: another origin does not get it else."
            raise ConsoleProblem("BadRequest", text)
        auth |= {of_user: form.text("user"), of_secret: secret}
    if kind == "aws_signing_key":
        auth["key_scope"] = form.text("key_scope")
    return {
        "endpoints": [_endpoint(line) for line in _lines(form, "endpoints")],
        "type": form.text("type"),
        "proto": form.text("proto"),
        "host_header": form.text("host_header") or None,
        "auth": auth,
    }


def _endpoint(line: str) -> dict[str, str]:
    """Of "host", "host:port", and of S3 "host bucket region"."""
    place, *more = line.split()
    found = _ENDPOINT.fullmatch(place)
    host, port = (found[1], found[2] or "") if found else (place, "")
    if len(more) > 2:
        raise ConsoleProblem(
            "BadRequest", f"Endpoints: “{line}” has more than a bucket and region."
        )
    rest = zip(("bucket", "region"), more, strict=False)
    return {"host": host, **({"port": port} if port else {}), **dict(rest)}


def _upstream_fields(upstream: Document | None) -> dict[str, str]:
    if upstream is None:
        empty = dict.fromkeys(_UPSTREAM, "")
        return {**empty, "type": "own", "proto": "https", "auth": "none"}
    auth = upstream["auth"]
    return {
        "type": upstream["type"],
        "endpoints": "\n".join(_line(one) for one in upstream["endpoints"]),
        "proto": upstream["proto"],
        "host_header": _text(upstream["host_header"]),
        "auth": auth["type"],
        "user": auth.get("username", auth.get("access_key", "")),
        "key_scope": auth.get("key_scope", ""),
    }


def _line(endpoint: Document) -> str:
    host = endpoint["host"]
    host = f"[{host}]" if ":" in host else host
    port = f":{endpoint['port']}" if "port" in endpoint else ""
    return " ".join(
        [host + port, *(endpoint[one] for one in ("bucket", "region") if one in endpoint)]
    )


def _same(one: str, other: str) -> bool:
    """Browsers end lines in their own way."""
    return one.splitlines() == other.splitlines()


def _lines(form: Fields, name: str) -> Sequence[str]:
    return [text for line in form.get(name, "").splitlines() if (text := line.strip())]


def _text(value: object) -> str:
    return "" if value is None else str(value)
