"""What a request asks for, and how large a picture becomes: values in, values out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.image.asked import Asked, Misasked, parsed
from drivers.image.geometry import plan
from gateway.storage import NOTHING, Get
from tests.images.pictures import Site

SAME = {
    "w=100": ("w=0100", "utm=1&w=100", "c=1&w=100", "w=100&webp=0", "%77=100"),
    "w=100&h=50&c=1": ("c=1&h=50&w=100", "h=50&w=100&c=1&avif=0"),
    "w=1&webp=1&avif=1": ("avif=1&webp=1&w=1", "w=1&webp=1&avif=1&webp=1"),
    "": ("utm_source=x", "c=1", "webp=0", "W=100", "w2=1"),
}


@pytest.mark.parametrize("form", SAME)
def test_what_means_the_same_has_one_form(form: str) -> None:
    for query in (form, *SAME[form]):
        assert parsed(query, NOTHING, most=4096, negotiate=False).query == form


@pytest.mark.parametrize(
    "query",
    ["w=0", "w=-1", "w=", "w=1.5", "w=4097", "w=9999999999999", "h=٣", "w=1&w=01", "w=1&w=2",
     "c=2", "c=yes", "webp=true", "avif=", "w= 1", "h=1e3"],
)  # fmt: skip
def test_what_is_no_number_and_no_switch_is_refused(query: str) -> None:
    with pytest.raises(Misasked, match=query[:1]):
        parsed(query, NOTHING, most=4096, negotiate=False)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("image/avif,image/webp,*/*;q=0.8", "image/avif,image/webp"),
        ("text/html, IMAGE/WebP;q=0.5", "image/webp"),
        ("image/webp;q=0, image/avif; q=0.000", ""),
        ("*/*", ""), ("image/*", ""), ("", ""), ("image/webpx", ""), (",;,", ""),
    ],
)  # fmt: skip
def test_a_reader_knows_what_it_names(accept: str, form: str) -> None:
    headers = {"accept": accept}
    assert parsed("", headers, most=1, negotiate=True).accept == form
    assert not parsed("", headers, most=1, negotiate=False)


sides = st.integers(1, 20_000)


@given(sides, sides, st.none() | sides, st.none() | sides, st.booleans())
def test_nothing_is_enlarged_and_what_is_kept_is_there(
    width: int, height: int, wide: int | None, high: int | None, crop: bool
) -> None:
    asked = Asked(width=wide, height=high, crop=crop)
    made = plan(width, height, asked)
    left, top, across, down = made.box
    assert 1 <= across <= min(width, wide or width)
    assert 1 <= down <= min(height, high or height)
    assert left >= 0 and top >= 0
    assert left + across <= made.width <= width
    assert top + down <= made.height <= height


@pytest.mark.parametrize(
    ("asked", "size"),
    [
        (Asked(width=100), (100, 75)),
        (Asked(height=60), (80, 60)),
        (Asked(width=100, height=100), (100, 75)),
        (Asked(width=100, height=100, crop=True), (100, 100)),
        (Asked(width=800), (160, 120)),
        (Asked(width=1000, height=1000, crop=True), (120, 120)),
        (Asked(width=1), (1, 1)),
    ],
)
def test_a_picture_fits_its_box_or_fills_it(asked: Asked, size: tuple[int, int]) -> None:
    assert plan(160, 120, asked).box[2:] == size


def test_the_normal_form_is_of_the_key_too(site: Site) -> None:
    for key, query in (("a.jpg", "w=5"), ("a", "w=5"), ("app.js", ""), ("a/x.css", "")):
        normal = site.image.normal(key, Get(query="utm=1&w=5", headers={"x": "1"}))
        assert (normal.query, normal.headers) == (query, {})
        assert site.image.normal(key, normal) == normal


def test_what_is_wrong_has_one_form_that_is_wrong(site: Site) -> None:
    for query in ("w=x", "w=y&h=3", "w=1&w=2"):
        assert site.image.normal("k", Get(query=query)).query == "w="
