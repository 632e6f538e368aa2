"""HTTP/1.1 heads: bytes → a WSGI environ, and an answer's line and headers → bytes.

Strict where two readers could differ: a head that is not plain is refused
(RFC 9112 §2.2, §5.1, §6.3), never guessed at. `PATH_INFO` is decoded once.
"""

from __future__ import annotations

import io
import re
import sys
import time
from collections.abc import Mapping, Sequence
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_to_bytes

from gateway.web.request_head import variable

LONGEST_HEAD = 64 << 10
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
HEAD = "gateway.testing.head"
"""In an environ: the bytes that it was made of."""
Environ = dict[str, Any]

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_METHOD = re.compile(r"[A-Z]{1,20}")
_TARGET = re.compile(r"(?:https?://[^/?#]*)?(/[!-~\x80-\xff]*|\*)")
_KNOWN_NAMES = 1000
_ONCE = frozenset({"CONTENT_LENGTH", "HTTP_HOST", "HTTP_TRANSFER_ENCODING"})
_EMPTY = io.BytesIO(b"")


class BadRequest(Exception):
    """The head cannot be answered but by this status, and the connection ends."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def _bad(reason: str) -> BadRequest:
    return BadRequest(HTTPStatus.BAD_REQUEST, reason)


class Parser:
    """Makes an environ of each head that comes to one address."""

    def __init__(self, host: str, port: int) -> None:
        self._names: dict[str, str] = {}
        self._base: Environ = {
            "SCRIPT_NAME": "",
            "SERVER_NAME": host,
            "SERVER_PORT": str(port),
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.errors": sys.stderr,
            "wsgi.input": _EMPTY,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }

    def environ(self, head: bytes, client: str) -> Environ:
        """`head` without the empty line at its end. Raises `BadRequest`."""
        if not head.count(b"\r\n") == head.count(b"\n") == head.count(b"\r") or b"\0" in head:
            raise _bad("a line does not end as lines do")
        lines = head.decode("latin-1").split("\r\n")
        environ = self._base.copy()
        environ["REMOTE_ADDR"], environ[HEAD] = client, head
        _request_line(lines[0], environ)
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon:
                raise _bad("a header has no colon")
            _add(environ, self._variable(name), value.strip(" \t"))
        _check(environ)
        return environ

    def _variable(self, name: str) -> str:
        known = self._names.get(name)
        if known is None:
            known = _variable(name)
            if len(self._names) < _KNOWN_NAMES:
                self._names[name] = known
        return known


def _variable(name: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise _bad("a header's name is not one")
    return variable(name)


def _add(environ: Environ, variable: str, value: str) -> None:
    before = environ.get(variable)
    if before is not None:
        if variable in _ONCE:
            raise _bad(f"{variable} is given twice")
        value = f"{before},{value}"
    environ[variable] = value


def _request_line(line: str, environ: Environ) -> None:
    method, _, rest = line.partition(" ")
    target, _, version = rest.partition(" ")
    if version not in ("HTTP/1.1", "HTTP/1.0"):
        raise _bad("not a request of HTTP/1.1")
    path, _, query = target.partition("?")
    found = _TARGET.fullmatch(path)
    if not _METHOD.fullmatch(method) or found is None:
        raise _bad("not a request line")
    path = found[1]
    environ["REQUEST_METHOD"], environ["SERVER_PROTOCOL"] = method, version
    environ["QUERY_STRING"] = query
    environ["PATH_INFO"] = unquote_to_bytes(path).decode("latin-1") if "%" in path else path


def _check(environ: Environ) -> None:
    if "HTTP_HOST" not in environ and environ["SERVER_PROTOCOL"] == "HTTP/1.1":
        raise _bad("no Host")
    length = environ.get("CONTENT_LENGTH")
    if length is not None and not (length.isascii() and length.isdigit() and len(length) < 20):
        raise _bad("Content-Length is no number")
    coding = environ.get("HTTP_TRANSFER_ENCODING")
    if coding is not None:
        if length is not None:
            raise _bad("both Content-Length and Transfer-Encoding")
        if coding.lower() != "chunked":
            raise BadRequest(HTTPStatus.NOT_IMPLEMENTED, "a transfer coding that is not known")


def keeps_open(environ: Environ) -> bool:
    """Whether the client will use the connection again (RFC 9112 §9.3)."""
    asked = environ.get("HTTP_CONNECTION", "").lower()
    return environ["SERVER_PROTOCOL"] == "HTTP/1.1" and "close" not in asked


@lru_cache(maxsize=8)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


def head(status: str, headers: Sequence[tuple[str, str]], *, close: bool = False) -> bytes:
    """An answer's head. Raises `ValueError` when a header would not stay one line."""
    text = f"HTTP/1.1 {status}\r\n" + "".join([f"{name}: {value}\r\n" for name, value in headers])
    if text.count("\n") != len(headers) + 1 or text.count("\r") != len(headers) + 1:
        raise ValueError("A header has more than one line.")
    if "\r\nDate: " not in text and "\r\ndate: " not in text:
        text += f"Date: {_date(int(time.time()))}\r\n"
    return (text + ("Connection: close\r\n\r\n" if close else "\r\n")).encode("latin-1")


def refusal(error: BadRequest) -> bytes:
    """The whole answer to what could not be understood."""
    body = f"{error}\n".encode()
    fields = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
    return head(f"{error.status.value} {error.status.phrase}", fields, close=True) + body


def length_of(headers: Sequence[tuple[str, str]]) -> int | None:
    """The Content-Length that an application gave."""
    for name, value in headers:
        if name.lower() == "content-length":
            return int(value)
    return None


def has_no_body(environ: Mapping[str, Any], status: str) -> bool:
    return environ["REQUEST_METHOD"] == "HEAD" or status[:3] in ("204", "304") or status[0] == "1"
