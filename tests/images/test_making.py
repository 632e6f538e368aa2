"""What becomes of pictures: their size, format, colours and frames, and what is said of them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
from PIL import Image as Pictures

from gateway.storage import Conditions, Get, InvalidRequest, NotModified, PreconditionFailed, Range
from tests.images.conftest import Opening
from tests.images.pictures import (
    MAKER,
    ORIENTATION,
    SRGB,
    Site,
    jpeg,
    moving,
    photo,
    seen,
    shade,
    times,
    written,
)

NAMED = {"image/jpeg": "JPEG", "image/png": "PNG", "image/gif": "GIF", "image/webp": "WEBP"}


@pytest.mark.parametrize("kind", NAMED)
@pytest.mark.parametrize(
    ("query", "size"),
    [("w=40", (40, 30)), ("w=40&h=40&c=1", (40, 40)), ("h=15", (20, 15)), ("w=4000", (160, 120))],
)
def test_each_kind_stays_what_it_is(
    site: Site, kind: str, query: str, size: tuple[int, int]
) -> None:
    lossless = {"lossless": True} if kind == "image/webp" else {}
    picture = photo() if kind != "image/gif" else photo().quantize(255)
    source = site.put("k", written(picture, NAMED[kind], **lossless), kind, metadata={"m": "1"})
    info, data = site.get("k", query)
    if len(data) == source.size:  # no smaller one was made: it is the source
        assert (query, info) == ("w=4000", source)
        return
    made = seen(data)
    assert (made.format, made.size) == (NAMED[kind], size)
    assert info.size == len(data) < source.size
    assert (info.content_type, info.metadata, info.modified) == (kind, {"m": "1"}, source.modified)
    left, right = (shade(made, x, 5) for x in (2, size[0] - 3))
    assert left[0] > left[2] + 50 and right[2] > right[0] + 50


@pytest.mark.parametrize(
    ("query", "format"),
    [("webp=1", "WEBP"), ("avif=1", "AVIF"), ("avif=1&webp=1", "AVIF"), ("w=40&webp=1", "WEBP")],
)
def test_other_formats_where_they_are_asked_for(site: Site, query: str, format: str) -> None:
    site.put("k", jpeg())
    info, data = site.get("k", query)
    assert seen(data).format == format
    assert info.content_type == f"image/{format.lower()}"


def test_a_reader_is_given_what_it_knows(opened: Opening) -> None:
    site = opened(negotiate=True)
    site.put("k", jpeg(), headers=(("Vary", "Origin"),))
    for accept, kind in (
        ("image/avif,image/webp,*/*", "image/avif"),
        ("image/webp,*/*;q=0.8", "image/webp"),
        ("*/*", "image/jpeg"),
        ("", "image/jpeg"),
    ):
        info, _ = site.get("k", accept=accept)
        assert info.content_type == kind
        assert info.headers == (("Vary", "Origin"), ("Vary", "Accept"))
    assert site.image.stat("k").headers == info.headers
    site.put("a.css", b"b{}", "text/css")
    assert site.get("a.css", accept="image/webp")[0].headers == ()


def test_what_would_not_be_smaller_is_the_source(opened: Opening) -> None:
    site, small = opened(quality=100), written(photo(), "JPEG", quality=20)
    source = site.put("k", small, headers=(("Cache-Tag", "t"),))
    assert site.get("k", "w=159") == (source, small)
    assert site.image.stat("k", Get(query="w=159")) == source
    span = Get(query="w=159", range=Range(2, 5))
    with site.image.get("k", span) as part:
        assert (part.info, part.body.read()) == (source, small[2:6])


def test_a_picture_is_upright_and_says_nothing_of_its_maker(site: Site) -> None:
    exif = Pictures.Exif()
    exif[ORIENTATION], exif[MAKER] = 6, "somebody"
    site.put("k", written(photo(), "JPEG", quality=95, exif=exif, comment=b"of whom"))
    for query, size in (("w=30", (30, 40)), ("w=30&h=30&c=1", (30, 30)), ("webp=1", (120, 160))):
        _, data = site.get("k", query)
        made = seen(data)
        assert made.size == size
        assert not dict(made.getexif())
        assert b"somebody" not in data and b"of whom" not in data
        top, bottom = (shade(made, 5, y) for y in (2, size[1] - 3))
        assert top[0] > top[2] + 50 and bottom[2] > bottom[0] + 50


def test_colours_are_those_of_srgb_and_say_so(site: Site) -> None:
    """By a profile whose red is what sRGB calls green."""
    swapped = bytearray(SRGB)
    red, green = swapped.index(b"rXYZ"), swapped.index(b"gXYZ")
    swapped[red : red + 4], swapped[green : green + 4] = b"gXYZ", b"rXYZ"
    plain = Pictures.new("RGB", (64, 64), (220, 30, 30))
    site.put("k", written(plain, "PNG", icc_profile=bytes(swapped), compress_level=0), "image/png")
    site.put("same", written(plain, "PNG", icc_profile=SRGB, compress_level=0), "image/png")
    for key in ("k", "same"):
        made = seen(site.get(key, "w=32")[1])
        red_now, green_now, _ = shade(made, 9, 9)
        assert (green_now > red_now + 100) == (key == "k")
        assert b"sRGB" in made.info["icc_profile"] or b"s\0R\0G\0B" in made.info["icc_profile"]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16", "CMYK"])
def test_pictures_of_all_modes(site: Site, mode: str) -> None:
    if mode == "I;16":
        picture = Pictures.new(mode, (160, 120), 0x8000)
        picture.paste(0xA000, (0, 0, 80, 120))
    else:
        picture = photo().convert(mode)
    format = "JPEG" if mode == "CMYK" else "PNG"
    options = {"quality": 95} if mode == "CMYK" else {"compress_level": 0}
    site.put("k", written(picture, format, **options), f"image/{format.lower()}")
    made = seen(site.get("k", "w=40")[1])
    assert made.size == (40, 30)
    if mode == "I;16":
        assert 100 < shade(made, 35, 5)[0] < 150
    assert ("A" in made.mode) == (mode in ("LA", "RGBA"))


@pytest.mark.parametrize("format", ["GIF", "WEBP"])
@pytest.mark.parametrize("query", ["w=20", "w=20&h=10&c=1"])
def test_what_moves_goes_on_moving(site: Site, format: str, query: str) -> None:
    site.put("k", moving(format), f"image/{format.lower()}")
    made = seen(site.get("k", query)[1])
    assert (made.format, made.size) == (format, (20, 10 if "c=1" in query else 20))
    assert times(made) == [100, 200, 300]
    assert made.info["loop"] == 2
    colours = []
    for number in range(3):
        made.seek(number)
        colour = shade(made, 3, 3)
        colours.append(colour.index(max(colour)))
    assert colours == [0, 1, 2]


def test_what_moves_becomes_a_webp_and_no_avif(site: Site) -> None:
    site.put("k", moving("GIF"), "image/gif")
    for query in ("w=20&webp=1", "w=20&webp=1&avif=1"):
        made = seen(site.get("k", query)[1])
        assert (made.format, times(made)) == ("WEBP", [100, 200, 300])
        assert made.info["loop"] == 3  # a GIF says how often again
    assert seen(site.get("k", "w=20&avif=1")[1]).format == "GIF"


def test_a_png_that_moves_is_left_alone(site: Site) -> None:
    source = site.put("k", moving("PNG"), "image/png")
    assert site.get("k", "w=20")[0] == source


# what is said of it


def test_the_tag_is_that_of_source_and_question(opened: Opening) -> None:
    site = opened()
    source = site.put("k", jpeg())
    tags = [site.get("k", query)[0].etag for query in ("w=40", "w=41", "w=40&webp=1", "x=1&w=040")]
    assert tags[0] == tags[3]
    assert len({source.etag, *tags}) == 4
    assert all("-" in one for one in tags)
    other = opened(quality=50)
    other.put("k", jpeg())
    assert other.get("k", "w=40")[0].etag not in tags
    site.put("k", jpeg(200, 120))
    assert site.get("k", "w=40")[0].etag not in tags


def test_without_a_strong_tag_the_bytes_make_one(site: Site) -> None:
    site.put("k", jpeg())
    first = site.get("k", "w=40")[0].etag
    for weak in ("", 'W/"1"'):
        site.origin.alter = partial(replace, etag=weak)
        tags = {site.get("k", query)[0].etag for query in ("w=40", "w=40", "w=41")}
        assert len(tags) == 2 and first not in tags


def test_a_head_says_what_a_get_does(site: Site) -> None:
    site.put("k", jpeg())
    for query in ("", "w=40", "w=40&avif=1", "w=4000"):
        assert site.image.stat("k", Get(query=query)) == site.get("k", query)[0]


def test_ranges_are_of_what_was_made(site: Site) -> None:
    site.put("k", jpeg())
    info, data = site.get("k", "w=40")
    assert site.get("k", "w=40", range=Range(10, 19)) == (info, data[10:20])
    assert site.get("k", "w=40", range=Range(None, 7)) == (info, data[-7:])


def test_who_has_it_is_not_made_another(site: Site) -> None:
    site.put("k", jpeg())
    info, _ = site.get("k", "w=40")
    site.origin.gets.clear()
    same = Get(query="w=40", conditions=Conditions(if_none_match=(info.etag,)))
    for ask in (site.image.get, site.image.stat):
        with pytest.raises(NotModified) as caught:
            ask("k", same)
        assert caught.value.info.etag == info.etag
    assert not site.origin.gets
    other = Get(query="w=41", conditions=same.conditions)
    assert site.image.stat("k", other).etag != info.etag
    with pytest.raises(PreconditionFailed):
        site.image.get("k", Get(query="w=41", conditions=Conditions(if_match=(info.etag,))))
    match = Get(query="w=40", conditions=Conditions(if_match=(info.etag,)))
    assert site.image.stat("k", match) == info


def test_a_source_that_is_sent_answers_conditions_by_its_own_tag(opened: Opening) -> None:
    site = opened(quality=100)
    source = site.put("k", written(photo(), "JPEG", quality=20))
    for conditions in (
        Conditions(if_none_match=(source.etag,)),
        Conditions(modified_since=source.modified),
    ):
        with pytest.raises(NotModified):
            site.image.get("k", Get(query="w=159", conditions=conditions))


# what passes


@pytest.mark.parametrize(
    ("key", "kind", "headers"),
    [
        ("k", "text/plain", ()),
        ("app.js", "image/jpeg", ()),
        ("k", "image/svg+xml", ()),
        ("k", "image/avif", ()),
        ("k", "binary/octet-stream", ()),
        ("k", "image/jpeg", (("Content-Encoding", "gzip"),)),
        ("k", "image/jpeg", (("Cache-Control", "max-age=1, No-Transform"),)),
    ],
)
def test_all_else_passes_as_a_stream(
    site: Site, key: str, kind: str, headers: tuple[tuple[str, str], ...]
) -> None:
    data = bytes(3_000_000)
    source = site.put(key, data, kind, headers=headers)
    for query in ("w=10", "w=wrong", ""):
        assert site.image.stat(key, Get(query=query)) == source
        site.origin.gets.clear()
        before = site.origin.sent
        with site.image.get(key, Get(query=query, range=Range(5, 2_000_000))) as opened:
            assert (opened.start, opened.length) == (5, 1_999_996)
            opened.body.read(10)
        assert site.origin.sent - before < 300_000
        assert [one.query for one in site.origin.gets] == [""]
        assert site.get(key, query) == (source, data)


def test_a_picture_that_is_asked_for_as_it_is_passes_as_a_stream(site: Site) -> None:
    source = site.put("k", jpeg())
    assert site.get("k") == site.get("k", "utm=1") == (source, jpeg())
    assert site.get("k", range=Range(0, 9))[1] == jpeg()[:10]
    assert [one.range for one in site.origin.gets] == [None, None, Range(0, 9)]


def test_what_nobody_has_typed_is_known_by_its_name(site: Site) -> None:
    site.put("a/b.JPG", jpeg(), "binary/octet-stream")
    assert site.get("a/b.JPG", "w=40")[0].content_type == "image/jpeg"


def test_the_bytes_say_which_of_the_kinds_it_is(site: Site) -> None:
    site.put("k", written(photo(), "PNG"), "image/jpeg")
    assert site.get("k", "w=40")[0].content_type == "image/png"


def test_a_wrong_question_about_a_picture_is_refused(site: Site) -> None:
    site.put("k", jpeg())
    for ask in (site.image.get, site.image.stat):
        with pytest.raises(InvalidRequest, match="w: it must be a whole number of pixels, 1 to 40"):
            ask("k", Get(query="w=wide"))
