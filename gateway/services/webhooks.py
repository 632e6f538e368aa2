"""Webhooks: URLs that are told of what happens, as the configuration names them.

A message is one POST, signed as Standard Webhooks 1.0.0 says
(https://www.standardwebhooks.com), so that libraries of many languages can check it. It has
come when the answer is 2xx; anything else, a redirect too, is a failure, and who sends tries
again. May surprise: there is one connection for each message, so that none is written into one
that its receiver is just closing, and would come twice.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from functools import cached_property
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from gateway.config import WebhookOptions
from gateway.modes.telling import JSON
from gateway.storage import Unavailable

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_PREFIX = "whsec_"
REPEATED = "x-gateway-repeated"
"""A header of a message that may have come before."""


class Webhook:
    """One of `[webhooks]`. Implements `modes.telling.Webhook`. `clock` gives milliseconds since the
    epoch."""

    def __init__(self, name: str, options: WebhookOptions, clock: Callable[[], int]) -> None:
        self._name, self._clock = name, clock
        self._url = urlsplit(options.url.reveal())
        self._timeout, self.batch = options.timeout, options.batch
        self._options = options
        self._key = None if options.secret is None else _key(options.secret.reveal())
        self._ca = options.ca

    def is_open_to(self, account: str) -> bool:
        return self._options.is_open_to(account)

    def post(
        self, id: str, document: bytes, *, content_type: str = JSON, repeated: bool = False
    ) -> None:
        headers = {"Content-Type": content_type, "User-Agent": "storage-gateway"}
        headers |= self._signed(id, document)
        if repeated:
            headers[REPEATED] = "true"
        try:
            status = self._status(document, headers)
        except OSError as error:
            raise Unavailable(f"The webhook {self._name!r} does not answer: {error}") from error
        except HTTPException as error:  # it has what came, which is not for a log
            kind = type(error).__name__
            raise Unavailable(f"The webhook {self._name!r} answers no HTTP: {kind}") from None
        if not 200 <= status < 300:
            raise Unavailable(f"The webhook {self._name!r} answers {status}.")

    def _status(self, document: bytes, headers: Mapping[str, str]) -> int:
        connection = self._connection()
        with closing(connection):
            connection.request("POST", _target(self._url), document, dict(headers))
            until = time.monotonic() + self._timeout
            answer = HTTPResponse(_Answering(connection.sock, until), method="POST")  # type: ignore[arg-type]  # it asks for `makefile` alone
            with closing(answer):
                answer.begin()
                return answer.status

    def _connection(self) -> HTTPConnection:
        host, port = self._url.hostname or "", self._url.port
        if self._url.scheme == "http":
            return HTTPConnection(host, port, timeout=self._timeout)
        return HTTPSConnection(host, port, timeout=self._timeout, context=self._tls)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._ca)

    def _signed(self, id: str, document: bytes) -> dict[str, str]:
        seconds = str(self._clock() // 1000)
        headers = {"webhook-id": id, "webhook-timestamp": seconds}
        if self._key is not None:
            content = b".".join([id.encode(), seconds.encode(), document])
            digest = hmac.new(self._key, content, hashlib.sha256).digest()
            headers["webhook-signature"] = "v1," + base64.b64encode(digest).decode()
        return headers


class _Answering(io.RawIOBase):
    """What comes by a connection until a moment: a socket's own timeout begins anew with each
    byte, and who sends one at a time would hold up a message for ever."""

    def __init__(self, connection: socket.socket, until: float) -> None:
        self._connection, self._until = connection, until

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)


def _key(secret: str) -> bytes:
    """That of a secret as the standard writes it, or any other text."""
    if secret.startswith(_PREFIX):
        with suppress(ValueError):
            return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    return secret.encode()


def _target(url: SplitResult) -> str:
    return (url.path or "/") + (f"?{url.query}" if url.query else "")
