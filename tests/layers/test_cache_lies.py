"""Whatever a source says, an answer ends: with the right bytes, or with an error."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from drivers.cache import Cache
from drivers.cache.fills import BLOCK
from gateway.storage import (
    BytesBody,
    Conditions,
    Get,
    NotModified,
    Opened,
    OriginFailed,
    PreconditionFailed,
    Range,
    StorageError,
    TimedOut,
    Unavailable,
    pieces,
)
from gateway.testing.faults import noise
from tests.layers.origin import Site, read, until

Opening = Callable[..., Cache]
DATA = noise(3 * BLOCK + 7)
OTHER = noise(3 * BLOCK + 7, "other")


def a_part(opened: Opened) -> Opened:
    """As an upstream does that answers 206 to a request for all."""
    return replace(opened, length=5)


def another_part(opened: Opened) -> Opened:
    return replace(opened, start=opened.start + 5, length=max(opened.length - 5, 0))


def larger(opened: Opened) -> Opened:
    return replace(opened, info=replace(opened.info, size=opened.info.size + BLOCK))


def smaller(opened: Opened) -> Opened:
    return replace(opened, info=replace(opened.info, size=max(opened.info.size - BLOCK, 0)))


def another_object(opened: Opened) -> Opened:
    return replace(opened, info=replace(opened.info, etag="other"))


def another_each_time(opened: Opened) -> Opened:
    return replace(opened, info=replace(opened.info, etag=noise(8, str(id(opened))).hex()))


def no_bytes(opened: Opened) -> Opened:
    return replace(opened, body=BytesBody(b""))


def too_few(opened: Opened) -> Opened:
    return replace(opened, body=BytesBody(opened.body.read(BLOCK // 2)))


def too_many(opened: Opened) -> Opened:
    return replace(opened, body=BytesBody(b"".join(pieces(opened.body)) + b"x"))


def breaks(opened: Opened) -> Opened:
    opened.close()
    raise TimedOut("The source breaks.")


def unasked_not_modified(opened: Opened) -> Opened:
    raise NotModified(info=opened.info)


def not_modified_is_another(opened: Opened) -> Opened:
    raise NotModified(info=replace(opened.info, etag="other"))


def unasked_condition(opened: Opened) -> Opened:
    raise PreconditionFailed(key=opened.info.key)


def no_object(opened: Opened) -> Opened:
    return replace(opened, status=500)


LIES = (
    a_part, another_part, larger, smaller, another_object, another_each_time, no_bytes, too_few,
    too_many, breaks, unasked_not_modified, not_modified_is_another, unasked_condition,
)  # fmt: skip


def given(cache: Cache, first: int | None = None, last: int | None = None) -> bytes | str:
    wanted = None if first is None and last is None else Range(first, last)
    try:
        with cache.get("k", Get(range=wanted)) as opened:
            data = b"".join(pieces(opened.body))
            assert len(data) == opened.length
            return data
    except StorageError as error:
        return type(error).__name__


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("warm", [False, True])
def test_an_answer_to_another_question_is_an_error_and_the_end(
    cached: Opening, site: Site, lie: Callable[[Opened], Opened], warm: bool
) -> None:
    site.origin.has("k", DATA)
    cache = cached(expire_errors=0, stale_if_error=0)
    if warm:
        read(cache, "k", BLOCK, 2 * BLOCK - 1)
    site.origin.answer = lie
    for first, last in ((None, None), (0, 9), (BLOCK, BLOCK + 9), (2 * BLOCK, None)):
        asked = site.origin.asked
        got = given(cache, first, last)
        if lie not in (smaller, larger, another_object, another_each_time):
            at = DATA[(first or 0) : len(DATA) if last is None else last + 1]
            assert got in (at, "OriginFailed", "TimedOut", "Unavailable")
        assert site.origin.asked - asked <= 25
        until(lambda: not len(cache._fills))
    site.origin.answer = None
    cache.purge()
    assert read(cache, "k") == DATA, "and nothing wrong was kept"
    assert given(cache, BLOCK, BLOCK + 9) == DATA[BLOCK : BLOCK + 10]


@pytest.mark.parametrize("seed", range(12))
def test_a_source_that_lies_now_and_then_never_gives_wrong_bytes(
    cached: Opening, site: Site, seed: int
) -> None:
    """Lies that can be known: of ranges, lengths and conditions."""
    random_ = random.Random(seed)
    known = [lie for lie in LIES if lie not in (larger, smaller, another_object)]
    site.origin.has("k", DATA)
    cache = cached(expire_errors=0, refresh_after=5)

    def answer(opened: Opened) -> Opened:
        return random_.choice(known)(opened) if random_.random() < 0.5 else opened

    site.origin.answer = answer
    for _ in range(25):
        first = random_.choice([None, 0, 5, BLOCK, 2 * BLOCK - 3])
        last = None if first is None else random_.choice([None, first + random_.randrange(BLOCK)])
        got = given(cache, first, last)
        if isinstance(got, bytes):
            assert got == DATA[(first or 0) : len(DATA) if last is None else last + 1]
        if random_.random() < 0.3:
            site.clock.pass_by(6)
    until(lambda: not len(cache._fills))


def test_an_unasked_answer_to_a_condition_is_a_failure_and_asked_once(
    cached: Opening, site: Site
) -> None:
    site.origin.has("k", DATA)
    cache = cached()
    for error in (unasked_not_modified, unasked_condition):
        cache.purge()
        site.origin.gets.clear()
        site.origin.answer = error
        with pytest.raises(OriginFailed, match="nobody"):
            cache.get("k")
        assert len(site.origin.gets) == 1
    site.origin.answer = None
    cache.purge()
    with pytest.raises(NotModified):  # who asks so is answered so
        info = cache.stat("k")
        cache.get("k", Get(conditions=Conditions(if_none_match=(info.etag,))))


# what is stored


def damage_all(folder: Path, keep: int) -> None:
    for path in (folder / "cache/c/blobs").glob("*/*"):
        path.write_bytes(path.read_bytes()[:keep])


@pytest.mark.parametrize("kept", [0, 1000, BLOCK // 2])
@pytest.mark.parametrize("writes", [True, False])
def test_a_block_that_is_too_short_is_fetched_even_where_that_cannot_be_noted(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int, writes: bool
) -> None:
    site.origin.has("k", DATA)
    cache = site.worker()
    read(cache, "k")
    cache._hot.clear()
    damage_all(tmp_path, kept)

    def broken(*_: object, **__: object) -> None:
        raise Unavailable("The disk does not work.")

    if not writes:
        monkeypatch.setattr(cache._stock.space, "write", broken)
    assert read(cache, "k") == DATA
    assert read(cache, "k", 10, BLOCK + 9) == DATA[10 : BLOCK + 10]


def test_a_block_that_cannot_be_opened_is_fetched(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No descriptor is left, say: it stays where it is, and is fetched for this answer."""
    site.origin.has("k", DATA)
    cache = site.worker()
    read(cache, "k")
    with monkeypatch.context() as patched:

        def refuse(*_: object, **__: object) -> None:
            raise OSError(24, "Too many open files")

        patched.setattr(cache._stock, "open", refuse)
        assert read(cache, "k") == DATA
    asked = site.origin.asked
    assert read(cache, "k") == DATA
    assert site.origin.asked == asked


def test_a_block_of_another_size_than_it_must_have_is_fetched_anew(
    cached: Opening, site: Site
) -> None:
    """As an earlier version stored them, of a source that gave parts unasked."""
    site.origin.has("k", DATA)
    cache = cached()
    read(cache, "k")
    cache._hot.clear()
    cache._stock.space.write(lambda txn: txn.execute("UPDATE blobs SET size = 5"))
    assert read(cache, "k") == DATA
    assert read(cache, "k") == DATA
