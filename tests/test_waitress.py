"""What is particular to waitress, over real sockets: files that the system sends, requests that
come in a row, and what a small answer costs."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.test_servers import Running, connect, get, receive, running

pytestmark = pytest.mark.usefixtures("sockets", "processes")
BOTH = pytest.mark.parametrize("kind", ["granian", "waitress"])
ROUNDS = 200


@BOTH
def test_a_file_is_sent_whole_and_one_that_is_shorter_than_said_is_not_taken_for_whole(
    kind: str, tmp_path: Path
) -> None:
    data = os.urandom((3 << 20) + 12_345)
    path = tmp_path / "file"
    path.write_bytes(data)
    with running(kind) as server, closing(connect(server.port)) as connection:
        for size in (len(data), 100_000, 1 << 20, 300):
            connection.sendall(f"GET /k?file={path},{size} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            answer = receive(connection)
            assert answer.complete
            assert answer.body == data[:size]
        connection.sendall(b"GET /k?file=%s,9999999 HTTP/1.1\r\nHost: a\r\n\r\n" % bytes(path))
        answer = receive(connection)
        assert not answer.complete
        assert data.startswith(answer.body)
        assert get(server.port, "/n").status == 200


def test_requests_in_a_row_are_answered_in_their_order() -> None:
    with running("waitress") as server, closing(connect(server.port)) as connection:
        body = b"x" * 100_000
        upload = b"PUT /%d?read HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + body
        asked = b"".join(
            (b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" if number % 3 else upload) % number
            for number in range(9)
        )
        connection.sendall(asked)
        seen = b""
        while seen.count(b"HTTP/1.1 200") < 9 or not seen.endswith(b"/8"):
            piece = connection.recv(1 << 16)
            assert piece
            seen += piece
        places = [seen.index(b"GET /%d" % number) for number in range(9) if number % 3]
        assert places == sorted(places)
        assert seen.count(b"\r\n\r\n100000") == 3


@pytest.mark.skipif(sys.platform != "linux", reason="its /proc")
def test_a_small_answer_wakes_nobody_but_who_waits_for_it() -> None:
    """One switch for each is the wait for the next; waitress's own loop took ten."""
    with running("waitress") as server, closing(connect(server.port)) as connection:
        threads: set[str] = set()
        for round_ in range(2):
            before = _switches(server)
            for _ in range(ROUNDS):
                connection.sendall(b"GET /k HTTP/1.1\r\nHost: a\r\n\r\n")
                assert receive(connection).status == 200
            if round_:
                after = _switches(server)
                assert sum(after.values()) - sum(before.values()) < 3 * ROUNDS
                threads = {one for one in after if after[one] - before.get(one, 0) > ROUNDS / 2}
        assert len(threads) <= 1


def _switches(server: Running) -> dict[str, int]:
    """Of each thread, those that it asked for."""
    found = {}
    for task in Path(f"/proc/{server.process.pid}/task").iterdir():
        lines = (task / "status").read_text().splitlines()
        line = next(one for one in lines if one.startswith("voluntary_ctxt_switches"))
        found[task.name] = int(line.split()[1])
    return found
