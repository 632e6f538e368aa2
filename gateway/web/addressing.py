"""The address of a mode, for who is given one: it works from where the request came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from gateway.modes import Gateway
from gateway.web import request_head

_USUAL = {"http": ":80", "https": ":443"}


def address(gateway: Gateway, mode: str, environ: Mapping[str, Any]) -> str:
    """Scheme, host and the path below which the mode is, without a slash at its end.

    It is `external_url` where that is given: then a path in it is the mode's. Else it is the
    host that was asked, and the prefix of a binding that leads to the mode there. Without one a
    mode is at the root, as S3 is.
    """
    base, port = gateway.options.external_url, environ.get("SERVER_PORT", "")
    if base:
        outside = urlsplit(base)
        return base if outside.path else base + gateway.prefix(mode, outside.hostname or "", port)
    scheme, host = environ["wsgi.url_scheme"], environ.get("HTTP_HOST", "")
    base = f"{scheme}://{host.removesuffix(_USUAL[scheme])}"  # as clients say Host
    return base + gateway.prefix(mode, request_head.host(environ), port)
