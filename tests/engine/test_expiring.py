"""`keep_versions` with a duration: what was replaced long enough ago goes, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.indexed import expiring
from drivers.indexed.expiring import remove_old
from drivers.local import Local
from drivers.memory import Memory
from gateway.config import ConfigurationError, load
from gateway.storage import Annotate, BytesBody, Context, Delete, Get, NoSuchKey, Protection, Put

DAY = 86_400_000


class Clock:
    time = 100 * DAY

    def __call__(self) -> int:
        return self.time


class Jobs:
    """Those that a store has."""

    def __init__(self) -> None:
        self.added: dict[str, tuple[float, Callable[[], Any]]] = {}

    def add(self, name: str, interval: float, work: Callable[[], object]) -> None:
        self.added[name] = interval, work

    def remove(self, name: str) -> None:
        del self.added[name]

    def run(self) -> dict[str, int]:
        steps = self.added["versions kept"][1]()
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return dict(end.value)


class Kept:
    """A service that keeps versions for ten days."""

    def __init__(self) -> None:
        self.clock, self.jobs = Clock(), Jobs()
        self.store: Any = Memory(keep_versions=10 * 86_400.0)
        self.store.open(Context(sid="kept", clock=self.clock, jobs=self.jobs))

    def put(self, key: str, body: bytes, **options: Any) -> str:
        version = self.store.put(key, BytesBody(body), Put(size=len(body), **options)).version
        assert version
        return str(version)

    def rows(self) -> list[tuple[str, str, bool]]:
        return [(one.key, one.version, one.marker) for one in self.store.versions().entries]

    def pass_days(self, days: float) -> None:
        self.clock.time += round(days * DAY)

    def close(self) -> None:
        self.store.close()


@pytest.fixture
def kept() -> Iterator[Kept]:
    with closing(Kept()) as kept:
        yield kept


def test_what_was_replaced_long_ago_goes_however_new_or_old_it_is(kept: Kept) -> None:
    old = kept.put("a", b"1")
    kept.pass_days(50)
    new = kept.put("a", b"22")
    kept.put("b", b"1")
    kept.pass_days(9.9)
    assert kept.jobs.run() == {}
    kept.pass_days(0.1)
    last = kept.store.changes().last
    assert kept.jobs.run() == {"removed": 1}
    assert [one[:2] for one in kept.rows() if one[0] == "a"] == [("a", new)]
    told = kept.store.changes(last).changes
    assert [(one.kind, one.version, one.cause) for one in told] == [("purge", old, "keep_versions")]
    assert (kept.store.stats().objects, kept.store.stats().bytes) == (2, 3)
    kept.pass_days(1000)
    assert kept.jobs.run() == {}


def test_a_marker_goes_after_all_that_it_hides(kept: Kept) -> None:
    held = kept.put("a", b"1", protection=Protection(hold=True))
    kept.put("a", b"2")
    kept.store.delete("a")
    kept.put("b", b"1")
    kept.store.delete("b")
    kept.put("c", b"1")
    kept.store.delete("c")
    back = kept.put("c", b"2")
    kept.pass_days(10)
    assert kept.jobs.run() == {"removed": 5, "protected": 1}
    assert [one[0] for one in kept.rows()] == ["a", "a", "c"]
    assert kept.rows()[0][2]
    assert kept.rows()[1:] == [("a", held, False), ("c", back, False)]
    with pytest.raises(NoSuchKey):
        kept.store.stat("a")
    kept.store.set_hold("a", held, False)
    assert kept.jobs.run() == {"removed": 2}
    assert [one[0] for one in kept.rows()] == ["c"]


def test_a_version_that_is_current_again_stays(kept: Kept) -> None:
    kept.put("a", b"1")
    kept.store.delete("a")
    kept.pass_days(11)
    (marker, _) = kept.rows()
    kept.store.delete("a", Delete(version=marker[1]))
    assert kept.jobs.run() == {}
    with kept.store.get("a", Get()) as found:
        assert found.body.read() == b"1"


def test_what_became_current_after_it_was_looked_at_stays(kept: Kept) -> None:
    kept.put("a", b"1")
    kept.store.delete("a")
    kept.pass_days(20)
    until = kept.clock.time - 10 * DAY
    kept.store.delete("a", Delete(version=kept.rows()[0][1]))
    for _ in range(2):  # as the current object, and as one that was replaced just now
        assert not kept.store.change(lambda shelf: shelf.expire("a", 1, until, ""))
        kept.put("a", b"2")
    assert len(kept.rows()) == 3


def test_annotations_go_with_their_version(kept: Kept) -> None:
    kept.put("a", b"1")
    kept.store.put_annotation("a", "note", b"22", Annotate())
    kept.put("a", b"3")
    kept.pass_days(10)
    assert kept.jobs.run() == {"removed": 1}
    assert kept.store.stats().bytes == 1


def test_what_others_have_stays(kept: Kept) -> None:
    """Of buckets in the same space, which keep theirs by their own rules."""
    account: Any = Memory(keep_versions="off")
    account.open(Context(clock=kept.clock, shared=kept.store._shared))
    account.create("bucket")
    bucket = account.bucket("bucket")
    bucket.set_versioning("on")
    for _ in range(2):
        bucket.put("a", BytesBody(b"1"), Put(size=1))
    kept.pass_days(20)
    assert kept.jobs.run() == {}
    assert len(bucket.versions().entries) == 2
    account.close()


def check_times(kept: Kept, doing: list[tuple[str, bool, int]], step: int) -> None:
    now: dict[str, str | None] = {}
    was: dict[str, set[str]] = {one: set() for one in "abc"}
    ended: dict[str, int] = {}
    for key, gone, days in doing:
        kept.pass_days(days)
        before = now.get(key)
        if before is not None:
            ended[before] = kept.clock.time
        if gone:
            kept.store.delete(key)
            now[key] = None
        else:
            now[key] = kept.put(key, b"1")
            was[key].add(str(now[key]))
    expected = {
        (key, one)
        for key, versions in was.items()
        for one in versions
        if one == now[key] or ended[one] > kept.clock.time - 10 * DAY
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(expiring, "STEP", step)
        patch.setattr(expiring, "AT_ONCE", 2)
        looked = list(remove_old(kept.store, 10 * 86_400.0))
        left = kept.store.stats().objects
        for _ in doing:  # markers, page by page
            kept.jobs.run()
    assert looked == sorted(looked)
    assert left == len(expected)
    assert {(key, version) for key, version, marker in kept.rows() if not marker} == expected
    for key in "abc":
        try:
            assert kept.store.stat(key).version == now.get(key)
        except NoSuchKey:
            assert now.get(key) is None


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.integers(0, 4)), max_size=25),
    st.integers(1, 4),
)
def test_any_time_within_can_be_seen_again(doing: list[tuple[str, bool, int]], step: int) -> None:
    """Whatever the pages: all that was current within ten days is there, and no version else."""
    with closing(Kept()) as kept:
        check_times(kept, doing, step)


def test_the_job_comes_and_goes_with_the_store(tmp_path: Path) -> None:
    for keep, interval in ((3600.0, 150.0), (10.0, 1.0), (86_400.0 * 30, 3600.0)):
        jobs, local = Jobs(), Local(keep_versions=keep)
        local.open(Context(sid="kept", folder=tmp_path, jobs=jobs))
        assert jobs.added["versions kept"][0] == interval
        assert local.versioning == "on"
        local.close()
        assert not jobs.added
    for forever in ("forever", "off"):
        jobs, local = Jobs(), Local(keep_versions=forever)
        local.open(Context(sid="kept", folder=tmp_path, jobs=jobs))
        assert "versions kept" not in jobs.added
        local.close()


def test_in_files(tmp_path: Path) -> None:
    clock, jobs = Clock(), Jobs()
    store: Any = Local(keep_versions=86_400.0, inline_limit=0, durability="process")
    store.open(Context(sid="kept", folder=tmp_path, clock=clock, jobs=jobs))
    for body in (b"1", b"2"):
        store.put("a", BytesBody(body), Put(size=1))
    clock.time += DAY
    assert jobs.run() == {"removed": 1}
    store.close()
    assert len([one for one in (tmp_path / "blobs").rglob("*") if one.is_file()]) == 1


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('[services.kept]\ndriver = "local"\nkeep_versions = "0s"', "or longer than nothing"),
        ('[services.kept]\ndriver = "memory"\nkeep_versions = "never"', '"never"'),
        ('[buckets]\nkeep_versions = "30d"', "NoncurrentVersionExpiration"),
    ],
)
def test_what_is_no_time_is_refused(tmp_path: Path, written: str, said: str) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(written)
    with pytest.raises(ConfigurationError) as refused:
        load(str(file), environ={})
    assert said in str(refused.value)
    assert "keep_versions" in str(refused.value)


def test_a_time_is_read(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text('[services.kept]\ndriver = "local"\nkeep_versions = "30d"')
    assert load(str(file), environ={}).services["kept"].options == {"keep_versions": 2_592_000.0}
