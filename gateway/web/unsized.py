"""A body of which a request's head does not even say whether it is there (HTTP/2): its first byte
tells.
"""

from __future__ import annotations

from typing import Any

PERHAPS = "gateway.perhaps_a_body"
"""In the `environ` of such a request, which is called chunked."""


def settle(environ: dict[str, Any]) -> None:
    """Wait for the first byte, or the end. A request without a body is from then on as any. Raises
    `Busy`."""
    environ["gateway.admission"]()  # who has a place is watched while nothing comes
    source = environ["wsgi.input"]
    first = source.read(1)
    if first:
        environ["wsgi.input"] = _Begun(first, source)
    else:
        del environ["HTTP_TRANSFER_ENCODING"]


class _Begun:
    """`wsgi.input` of which something was read."""

    def __init__(self, first: bytes, source: Any) -> None:
        self._first, self._source = first, source

    def read(self, size: int = -1) -> bytes:
        first = self._take(size)
        if not first:
            return bytes(self._source.read(size))
        return first + bytes(self._source.read(size - len(first) if size > 0 else -1))

    def readline(self, size: int = -1) -> bytes:
        first = self._take(size)
        if not first or first == b"\n" or size == 1:
            return first or bytes(self._source.readline(size))
        return first + bytes(self._source.readline(size - 1 if size > 0 else -1))

    def _take(self, size: int) -> bytes:
        first, self._first = (self._first, b"") if size else (b"", self._first)
        return first

    def close(self) -> None:
        self._source.close()
