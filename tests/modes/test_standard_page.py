"""The page, used as a person uses it: in a real browser, where one is installed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import devtools_tab as browser
from tests.modes.standard_gateway import READER, ROOT, Served

pytestmark = [
    pytest.mark.skipif(bool(browser.missing()), reason=browser.missing() or "-"),
    pytest.mark.usefixtures("sockets", "processes"),
]


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Tab]:
    with browser.browsing(tmp_path_factory.mktemp("browser")) as tab:
        yield tab


@pytest.fixture
def page(tab: browser.Tab, api: Served) -> browser.Tab:
    tab.problems.clear()
    tab.look()
    tab.go(f"{api.url}/-/docs/?{id(object())}")
    return tab


def attempt(page: browser.Tab, fields: str, function: str = "", **values: str) -> str:
    """Fill in, press "Try it", and give the status that is shown. `fields` is what the ids of
    its fields begin with, where that is not the function's name."""
    function = function or fields
    for name, text in values.items():
        page.type(f"#{fields}-{name}", text)
    page.run(f"document.querySelector('#{function} .status').textContent = ''")
    page.run(f"document.querySelector('#{function} button[type=submit]').click()")
    found: str = page.until(f"document.querySelector('#{function} .status').textContent")
    return found


def shown(page: browser.Tab, function: str) -> str:
    found: str = page.run(f"document.querySelector('#{function} .shown').textContent")
    return found


def test_a_person_reads_tries_and_sees(page: browser.Tab, api: Served, folder: str) -> None:
    api.put("files", f"{folder}a.txt")
    page.type("#key", ROOT)
    assert attempt(page, "filelist", sid="files", prefix=folder).startswith("200 OK")
    assert f'"path": "{folder}a.txt"' in shown(page, "filelist")
    headers = page.run("document.querySelector('#filelist .headers').textContent")
    assert "x-request-id: " in headers
    assert page.problems == []


def test_without_a_key_it_says_so(page: browser.Tab) -> None:
    assert "key" in attempt(page, "servicelist")
    assert page.run("document.activeElement.id") == "key"


def test_an_error_is_shown(page: browser.Tab) -> None:
    page.type("#key", READER)
    assert attempt(page, "flush", sid="files").startswith("403")
    assert '"error": "forbidden"' in shown(page, "flush")
    assert page.run("document.querySelector('#flush .status').className") == "status bad"


def test_a_file_goes_up_and_comes_down(
    page: browser.Tab, api: Served, folder: str, tmp_path: Path
) -> None:
    (tmp_path / "note.txt").write_text("written by a person", encoding="utf-8")
    page.type("#key", ROOT)
    page.files("#uploadfile-body", tmp_path / "note.txt")
    path = f"{folder}ä 'b'.txt"
    page.run("document.querySelector('#uploadfile form summary').click()")
    page.type("#uploadfile-if-none-match", "*")
    assert attempt(page, "uploadfile", sid="files", path=path).startswith("201")
    got = api.call("getfile", sid="files", path=path)
    assert (got.body, got.headers["content-type"]) == (b"written by a person", "text/plain")
    assert attempt(page, "getfile", sid="files", path=path).startswith("200")
    assert "written by a person" in shown(page, "getfile")
    link = "document.querySelector('#getfile .shown a').download"
    assert page.run(link) == "ä 'b'.txt"
    assert page.problems == []


def test_html_that_is_stored_is_shown_as_text(page: browser.Tab, api: Served, folder: str) -> None:
    evil = b"<script>document.title = 'taken'</script><img src=x onerror=alert(1)>"
    api.put("files", f"{folder}evil", evil, headers={"Content-Type": "text/html"})
    page.type("#key", ROOT)
    attempt(page, "getfile", sid="files", path=f"{folder}evil")
    assert evil.decode() in shown(page, "getfile")
    assert page.run("document.title").startswith("Standard mode")
    assert page.run("document.querySelectorAll('#getfile .shown img').length") == 0


def test_a_picture_is_seen(page: browser.Tab, api: Served, folder: str) -> None:
    page.look(width=300, height=200)
    api.put("files", f"{folder}p.png", page.picture(), headers={"Content-Type": "image/png"})
    page.type("#key", ROOT)
    attempt(page, "getfile", sid="files", path=f"{folder}p.png")
    width = "document.querySelector('#getfile .shown img')?.naturalWidth"
    assert page.until(width) == 300
    assert page.problems == []


def test_examples_follow_what_is_typed(page: browser.Tab, api: Served) -> None:
    panel = "document.querySelector('#getfile-sh').textContent"
    assert f"{api.url}/getfile?sid=photos&path=cats%2Ftom.jpg" in page.run(panel)
    page.type("#getfile-sid", "files")
    page.type("#getfile-path", "a 'b'/ü&$")
    assert f"{api.url}/getfile?sid=files&path=a%20%27b%27%2F%C3%BC%26%24'" in page.run(panel)


def test_a_language_is_chosen_for_the_whole_page(page: browser.Tab) -> None:
    page.run("document.querySelector('#flush-tab-go').click()")
    seen = "[...document.querySelectorAll('[role=tabpanel]')].filter(p => !p.hidden).map(p => p.id)"
    assert set(page.run(seen)) == {
        f"{name}-go"
        for name in page.run("[...document.querySelectorAll('article')].map(a => a.id)")
    }
    page.run("document.querySelector('#flush-tab-go').focus()")
    for kind in ("Down", "Up"):
        page.ask("Input.dispatchKeyEvent", type=f"key{kind}", key="ArrowRight", code="ArrowRight")
    assert page.run("document.activeElement.id") == "flush-tab-php"
    assert "<?php" in page.run("document.querySelector('#flush-php').textContent")


def contrast(page: browser.Tab, selector: str) -> float:
    """WCAG 2.2 §1.4.3, of a text on what is behind it."""
    script = """(selector => {
      const lum = ([r, g, b]) => [r, g, b].map(v => v / 255)
        .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
      const parts = text => text.match(/[\\d.]+/g).map(Number);
      let element = document.querySelector(selector), behind = element;
      const ink = parts(getComputedStyle(element).color);
      let back = [0, 0, 0, 0];
      while (behind && (back.length === 4 && back[3] === 0)) {
        back = parts(getComputedStyle(behind).backgroundColor); behind = behind.parentElement;
      }
      const [a, b] = [lum(ink), lum(back)].sort((x, y) => y - x);
      return (a + .05) / (b + .05);
    })"""
    found: float = page.run(f"{script}({selector!r})")
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_in_light_and_in_dark(page: browser.Tab, scheme: str) -> None:
    page.look(scheme)
    background = page.run("getComputedStyle(document.body).backgroundColor")
    light = sum(map(int, background[4:-1].split(","))) > 384
    assert light is (scheme == "light")
    for selector in (
        "h1", "article p", ".field p", "nav li a", ".method.get", ".method.put", ".method.post",
        ".method.delete", "button[type=submit]", "pre code", ".url", ".tabs button", ".needed",
        "main > header p", "summary", "dd", ".copy",
    ):  # fmt: skip
        assert contrast(page, selector) >= 4.5, selector


@pytest.mark.parametrize("width", [360, 800, 1360, 2200])
def test_it_fits_any_window(page: browser.Tab, width: int) -> None:
    page.look(width=width)
    assert page.run("document.documentElement.scrollWidth") <= width


def test_another_api_is_tried_by_the_same_page(tab: browser.Tab, api: Served, folder: str) -> None:
    """One with parts in its paths, and bodies in JSON."""
    tab.problems.clear()
    tab.go(f"{api.url}/api/v1/docs/")
    tab.type("#key", ROOT)
    name = folder.rstrip("/")
    assert attempt(tab, "listcredentials", "listCredentials").startswith("200")
    root = json.loads(shown(tab, "listCredentials"))["credentials"][0]["id"]
    attempt(tab, "createbucket", "createBucket", name=name, owner_id=str(root))
    assert shown(tab, "createBucket").startswith("{")
    path, key = "document.querySelector('#getObject-sh').textContent", "a b/ü?#%.txt"
    api.put(name, key)
    assert attempt(tab, "getobject", "getObject", bucket=name, key=key).startswith("200")
    assert f"{api.url}/api/v1/buckets/{name}/objects/a%20b/%C3%BC%3F%23%25.txt'" in tab.run(path)
    keys = f"{key}\nnothing"
    done = attempt(tab, "deleteobjectsbypost", "deleteObjectsByPost", bucket=name, keys=keys)
    assert done.startswith("200")
    assert json.loads(shown(tab, "deleteObjectsByPost")) == {"deleted": [key, "nothing"]}
    assert tab.problems == []


def test_the_key_is_kept_nowhere(page: browser.Tab, api: Served) -> None:
    page.type("#key", ROOT)
    attempt(page, "servicelist")
    kept: Any = page.run("JSON.stringify([localStorage, sessionStorage, document.cookie])")
    assert kept == '[{},{},""]'
    assert ROOT not in page.run("document.documentElement.outerHTML")
    assert ROOT not in page.run("location.href")
