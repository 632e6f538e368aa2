"""How a cache answers: from what it has while that is fresh, else from the source, once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from drivers.cache import Cache
from drivers.cache.fills import BLOCK
from gateway.storage import (
    BytesBody,
    Conditions,
    Encryption,
    Get,
    InvalidRange,
    NoSuchKey,
    NotModified,
    OriginFailed,
    PreconditionFailed,
    Put,
    Secret,
    Unavailable,
    Varies,
)
from gateway.testing.faults import noise
from tests.layers.origin import Site, read, until

Opening = Callable[..., Cache]
SIZES = (0, 1, 1000, 100_000, BLOCK, 3 * BLOCK + 5)


@pytest.mark.parametrize("size", SIZES)
def test_what_was_read_once_is_not_asked_for_again(cached: Opening, site: Site, size: int) -> None:
    info = site.origin.has("k", noise(size), content_type="a/b", metadata={"m": "é"})
    cache = cached()
    for _ in range(3):
        assert read(cache, "k") == noise(size)
        assert cache.stat("k") == info
    assert site.origin.asked == 1


def test_all_that_is_known_of_an_object_comes_back(cached: Opening, site: Site) -> None:
    info = site.origin.has(
        "ключ \0?",
        b"data",
        content_type="text/plain; charset=utf-8",
        headers=(("Cache-Control", "no-cache"), ("X", "1"), ("X", "2")),
        metadata={"a": "1"},
        tags={"t": "2"},
        checksums={"CRC32": "", "SHA256": ""},
        storage_class="STANDARD_IA",
        owner="me",
        attributes={"grants": [["*", "read"]]},
    )
    cache = cached()
    read(cache, "ключ \0?")
    cache._hot.clear()
    assert cache.stat("ключ \0?") == info
    assert site.origin.asked == 1


def test_after_refresh_after_the_source_is_asked_whether_it_changed(
    cached: Opening, site: Site
) -> None:
    info = site.origin.has("k", b"data")
    cache = cached(refresh_after=10)
    read(cache, "k")
    site.clock.pass_by(11)
    assert read(cache, "k") == b"data"
    assert site.origin.gets[-1].conditions == Conditions(if_none_match=(info.etag,))
    assert site.origin.sent == 4
    read(cache, "k")
    assert site.origin.asked == 2


def test_what_changed_meanwhile_is_fetched_with_the_question(cached: Opening, site: Site) -> None:
    site.origin.has("k", noise(2 * BLOCK, "old"))
    cache = cached(refresh_after=10)
    read(cache, "k")
    site.origin.has("k", noise(3 * BLOCK, "new"))
    assert read(cache, "k") == noise(2 * BLOCK, "old")
    site.clock.pass_by(11)
    assert read(cache, "k") == noise(3 * BLOCK, "new")
    assert site.origin.asked == 2
    assert read(cache, "k") == noise(3 * BLOCK, "new")
    assert site.origin.asked == 2


def test_what_is_missing_is_remembered_for_its_time(cached: Opening, site: Site) -> None:
    cache = cached(expire_not_found=5)
    for _ in range(3):
        with pytest.raises(NoSuchKey) as caught:
            read(cache, "k")
        assert caught.value.key == "k"
        with pytest.raises(NoSuchKey):
            cache.stat("k")
    assert site.origin.asked == 1
    site.origin.has("k", b"now")
    site.clock.pass_by(6)
    assert read(cache, "k") == b"now"


def test_a_failure_is_remembered_for_its_time(cached: Opening, site: Site) -> None:
    site.origin.fail = OriginFailed("It burns.", status=500, retry_after=7)
    cache = cached(expire_errors=5)
    for _ in range(3):
        with pytest.raises(OriginFailed, match="It burns") as caught:
            read(cache, "k")
        assert (caught.value.status, caught.value.retry_after) == (500, 7)
    assert site.origin.asked == 1
    site.origin.fail = None
    site.origin.has("k", b"now")
    site.clock.pass_by(6)
    assert read(cache, "k") == b"now"


def test_a_stale_entry_is_answered_while_the_source_fails(cached: Opening, site: Site) -> None:
    site.origin.has("k", noise(2 * BLOCK))
    cache = cached(refresh_after=10, stale_if_error=100, expire_errors=5)
    read(cache, "k")
    site.clock.pass_by(20)
    site.origin.fail = Unavailable()
    for _ in range(3):
        assert read(cache, "k") == noise(2 * BLOCK)
    assert cache.stat("k").size == 2 * BLOCK
    assert site.origin.asked == 2, "a source that has just failed is left alone"
    site.clock.pass_by(6)
    assert read(cache, "k") == noise(2 * BLOCK)
    assert site.origin.asked == 3
    site.clock.pass_by(100)
    with pytest.raises(Unavailable):
        read(cache, "k")


def test_what_the_source_denies_is_no_failure_to_cover_up(cached: Opening, site: Site) -> None:
    site.origin.has("k", b"data")
    cache = cached(refresh_after=10)
    read(cache, "k")
    site.origin.delete("k")
    site.clock.pass_by(20)
    with pytest.raises(NoSuchKey):
        read(cache, "k")


def test_a_stale_entry_may_be_answered_while_it_is_asked_for(cached: Opening, site: Site) -> None:
    site.origin.has("k", b"old")
    cache = cached(refresh_after=10, stale_while_revalidate=100)
    read(cache, "k")
    site.origin.has("k", b"new")
    site.clock.pass_by(20)
    assert read(cache, "k") == b"old"
    until(lambda: read(cache, "k") == b"new")


def test_names_may_be_one_whatever_their_case(cached: Opening, site: Site) -> None:
    site.origin.has("Photo.JPG", b"data")
    cache = cached(case_sensitive=False)
    assert read(cache, "Photo.JPG") == read(cache, "photo.jpg") == b"data"
    assert cache.stat("photo.jpg").key == "photo.jpg"
    assert site.origin.asked == 1


# blocks


def test_a_hundred_bytes_of_a_large_object_cost_a_block(cached: Opening, site: Site) -> None:
    data = noise(20 * BLOCK)
    site.origin.has("k", data)
    cache = cached()
    at = 7 * BLOCK + 123
    for _ in range(2):
        assert read(cache, "k", at, at + 99) == data[at : at + 100]
    assert site.origin.sent == BLOCK
    assert read(cache, "k", 8 * BLOCK - 50, 8 * BLOCK + 49) == data[8 * BLOCK - 50 : 8 * BLOCK + 50]
    assert site.origin.sent == 2 * BLOCK
    assert read(cache, "k", None, 10) == data[-10:]
    assert site.origin.sent == 3 * BLOCK


def test_a_whole_read_fetches_what_is_missing_only(cached: Opening, site: Site) -> None:
    data = noise(6 * BLOCK + 99)
    info = site.origin.has("k", data)
    cache = cached()
    read(cache, "k", 2 * BLOCK, 3 * BLOCK)
    assert read(cache, "k") == data
    assert site.origin.sent == len(data)
    asked = [want.conditions for want in site.origin.gets[1:]]
    assert asked == [Conditions(if_match=(info.etag,))] * 2
    assert read(cache, "k") == data
    assert site.origin.sent == len(data)


def test_blocks_of_two_objects_are_never_mixed(cached: Opening, site: Site) -> None:
    site.origin.has("k", noise(4 * BLOCK, "old"))
    cache = cached()
    read(cache, "k", 0, 9)
    site.origin.has("k", noise(4 * BLOCK, "new"))
    new = noise(4 * BLOCK, "new")
    assert read(cache, "k", 3 * BLOCK, None) == new[3 * BLOCK :]
    assert read(cache, "k") == new
    assert cache.stat("k").size == 4 * BLOCK


def test_an_object_that_changes_while_it_is_read_breaks_off(cached: Opening, site: Site) -> None:
    site.origin.has("k", noise(4 * BLOCK, "old"))
    cache = cached()
    read(cache, "k", 0, 9)
    with cache.get("k") as opened:
        assert opened.body.read(100) == noise(4 * BLOCK, "old")[:100]
        site.origin.has("k", noise(4 * BLOCK, "new"))
        with pytest.raises(OriginFailed, match="changed"):
            while opened.body.read():
                pass


def test_a_range_beyond_the_end_is_refused(cached: Opening, site: Site) -> None:
    site.origin.has("k", b"data")
    cache = cached()
    for _ in range(2):
        for first in (4, 10 * BLOCK):
            with pytest.raises(InvalidRange) as caught:
                read(cache, "k", first, None)
            assert caught.value.size == 4
    assert read(cache, "k", 0, 10 * BLOCK) == b"data"


# conditions


def test_conditions_of_a_reader_are_held_against_what_is_stored(
    cached: Opening, site: Site
) -> None:
    info = site.origin.has("k", noise(5 * BLOCK))
    cache = cached()
    for _ in range(2):
        with pytest.raises(NotModified) as caught:
            cache.get("k", Get(conditions=Conditions(if_none_match=(info.etag,))))
        assert caught.value.info == info
        with pytest.raises(PreconditionFailed):
            cache.get("k", Get(conditions=Conditions(if_match=("x",))))
    assert (site.origin.asked, site.origin.sent) == (1, 0), "the head is enough"


# what is not for the cache


def test_versions_and_customers_keys_pass_it_by(
    cached: Opening, site: Site, tmp_path: Path
) -> None:
    key = Encryption(kind="customer", key=Secret(bytes(range(32))))
    cache = cached()
    cache.put("k", BytesBody(b"secret"), Put(size=6, encryption=key))
    for _ in range(2):
        with cache.get("k", Get(encryption=key)) as opened:
            assert opened.body.read() == b"secret"
    assert site.origin.asked == 2
    cache.set_versioning("on")
    version = site.origin.has("v", b"one").version
    site.origin.has("v", b"two")
    assert read(cache, "v") == b"two"
    with cache.get("v", Get(version=version)) as opened:
        assert opened.body.read() == b"one"
    assert read(cache, "v") == b"two"


def test_what_the_source_encrypts_is_not_plain_on_the_caches_disk(
    site: Site, tmp_path: Path
) -> None:
    for size in (1000, 2 * BLOCK):
        site.origin.has(f"k{size}", noise(size), encryption=Encryption())
        cache = site.worker()
        assert read(cache, f"k{size}") == noise(size)
        cache._hot.clear()
        assert read(cache, f"k{size}") == noise(size)
        kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        assert len(kept) > size
        assert noise(size)[:64] not in kept
    assert len(site.origin.gets) == 2


def test_too_large_an_object_is_not_stored_and_its_readers_do_not_queue(
    cached: Opening, site: Site
) -> None:
    data = noise(3 * BLOCK)
    site.origin.has("k", data)
    cache = cached(max_item_size=2 * BLOCK)
    assert read(cache, "k") == data
    site.origin.gets.clear()
    site.origin.stop, before = BLOCK, site.origin.go
    with cache.get("k") as one, cache.get("k") as two:
        assert len(site.origin.gets) == 2, "neither waits for the other"
        before.set()
        for opened in (one, two):
            assert b"".join(iter(opened.body.read, b"")) == data


def test_parameters_tell_representations_apart(cached: Opening, site: Site) -> None:
    site.origin.has("k", b"data")
    cache = cached()
    for query in ("w=1", "w=2", "w=1", "utm=x&w=1", "w=2&fbclid=y"):
        cache.get("k", Get(query=query)).close()
        until(lambda: not len(cache._fills))  # what is sent is stored behind that
        cache.stat("k", Get(query=query))
    assert [want.query for want in site.origin.gets] == ["w=1", "w=2"]


def test_what_makes_no_difference_makes_no_entry(cached: Opening, site: Site) -> None:
    """Nor a question: whoever likes could fill the cache with one object."""
    site.origin.has("k", b"data")
    cache = cached()
    for number in range(5):
        query, headers = f"v={number}", {"accept": f"image/x{number}"}
        cache.get("k", Get(query=query, headers=headers)).close()
        until(lambda: not len(cache._fills))  # what is sent is stored behind that
        cache.stat("k", Get(query=query, headers=headers))
    assert [(want.query, want.headers) for want in site.origin.gets] == [("", {})]
    assert site.origin.asked == 1


def test_a_store_that_says_nothing_of_a_query_has_one_answer(
    cached: Opening, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.origin.has("k", b"data")
    find = site.origin.find
    monkeypatch.setattr(site.origin, "find", lambda one: None if one is Varies else find(one))
    cache = cached()
    for query in ("w=1", "w=2", ""):
        cache.get("k", Get(query=query, headers={"accept": query or "x"})).close()
    assert [(want.query, want.headers) for want in site.origin.gets] == [("", {})]


def test_no_reader_says_to_the_source_what_the_others_do_not(cached: Opening, site: Site) -> None:
    site.origin.has("k", b"data")
    cached().get("k", Get(headers={"accept-language": "xx", "x-host": "evil"})).close()
    assert [want.headers for want in site.origin.gets] == [{}]


def test_a_failure_that_must_not_be_given_again_is_not(cached: Opening, site: Site) -> None:
    error = NoSuchKey(key="k")
    error.cacheable = False
    site.origin.fail, cache = error, cached()
    for _ in range(3):
        with pytest.raises(NoSuchKey):
            read(cache, "k")
    assert site.origin.asked == 3
