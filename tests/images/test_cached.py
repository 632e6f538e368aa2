"""A cache in front of pictures: one entry for each variant, and purges that name all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from drivers.cache import Cache
from gateway.services.subtree import Below
from gateway.storage import (
    BytesBody,
    Conditions,
    Context,
    Get,
    OriginAnswer,
    Purge,
    Put,
    Range,
    Unprocessable,
    Varies,
    Writable,
)
from tests.images.pictures import Site, body_of, jpeg, seen
from tests.layers.origin import Clock, until

ACCEPT = "image/avif,image/webp,image/apng,*/*;q=0.8"


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site(negotiate=True)
    yield site
    site.close()


@pytest.fixture
def cache(site: Site, tmp_path: Path) -> Iterator[Cache]:
    cache = Cache(source=site.image, space="memory")
    cache.open(Context(sid="cache", folder=tmp_path))
    yield cache
    cache.close()


def read(cache: Cache, query: str = "", accept: str = "") -> tuple[str, bytes]:
    with cache.get("k", Get(query=query, headers={"accept": accept} if accept else {})) as opened:
        found = opened.info.content_type, body_of(opened)
    until(lambda: not len(cache._fills))
    return found


def test_only_what_makes_a_difference_makes_a_variant(site: Site, cache: Cache) -> None:
    site.put("k", jpeg())
    for query, accept in (
        ("w=40", ""),
        ("w=040&utm_source=x", "*/*"),
        ("v=7&w=40", "image/png"),
        ("w=40&avif=1&webp=1", ""),
        ("avif=1&w=40&webp=1", ACCEPT),
    ):
        read(cache, query, accept)
    assert len(site.origin.gets) == 2
    assert read(cache, "w=40", ACCEPT)[0] == "image/avif"
    assert read(cache, "w=40", "image/webp")[0] == "image/webp"
    assert read(cache, "w=40", "text/html, image/webp;q=0.1")[0] == "image/webp"
    assert len(site.origin.gets) == 4
    assert {want.query for want in site.origin.gets} == {""}


def test_a_purge_of_the_key_or_a_tag_is_one_of_all_variants(site: Site, cache: Cache) -> None:

    for purge in (Purge(kind="key", value="k"), Purge(kind="tag", value="cats")):
        site.put("k", jpeg(), headers=(("Cache-Tag", "cats, dogs"),))
        before = [read(cache, query) for query in ("w=40", "webp=1", "")]
        site.put("k", jpeg(320, 100), headers=(("Cache-Tag", "cats, dogs"),))
        assert [read(cache, query) for query in ("w=40", "webp=1", "")] == before
        cache.purge(purge)
        after = [read(cache, query) for query in ("w=40", "webp=1", "")]
        assert [seen(data).size for _, data in after] == [(40, 12), (320, 100), (320, 100)]


def test_a_write_through_the_cache_makes_all_variants_anew(site: Site, cache: Cache) -> None:
    site.put("k", jpeg())
    assert seen(read(cache, "w=40")[1]).size == (40, 30)
    writable = cache.find(Writable)
    assert writable is not None
    data = jpeg(320, 100)
    writable.put("k", BytesBody(data), Put(size=len(data), content_type="image/jpeg"))
    assert seen(read(cache, "w=40")[1]).size == (40, 12)


def test_an_old_variant_is_asked_for_anew_without_making_it(site: Site, tmp_path: Path) -> None:
    site.put("k", jpeg())
    cache = Cache(source=site.image, space="memory", refresh_after=0.0, stale_if_error=0.0)
    cache.open(Context(sid="old", folder=tmp_path))
    try:
        first = read(cache, "w=40")
        assert [read(cache, "w=40") for _ in range(3)] == [first] * 3
        assert len(site.origin.gets) == 1
    finally:
        cache.close()


@pytest.mark.parametrize("respects", [False, True])
def test_a_bad_picture_is_remembered_for_a_while(
    site: Site, tmp_path: Path, respects: bool
) -> None:
    """It is no failure of the source: nothing that is stale takes its place."""
    clock = Clock()
    cache = Cache(source=site.image, space="memory", expire_errors=5.0, respect_headers=respects)
    cache.open(Context(sid="cache", folder=tmp_path, clock=clock))

    def asked_when_bad(data: bytes) -> list[int]:
        site.put("k", data)
        made = []
        for _ in range(3):
            with pytest.raises(Unprocessable):
                read(cache, "w=40")
            with pytest.raises(Unprocessable):
                cache.stat("k", Get(query="w=40"))
            made.append(len(site.origin.gets))
        return made

    try:
        assert asked_when_bad(b"none") == [1, 1, 1]
        clock.pass_by(6)
        site.put("k", jpeg())
        assert read(cache, "w=40") and len(site.origin.gets) == 2
        clock.pass_by(100_000)
        assert asked_when_bad(b"nothing") == [3, 3, 3]
    finally:
        cache.close()


@pytest.mark.parametrize("respects", [False, True])
def test_what_is_made_to_be_looked_at_is_kept(site: Site, tmp_path: Path, respects: bool) -> None:
    """As nginx and Varnish do: a HEAD that is a miss is a GET for whoever keeps things."""
    site.put("k", jpeg(), headers=(("Cache-Control", "max-age=600"),))
    cache = Cache(source=site.image, space="memory", respect_headers=respects)
    cache.open(Context(sid="cache", folder=tmp_path))
    other = Conditions(if_none_match=("another",))
    looks: dict[str, Callable[[Get], object]] = {
        "w=40": lambda want: cache.stat("k", want),
        "w=50": lambda want: cache.get("k", replace(want, conditions=other)).close(),
        "w=60": lambda want: cache.get("k", replace(want, range=Range(None, 5))).close(),
    }
    try:
        for number, (query, look) in enumerate(looks.items(), 1):
            for _ in range(2):
                look(Get(query=query))
                until(lambda: not len(cache._fills))
            info, (_, data) = cache.stat("k", Get(query=query)), read(cache, query)
            assert (info.size, len(site.origin.gets)) == (len(data), number)
            assert "; hit" in info.trace[0]
    finally:
        cache.close()


def test_what_makes_a_difference_is_known_in_front_of_a_cache_and_below_a_path(
    site: Site, cache: Cache
) -> None:
    for store in (cache, Below(site.image, "in")):
        varies = store.find(Varies)
        assert varies is not None
        assert varies.parameters == site.image.parameters
        assert varies.normal("k", Get(query="x=1&w=05")).query == "w=5"
        assert varies.makes("k", Get(query="w=05"))
        assert not varies.makes("k", Get(query="x=1"))
        assert varies.normal("k.js", Get(query="x=1&w=05")).query == ""


def test_over_an_origin_its_headers_stay_in_step(site: Site) -> None:
    """A cache by the rules of RFC 9111 reads them, a public door shows them."""

    lines = (("Age", "3"), ("Content-Length", "7"), ("ETag", '"x"'), ("Content-Type", "image/jpeg"))
    site.put("k", jpeg())
    answer = OriginAnswer(status=200, headers=lines, asked=1, answered=2)
    site.origin.alter = lambda info: replace(info, origin=answer)
    info, data = site.get("k", "w=40&webp=1")
    assert info.origin is not None
    assert info.origin.headers == (
        ("Age", "3"),
        ("Content-Type", "image/webp"),
        ("ETag", f'"{info.etag}"'),
        ("Content-Length", str(len(data))),
        ("Vary", "Accept"),
    )
