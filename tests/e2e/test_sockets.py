"""Clients that die in the middle of a request, or get their answer before its end."""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError

from tests.e2e.conftest import SECRET, Running
from tests.e2e.raw import (
    KIB,
    MIB,
    chunk,
    chunked_headers,
    connect,
    eventually,
    everything,
    head,
    log_of,
    signed,
    statuses,
    until_head,
)

# clients that die


def plain_half(gateway: Running, target: str, size: int) -> bytes:
    headers = signed(gateway.url, "PUT", target, {"Content-Length": str(size)})
    return head("PUT", target, headers) + b"x" * (size // 2)


def chunked_cut(gateway: Running, target: str, size: int, cut: Callable[[bytes], int]) -> bytes:
    halves = chunk(b"x" * (size // 2)) + chunk(b"y" * (size - size // 2))
    whole = halves + b"0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"
    headers = chunked_headers(gateway, target, size, len(whole))
    return head("PUT", target, headers) + whole[: cut(whole)]


DEATHS: dict[str, Callable[[Running, str, int], bytes]] = {
    "plain": plain_half,
    "in a chunk": lambda gateway, target, size: chunked_cut(
        gateway, target, size, lambda whole: len(whole) // 4
    ),
    "between chunks": lambda gateway, target, size: chunked_cut(
        gateway, target, size, lambda whole: whole.index(b"\r\nx") + 4 + size // 2
    ),
    "before the trailer": lambda gateway, target, size: chunked_cut(
        gateway, target, size, lambda whole: whole.index(b"x-amz-checksum")
    ),
}


@pytest.mark.parametrize("abrupt", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("size", [20 * KIB, 2 * MIB])
@pytest.mark.parametrize("death", DEATHS)
def test_what_a_dying_client_left_is_not_stored(
    gateway: Running, bucket: str, death: str, size: int, abrupt: bool
) -> None:
    client = gateway.client()
    client.put_object(Bucket=bucket, Key="old", Body=b"older object")
    for key in ("new", "old"):
        target = f"/{bucket}/{key}"
        before = seen(gateway, target)
        connection = connect(gateway)
        connection.sendall(DEATHS[death](gateway, target, size))
        if abrupt:
            linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        else:
            connection.shutdown(socket.SHUT_WR)
            answered = everything(connection)
            assert all(400 <= status < 500 for status in statuses(answered)), answered
        connection.close()
        if "granian" in str(gateway.process.args):  # waitress drops it before it is a request
            until_seen(gateway, target, before + 1)
    with pytest.raises(ClientError, match="404"):
        client.head_object(Bucket=bucket, Key="new")
    assert client.get_object(Bucket=bucket, Key="old")["Body"].read() == b"older object"
    assert "Traceback" not in log_of(gateway)


def seen(gateway: Running, target: str) -> int:
    """Requests to put there that are over, as the access log tells."""
    return log_of(gateway).count(f" PUT {target} ")


def until_seen(gateway: Running, target: str, times: int) -> None:
    eventually(lambda: seen(gateway, target) >= times, f"{times} × {target} in the log")


# answers that come before the body was read


@pytest.mark.parametrize("expect", [False, True], ids=["sent at once", "100-continue"])
@pytest.mark.parametrize("secret", [SECRET, "wrong"], ids=["no such bucket", "wrong secret"])
def test_an_early_error_does_not_leave_a_client_hanging(
    gateway: Running, secret: str, expect: bool
) -> None:
    """The connection is closed, or takes the next request."""
    target, size = "/no-such-bucket/k", 8 * MIB
    more = {"Content-Length": str(size)} | ({"Expect": "100-continue"} if expect else {})
    headers = signed(gateway.url, "PUT", target, more, secret=secret)
    with connect(gateway) as connection:
        connection.sendall(head("PUT", target, headers))
        first = until_head(connection) if expect else b""
        if not expect or statuses(first) == [100]:
            try:
                connection.sendall(bytes(size))
            except ConnectionError:
                return  # closed while we were sending
            first = until_head(connection)
        elif expect:  # what comes next would be taken for the body
            assert b"\r\nconnection: close\r\n" in first.lower()
        assert statuses(first) in ([403], [404], []), first
        try:
            connection.sendall(head("GET", "/-/health/live", {"Host": "x", "Connection": "close"}))
        except ConnectionError:
            return
        assert set(statuses(everything(connection))) <= {200}
