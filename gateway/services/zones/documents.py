"""What a zone is asked to be: a document of few members, read whole, in one form.

`read` makes of what somebody has sent the document that is kept: each member is there, lists are
lists, numbers are numbers; it raises `Wrong` with a sentence for each that is not so. `merged` is
the algebra of changes. Pure functions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from gateway.common.nearest_name import nearest
from gateway.common.upstream.dialing import PORTS
from gateway.modes.zones import HELPERS

Document = dict[str, Any]

_MOST = 100
"""Entries of a list."""
_COUNTRIES = 300
"""Entries of one of countries: more than there are."""
_LONGEST = 2048
_YEARS = 10 * 365 * 86_400
_HIGHEST = 65_535
"""Of ports."""
_ENDPOINTS = 16
_RATE = re.compile(r"[1-9][0-9]{0,8}k")
_QUERY = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@/?%-]{1,1024}")
"""RFC 3986 §3.4."""
_WORD = re.compile(r"[!-~]{1,1024}")
_NAME = r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*"
_HOST = re.compile(rf"{_NAME}|\[?[0-9a-f:.]+\]?")
_HEADER = re.compile(rf"({_NAME}|\[[0-9a-f:.]+\])(:(?P<port>[0-9]{{1,5}}))?")
"""As in a request's `Host` (RFC 9110 §7.2)."""
_DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")


class Wrong(Exception):
    """`sentences`: all that is wrong, each with the member that it is about."""

    def __init__(self, *sentences: str) -> None:
        self.sentences = sentences
        super().__init__(" ".join(sentences))


def read(given: Mapping[str, Any]) -> Document:
    """The whole document. Raises `Wrong`."""
    wrong, found = list[str](), Document()
    for name in given:
        if name not in _MEMBERS:
            wrong.append(f"{name}: a zone has no such member.{nearest(name, _MEMBERS)}")
    for name, (reader, absent) in _MEMBERS.items():
        value = given.get(name)
        if value is None or value == "":
            found[name] = json.loads(absent)
            continue
        try:
            found[name] = reader(value)
        except Wrong as error:
            wrong += [f"{name}{sentence}" for sentence in error.sentences]
    if not wrong:
        wrong += _together(found)
    if wrong:
        raise Wrong(*wrong)
    if found["hash_secret"] is not None:
        found["hash_algorithm"] = found["hash_algorithm"] or "md5"
        found["hash_ttl"] = found["hash_ttl"] or 3600
    return found


def _together(found: Document) -> list[str]:
    """What is wrong with it as a whole."""
    wrong = []
    if found["object_size"] is None:
        wrong.append("object_size: missing; it is small or big.")
    if (found["upstream"] is None) == (found["storage_id"] is None):
        wrong.append("upstream: give it, or storage_id in its place.")
    if found["limit_rate_global"] and found["limit_rate_security"]:
        wrong.append("limit_rate_global: it excludes limit_rate_security; clear_limit_rates helps.")
    if found["hash_secret"] is None:
        needing = ("hash_algorithm", "hash_ttl", "limit_rate_security")
        wrong += [f"{name}: it needs a hash_secret." for name in needing if found[name]]
    return wrong


def merged(before: Document, changes: Mapping[str, Any], helpers: Collection[str]) -> Document:
    """What `read` is to make the new document of: the helpers first, then what is given. Raises
    `Wrong`."""
    wrong = [f"{name}: there is no such helper." for name in helpers if name not in HELPERS]
    if {"enable", "disable"} <= {*helpers}:
        wrong.append("enable: it excludes disable.")
    if wrong:
        raise Wrong(*wrong)
    found: Document = json.loads(json.dumps(before))
    for helper in helpers:
        for path in HELPERS[helper]:
            within, _, name = path.rpartition(".")
            holder = found[within] if within else found
            if holder is not None:
                holder[name] = None
    given = {name: None if value == "" else value for name, value in changes.items()}
    if given.get("hash_secret", found["hash_secret"]) is None:
        found |= {"hash_algorithm": None, "hash_ttl": None}
    for name, other in (("upstream", "storage_id"), ("storage_id", "upstream")):
        if given.get(name) is not None:  # it takes the place of the other
            found[other] = None
    return found | given


def without_secrets(document: Document) -> Document:
    """What everybody may see of it who may see that there is a zone."""
    return {**presented(document), "hash_secret": None}


def presented(document: Document) -> Document:
    """What its owner sees: who makes links has to know their secret; those of the origin are
    shown to nobody."""
    upstream = document["upstream"]
    if upstream is None:
        return dict(document)
    secret = ("password", "secret_key", "signing_key")
    auth = {name: one for name, one in upstream["auth"].items() if name not in secret}
    return {**document, "upstream": {**upstream, "auth": auth}}


# members: readers that raise `Wrong` with what follows the member's name


def _one_of(*words: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in words or not isinstance(value, str):
            raise Wrong(f": it is {' or '.join(words)}.")
        return value

    return read


def _number(least: int, most: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
        if not re.fullmatch("[0-9]{1,18}", text) or not least <= int(text) <= most:
            raise Wrong(f": it is a number from {least} to {most}.")
        return int(text)

    return read


def _text(form: re.Pattern[str], rule: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if not isinstance(value, str) or not form.fullmatch(value):
            raise Wrong(f": {rule}.")
        return value

    return read


def _security(value: Any) -> str | None:
    return None if _one_of("on", "off")(value) == "off" else "on"


def _texts(between: str = ",", most: int = _MOST) -> Callable[[Any], list[str]]:
    def read(value: Any) -> list[str]:
        found = re.split(between, value) if isinstance(value, str) else value
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise Wrong(": it is a list of texts, or one text with commas.")
        texts = [one.strip() for one in found]
        if len(texts) > most or not all(0 < len(one) <= _LONGEST for one in texts):
            raise Wrong(f": it has up to {most} texts, none of them empty or too long.")
        return list(dict.fromkeys(texts))

    return read


def _domains(value: Any) -> list[str]:
    found = [one.lower().rstrip(".") for one in _texts()(value)]
    bad = [one for one in found if len(one) > 253 or not _DOMAIN.fullmatch(one)]
    if bad:
        raise Wrong(*(f': "{one}" is no domain, as "cdn.example.com".' for one in bad))
    return list(dict.fromkeys(found))


def _pages(value: Any) -> list[str]:
    if isinstance(value, dict):  # as they are shown
        value = [f"{status}:{url}" for status, url in value.items()]
    return _texts(r",(?=\s*[0-9]+:)")(value)


def _countries(value: Any) -> list[str]:
    return [one.upper() for one in _texts(most=_COUNTRIES)(value)]


_WORDS = _text(_WORD, "it is ASCII without blanks, up to 1024 characters")
_AUTH: Mapping[str, tuple[str, ...]] = {
    "none": (),
    "http_basic": ("username", "password"),
    "aws_signing_key": ("access_key", "key_scope", "signing_key"),
    "aws_secret_key": ("access_key", "secret_key"),
}
_AUTH_OF = {"own": ("none", "http_basic"), "aws-s3": ("none", "aws_signing_key", "aws_secret_key")}


def _upstream(value: Any) -> Document:
    if isinstance(value, str):  # of a form
        try:
            value = json.loads(value)
        except ValueError:
            raise Wrong(": it is no JSON.") from None
    found = _object(value, ("endpoints", "type", "proto", "host_header", "auth"))
    kind = _within(".type", _one_of(*_AUTH_OF), found.get("type"))
    proto = _within(".proto", _one_of(*PORTS), found.get("proto"))
    header = found.get("host_header")
    auth = _within(".auth", _auth, found.get("auth") or {"type": "none"})
    if auth["type"] not in _AUTH_OF[kind]:
        raise Wrong(f".auth.type: of {kind} it is {' or '.join(_AUTH_OF[kind])}.")
    endpoints = found.get("endpoints")
    if not isinstance(endpoints, list) or not 1 <= len(endpoints) <= _ENDPOINTS:
        raise Wrong(f".endpoints: it is a list of 1 to {_ENDPOINTS} objects.")
    read = [
        _within(f".endpoints[{number}]", lambda one: _endpoint(one, kind, proto), one)
        for number, one in enumerate(endpoints)
    ]
    regions = {one.get("region") for one in read}
    if auth["type"] == "aws_secret_key" and (len(regions) > 1 or None in regions):
        raise Wrong(".endpoints: aws_secret_key needs the region, the same in all of them.")
    return {
        "endpoints": read,
        "type": kind,
        "proto": proto,
        "host_header": None if header in (None, "") else _within(".host_header", _header, header),
        "auth": auth,
    }


def _object(value: Any, names: Collection[str]) -> Document:
    if not isinstance(value, dict):
        raise Wrong(": it is an object.")
    unknown = [f".{name}: there is no such member." for name in value if name not in names]
    if unknown:
        raise Wrong(*unknown)
    return value


def _within(path: str, reader: Callable[[Any], Any], value: Any) -> Any:
    try:
        return reader(value)
    except Wrong as error:
        raise Wrong(*(f"{path}{one}" for one in error.sentences)) from None


def _auth(value: Any) -> Document:
    if not isinstance(value, dict):
        raise Wrong(": it is an object.")
    kind = _within(".type", _one_of(*_AUTH), value.get("type"))
    _object(value, ("type", *_AUTH[kind]))
    read = {name: _within(f".{name}", _WORDS, value.get(name)) for name in _AUTH[kind]}
    return {"type": kind, **read}


def _header(value: Any) -> str:
    text = value.lower() if isinstance(value, str) else ""
    parts = _HEADER.fullmatch(text)
    if parts is None or not 0 < int(parts["port"] or 80) <= _HIGHEST:
        raise Wrong(': it is a host, as "www.example.com".')
    return text


def _endpoint(value: Any, kind: str, proto: str) -> Document:
    own = ("bucket", "region") if kind == "aws-s3" else ()
    found = _object(value, ("host", "port", *own))
    host = found.get("host")
    host = host.lower().rstrip(".") if isinstance(host, str) else ""
    if len(host) > 253 or not _HOST.fullmatch(host):
        raise Wrong('.host: it is a host or an address, as "www.example.com".')
    read: Document = {"host": host.strip("[]")}
    port = found.get("port")
    if port not in (None, ""):
        read["port"] = _within(".port", _number(1, _HIGHEST), port)
    elif kind == "own":
        read["port"] = PORTS[proto]
    bucket = _text(_BUCKET, "it is the name of a bucket")
    region = _text(re.compile("[A-Za-z0-9-]{1,64}"), 'it is a region, as "eu-central-1"')
    for name, reader in (("bucket", bucket), ("region", region)):
        if found.get(name) not in (None, ""):
            read[name] = _within(f".{name}", reader, found[name])
    return read


_MEMBERS: Mapping[str, tuple[Callable[[Any], Any], str]] = {
    "object_size": (_one_of("small", "big"), "null"),
    "upstream": (_upstream, "null"),
    "storage_id": (_number(1, 1 << 53), "null"),
    "custom_domains": (_domains, "[]"),
    "error_pages": (_pages, "[]"),
    "referers": (_texts(), "[]"),
    "geo_filter_allow": (_countries, "[]"),
    "geo_filter_deny": (_countries, "[]"),
    "limit_rate_global": (_text(_RATE, "it is kilobytes a second, as 20k"), "null"),
    "limit_rate_security": (_security, "null"),
    "hash_secret": (_text(_QUERY, "it is a text that a query may have"), "null"),
    "hash_algorithm": (_one_of("md5", "sha1"), "null"),
    "hash_ttl": (_number(1, _YEARS), "null"),
    "cache_reuse_from": (_number(1, 1 << 53), "null"),
    "expiration": (_number(0, _YEARS), "null"),
}
"""Each with its reader, and what it is where nobody says it, in JSON."""

MEMBERS = tuple(_MEMBERS)
