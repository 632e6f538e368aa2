"""How long the `s3` driver waits, and how many wait: an upstream that is slow, silent or gone
takes a bounded time of a bounded part of the threads."""

from __future__ import annotations

import errno
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from drivers.s3 import S3, writing
from drivers.s3.credentials import FoundKeys
from gateway.common.upstream.dialing import Address, Names, Place, connected
from gateway.common.upstream.pool import Limits, NotConnected, Pool
from gateway.storage import (
    Busy,
    BytesBody,
    Context,
    Full,
    OriginFailed,
    Put,
    Secret,
    StorageError,
    Threads,
    TimedOut,
    pieces,
)
from gateway.testing.faults import PATIENCE, Generated, Watched, noise
from gateway.testing.upstreams import Act, Exchange, Upstream, answer, head, md5, refuse, stall

LARGE = noise(700_000)
Make = Callable[..., S3]


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def make(upstream: Upstream) -> Iterator[Make]:
    with ExitStack() as opened:

        def make(*, threads: int = 0, **options: Any) -> S3:
            store = S3(
                bucket="bkt",
                endpoint_url=upstream.url,
                access_key=Secret("key"),
                secret_key=Secret("secret"),
                **{"retries": 0, **options},
            )
            store.open(Context(threads=Threads(threads)))
            opened.callback(store.close)
            return store

        yield make


def read(store: S3) -> bytes:
    with store.get("k") as opened:
        return b"".join(pieces(opened.body))


def until(true: Callable[[], bool]) -> None:
    for _ in range(int(PATIENCE / 0.01)):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come to that")


class Held(Watched):
    """All of it but the end, which comes when `go` is set."""

    def __init__(self, data: bytes, go: threading.Event) -> None:
        super().__init__(data)
        self._go = go

    def read(self, size: int = 1 << 18, /) -> bytes:
        piece = super().read(size)
        if not piece:
            self._go.wait(PATIENCE)
        return piece


# places: who waits for an answer


def test_bodies_that_come_slowly_hold_no_place_that_others_need(
    upstream: Upstream, make: Make
) -> None:
    store, go = make(waiting=2), threading.Event()
    upstream.objects["/bkt/k"] = b"data"

    def put(number: int) -> str:
        source = Held(LARGE, go)
        return store.put(f"slow {number}", source, Put(size=len(LARGE))).etag

    with ThreadPoolExecutor(5) as pool:
        try:
            slow = [pool.submit(put, number) for number in range(5)]
            until(lambda: store.client.pool._streams == 5 and store.client.pool._waiting == 0)
            for _ in range(10):
                assert read(store) == b"data"
        finally:
            go.set()
        assert [one.result() for one in slow] == [md5(LARGE)] * 5
    assert store.client.pool._waiting == store.client.pool._streams == 0


def test_but_no_more_of_them_than_leave_connections_to_others(
    upstream: Upstream, make: Make
) -> None:
    store, go = make(connections=4, queue_timeout=0.01), threading.Event()
    upstream.objects["/bkt/k"] = b"data"

    def put(number: int) -> None:
        store.put(f"slow {number}", Held(LARGE, go), Put(size=len(LARGE)))

    with ThreadPoolExecutor(3) as pool:
        try:
            slow = [pool.submit(put, number) for number in range(3)]
            until(lambda: store.client.pool._streams == 3)
            with pytest.raises(Busy):
                put(3)
            assert read(store) == b"data"
        finally:
            go.set()
        for one in slow:
            one.result()


def test_who_waits_for_the_rest_of_a_small_answer_has_a_place(
    upstream: Upstream, make: Make
) -> None:
    store, sent = make(waiting=1, queue_timeout=0.01, read_timeout=60), threading.Event()

    def act(exchange: Exchange) -> None:
        exchange.send(head(200, {"Content-Length": 10, "ETag": '"e"'}) + b"01234")
        sent.set()
        exchange.upstream.ended.wait(PATIENCE)
        exchange.close()

    upstream.always(act)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(read, store)
        assert sent.wait(PATIENCE)
        with pytest.raises(Busy):
            read(store)
        upstream.ended.set()
        with pytest.raises((OriginFailed, TimedOut)):
            slow.result()


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> tuple[Pool, Clock]:
    """Two may wait. Nobody connects, and no time goes by but the clock's."""
    clock = Clock()
    made = Pool(Limits(waiting=2, queue_timeout=1.0), ssl.create_default_context, clock=clock)

    def wait(seconds: float) -> bool:
        clock.now += seconds
        return False

    monkeypatch.setattr(made._condition, "wait", wait)
    monkeypatch.setattr(made, "_connect", lambda place, seconds: FakeConnection(place))
    return made, clock


class FakeConnection:
    fresh, rest, idle_since = True, b"", 0.0

    def __init__(self, place: Place) -> None:
        self.place, self.waits, self.streams = place, False, False

    def close(self) -> None:
        """Nothing is open."""

    def stale(self) -> bool:
        return False


HERE = Place("127.0.0.1", 80, False)


def test_nobody_waits_behind_those_who_give_up(pool: tuple[Pool, Clock]) -> None:
    """Each time-out let all others wait once more: so a hanging upstream held every thread."""
    here, clock = pool
    held = [here.take(HERE), here.take(HERE)]
    with pytest.raises(Busy):
        here.take(HERE)
    assert clock.now == 1001, "as long as an answer may come"
    clock.now += 10
    for _ in range(2):  # one gives up, and another takes its place
        before = clock.now
        with pytest.raises(Busy):
            here.take(HERE)
        here.failed(held.pop(), TimedOut())
        held.append(here.take(HERE))
        with pytest.raises(Busy):
            here.take(HERE)
        assert clock.now == before, "nobody waited"
    here.answered(held[0])
    here.take(HERE)
    with pytest.raises(Busy):
        here.take(HERE)
    assert clock.now > before, "it answers again"


def test_whoever_waits_too_many_waits_a_moment_only(pool: tuple[Pool, Clock]) -> None:
    here, clock = pool
    here.take(HERE)
    here.take(HERE)
    with pytest.raises(Busy):
        here.take(HERE, brief=True)
    assert clock.now < 1000.1


def test_closing_wakes_who_waits(pool: tuple[Pool, Clock]) -> None:
    here, clock = pool
    here.take(HERE)
    here.take(HERE)
    here.close()
    with pytest.raises(Busy):
        here.take(HERE)
    assert clock.now == 1000


def test_an_upload_does_not_keep_others_from_seeing_whether_an_upstream_is_back(
    pool: tuple[Pool, Clock],
) -> None:
    here, _ = pool
    for _ in range(3):
        here.failed(here.take(HERE), TimedOut())
    upload = here.take(HERE, streams=True)
    with pytest.raises(OriginFailed, match="does not answer"):
        here.take(HERE)
    here.pause()
    here.done(here.take(HERE), keeps=False)
    here.resume()
    here.done(upload, keeps=False)
    assert here._waiting == here._streams == here._open == 0


# threads


def test_one_upstream_has_a_share_of_the_threads_and_all_have_not_all() -> None:
    threads = Threads(16)
    one, other = threads.part(), threads.part()
    assert [one.take() for _ in range(13)] == [True] * 12 + [False]
    assert other.take(), "another has its own share"
    with pytest.raises(Busy) as busy:
        other.take()
    assert busy.value.retry_after == 1
    one.give()
    assert other.take()


def test_threads_that_serve_nobody_are_not_counted() -> None:
    threads = Threads(1)
    part = threads.part()

    def helper() -> list[bool]:
        threads.step_out()
        found = [part.take() for _ in range(5)]
        part.give()
        return found

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(helper).result() == [True] * 5
    assert part.take()
    with pytest.raises(Busy):
        part.take()


@pytest.mark.parametrize("serving", [0, 1, 2, 3, 4, 16, 32, 256])
def test_there_is_always_one_place(serving: int) -> None:
    threads = Threads(serving)
    assert 1 <= threads.share <= threads.most
    assert serving < 2 or threads.most < serving or not serving


def test_a_request_beyond_the_share_does_not_wait_between_tries(
    upstream: Upstream, make: Make
) -> None:
    store = make(threads=16, retries=5)
    upstream.always(refuse(503, "SlowDown", {"Retry-After": 2}))
    part = store.client.pool.part
    for _ in range(12):
        part.take()
    with pytest.raises(Busy):
        read(store)
    assert len(upstream.requests) == 1
    for _ in range(2):
        part.take()
    with pytest.raises(Busy):
        read(store)
    assert len(upstream.requests) == 1, "it was refused here"
    for _ in range(14):
        part.give()
    assert part.take()


# time


def trickling(data: bytes, each: float = 0.05) -> Act:
    """A byte at a time for ten seconds, then the rest."""

    def act(exchange: Exchange) -> None:
        count = int(10 / each)
        for at in range(count):
            exchange.send(data[at : at + 1])
            if exchange.upstream.ended.wait(each):
                return
        exchange.send(data[count:])

    return act


SMALL = head(200, {"Content-Length": 100, "ETag": '"e"'})


@pytest.mark.parametrize(
    ("data", "each"),
    [
        (head(200, {"X": "x" * 5000, "Content-Length": 4, "ETag": '"e"'}) + b"data", 0.005),
        (b"HTTP/1.1 103 Early\r\n\r\n" * 9 + head(200, {"Content-Length": 0}), 0.05),
    ],
    ids=["head", "1xx"],
)
def test_an_answer_that_trickles_is_waited_for_as_long_as_any(
    upstream: Upstream, make: Make, data: bytes, each: float
) -> None:
    upstream.always(trickling(data, each))
    with pytest.raises(TimedOut):
        read(make(timeout=0.4, read_timeout=60))


def test_so_is_a_small_body(upstream: Upstream, make: Make) -> None:
    def act(exchange: Exchange) -> None:
        exchange.send(SMALL)
        trickling(b"x" * 100)(exchange)

    upstream.always(act)
    with pytest.raises(TimedOut):
        read(make(timeout=0.4, read_timeout=60))


def test_a_large_body_has_only_to_move(upstream: Upstream, make: Make) -> None:
    def act(exchange: Exchange) -> None:
        exchange.send(head(200, {"Content-Length": len(LARGE), "ETag": '"e"'}))
        for at in range(0, len(LARGE), 70_000):
            exchange.upstream.ended.wait(0.06)
            exchange.send(LARGE[at : at + 70_000])

    upstream.always(act)
    assert read(make(timeout=0.3, read_timeout=60)) == LARGE


def test_an_upload_may_take_longer_than_any_answer(upstream: Upstream, make: Make) -> None:
    class Slow(BytesBody):
        def read(self, size: int = 70_000, /) -> bytes:
            upstream.ended.wait(0.06)
            return super().read(min(size, 70_000))

    store = make(timeout=0.3, read_timeout=60)
    assert store.put("k", Slow(LARGE), Put(size=len(LARGE))).etag == md5(LARGE)


def test_nor_is_an_upload_due_that_its_upstream_takes_slowly(
    upstream: Upstream, make: Make
) -> None:
    def take(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as received:
            length = 0
            while (line := received.readline().lower()) != b"\r\n":
                length = int(line[15:]) if line.startswith(b"content-length:") else length
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            upstream.ended.wait(0.6)
            received.read(length)
            connection.sendall(head(200, {"ETag": '"x"', "Content-Length": 0}))

    with socket.create_server(("127.0.0.1", 0)) as slow, ThreadPoolExecutor(1) as pool:
        upstream.url = f"http://127.0.0.1:{slow.getsockname()[1]}"
        taking = pool.submit(take, slow)
        store = make(timeout=0.2, read_timeout=60)
        assert store.put("k", Generated(16 << 20), Put(size=16 << 20)).etag == "x"
        taking.result()


def test_an_upstream_that_takes_nothing_is_given_up(make: Make, upstream: Upstream) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        upstream.url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        store = make(timeout=60, read_timeout=0.3)
        with pytest.raises(TimedOut):
            store.put("k", Generated(16 << 20), Put(size=16 << 20))


# connections


def test_a_resolver_that_is_silent_is_not_waited_for_and_asked_once() -> None:
    asked, go = [], threading.Event()

    def look(host: str, port: int, **_: Any) -> list[Address]:
        asked.append(host)
        go.wait(PATIENCE)
        return socket.getaddrinfo("127.0.0.1", port, type=socket.SOCK_STREAM)

    names = Names(look)
    for _ in range(3):
        with pytest.raises(TimedOut, match=r"slow\.example"):
            names.addresses("slow.example", 80, time.monotonic() + 0.05)
    assert asked == ["slow.example"]
    go.set()
    assert names.addresses("slow.example", 80, time.monotonic() + PATIENCE)


def test_a_name_with_nothing_behind_it_is_OriginFailed() -> None:
    def look(*_: Any, **__: Any) -> list[Address]:
        raise socket.gaierror(socket.EAI_NONAME, "nobody knows it")

    with pytest.raises(OriginFailed, match="does not resolve: nobody knows it"):
        Names(look).addresses("no.example", 80, time.monotonic() + PATIENCE)


@pytest.mark.skipif(sys.platform != "linux", reason="a full queue drops connections there")
def test_of_several_addresses_each_has_its_part_of_the_time(upstream: Upstream) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, ExitStack() as stack:
        silent = full.getsockname()
        for _ in range(4):  # until nobody is let in
            one = stack.enter_context(socket.socket())
            one.settimeout(0.1)
            one.connect_ex(silent)

        def look(*_: Any, **__: Any) -> list[Address]:
            kind = (socket.AF_INET, socket.SOCK_STREAM, 0, "")
            return [(*kind, silent), (*kind, silent), (*kind, ("127.0.0.1", upstream.port))]

        place = Place("several.example", 80, False)
        with connected(place, None, Names(look), 1.5) as reached:
            assert reached.getpeername()[1] == upstream.port
        with pytest.raises(TimedOut, match=r"within 0\.2 s"):
            connected(place, None, Names(lambda *_, **__: look()[:2]), 0.2)


def test_TLS_that_does_not_come_about_is_TimedOut() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = Place("127.0.0.1", silent.getsockname()[1], True)
        with pytest.raises(TimedOut, match="TLS"):
            connected(place, ssl.create_default_context(), Names(), 0.2)


def test_no_sockets_left_is_no_failure_of_the_upstream(
    upstream: Upstream, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make()

    def none(*_: Any) -> socket.socket:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("gateway.common.upstream.dialing.socket.socket", none)
    with pytest.raises(Busy, match="Too many open files"):
        read(store)


# keys


class Keyless:
    """Looks for keys of which each waits for its own `go`."""

    def __init__(self) -> None:
        self.looks: list[threading.Event] = []

    def find(self) -> Any:
        go = threading.Event()
        self.looks.append(go)
        go.wait(PATIENCE)
        raise OriginFailed("none")


def test_a_look_for_keys_that_does_not_end_is_given_up() -> None:
    clock, site = Clock(), Keyless()
    keys = FoundKeys(site.find, 0, clock)
    try:
        for number in range(1, 6):
            clock.now += 1
            with pytest.raises(Busy):
                keys.current()
            until(lambda number=number: len(site.looks) == min(number, 4))  # type: ignore[misc]  # a default
            clock.now += 400
        site.looks[0].set()  # an early one says at last that there are none
        until(lambda: keys._lost == 2)
        with pytest.raises(Busy):
            keys.current()
    finally:
        for one in site.looks:
            one.set()


def test_no_thread_to_look_with_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    keys = FoundKeys(Keyless().find, 60)
    monkeypatch.setattr(threading.Thread, "start", none)
    with pytest.raises(OriginFailed):
        keys.current()


# what the system refuses


def test_a_body_that_breaks_is_an_error_of_the_tree(upstream: Upstream, make: Make) -> None:
    def act(exchange: Exchange) -> None:
        exchange.send(head(200, {"Content-Length": len(LARGE), "ETag": '"e"'}) + LARGE[:1000])
        exchange.reset()

    upstream.always(act)
    with pytest.raises(OriginFailed):
        read(make())


@pytest.mark.parametrize("error", [ssl.SSLError(1, "bad record"), OSError(errno.EIO, "x")])
def test_so_is_whatever_a_socket_raises(
    upstream: Upstream, make: Make, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.always(stall(LARGE, 1000))
    store = make()
    with store.get("k") as opened:
        connection = opened.body._connection  # type: ignore[attr-defined]  # a Body

        class Broken:
            def recv(self, _: int) -> bytes:
                raise error

            def close(self) -> None:
                socket_.close()

        socket_, connection._socket = connection._socket, Broken()
        with pytest.raises(StorageError):
            list(pieces(opened.body))


def test_a_full_disk_under_a_body_of_unknown_length_is_Full(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writing, "TemporaryFile", full)
    with pytest.raises(Full):
        make().put("k", BytesBody(b"data"))


def test_a_place_that_is_not_there_costs_no_place(upstream: Upstream) -> None:
    pool = Pool(Limits(), ssl.create_default_context)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for _ in range(2):
        with pytest.raises(NotConnected):
            pool.take(Place("127.0.0.1", port, False))
    assert pool._open == pool._waiting == 0


def test_answer_is_still_one(upstream: Upstream, make: Make) -> None:
    upstream.always(answer(200, b"x", {"ETag": '"e"'}))
    assert read(make(threads=4)) == b"x"
