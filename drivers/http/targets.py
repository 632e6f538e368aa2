"""Addresses at origins: of a key below a URL, and of what a redirect names."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from ipaddress import IPv6Address
from typing import NamedTuple
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from gateway.common.upstream.answers import broken
from gateway.common.upstream.dialing import PORTS, Place
from gateway.storage import BadKey

_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_.])?")
_PATH = "/~:@!$&'()*+,;=-._"
"""What a path has besides letters and digits without being escaped (RFC 3986 §3.3)."""

_VISIBLE = string.punctuation.translate(str.maketrans("", "", '"<>\\^`{|}'))
_RULE = (
    'url: allowed: "https://host/path" or "http://host:port", without name, password, query'
    " and fragment; several in a list"
)
_HOST_RULE = 'host_header: allowed: "www.example.com" or "www.example.com:8080"'


class Target(NamedTuple):
    """Where a request goes. `path` is as the request's line has it, with the query."""

    place: Place
    path: str

    def __str__(self) -> str:
        return f"{self.place}{self.path}"


class Origin(NamedTuple):
    """Where keys are. `called`: the place as the origin is told that it is asked for (Host), and
    so as its redirects may name it."""

    base: Target
    called: Place

    def home(self, target: Target) -> Target:
        """Where to go for what the origin means by that."""
        called = target.place == self.called
        return Target(self.base.place, target.path) if called else target


def origins_of(urls: Sequence[str], host: str | None) -> tuple[Origin, ...]:
    """Raises `ValueError`."""
    bases = [base_of(one) for one in urls]
    if not bases or len({*bases}) < len(bases):
        raise ValueError("url: one, or several that differ")
    return tuple(Origin(one, _called(one.place, host)) for one in bases)


def _called(place: Place, host: str | None) -> Place:
    """Raises `ValueError`."""
    if host is None:
        return place
    try:
        found = urlsplit(f"{'https' if place.tls else 'http'}://{host}")
        if found.netloc != host or "@" in host or host.endswith(":"):
            raise ValueError
        return _place(found)
    except ValueError:
        raise ValueError(_HOST_RULE) from None


def base_of(url: str) -> Target:
    """What all keys are below; its path has no slash at its end. Raises `ValueError`."""
    try:
        found = urlsplit(url)
        if found.query or found.fragment or "@" in found.netloc or "?" in url or "#" in url:
            raise ValueError
        place = _place(found)
    except ValueError:
        raise ValueError(_RULE) from None
    return Target(place, quote(found.path.rstrip("/"), safe=_PATH + "%"))


def of_key(base: Target, key: str, query: str = "") -> Target:
    """Raises `BadKey` for one that names what is not below the base, or nothing at all."""
    # servers resolve them, escaped or not, and some with parameters behind a semicolon
    segments = {one.partition(";")[0] for one in key.replace("\\", "/").split("/")}
    if "." in segments or ".." in segments:
        raise BadKey("An HTTP origin has no key with . or .. between its slashes.", key=key)
    try:
        path = f"{base.path}/{quote(key, safe=_PATH)}"
    except UnicodeEncodeError as error:
        raise BadKey("The key is no text.", key=key) from error
    if not query:
        return Target(base.place, path)
    visible = _visible(query.encode("utf-8", "surrogatepass")).replace("#", "%23")
    return Target(base.place, f"{path}?{visible}")


def redirected(target: Target, location: str) -> Target:
    """Where a Location (RFC 9110 §10.2.2) leads from there: to http or https, without name and
    password. Raises `OriginFailed`."""
    try:
        found = urlsplit(urljoin(str(target), _visible(location.encode("latin-1"))))
        path = found.path or "/"
        return Target(_place(found), f"{path}?{found.query}" if found.query else path)
    except ValueError:
        raise broken("it redirects to what is no address of HTTP") from None


def key_of(base: Target, target: Target) -> str | None:
    """The key of what is below the base, whatever its query; None for anything else."""
    below, path = f"{base.path}/", target.path.partition("?")[0]
    if target.place != base.place or not path.startswith(below):
        return None
    try:
        return unquote(path.removeprefix(below), errors="strict")
    except UnicodeDecodeError:
        return None


def _visible(text: bytes) -> str:
    """With all escaped that a request's line cannot have."""
    return quote(text, safe=_VISIBLE)


def _place(url: SplitResult) -> Place:
    """Raises `ValueError`."""
    host, port = url.hostname, url.port
    if url.scheme not in PORTS or not host or port == 0:
        raise ValueError
    if "%" in host:  # a zone is a name of this machine's own
        raise ValueError
    if ":" in host:
        host = str(IPv6Address(host))
    else:
        host = host if host.isascii() else host.encode("idna").decode().lower()
        if _NAME.fullmatch(host) is None:
            raise ValueError
    return Place(host, port or PORTS[url.scheme], url.scheme == "https")
