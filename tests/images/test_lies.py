"""Pictures that lie, are damaged, or are too much; and more of them than can be made at once."""

from __future__ import annotations

import random
import threading
import warnings
from collections.abc import Callable

import pytest

from drivers.image import headers
from drivers.image.headers import NoPicture, facts_of
from drivers.image.places import Places
from gateway.storage import Busy, Get, OriginFailed, Threads, Unprocessable
from gateway.testing.faults import PATIENCE
from tests.images.conftest import Opening
from tests.images.pictures import Site, gif_of, jpeg, moving, photo, png_of, written
from tests.layers.origin import running, until

PNG = written(photo(), "PNG")
WEBP = written(photo(), "WEBP")
GIF = moving("GIF")
ALL = {"image/jpeg": jpeg(), "image/png": PNG, "image/webp": WEBP, "image/gif": GIF}
ASKS: tuple[str, ...] = ("w=20", "w=20&h=20&c=1", "webp=1", "w=20&avif=1")

LIES: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "a text": lambda: b"<html>",
    "an SVG": lambda: b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
    "a beginning": lambda: b"\xff\xd8\xff",
    "a PNG without pixels": lambda: png_of(0, 10),
    "a PNG of more than it has": lambda: png_of(5000, 5000),
    "a GIF whose frame is larger": lambda: gif_of(8, 8, 2, frame=(3000, 3000)),
    "a GIF without a frame": lambda: gif_of(8, 8, 0),
    "a WebP that is another": lambda: b"RIFF\0\0\0\0WEBPVP9 " + bytes(40),
    "two frame headers": lambda: _with_second_size(jpeg()),
    "a JPEG of more scans than anybody writes": lambda: _with_scans(60),
}  # fmt: skip


def _with_scans(number: int) -> bytes:
    """Each says next to nothing, and costs a decoder a walk over all of the picture."""
    data = written(photo().convert("L"), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * number + data[-2:]


def _with_second_size(data: bytes) -> bytes:
    """The first says 16 × 16."""
    at = data.index(b"\xff\xc0")
    header = bytearray(data[at : at + 19])
    header[5:9] = b"\0\x10\0\x10"
    return data[:at] + bytes(header) + data[at:]


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_refused(site: Site, lie: str) -> None:
    site.put("k", LIES[lie]())
    for query in ASKS:
        for ask in (site.image.get, site.image.stat):
            with pytest.raises(Unprocessable, match="cannot be changed"):
                ask("k", Get(query=query))
    assert site.get("k")[1] == LIES[lie]()


@pytest.mark.parametrize("kind", ALL)
def test_what_ends_early_is_refused(site: Site, kind: str) -> None:
    data = ALL[kind]
    ends = [4, 13, 24, 40, len(data) // 2]
    if kind != "image/gif":  # its last bytes may be missing, and all frames there
        ends.append(len(data) - 40)
    for end in ends:
        site.put("k", data[:end], kind)
        for query in ASKS[:2]:
            with pytest.raises(Unprocessable):
                site.get("k", query)


@pytest.mark.parametrize("kind", ALL)
def test_damage_is_refused_or_nothing_worse(site: Site, kind: str) -> None:
    chance = random.Random(kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of damaged metadata
        for _ in range(25):
            data = bytearray(ALL[kind])
            for _ in range(chance.choice((1, 3, 9))):
                data[chance.randrange(chance.choice((64, len(data))))] = chance.randrange(256)
            site.put("k", bytes(data), kind)
            try:
                site.get("k", chance.choice(ASKS[:2]))
            except Unprocessable as error:
                assert "0x" not in error.message and "/" not in error.message


def test_nothing_is_decoded_that_is_too_much(opened: Opening) -> None:
    site = opened(max_pixels=1_000_000, max_frames=20, max_size=100_000)
    site.image._engine = None  # type: ignore[assignment]  # nobody gets that far
    for kind, data, said in (
        ("image/png", png_of(1001, 1000), "1001000 pixels; 1000000 are allowed"),
        ("image/png", png_of(0xFFFFFFFF, 0xFFFFFFFF), "pixels"),
        ("image/gif", gif_of(300, 300, 12), "1080000 pixels"),
        ("image/gif", gif_of(1, 1, 4000), "more than 20 frames; 20 are allowed"),
        ("image/webp", moving("WEBP", 21, 4), "more than 20 frames"),
        ("image/jpeg", bytes(100_001), "100001 bytes; 100000 are allowed"),
    ):
        site.put("k", data, kind)
        with pytest.raises(Unprocessable, match=said):
            site.get("k", "w=1")
    assert site.origin.sent < 200_000


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8" + b"\xff" * 9_000,
        b"\xff\xd8" + b"\xff\xe0\0\2" * 9_000,
        png_of(1, 1)[:33] + b"\0\0\0\0tEXt____" * 9_000,
        b"GIF89a" + bytes(7) + b"\x21\xff" + b"\1a" * 9_000,
        b"GIF89a" + bytes(7) + b"\x21\xff\0" * 9_000,
        b"RIFF____WEBPVP8X" + b"\x0a\0\0\0" + bytes(10) + b"none\0\0\0\0" * 9_000,
    ],
    ids=["filling", "segments", "chunks", "sub-blocks", "extensions", "RIFF chunks"],
)
def test_parts_are_looked_at_no_further_than_any_picture_has(
    data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """64 MiB of them took 10 s, in which nobody else's request went on."""
    monkeypatch.setattr(headers, "_PARTS", 3_000)
    with pytest.raises(NoPicture, match="too many parts"):
        facts_of(data, 256)


def test_frames_are_counted_no_further_than_they_may_be() -> None:
    data = gif_of(1, 1, 100_000)
    assert facts_of(data, 256).frames == 257


@pytest.mark.parametrize("kind", ALL)
def test_a_head_is_read_from_any_bytes(kind: str) -> None:
    """Quickly, and with no other error."""
    chance = random.Random(7)
    for _ in range(500):
        data = bytearray(ALL[kind][:400])
        for _ in range(4):
            data[chance.randrange(2, len(data))] = chance.choice((0, 255, chance.randrange(256)))
        try:
            facts = facts_of(bytes(data[: chance.randrange(len(data))]), 9)
        except NoPicture:
            continue
        assert facts.frames <= 10 and facts.width > 0 and facts.height > 0


def test_a_source_of_another_length_than_it_says_is_no_picture(site: Site) -> None:
    site.put("k", jpeg())
    site.origin.cut = 1000
    with pytest.raises(OriginFailed):
        site.get("k", "w=20")


# many at once


def test_so_many_are_made_at_once_and_so_many_wait(opened: Opening) -> None:
    site = opened(at_once=2, waiting=3)
    site.put("k", jpeg())
    site.origin.stop = 100
    with running(5, lambda number: site.get("k", f"w={20 + number}")[0].size) as made:
        until(lambda: site.origin.waiting == 2 and site.image._places._room == 0)
        with pytest.raises(Busy) as caught:
            site.get("k", "w=90")
        assert caught.value.retry_after
        site.origin.go.set()
    assert all(isinstance(one, int) for one in made)


def test_who_waits_too_long_is_sent_away() -> None:
    places = Places(1, 1, 0.01, Threads())
    for _ in range(2):
        with places.taken("k"), pytest.raises(Busy), places.taken("k"):
            pass


def test_who_waits_holds_no_more_threads_than_may_wait() -> None:
    threads = Threads(4)  # of which three may wait
    places = Places(1, 9, PATIENCE, threads)
    go = threading.Event()

    def hold(_: int) -> None:
        with places.taken("k"):
            assert go.wait(PATIENCE)

    with running(4, hold) as ended:
        until(lambda: threads._waiting == 3)
        with pytest.raises(Busy), places.taken("k"):
            pass
        go.set()
    assert ended == [None] * 4


def test_a_place_comes_back_from_whoever_fails(opened: Opening) -> None:
    site = opened(at_once=1, waiting=0)
    for _ in range(3):
        site.put("k", b"none")
        with pytest.raises(Unprocessable):
            site.get("k", "w=20")
    site.put("k", jpeg())
    assert site.get("k", "w=20")
