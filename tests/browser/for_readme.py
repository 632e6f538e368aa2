"""The pictures of README.md, `docs/pictures/*.png`: four pages of a gateway that is in use."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.browser.demonstration import Demonstration, picture, signed_in

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
VIEWS = {
    "overview": ("", "light", 800),
    "browser": ("browser/photos?prefix=holiday%2F", "light", 800),
    "services": ("services", "dark", 1180),
    "keys": ("keys", "light", 1080),
}
"""Path below the console, theme and height, by the name of the file."""
WIDTH = 1280
_WATCHED_MS = 64_000
"""What the chart shows is a minute."""


def take(browser: Any, served: Demonstration, folder: Path) -> None:
    s3 = served.s3()
    for number, name in enumerate(("beach", "boat", "dunes", "pier", "sunset")):
        body = picture(640 + 40 * number, 480)
        key = f"holiday/{name}.png"
        s3.put_object(Bucket="photos", Key=key, Body=body, ContentType="image/png")
    context = browser.new_context(storage_state=signed_in(browser, served))
    page = context.new_page()
    for name, (path, theme, height) in VIEWS.items():
        page.set_viewport_size({"width": WIDTH, "height": height})
        page.emulate_media(color_scheme=theme)
        page.goto(served.address(path))
        if not path:
            with _traffic(served):
                page.wait_for_timeout(_WATCHED_MS)
        _save(page.screenshot(), folder / f"{name}.png")
    context.close()


@contextmanager
def _traffic(served: Demonstration) -> Iterator[None]:
    """Requests of visitors and of clients, in waves, some of them for what is not there."""
    over = threading.Event()

    def ask() -> None:
        wave = 0
        while not over.wait(0.2):
            wave += 1
            for number in range(1 + wave % 60 // 6 + wave % 7):
                name = ("beach", "boat", "dunes", "pier", "sunset", "none")[(wave + number) % 6]
                served.call(f"/holiday/{name}.png?w=200", host="cdn.localhost")
            served.call("/filelist?sid=logs-2026")
            if wave % 5 == 0:
                served.call("/getfile?sid=documents&path=report.pdf")

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _save(png: bytes, target: Path) -> None:
    """With as many colours as a page has, about, which takes a third of the bytes."""
    from PIL import Image

    with Image.open(io.BytesIO(png)) as image:
        image.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(target, optimize=True)
    print(target, target.stat().st_size)
