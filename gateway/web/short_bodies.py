"""A request's body that is short enough to be held whole: a document, a form's fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.storage import Intake, InvalidRequest, Readable, TooLarge
from gateway.web.http_fields import content_length, content_md5


def receive(environ: Mapping[str, Any], limit: int) -> bytes:
    """Call it for who may do what the body is for: it takes the request's place among those
    that may hold a thread while they read. Raises `InvalidRequest` (`TooLarge`,
    `IncompleteBody`, `BadDigest`) and `Busy`."""
    try:
        size, digests = content_length(environ), content_md5(environ)
    except ValueError as error:
        raise InvalidRequest(str(error)) from None
    if size is None and "HTTP_TRANSFER_ENCODING" not in environ:
        size = 0
    if size is not None and size > limit:
        raise TooLarge(limit=limit, size=size)
    if size == 0:
        return b""
    if (admit := environ.get("gateway.admission")) is not None:
        admit()
    return _whole(environ["wsgi.input"], size, limit, digests)


def _whole(source: Readable, size: int | None, limit: int, digests: Mapping[str, str]) -> bytes:
    """A chunked one does not say its size, and is read as far as it may be long."""
    intake = Intake(source, size=size, digests=digests, md5=False)
    pieces, received = [], 0
    while piece := intake.read():
        received += len(piece)
        if received > limit:
            raise TooLarge(limit=limit)
        pieces.append(piece)
    return b"".join(pieces)
