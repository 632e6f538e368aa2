"""Flush and purge: a mark each, exact in every worker as soon as it is acknowledged."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from drivers.cache import Cache
from drivers.cache.fills import BLOCK
from drivers.cache.marks import KEPT
from gateway.storage import (
    BytesBody,
    Copies,
    Delete,
    Full,
    Labels,
    Mark,
    NoSuchKey,
    PartRef,
    Purge,
    Purges,
    Put,
    TimedOut,
    Unavailable,
)
from gateway.testing.faults import noise
from tests.layers.origin import Site, read

Opening = Callable[..., Cache]


def write_all(site: Site, generation: str) -> None:
    for key in ("a/1", "a/2", "b/1"):
        tags = (("Surrogate-Key", "odd first"),) if key.endswith("1") else ()
        site.origin.has(key, f"{key} {generation}".encode(), headers=tags)


def generations(cache: Cache) -> list[str]:
    return [read(cache, key).decode().split()[1] for key in ("a/1", "a/2", "b/1")]


@pytest.mark.parametrize(
    ("purge", "gone", "covered"),
    [
        (Purge(), ["new", "new", "new"], 3),
        (Purge(kind="prefix", value="a/"), ["new", "new", "old"], 2),
        (Purge(kind="prefix", value=""), ["new", "new", "new"], 3),
        (Purge(kind="key", value="a/2"), ["old", "new", "old"], 1),
        (Purge(kind="key", value="a/"), ["old", "old", "old"], 0),
        (Purge(kind="tag", value="odd"), ["new", "old", "new"], 2),
        (Purge(kind="tag", value="od"), ["old", "old", "old"], 0),
    ],
)
@pytest.mark.parametrize("forgotten", [False, True])
def test_a_purge_names_what_it_says_and_nothing_else_in_every_worker(
    cached: Opening,
    site: Site,
    purge: Purge,
    gone: list[str],
    covered: int,
    forgotten: bool,
) -> None:
    write_all(site, "old")
    here, there = cached(), cached()
    for cache in (here, there):
        assert generations(cache) == ["old", "old", "old"]
    write_all(site, "new")
    capability = here.find(Purges)
    assert capability is not None
    mark = capability.purge(purge)
    assert mark.entries == covered
    if forgotten:  # carried out, and the marks themselves are trimmed
        for cache in (here, there):
            cache._marks.newest()  # as their threads do, each second
        site.clock.pass_by(KEPT / 1000 + 1)
        for cache in (here, there):
            cache._upkeep.tidy()
            cache._upkeep.forget()
        assert here._marks.old() == []
    assert generations(here) == gone
    assert generations(there) == gone


def test_several_purges_are_one_commit_and_hold_in_every_worker(
    cached: Opening, site: Site
) -> None:
    write_all(site, "old")
    here, there = cached(), cached()
    for cache in (here, there):
        assert generations(cache) == ["old", "old", "old"]
    write_all(site, "new")
    commits, write = list[object](), here._marks._write

    def counted(operation: Any, **how: Any) -> Any:
        commits.append(operation)
        return write(operation, **how)

    here._marks._write = counted
    purges = [Purge(kind="key", value=f"none/{number}") for number in range(300)]
    mark = here.purge_all(
        [Purge(kind="key", value="a/1"), Purge(kind="prefix", value="b"), *purges]
    )
    assert len(commits) == 1
    assert mark.entries == 2 * 302 // 100, "of so many an estimate"
    assert generations(there) == generations(here) == ["new", "old", "new"]
    assert (
        here.purge_all([Purge(kind="tag", value="odd"), Purge(kind="key", value="a/2")]).entries
        == 3
    )


def test_a_cache_that_takes_one_purge_takes_several() -> None:
    class One(Purges):
        def __init__(self) -> None:
            self.asked = list[Purge]()

        def purge(self, purge: Purge = Purge()) -> Mark:
            self.asked.append(purge)
            return Mark(point=len(self.asked), time=7, entries=2)

    one, purges = One(), [Purge(kind="key", value="a"), Purge(kind="tag", value="b")]
    assert one.purge_all(purges) == Mark(point=2, time=7, entries=4)
    assert one.asked == purges


def test_a_soft_purge_makes_stale_and_not_gone(cached: Opening, site: Site) -> None:
    site.origin.has("k", b"data")
    cache = cached(refresh_after=1000)
    read(cache, "k")
    cache.purge(Purge(kind="key", value="k", soft=True))
    site.origin.fail = Unavailable()
    assert read(cache, "k") == b"data"
    with cache.get("k") as opened:
        assert "; hit; ttl=-" in opened.trace[0], "it does not say that it is fresh"
    site.origin.fail = None
    site.clock.pass_by(2)
    site.origin.has("k", b"new")
    assert read(cache, "k") == b"new"
    asked = site.origin.asked
    assert read(cache, "k") == b"new"
    assert site.origin.asked == asked


def test_a_hard_purge_is_never_answered_stale(cached: Opening, site: Site) -> None:
    site.origin.has("k", b"data")
    cache = cached()
    read(cache, "k")
    cache.purge()
    site.origin.fail = Unavailable()
    with pytest.raises(Unavailable):
        read(cache, "k")


def test_a_mark_holds_after_a_restart(site: Site) -> None:
    site.origin.has("k", b"old")
    cache = site.worker()
    read(cache, "k")
    site.origin.has("k", b"new")
    cache.purge()
    cache.close()
    assert read(site.worker(), "k") == b"new"


def test_a_worker_that_slept_through_marks_serves_nothing_old(cached: Opening, site: Site) -> None:
    site.origin.has("k", b"old")
    here, asleep = cached(), cached()
    read(asleep, "k")
    asleep._upkeep.stop()
    site.origin.has("k", b"new")
    here.purge(Purge(kind="key", value="k"))
    site.clock.pass_by(KEPT / 1000 + 1)
    here._upkeep.tidy()
    assert here._marks.old() == []
    assert read(asleep, "k") == b"new"


def test_nothing_old_is_answered_while_many_purge_and_read(cached: Opening, site: Site) -> None:
    """A reader that begins after a write was acknowledged never sees what was before."""
    workers = [cached(), cached()]
    newest, seen_old = [0], []
    site.origin.has("k", b"0")
    stop = threading.Event()

    def look(cache: Cache) -> None:
        while not stop.is_set():
            before = newest[0]
            with cache.get("k") as opened:
                got = int(opened.body.read())
            if got < before:
                seen_old.append((got, before))

    threads = [threading.Thread(target=look, args=(workers[n % 2],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for number in range(1, 60):
        if number % 2:
            workers[0].put("k", BytesBody(b"%d" % number), Put(size=len(str(number))))
        else:
            site.origin.has("k", b"%d" % number)
            workers[1].purge(Purge(kind="prefix", value="k") if number % 4 else Purge())
        newest[0] = number
    stop.set()
    for thread in threads:
        thread.join()
    assert seen_old == []


# writes


def test_every_way_to_change_an_object_makes_its_entry_invalid(cached: Opening, site: Site) -> None:
    here, there = cached(), cached()
    labels, copies = here.find(Labels), here.find(Copies)
    assert labels is not None and copies is not None
    site.origin.has("other", b"copied")

    def upload() -> None:
        begun = here.begin("k")
        here.put_part("k", begun.id, 1, BytesBody(b"parts"), Put(size=5))
        here.complete("k", begun.id, [_ref(here, begun.id)])

    changes: dict[str, Callable[[], object]] = {
        "put": lambda: here.put("k", BytesBody(b"put"), Put(size=3)),
        "copied": lambda: here.copy(here, "other", "k"),
        "parts": upload,
    }
    for expected, change in changes.items():
        site.origin.has("k", b"before")
        here.purge()
        assert read(there, "k") == b"before"
        change()
        assert read(there, "k") == expected.encode()
    here.set_labels("k", tags={"a": "1"})
    assert dict(there.stat("k").tags) == {"a": "1"}
    here.delete_many([("k", Delete())])
    assert not _there(there)
    here.put("k", BytesBody(b"again"), Put(size=5))
    assert _there(there)
    here.delete("k")
    assert not _there(there)


def _ref(cache: Cache, upload: str) -> PartRef:
    (part,) = cache.parts("k", upload)
    return PartRef(number=1, etag=part.etag)


def _there(cache: Cache) -> bool:
    try:
        read(cache, "k")
    except NoSuchKey:
        return False
    return True


def test_a_write_whose_answer_was_lost_makes_the_entry_invalid_too(
    cached: Opening, site: Site
) -> None:
    site.origin.has("k", b"old")
    cache = cached()
    read(cache, "k")
    site.origin.lost_answer = TimedOut()
    with pytest.raises(TimedOut):
        cache.put("k", BytesBody(b"new"), Put(size=3))
    assert read(cache, "k") == b"new"


def test_a_write_makes_room_for_its_mark_on_a_full_disk(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.origin.has("k", noise(3 * BLOCK))
    cache = site.worker()
    read(cache, "k")
    add, refused = cache._marks.add, list[int]()

    def full_once(purges: object) -> int:
        if not refused:
            refused.append(1)
            raise Full
        return add(purges)  # type: ignore[arg-type]

    monkeypatch.setattr(cache._marks, "add", full_once)
    cache.put("other", BytesBody(b"new"), Put(size=3))
    assert refused
    assert read(cache, "other") == b"new"
    assert read(cache, "k") == noise(3 * BLOCK), "blocks that had to go are fetched again"


def test_what_is_read_while_a_write_is_under_way_does_not_outlive_it(
    cached: Opening, site: Site
) -> None:
    """Before the source has it, and when it has it and has not answered."""
    site.origin.has("k", b"old")
    here, there = cached(), cached()
    read(there, "k")
    seen = list[bytes]()
    site.origin.after_put = lambda: seen.append(read(there, "k"))
    here.put("k", BytesBody(b"new"), Put(size=3))
    assert seen == [b"new"], "nothing from before the write is answered once it has begun"
    site.origin.after_put = lambda: None
    site.origin.before_put = lambda: seen.append(read(there, "k"))
    here.put("k", BytesBody(b"newest"), Put(size=6))
    assert seen == [b"new", b"new"]
    assert read(there, "k") == read(here, "k") == b"newest"


def test_a_fill_that_outlives_the_mark_against_it_is_not_stored(
    cached: Opening, site: Site
) -> None:
    site.origin.has("k", b"old")
    site.origin.stop = 0
    cache = cached()
    with cache.get("k") as opened:
        assert site.origin.reached.wait(60)
        cache.purge(Purge(kind="key", value="k"))
        cache._marks.newest()
        site.clock.pass_by(KEPT / 1000 + 1)
        cache._upkeep.tidy()
        cache._upkeep.forget()
        assert cache._marks.old() == []
        site.origin.has("k", b"new")
        site.origin.stop = None
        site.origin.go.set()
        assert opened.body.read() == b"old"
    assert read(cache, "k") == b"new"
