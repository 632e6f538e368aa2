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
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from functools import cached_property
from urllib.parse import SplitResult, urlsplit

from gateway.common.upstream.connection import Connection, Gone
from gateway.common.upstream.dialing import Names, Place, connected
from gateway.common.upstream.receiving import final_head
from gateway.config import WebhookOptions
from gateway.modes.telling import JSON
from gateway.storage import TimedOut, Unavailable

_PREFIX = "whsec_"
REPEATED = "x-gateway-repeated"
"""A header of a message that may have come before."""


class Webhook:
    """One of `[webhooks]`. Implements `modes.telling.Webhook`. `clock` gives milliseconds since the
    epoch."""

    def __init__(self, name: str, options: WebhookOptions, clock: Callable[[], int]) -> None:
        self._name, self._clock = name, clock
        url = urlsplit(options.url.reveal())
        self._place, self._target = _place(url), _target(url)
        self._timeout, self.batch = options.timeout, options.batch
        self._options = options
        self._key = None if options.secret is None else _key(options.secret.reveal())
        self._ca = options.ca
        self._names = Names()

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
        except Gone:
            raise Unavailable(f"The webhook {self._name!r} closes the connection.") from None
        except Unavailable as error:
            why = _why(error)
            raise Unavailable(f"The webhook {self._name!r} did not take it: {why}") from None
        if not 200 <= status < 300:
            raise Unavailable(f"The webhook {self._name!r} answers {status}.")

    def _status(self, document: bytes, headers: Mapping[str, str]) -> int:
        """All of it has the webhook's time. Raises `Gone`, `Unavailable`."""
        until = time.monotonic() + self._timeout
        context = self._tls if self._place.tls else None
        plain = connected(self._place, context, self._names, self._timeout)
        with closing(Connection(self._place, plain, self._timeout)) as connection:
            connection.due(until)
            connection.send(self._head(headers, len(document)) + document)
            return final_head(connection, "POST").status

    def _head(self, headers: Mapping[str, str], size: int) -> bytes:
        lines = {"Host": self._place.header, **headers, "Content-Length": str(size)}
        said = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return f"POST {self._target} HTTP/1.1\r\n{said}Connection: close\r\n\r\n".encode("ascii")

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


def _why(error: Unavailable) -> str:
    """Without the host, which is of the URL, and that is a secret."""
    if isinstance(error, TimedOut):
        return "timed out"
    return str(error.__cause__ if isinstance(error.__cause__, OSError) else error)


def _place(url: SplitResult) -> Place:
    tls = url.scheme == "https"
    return Place(url.hostname or "", url.port or (443 if tls else 80), tls)


def _target(url: SplitResult) -> str:
    return (url.path or "/") + (f"?{url.query}" if url.query else "")


def _key(secret: str) -> bytes:
    """That of a secret as the standard writes it, or any other text."""
    if secret.startswith(_PREFIX):
        with suppress(ValueError):
            return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    return secret.encode()
