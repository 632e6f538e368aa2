"""Pictures for browsers: a public binding, a cache, the `image` layer, a store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image as Pictures

from gateway.storage import Busy
from gateway.testing.faults import noise
from gateway.web.replies import AT_ONCE
from tests.images.pictures import jpeg, seen, written
from tests.modes.public_gateway import Answer, Site, serving

BROWSER = {"Accept": "image/avif,image/webp,image/apng,*/*;q=0.8"}
OLD = {"Accept": "image/webp,*/*"}


@pytest.fixture(scope="module", params=[False, True])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    services: dict[str, Any] = {
        "photos": {"driver": "memory"},
        "plain": {"driver": "image", "source": "photos"},
        "chosen": {"driver": "image", "source": "photos", "negotiate": True},
        "pictures": {"driver": "cache", "source": "chosen", "respect_headers": request.param},
    }
    bindings: list[dict[str, Any]] = [
        {"service": "pictures"},
        {"service": "plain", "host": "webp.example", "append_webp": True},
    ]
    with serving(services, bindings) as site:
        headers = (("Cache-Control", "max-age=600"),)
        for key, data in (("cat.jpg", jpeg()), ("bad.jpg", b"none")):
            site.put("photos", key, data, content_type="image/jpeg", headers=headers)
        yield site


def hits(answer: Answer) -> bool:
    return "; hit" in answer.headers["cache-status"]


def test_a_browser_gets_what_it_knows(site: Site) -> None:
    for headers, kind in ((BROWSER, "image/avif"), (OLD, "image/webp"), ({}, "image/jpeg")):
        first, again = (site.ask("/cat.jpg?w=40", headers=headers) for _ in range(2))
        assert first.headers["content-type"] == again.headers["content-type"] == kind
        assert seen(first.body).size == (40, 30)
        assert "accept" in first.headers["vary"].lower()
        assert (first.body, hits(again)) == (again.body, True)
        head = site.ask("/cat.jpg?w=40", "HEAD", headers)
        assert hits(head)
        assert head.headers["content-length"] == str(len(first.body))
        assert head.headers["etag"] == first.headers["etag"]
        same = site.ask("/cat.jpg?w=40", headers={**headers, "If-None-Match": head.headers["etag"]})
        assert same.status == 304 and hits(same)
        part = site.ask("/cat.jpg?w=40", headers={**headers, "Range": "bytes=2-4"})
        assert (part.status, part.body) == (206, first.body[2:5])


def test_what_browsers_write_otherwise_is_the_same_variant(site: Site) -> None:
    site.ask("/cat.jpg?w=41&webp=1", headers=OLD)
    for target, accept in (
        ("/cat.jpg?utm_source=x&w=041&webp=1", "image/webp"),
        ("/cat.jpg?webp=1&w=41", "text/html, image/webp;q=0.9,*/*;q=0.8"),
    ):
        assert hits(site.ask(target, headers={"Accept": accept}))


def test_a_binding_may_ask_for_webp_itself(site: Site) -> None:
    for query, headers, kind in (
        ("?w=40", OLD, "image/webp"),
        ("?w=40&webp=1", OLD, "image/webp"),
        ("", OLD, "image/webp"),
        ("?w=40", {}, "image/jpeg"),
    ):
        answer = site.ask(f"/cat.jpg{query}", headers=headers, host="webp.example")
        assert (answer.status, answer.headers["content-type"]) == (200, kind)


def test_what_cannot_be_made_is_a_page(site: Site) -> None:
    for hit in (False, True):
        bad = site.ask("/bad.jpg?w=40")
        assert (bad.status, hits(bad)) == (422, hit)
    assert site.ask("/cat.jpg?w=wide").status == 400
    assert site.ask("/bad.jpg").body == b"none"


def test_a_large_picture_is_sent_at_its_readers_pace(site: Site) -> None:
    """As a long answer, of which there are so many at once: readers who take nothing would
    each have all of it kept in memory for them."""
    grain = Pictures.frombytes("RGB", (800, 500), noise(800 * 500 * 3))
    site.put("photos", "grain.png", written(grain, "PNG"), content_type="image/png")
    held = list[str]()
    try:
        with pytest.raises(Busy):
            for number in range(100):
                site.admission.take(f"192.0.2.{number + 2}")
                held.append(f"192.0.2.{number + 2}")
        large = site.ask("/grain.png?w=800", host="webp.example")
        small = site.ask("/grain.png?w=80", host="webp.example")
    finally:
        for one in held:
            site.admission.release(one)
    assert (large.status, small.status) == (503, 200)
    found = site.ask("/grain.png?w=800", host="webp.example")
    assert seen(found.body).size == (800, 500) and len(found.body) > AT_ONCE
