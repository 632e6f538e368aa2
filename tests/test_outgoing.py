"""What waits to be sent on waitress's connections."""

from __future__ import annotations

import socket
from types import SimpleNamespace

import pytest
from waitress.adjustments import Adjustments

from gateway.servers.outgoing import Outgoing
from gateway.servers.waitress_inside import Channel

PIECES = [bytes([number]) * 10_000 for number in range(5)]


@pytest.mark.parametrize("taken", [99, 7000, 10_000, 50_000])
def test_pieces_are_sent_in_order_however_much_of_them_is_taken(taken: int) -> None:
    outgoing, sent = Outgoing(), b""
    for piece in PIECES:
        outgoing.append(piece)
    while len(outgoing):
        some = bytes(outgoing.get(9000)[:taken])
        assert 0 < len(some) <= 9000
        outgoing.skip(len(some), True)
        sent += some
        assert len(outgoing) + len(sent) == 50_000
    assert sent == b"".join(PIECES)


@pytest.mark.usefixtures("sockets")
def test_nothing_of_an_answer_is_copied_on_its_way_to_the_socket() -> None:
    loop = SimpleNamespace(add=lambda _: None, remove=lambda _: None)
    server = SimpleNamespace(active_channels={}, loop=loop, pull_trigger=lambda: None)
    adjustments = Adjustments(outbuf_high_watermark=20_000)
    given: list[object] = []

    class Noting(Channel):
        def send(self, data: memoryview, do_close: bool = True) -> int:
            given.append(getattr(data, "obj", data))
            return super().send(data, do_close)

    here, there = socket.socketpair()
    with here, there:
        channel = Noting(server, here, ("127.0.0.1", 1), adjustments, map={})
        for _ in range(2):
            for piece in PIECES:
                channel.write_soon(piece)
                assert there.recv(len(piece), socket.MSG_WAITALL) == piece
            channel.current_outbuf_count = adjustments.outbuf_high_watermark  # between answers
        channel.handle_close()
    assert [id(one) for one in given] == [id(one) for one in PIECES * 2]
