"""A body takes its place among those that may hold a thread before it is read."""

from __future__ import annotations

import io

import pytest

from gateway.modes import Settings
from gateway.modes.s3 import bodies
from gateway.modes.s3.auth import UNSIGNED_CHUNKS_TRAILER, Authenticated
from gateway.modes.s3.request import Request
from tests.modes.s3_gateway import SmallGateway


@pytest.mark.parametrize(
    ("payload", "length", "decoded", "places"),
    [("", "5", "", 1), ("", "0", "", 0), (UNSIGNED_CHUNKS_TRAILER, "5000", "0", 1)],
)
def test_what_has_bytes_to_be_read_asks_for_a_place(
    payload: str, length: str, decoded: str, places: int
) -> None:
    asked: list[bool] = []
    environ = {
        "REQUEST_METHOD": "PUT",
        "PATH_INFO": "/bucket/key",
        "CONTENT_LENGTH": length,
        "HTTP_X_AMZ_DECODED_CONTENT_LENGTH": decoded,
        "wsgi.input": io.BytesIO(),
        "gateway.admission": lambda: asked.append(True),
    }
    request = Request(environ, SmallGateway(Settings()))
    request.authenticated = Authenticated(payload=payload)
    bodies.receive(request)
    assert len(asked) == places
