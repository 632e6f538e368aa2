"""Errors that lead elsewhere: 302 to the address that the binding has for the status.

A page that is asked for by the address of one leads nowhere: so what is missing at a binding's
own pages is said there, and no visitor goes round in circles.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from gateway.web import request_head
from gateway.web.replies import Reply

_WRITTEN = re.compile(r"([45][0-9][0-9]):(https?://[!-~]+)")


def parsed(pages: Sequence[str]) -> Mapping[int, str]:
    """By status, of "404:https://www.example.com/lost". Raises `ValueError`."""
    found: dict[int, str] = {}
    for text in pages:
        match = _WRITTEN.fullmatch(text)
        if match is None or not _is_address(match[2]):
            raise ValueError(f'error_pages: "{text}" is not as "404:https://www.example.com/lost"')
        status = int(match[1])
        if status in found:
            raise ValueError(f"error_pages: {status} is given twice")
        found[status] = match[2]
    return found


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError:
        return False


def instead(reply: Reply, pages: Mapping[int, str], environ: Mapping[str, Any]) -> Reply:
    """What leads to the page of an error, where there is one, for who reads."""
    to = pages.get(reply.status)
    if to is None or environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
        return reply
    here = request_head.host(environ), environ.get("SCRIPT_NAME", "") + environ["PATH_INFO"]
    if any(here == _place(one) for one in pages.values()):
        return reply
    kept = [one for one in reply.headers if one[0] == "cache-status"]
    return Reply(302, [("location", to), ("cache-control", "no-store"), *kept])


def _place(url: str) -> tuple[str, str]:
    """Host and path, as a request's environ has them; whatever the port and the query."""
    parts = urlsplit(url)
    return parts.hostname or "", unquote(parts.path, encoding="latin-1") or "/"
