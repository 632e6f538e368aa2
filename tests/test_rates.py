"""Rates of answers: how many bytes there are at each moment; and on both servers, that who waits
for them keeps no thread from others."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.servers.tls_socket import RECORD
from gateway.storage import Busy
from gateway.testing.certificates import certificate
from gateway.web.admission import Admission, Need
from gateway.web.rates import SLOWEST, Bucket, Paced, Rate, bytes_of
from tests.test_servers import connect, eventually, get, receive, running
from tests.tiny_mode import PIECE


def test_bytes_as_nginx_writes_them() -> None:
    for text, size in (("75000", 75_000), ("228k", 228 << 10), ("2M", 2 << 20), ("0", 0)):
        assert bytes_of(text) == size
    for text in ("", "k", "-1", "1.5m", "1g", "1kb", "٣", " 1", "1" * 16):
        assert bytes_of(text) is None, text


@given(
    rate=st.builds(Rate, st.integers(1, 1 << 20), st.integers(0, 1 << 20)),
    steps=st.lists(st.tuples(st.floats(0, 10), st.integers(0, 1 << 21))),
)
def test_no_more_is_taken_than_the_rate_allows(rate: Rate, steps: list[tuple[float, int]]) -> None:
    now, taken = 0.0, 0
    bucket = Bucket(rate, lambda: now)
    for seconds, most in steps:
        now += seconds
        got = bucket.take(most)
        taken += got
        assert 0 <= got <= most
        assert taken <= rate.at_once + rate.per_second * now + 1


@given(
    rate=st.builds(Rate, st.integers(SLOWEST, 1 << 20), st.integers(0, 1 << 18)),
    pieces=st.lists(st.integers(0, 1 << 16), max_size=20),
)
def test_a_paced_body_is_whole_and_takes_its_time_and_no_more(
    rate: Rate, pieces: list[int]
) -> None:
    now = [0.0]
    whole = [bytes([number]) * size for number, size in enumerate(pieces)]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    body = Paced(whole, Bucket(rate, lambda: now[0]), sleep)
    got = list(body)
    assert b"".join(got) == b"".join(whole)
    assert all(got)
    over = max(0, sum(pieces) - rate.at_once)
    assert now[0] * rate.per_second == pytest.approx(over, abs=rate.per_second + 1)
    assert now[0] * rate.per_second >= over - len(got) - 1


def test_an_answer_with_a_rate_has_places_among_those_who_wait_or_none() -> None:
    admission = Admission(32)
    limit = admission.limits[Need.WAIT]
    for client in range(limit):
        admission.take(f"192.0.2.{client}", Need.WAIT)
    with pytest.raises(Busy):
        admission.take("198.51.100.1", Need.WAIT)
    admission.take("198.51.100.1", Need.LARGE)
    assert limit <= 32 // 2


# on servers

BOTH = pytest.mark.parametrize("kind", ["granian", "waitress"])
NEEDS = pytest.mark.usefixtures("sockets", "processes")
RATE = 4 * len(PIECE)


@BOTH
@NEEDS
def test_an_answer_is_no_faster_than_its_rate_and_the_next_one_is(kind: str) -> None:
    with running(kind) as server, closing(connect(server.port)) as connection:
        began = time.monotonic()
        connection.sendall(f"GET /k?limit={RATE},8 HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        assert receive(connection).body == PIECE * 8
        assert time.monotonic() - began > 0.9  # what comes behind the first second's
        began = time.monotonic()
        connection.sendall(b"GET /k?stream=100 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert receive(connection).body == PIECE * 100
        assert time.monotonic() - began < 20  # 24 at that rate


@NEEDS
def test_on_waitress_nobody_who_waits_for_bytes_holds_a_thread(tmp_path: Path) -> None:
    notes = [tmp_path / str(number) for number in range(20)]
    with running("waitress") as server:  # 6 threads
        slow = [connect(server.port) for _ in notes]
        for connection, note in zip(slow, notes, strict=True):
            head = f"GET /k?limit={RATE},1000 HTTP/1.1\r\nHost: a\r\nX-Tiny-Note: {note}\r\n\r\n"
            connection.sendall(head.encode())
        assert [connection.recv(12)[9:] for connection in slow] == [b"200"] * 20
        assert get(server.port, "/n").status == 200
        assert get(server.port, "/k?stream=100").body == PIECE * 100
        assert not any(note.exists() for note in notes)
        for connection in slow:
            connection.close()
        assert eventually(lambda: all(note.exists() for note in notes))  # its body was closed
        assert get(server.port, "/n").status == 200


@NEEDS
def test_on_granian_those_who_wait_for_bytes_hold_a_part_of_the_threads() -> None:
    with running("granian") as server:
        slow = [connect(server.port) for _ in range(12)]
        for connection in slow:
            connection.sendall(f"GET /k?limit={RATE},1000 HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        statuses = [connection.recv(12)[9:] for connection in slow]
        assert statuses.count(b"200") == 2  # of 6 threads 4 may be held, half of them so
        assert statuses.count(b"503") == 10
        assert get(server.port, "/n").status == 200
        for connection in slow:
            connection.close()

        def goes_on() -> bool:
            return get(server.port, f"/k?limit={RATE},1").status == 200

        assert eventually(goes_on)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("tls")
    pem, key = certificate(folder, "localhost")
    pem.rename(folder / "cert.pem")
    key.rename(folder / "key.pem")
    yield folder


@NEEDS
def test_a_rate_counts_within_tls(folder: Path) -> None:
    """A record that the kernel has not taken is given to TLS again as it was."""
    context = ssl.create_default_context(cafile=str(folder / "cert.pem"))
    with (
        running("waitress", "1", "", str(folder)) as server,
        context.wrap_socket(connect(server.port), server_hostname="localhost") as connection,
    ):
        began = time.monotonic()
        head = f"GET /k?limit={25 * len(PIECE)},40 HTTP/1.1\r\nHost: a\r\n\r\n"
        connection.sendall(head.encode())
        time.sleep(0.3)  # meanwhile the kernel's buffers are full
        body, records, size = bytearray(), 0, 40 * len(PIECE)
        while len(body.partition(b"\r\n\r\n")[2]) < size and records < 3 * size / RECORD:
            body += connection.recv(65536)
            records += 1  # of which there are few: no crumbs
        assert body.endswith(PIECE * 40)
        assert time.monotonic() - began > 0.5
