"""Followers: one worker at a time, woken by commits, each at its own pace."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from drivers.indexed.store import IndexedStore
from drivers.local import Local
from drivers.memory import Memory
from gateway.background import followers
from gateway.background.cursors import FILE
from gateway.background.followers import Following, delay
from gateway.services.behind import Behind, OwnFollowers
from gateway.storage import (
    Busy,
    BytesBody,
    ChangePage,
    Changes,
    Context,
    Delivery,
    NoSuchStore,
    Put,
    Shared,
)
from gateway.storage.objects import now
from gateway.telemetry.metrics import Metrics
from gateway.testing import Server
from tests.background.feeds import PATIENCE, Feed, Target

Start = Callable[..., Following]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Workers on a folder, which try again at once unless it says when."""
    monkeypatch.setattr(followers, "LOOK", 0.02)
    opened: list[Following] = []

    def start(folder: Path | None = None, **options: object) -> Following:
        options = {"delay": lambda failures: 0.0, **options}
        opened.append(Following(folder, now, **options))  # type: ignore[arg-type]
        opened[-1].start()
        return opened[-1]

    yield start
    for one in opened:
        one.stop()


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("watched", [True, False])
def test_all_changes_are_handed_in_order(
    start: Start, tmp_path: Path, kept: bool, watched: bool
) -> None:
    feed, target = Feed(watched=watched), Target()
    feed.add(3)
    start(tmp_path if kept else None).follow("f", feed, target)
    target.await_(lambda one: len(one.numbers) == 3)
    for _ in range(50):
        feed.add(3)
    target.await_(lambda one: len(one.numbers) == 153)
    assert target.numbers == list(range(1, 154))
    assert not any(repeated for _, repeated in target.taken)
    assert (tmp_path / FILE).exists() is kept


def test_what_was_handled_is_known_after_a_restart(start: Start, tmp_path: Path) -> None:
    feed, target = Feed(), Target()
    feed.add(3)
    for expected in (3, 5):
        worker = start(tmp_path)
        worker.follow("f", feed, target)
        target.await_(lambda one, expected=expected: len(one.numbers) == expected)  # type: ignore[misc]
        worker.stop()
        feed.add(2)
    assert target.taken == [([1, 2, 3], False), ([4, 5], False)]


def test_one_worker_follows_and_another_takes_over_when_it_ends(
    start: Start, tmp_path: Path
) -> None:
    feed, targets = Feed(), [Target(), Target()]
    first, second = start(tmp_path), start(tmp_path)
    first.follow("f", feed, targets[0])
    feed.add()
    targets[0].await_(lambda one: one.numbers == [1])
    second.follow("f", feed, targets[1])
    feed.add(2)
    targets[0].await_(lambda one: one.numbers == [1, 2, 3])
    assert targets[1].taken == []
    first.stop()
    feed.add()
    targets[1].await_(lambda one: one.numbers == [4])
    assert targets[1].taken == [([4], False)]


def test_followers_of_one_worker_hold_up_none_of_the_others(start: Start) -> None:
    worker, feed, target, stuck = start(), Feed(), Target(), threading.Event()
    worker.follow("hangs", feed, lambda delivery: stuck.wait(PATIENCE))
    worker.follow("fails", feed, Target(*[Busy()] * 1000))
    worker.follow("fine", feed, target)
    for expected in range(1, 10):
        feed.add()
        target.await_(lambda one, expected=expected: len(one.numbers) == expected)  # type: ignore[misc]
    stuck.set()


def test_what_fails_is_tried_again_later_and_later_and_told_once(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    failures: list[int] = []
    metrics = Metrics()

    def at_once(number: int) -> float:
        failures.append(number)
        return 0.0

    worker = start(delay=at_once, metrics=metrics)
    feed, target = Feed(), Target(*[Busy("The target is busy.")] * 3, KeyError("k"))
    feed.add(2)
    worker.follow("f", feed, target)
    target.await_(lambda one: len(one.taken) == 5)
    assert target.taken == [([1, 2], False), *[([1, 2], True)] * 4]
    feed.add()
    target.await_(lambda one: one.taken[-1] == ([3], False))
    assert failures == [1, 2, 3, 4]
    told = [(one.levelname, one.getMessage()) for one in caplog.records]
    assert told == [
        ("WARNING", "follower f: it is tried again: The target is busy."),
        ("ERROR", "follower f: it is tried again"),
    ]
    text = metrics.exposition()[1].decode()
    assert 'gateway_follower_failures_total{follower="f"} 4.0' in text
    assert 'gateway_follower_repeated_total{follower="f"} 8.0' in text
    assert 'gateway_follower_changes_total{follower="f"} 3.0' in text


def test_the_waits_double_up_to_a_minute() -> None:
    assert [delay(failures) for failures in (1, 2, 3, 6, 7, 8, 1000)] == [1, 2, 4, 32, 60, 60, 60]


@pytest.mark.usefixtures("seconds")
def test_lag_last_error_and_next_try_are_known_to_all_workers(start: Start, tmp_path: Path) -> None:
    metrics = Metrics()
    feed, target = Feed(), Target(Busy("The target is busy."))
    feed.add(3)
    first = start(tmp_path, delay=lambda failures: 1000.0)
    first.follow("f", feed, target)
    target.await_(lambda one: len(one.taken) == 1)  # it leads: another would try again in a second
    other = start(tmp_path, metrics=metrics)
    other.follow("f", feed, target)

    def known() -> bool:
        return any(one.failures for one in other.snapshot())

    await_(known)
    (state,) = other.snapshot()
    assert (state.name, state.done, state.lag, state.since) == ("f", 0, 3, 1000)
    assert (state.failures, state.error) == (1, "Busy: The target is busy.")
    assert state.retry is not None and state.retry > now() + 900_000
    text = metrics.exposition()[1].decode()
    assert 'gateway_follower_lag{follower="f"} 3.0' in text
    assert 'gateway_follower_failing{follower="f"} 1.0' in text
    assert 'gateway_follower_next_try_timestamp_seconds{follower="f"} ' in text
    assert 'gateway_follower_lag_seconds{follower="f"} ' in text


def await_(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_stop_wakes_who_waits_and_nothing_is_handed_any_more(start: Start) -> None:
    worker, feed, quiet, target = start(delay=lambda _: 1e6), Feed(), Feed(), Target(Busy())
    worker.follow("backs off", feed, target)
    worker.follow("waits", quiet, Target())
    feed.add()
    target.await_(lambda one: len(one.taken) == 1)
    await_(lambda: bool(quiet.wakes))
    worker.end()
    names = ("followers", "follower backs off", "follower waits")
    await_(lambda: not any(one.name in names for one in threading.enumerate()))
    assert (feed.wakes, quiet.wakes) == ([], [])
    feed.add()
    assert len(target.taken) == 1


def test_who_follows_no_more_is_handed_nothing_and_goes_on_where_it_was(start: Start) -> None:
    worker, feed, target = start(), Feed(), Target()
    worker.unfollow("f")
    worker.follow("f", feed, target)
    feed.add()
    target.await_(lambda one: one.numbers == [1])
    worker.unfollow("f")
    feed.add()
    assert (feed.wakes, target.numbers) == ([], [1])
    worker.follow("f", feed, target)
    target.await_(lambda one: one.numbers == [1, 2])
    worker.unfollow("f", forget=True)
    worker.follow("f", feed, target, after=1)
    target.await_(lambda one: one.numbers == [1, 2, 2])
    assert not any(repeated for _, repeated in target.taken)


@pytest.mark.parametrize("kept", [True, False])
def test_what_is_forgotten_stays_so_though_its_handler_ends_later(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    monkeypatch.setattr(followers, "_PATIENCE", 0.01)
    worker, feed, inside, go_on = start(tmp_path if kept else None), Feed(), Event(), Event()

    def slow(delivery: Delivery) -> None:
        inside.set()
        assert go_on.wait(PATIENCE)

    feed.add(2)
    worker.follow("f", feed, slow)
    assert inside.wait(PATIENCE)
    worker.unfollow("f", forget=True)
    (late,) = [one for one in threading.enumerate() if one.name == "follower f"]
    go_on.set()
    late.join(PATIENCE)
    target = Target()
    worker.follow("f", feed, target, after=1)
    target.await_(lambda one: one.taken == [([2], False)])


def test_many_that_hang_are_waited_for_once(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    waits, join = list[float](), threading.Thread.join

    def waited(thread: threading.Thread, wait: float | None = None) -> None:
        if wait:
            waits.append(wait)
        join(thread, wait and 0.001)

    worker, feed, inside, go_on = start(), Feed(), threading.Semaphore(0), Event()

    def hang(_: Delivery) -> None:
        inside.release()
        assert go_on.wait(PATIENCE)

    feed.add()
    for name in "abcd":
        worker.follow(name, feed, hang)
        assert inside.acquire(timeout=PATIENCE)
    hanging = [one for one in threading.enumerate() if one.name.startswith("follower ")]
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "join", waited)
        for name in "abc":
            worker.unfollow(name, forget=True)
        assert waits == [followers._PATIENCE, followers._LITTLE, followers._LITTLE]
    worker.end()
    go_on.set()
    for one in hanging:
        one.join(PATIENCE)
    waits.clear()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "join", waited)
        worker.unfollow("d")
        assert waits == [followers._PATIENCE], "nobody hangs any more"


def test_who_ends_by_what_nobody_foresaw_leads_again_from_where_another_was(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a feed that cannot be let go of ends nobody."""
    ended: list[object] = []
    monkeypatch.setattr(threading, "excepthook", lambda one: ended.append(one.exc_value))

    class Worse(Feed):
        def watch(self, wake: Callable[[], object]) -> Callable[[], None]:
            def unwatch() -> None:
                raise ValueError("it is closed")

            super().watch(wake)
            return unwatch

    def delay(failures: int) -> float:
        if failures == 2 or feed.error is not None:
            raise KeyError(failures)
        return 0.0

    feed, target = Worse(), Target()
    worker = start(tmp_path, delay=delay)
    worker.follow("f", feed, target)
    feed.add()
    target.await_(lambda one: one.numbers == [1])
    time.sleep(10 * followers.LOOK)  # who is to lead is settled, and nobody looks
    target.errors = [Busy()] * 2
    feed.add()
    target.await_(lambda one: len(one.taken) == 4)
    feed.add()
    target.await_(lambda one: one.taken[-1] == ([3], False))
    assert target.taken[1:4] == [([2], False), ([2], True), ([2], True)]
    assert [type(one) for one in ended] == [KeyError]
    feed.error, begun = OSError(), time.monotonic()
    feed.wake()
    time.sleep(10 * followers.LOOK)
    looks = (time.monotonic() - begun) / followers.LOOK
    assert len(ended) <= 2 + looks, "it is in no hurry to end again"


def test_of_two_configurations_the_newer_follows_and_the_older_when_that_is_given_up(
    start: Start,
) -> None:
    worker, behind, feed = start(), Behind(), Feed()
    old, new, newest = (OwnFollowers(worker, behind) for _ in range(3))
    targets = [Target(), Target(), Target()]
    old.follow("f", feed, targets[0])
    feed.add()
    targets[0].await_(lambda one: one.numbers == [1])
    new.follow("f", feed, targets[1])
    feed.add()
    targets[1].await_(lambda one: one.numbers == [2])
    old.close()  # its successor serves
    newest.follow("f", feed, targets[2])
    newest.close()  # it was not taken over
    feed.add()
    targets[1].await_(lambda one: one.numbers == [2, 3])
    new.close()
    feed.add()
    assert [one.numbers for one in targets] == [[1], [2, 3], []]
    assert (feed.wakes, worker.snapshot()) == ([], ())


# real stores


class Counting(Changes):
    """The changes of a store; `reads` counts."""

    def __init__(self, store: Changes) -> None:
        self._store, self.reads = store, 0

    def changes(self, after: int = 0, limit: int = 1000, wait: float = 0) -> ChangePage:
        assert not wait
        self.reads += 1
        return self._store.changes(after, limit)

    def watch(self, wake: Callable[[], object]) -> Callable[[], None] | None:
        return self._store.watch(wake)


def put(store: Local | Memory, key: str) -> None:
    store.put(key, BytesBody(b"x"), Put(size=1))


@pytest.mark.parametrize("driver", [Local, Memory])
def test_commits_wake_and_nobody_asks_meanwhile(
    start: Start, tmp_path: Path, driver: type[Local | Memory]
) -> None:
    """On disk also those of another process, of which another space has all but the process."""
    context = Context(sid="s", folder=tmp_path)
    store = driver()
    store.open(context)
    writer = store
    if driver is Local:
        writer = driver()
        writer.open(replace(context, shared=Shared()))
    feed, target = Counting(store), Target()
    worker = start(tmp_path)
    worker.follow("f", feed, target)
    await_(lambda: bool(feed.reads))
    for number in range(1, 6):
        put(writer, f"k{number}")
        target.await_(lambda one, number=number: len(one.numbers) == number)  # type: ignore[misc]
    await_(lambda: bool(_settled(feed)))
    worker.stop()
    for one in {store, writer}:
        one.close()
    assert target.numbers == [1, 2, 3, 4, 5]


def _settled(feed: Counting) -> bool:
    """Whether a fifth of a second, in which others look four times, passes without a read."""
    before = feed.reads
    time.sleep(0.2)
    return feed.reads == before


def test_an_index_tells_that_its_feed_was_cut_and_when_a_bucket_is_another() -> None:
    account = Memory()
    account.open(Context())
    account.create("b")
    first = account.bucket("b")
    assert isinstance(first, IndexedStore)
    for number in range(4):
        first.put(f"k{number}", BytesBody(b""), Put(size=0))
    assert not first.changes().cut
    feed = first.changes().feed
    account.space.write(lambda txn: txn.execute("DELETE FROM changes WHERE sequence < 3"))
    assert [first.changes(after).cut for after in range(5)] == [True, True, False, False, False]
    account.space.write(lambda txn: txn.execute("DELETE FROM changes"))
    assert [first.changes(after).cut for after in (3, 4)] == [True, False]
    for number in range(4):
        first.delete(f"k{number}")
    account.drop("b")
    account.create("b")
    assert account.bucket("b").changes().feed != feed
    with pytest.raises(NoSuchStore):
        first.changes()
    account.close()


@pytest.mark.usefixtures("sockets", "seconds")
def test_a_bucket_that_is_dropped_and_made_anew_is_followed_by_its_name() -> None:
    target = Target()
    with Server(buckets={"box": {}}) as server:
        s3, stage = server.client(), server._stage
        stage.followers.follow("f", stage.feed("box"), target)
        s3.put_object(Bucket="box", Key="k")
        target.await_(lambda one: one.taken == [([1], False)])
        s3.delete_object(Bucket="box", Key="k")
        s3.delete_bucket(Bucket="box")
        s3.create_bucket(Bucket="box")
        for key in "abc":
            s3.put_object(Bucket="box", Key=key)
        target.await_(lambda one: one.numbers[-3:] == [1, 2, 3])
    assert ("replaced", False) in target.taken
    assert not any(repeated for _, repeated in target.taken)


@pytest.mark.usefixtures("seconds")
def test_a_reset_of_the_test_server_is_another_store(gateway_server: Server) -> None:
    server, target = gateway_server, Target()
    stage = server._stage
    server.seed({"box": {"k": b""}})
    stage.followers.follow("f", stage.feed("box"), target)
    target.await_(lambda one: one.numbers == [1])
    server.reset()
    server.seed({"box": {"k": b""}})
    target.await_(lambda one: one.taken[1:] == [("replaced", False), ([1], False)])
    stage.followers.unfollow("f", forget=True)
