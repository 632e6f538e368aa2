"""`python -m tests.browser pictures FOLDER`: a picture of each page of the console, in both themes
and at three widths, of a gateway in memory that has something in it. `… readme` makes those of
README.md anew."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from tests.browser import demonstration, for_readme
from tests.browser.chromium import NoBrowser, chromium
from tests.browser.demonstration import Demonstration, signed_in, views
from tests.browser.watching import THEMES, WIDTHS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.browser")
    parser.add_argument("what", choices=["pictures", "readme"])
    parser.add_argument("folder", type=Path, nargs="?", default=for_readme.FOLDER)
    parser.add_argument("--only", default="", help="pages whose names have this in them")
    typed = parser.parse_args()
    typed.folder.mkdir(parents=True, exist_ok=True)
    try:
        with demonstration.serving() as served, chromium() as browser:
            demonstration.fill(served)
            if typed.what == "readme":
                for_readme.take(browser, served, typed.folder)
            else:
                pictures(browser, served, typed.folder, typed.only)
    except NoBrowser as none:
        print(f"No pictures: {none}.", file=sys.stderr)
        return 1
    return 0


def pictures(browser: Any, served: Demonstration, folder: Path, only: str) -> None:
    context = browser.new_context(storage_state=signed_in(browser, served))
    known, nobody, taken = context.new_page(), browser.new_page(), set[str]()
    for page_name, path in [("SignIn", "sign-in"), *views()]:
        if only not in page_name:
            continue
        page = nobody if page_name == "SignIn" else known
        page.goto(served.address(path))
        name = unique(page_name, taken)
        for theme in THEMES:
            page.emulate_media(color_scheme=theme)
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 800})
                target = folder / f"{name}-{theme}-{width}.png"
                page.screenshot(path=target, full_page=True)
                print(target)
    nobody.close()
    context.close()


def unique(name: str, taken: set[str]) -> str:
    number = sum(one.startswith(f"{name} ") or one == name for one in taken)
    taken.add(named := f"{name} {number + 1}" if number else name)
    return named


if __name__ == "__main__":
    sys.exit(main())
