"""Answers that are to be sent no faster than their binding or their link allows."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.modes.public.request import Asked
from gateway.storage import BytesBody
from gateway.web.rates import SLOWEST, Rate, bytes_of
from gateway.web.replies import Reply


def of_link(values: Mapping[str, str]) -> Rate | None:
    """None where a link says nothing of it. Raises `ValueError`."""
    speed, free = (bytes_of(values.get(name) or "0") for name in ("cdn_bw", "cdn_bw_fs"))
    if speed is None or free is None:
        raise ValueError("no number of bytes")
    return Rate(max(speed, SLOWEST), free) if speed else None


def limited(reply: Reply, rate: Rate, asked: Asked) -> bool:
    """Whether it takes a place among those who wait for their bytes. Raises `Busy`."""
    body, length = reply.body, reply.length
    if isinstance(body, bytes):
        length = len(body)
    if (length is not None and length <= rate.at_once) or asked.method == "HEAD":
        return False
    if isinstance(body, bytes):
        reply.body, reply.length = BytesBody(body), length
    asked.environ["gateway.admission"](answer=True, rate=rate)
    return True
