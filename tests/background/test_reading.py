"""A follower's steps: nothing is skipped, and a repetition is marked, whatever fails between."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.background.cursors import FILE, Cursor, Cursors
from gateway.background.reading import Reading
from gateway.storage import OriginFailed, Reset, StorageError
from gateway.telemetry.metrics import Metrics
from tests.background.feeds import Feed, Target

_opened: list[Cursors] = []


def cursors_in(folder: Path) -> Cursors:
    """Closed when the test is over."""
    _opened.append(Cursors(folder))
    return _opened[-1]


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while _opened:
        _opened.pop().close()


class Follower:
    """`crash` is what a SIGKILL leaves: the file, and nothing else."""

    def __init__(self, folder: Path, *, after: int = 0, batch: int = 10) -> None:
        self.feed, self.target, self.now = Feed(), Target(), 1_000_000
        self.cursors = cursors_in(folder)
        self.cursors.begin("f", after)
        self._batch, self.folder = batch, folder
        self.crash()

    def crash(self) -> None:
        self.reading = Reading(
            "f", self.feed, self.target, self.cursors, lambda: self.now, Metrics(), self._batch
        )

    def catch_up(self) -> None:
        while self.reading.step():
            pass

    @property
    def cursor(self) -> Cursor:
        found = self.cursors.load("f")
        assert found is not None
        return found


@pytest.fixture
def one(tmp_path: Path) -> Follower:
    return Follower(tmp_path)


def test_one_without_a_beginning_begins_with_what_comes_once_its_feed_is_read(
    tmp_path: Path,
) -> None:
    cursors, feed, target = cursors_in(tmp_path), Feed(), Target()
    feed.add(3)
    feed.error = OriginFailed("it is not open")

    def reading() -> Reading:
        return Reading("f", feed, target, cursors, lambda: 0, Metrics(), 10, None)

    first = reading()
    with pytest.raises(OriginFailed):
        first.step()
    feed.error = None
    assert not first.step()
    feed.add(1)
    reading().step()  # of another process, after a crash: it goes on there
    assert target.numbers == [4]


def test_changes_are_handed_in_order_and_once(one: Follower) -> None:
    one.feed.add(25)
    one.catch_up()
    assert [len(what) for what, _ in one.target.taken] == [10, 10, 5]
    one.feed.add(2)
    one.crash()
    one.catch_up()
    assert one.target.numbers == list(range(1, 28))
    assert not any(repeated for _, repeated in one.target.taken)
    assert (one.cursor.done, one.cursor.begun, one.cursor.last) == (27, 27, 27)


def test_a_new_name_begins_where_it_says_also_when_nothing_has_come_by_the_next_start(
    tmp_path: Path,
) -> None:
    one = Follower(tmp_path, after=3)
    one.feed.add(5)
    later = cursors_in(tmp_path)
    later.begin("f", 5)  # somebody who looked for the newest at its start
    one.catch_up()
    assert one.target.numbers == [4, 5]


def test_what_was_begun_is_handed_again_as_a_repetition_and_by_itself(one: Follower) -> None:
    one.target.errors = [SystemExit()]
    one.feed.add(3)
    with pytest.raises(SystemExit):
        one.reading.step()
    one.crash()
    one.feed.add(2)
    one.catch_up()
    assert one.target.taken == [([1, 2, 3], False), ([1, 2, 3], True), ([4, 5], False)]


def test_done_but_not_written_down_is_handed_again_as_a_repetition(one: Follower) -> None:
    one.feed.add(3)
    assert one.reading.step()
    one.crash()  # before it looked for more
    one.catch_up()
    assert one.target.taken == [([1, 2, 3], False), ([1, 2, 3], True)]


def test_what_was_begun_is_written_down_before_it_is_handed(one: Follower) -> None:
    seen = []
    take = one.target.__call__
    one.target = lambda delivery: seen.append(one.cursor) or take(delivery)  # type: ignore[assignment,func-returns-value]
    one.crash()
    one.feed.add(3)
    one.reading.step()
    assert [(cursor.done, cursor.begun, cursor.waiting) for cursor in seen] == [(0, 3, 1000)]


def test_a_cursor_that_cannot_be_written_keeps_the_follower_from_being_asked(
    one: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise StorageError("the disk is full")

    one.feed.add(3)
    with monkeypatch.context() as patch:
        patch.setattr(one.cursors, "save", fail)
        for _ in range(2):
            with pytest.raises(StorageError, match="full"):
                one.reading.step()
    assert one.target.taken == []
    one.catch_up()
    one.crash()
    one.catch_up()
    assert one.target.numbers == [1, 2, 3]


def test_a_smaller_batch_does_not_mix_what_was_begun_with_what_was_not(tmp_path: Path) -> None:
    one = Follower(tmp_path, batch=4)
    one.target.errors = [OSError()]
    one.feed.add(6)
    with pytest.raises(OSError):
        one.reading.step()
    one._batch = 3
    one.crash()
    one.catch_up()
    assert one.target.taken[1:] == [([1, 2, 3], True), ([4], True), ([5, 6], False)]


def test_a_feed_that_was_cut_is_told_and_followed_from_what_is_left(one: Follower) -> None:
    one.feed.add(3)
    one.catch_up()
    one.feed.add(5)
    del one.feed.kept[:6]
    one.catch_up()
    assert one.target.taken == [([1, 2, 3], False), ("cut", False), ([7, 8], False)]
    assert one.target.deliveries[1].reset == Reset(reason="cut", seen=3, after=6)


def test_a_feed_that_was_cut_to_nothing_is_told(one: Follower) -> None:
    one.feed.add(3)
    one.feed.kept.clear()
    one.catch_up()
    one.feed.add()
    one.catch_up()
    assert one.target.taken == [("cut", False), ([4], False)]


def test_a_store_that_was_made_anew_is_told_and_followed_from_its_beginning(one: Follower) -> None:
    one.feed.add(3)
    one.catch_up()
    one.feed.begin_anew("second")
    one.feed.add(5)  # more than there were: the numbers alone would tell nothing
    one.catch_up()
    assert one.target.taken == [([1, 2, 3], False), ("replaced", False), ([1, 2, 3, 4, 5], False)]
    assert one.target.deliveries[1].reset == Reset(reason="replaced", seen=3, after=0)


def test_an_older_state_of_a_store_is_told_and_followed_from_there(one: Follower) -> None:
    one.feed.add(5)
    one.catch_up()
    one.feed.begin_anew("first")
    one.feed.add(2)
    one.catch_up()
    one.feed.add()
    one.catch_up()
    assert one.target.taken[1:] == [("replaced", False), ([3], False)]


@pytest.mark.parametrize("crash", [False, True])
def test_a_reset_is_handed_again_until_it_is_handled(one: Follower, crash: bool) -> None:
    one.feed.add(3)
    one.catch_up()
    one.feed.begin_anew("second")
    one.feed.add()
    one.target.errors = [OSError()]
    with pytest.raises(OSError):
        one.catch_up()
    if crash:
        one.crash()
    one.catch_up()
    assert one.target.taken[1:] == [("replaced", False), ("replaced", True), ([1], False)]


def brought_back(one: Follower, then: Callable[[], None], *, elsewhere: bool = False) -> None:
    """A backup is made, `then` happens, and all of the backup is there again: the feed, the
    cursors, and what is no part of it where it was."""
    feed, path = (list(one.feed.kept), one.feed.last), one.cursors._path
    assert path is not None
    one.cursors.close()  # nothing is left in the log of SQLite
    backup = path.read_bytes()
    then()
    one.cursors.close()
    path.write_bytes(backup)
    if elsewhere:
        shutil.rmtree(path.parent / "jobs")
    one.feed.kept, one.feed.last = feed
    one.crash()


@pytest.mark.parametrize("elsewhere", [False, True])
def test_cursors_that_come_back_with_their_store_begin_with_a_reset(
    one: Follower, elsewhere: bool
) -> None:
    def lost() -> None:
        one.feed.add(2)
        one.catch_up()

    one.feed.add(3)
    one.catch_up()
    brought_back(one, lost, elsewhere=elsewhere)
    one.target.errors = [OSError()]
    with pytest.raises(OSError):
        one.catch_up()
    one.crash()  # before it was handled
    one.feed.add(2)  # other ones than those that were handed by these numbers
    del one.target.taken[:2]
    one.catch_up()
    assert [what for what, _ in one.target.taken] == ["replaced", "replaced"]
    assert one.target.deliveries[-1].reset == Reset(reason="replaced", seen=3, after=5)
    one.crash()
    one.feed.add(2)
    one.catch_up()
    assert one.target.taken[2:] == [([6, 7], False)]


def test_a_backup_from_before_the_follower_is_told_by_its_mark(one: Follower) -> None:
    one.feed.add(3)
    one.catch_up()
    with one.cursors._opened() as connection:
        connection.execute("DELETE FROM followers")
    one.cursors.begin("f", 0)
    one.crash()
    one.catch_up()
    assert one.target.taken[1:] == [("replaced", False)]


def test_who_is_forgotten_begins_anew_without_a_reset(one: Follower) -> None:
    one.feed.add(3)
    one.catch_up()
    one.cursors.forget("f")
    one.cursors.begin("f", 1)
    one.crash()
    one.catch_up()
    assert one.target.taken[1:] == [([2, 3], False)]


def test_who_was_forgotten_by_another_process_does_not_begin_with_the_first_change(
    one: Follower,
) -> None:
    one.feed.add(3)
    one.reading = Reading(
        "f", one.feed, one.target, one.cursors, lambda: one.now, Metrics(), 10, after=2
    )
    cursors_in(one.folder).forget("f")
    one.catch_up()
    assert one.target.taken == [([3], False)]


def test_cursors_of_the_release_before_are_upgraded_and_no_reset(one: Follower) -> None:
    one.feed.add(3)
    one.catch_up()
    with one.cursors._opened() as connection:
        connection.execute("ALTER TABLE followers DROP COLUMN saves")
        connection.execute("PRAGMA user_version = 1")
    one.cursors.close()
    assert one.cursors._path is not None
    shutil.rmtree(one.cursors._path.parent / "jobs")
    one.feed.add()
    one.crash()
    one.catch_up()
    assert one.target.taken[1:] == [([4], False)]
    assert one.cursor.saves > 0


def test_failures_are_counted_and_known_until_it_works(one: Follower) -> None:
    one.feed.error = OriginFailed("no answer")
    for failures in (1, 2):
        with pytest.raises(OriginFailed):
            one.reading.step()
        assert one.reading.fail("no answer", lambda number: number * 10.0) == failures * 10
        assert (one.cursor.failures, one.cursor.error) == (failures, "no answer")
        assert one.cursor.retry == one.now + failures * 10_000
    one.feed.error = None
    one.catch_up()
    assert (one.cursor.failures, one.cursor.error, one.cursor.retry) == (0, "", None)


def test_looking_in_vain_writes_nothing(one: Follower, monkeypatch: pytest.MonkeyPatch) -> None:
    one.catch_up()
    one.feed.last += 5  # of another part of the service
    monkeypatch.setattr(one.feed, "kept", [])
    monkeypatch.setattr(one.cursors, "save", None)
    page = one.feed.changes(5)
    monkeypatch.setattr(one.feed, "changes", lambda *arguments: page)
    one.catch_up()
    one.catch_up()
    assert one.target.taken == []


def test_a_file_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    cursors = cursors_in(tmp_path)
    with cursors._opened() as connection:
        connection.execute("PRAGMA user_version = 99")
    cursors.close()
    with pytest.raises(StorageError, match="newer release"):
        cursors_in(tmp_path).load("f")
    assert (tmp_path / FILE).is_file()
