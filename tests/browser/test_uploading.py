"""Uploads by the console's script, and what else of the Browser needs a browser: previews, and
deleting that goes on by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.access.identity import Identity
from gateway.modes.console.browsing import uploading
from gateway.storage import BytesBody, ListQuery, Put, UploadQuery
from tests.browser import demonstration
from tests.browser.demonstration import Demonstration, picture, signed_in
from tests.browser.watching import Watched

PART = 1 << 20
OWNER = Identity(key="owner", account="root", access="admin")


@pytest.fixture(scope="module")
def served(sockets: None) -> Iterator[Demonstration]:
    services = {"files": {"driver": "memory", "keep_versions": "off"}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uploading, "SMALLEST", PART)  # all else is the same, sooner
        with demonstration.serving({"server": {"memory": True}, "services": services}) as served:
            yield served


class Folder:
    """One of the service, which a test has for itself, open in a browser. `asked`: the requests of
    the script, each with its part's number where it has one."""

    def __init__(self, page: Any, served: Demonstration, name: str) -> None:
        self.page, self.name = page, name
        self.address = f"{served.console}browser/files?prefix={name}%2F"
        self.access = served.runtime.access(OWNER, "files")
        self.asked: list[str] = []
        page.on("request", self._note)
        page.goto(self.address)

    def _note(self, request: Any) -> None:
        if request.resource_type == "xhr":
            self.asked.append(_named(request))

    def choose(self, *files: Path, folder: bool = False) -> None:
        self.page.locator("input.unseen").nth(int(folder)).set_input_files(files)

    def row(self, name: str, state: str) -> Any:
        """The line of a file, once it is in that state."""
        found = self.page.locator(f".jobs [data-state={state}]", has_text=name)
        found.wait_for()
        return found

    def keys(self) -> list[str]:
        page = self.access.list(ListQuery(prefix=f"{self.name}/"))
        return [one.key.removeprefix(f"{self.name}/") for one in page.entries]

    def read(self, name: str) -> bytes:
        with self.access.get(f"{self.name}/{name}") as opened:
            return b"".join(iter(opened.body.read, b""))

    def uploads(self) -> int:
        return len(self.access.uploads(UploadQuery(prefix=self.name)).uploads)

    def hold(self, name: str) -> Held:
        return Held(self.page, name)


class Held:
    """The first request of that name does not go out: it is given up, or fails, as the test has
    it."""

    def __init__(self, page: Any, name: str) -> None:
        self._page, self._name = page, name
        self.route: Any = None
        page.route("**/browser/files/part?*", self._take)

    def _take(self, route: Any) -> None:
        if self.route is None and _named(route.request) == self._name:
            self.route = route
        else:
            route.continue_()

    def wait(self) -> Any:
        while self.route is None:
            self._page.wait_for_timeout(20)
        return self.route


def _named(request: Any) -> str:
    address = urlsplit(request.url)
    number = parse_qs(address.query).get("number", [""])[0]
    page = address.path.rpartition("/")[2]
    return f"{page}{number}"


@pytest.fixture(scope="module")
def opened(browser: Any, served: Demonstration) -> Iterator[Any]:
    """One page for all tests, of who has signed in."""
    state = signed_in(browser, served)
    context = browser.new_context(storage_state=state, viewport={"width": 1000, "height": 800})
    context.set_default_timeout(20_000)
    page = context.new_page()
    page.watched = Watched(page)
    page.on("dialog", lambda dialog: dialog.accept())  # it asks where something is under way
    yield page
    context.close()


@pytest.fixture
def folder(opened: Any, served: Demonstration, request: pytest.FixtureRequest) -> Iterator[Folder]:
    opened.watched.begin()
    yield Folder(opened, served, request.node.name)
    opened.unroute_all()
    opened.watched.check()


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """Of four parts."""
    file = tmp_path / "large ü.bin"
    file.write_bytes(bytes(range(256)) * (PART // 256) * 3 + b"the end")
    return file


def test_a_large_file_is_sent_in_parts(folder: Folder, large: Path) -> None:
    folder.choose(large)
    assert "Uploaded." in folder.row(large.name, "done").inner_text()
    assert folder.asked == ["begin", "part1", "part2", "part3", "part4", "complete"]
    assert folder.read(large.name) == large.read_bytes()
    folder.page.get_by_text("Show what was uploaded").click()
    folder.page.locator("#objects", has_text=large.name).wait_for()


def _dropped(folder: Folder, path: Path) -> None:
    box = folder.page.locator(".upload").bounding_box()
    place = {"x": box["x"] + 40, "y": box["y"] + 30}
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    session = folder.page.context.new_cdp_session(folder.page)
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, **place, "data": data})


@pytest.mark.parametrize("drop", [True, False])
def test_a_folder_is_uploaded_with_what_is_in_it(
    folder: Folder, tmp_path: Path, drop: bool
) -> None:
    below = tmp_path / "holiday" / "day 1"
    below.mkdir(parents=True)
    for number in range(5):
        (below / f"ü#{number}.txt").write_bytes(b"text")
    (below.parent / "empty").touch()
    if drop:
        _dropped(folder, below.parent)
    else:
        folder.choose(below.parent, folder=True)
    folder.page.get_by_text("6 of 6 files uploaded.").wait_for()
    assert folder.keys() == [
        *(f"holiday/day 1/ü#{number}.txt" for number in range(5)),
        "holiday/empty",
    ]


def test_an_upload_is_paused_and_goes_on_where_it_was(
    folder: Folder, large: Path, axe: Callable[[Any], None]
) -> None:
    held = folder.hold("part2")
    folder.choose(large)
    route = held.wait()
    axe(folder.page)
    folder.page.get_by_role("button", name="Pause").click()
    assert "Paused." in folder.row(large.name, "paused").inner_text()
    route.abort()
    folder.asked.clear()
    folder.page.keyboard.press("Enter")  # the button that goes on has the focus
    folder.row(large.name, "done")
    assert folder.asked == ["parts", "part2", "part3", "part4", "complete"]
    assert folder.read(large.name) == large.read_bytes()


def test_what_the_network_drops_is_sent_again(folder: Folder, large: Path) -> None:
    held = folder.hold("part3")
    folder.choose(large)
    route = held.wait()
    folder.page.context.set_offline(True)
    route.abort("internetdisconnected")
    folder.page.locator(".jobs .told", has_text="Trying again").wait_for()
    folder.page.context.set_offline(False)
    folder.row(large.name, "done")
    assert [one for one in folder.asked if one != "parts"] == [
        "begin",
        *("part1", "part2", "part3", "part3", "part4"),
        "complete",
    ]
    assert folder.read(large.name) == large.read_bytes()
    folder.page.watched.expect("ERR_INTERNET_DISCONNECTED")


def test_an_upload_is_found_again_after_a_reload(folder: Folder, large: Path) -> None:
    held = folder.hold("part2")
    folder.choose(large)
    held.wait()
    folder.page.reload()
    assert "choose the same file" in folder.row(large.name, "left").inner_text()
    folder.asked.clear()
    folder.choose(large)
    folder.row(large.name, "done")
    assert folder.asked == ["parts", "part2", "part3", "part4", "complete"]
    assert folder.read(large.name) == large.read_bytes()
    folder.page.reload()
    assert folder.page.locator(".jobs li").count() == 0


@pytest.mark.parametrize("reloaded", [True, False])
def test_who_cancels_leaves_nothing(folder: Folder, large: Path, reloaded: bool) -> None:
    held = folder.hold("part2")
    folder.choose(large)
    held.wait()
    assert folder.uploads() == 1
    if reloaded:
        folder.page.reload()
    with folder.page.expect_response("**/abort?*"):
        folder.page.get_by_role("button", name="Cancel").click()
    assert (folder.uploads(), folder.keys()) == (0, [])
    folder.row(large.name, "cancelled")
    assert folder.page.evaluate("localStorage.uploads") == "[]"


def test_what_is_refused_says_why_and_stops(folder: Folder, tmp_path: Path) -> None:
    file = tmp_path / ("x" * 200)
    file.write_bytes(b"text")
    folder.page.goto(folder.address.replace("?prefix=", f"?prefix={'y' * 900}%2F"))
    folder.choose(file)
    told = folder.row("xxx", "failed").inner_text()
    assert "1024 are allowed" in told
    folder.page.watched.expect("400")


# besides


def test_what_may_be_shown_is_seen(folder: Folder, served: Demonstration) -> None:
    def put(name: str, data: bytes, kind: str) -> None:
        options = Put(size=len(data), content_type=kind)
        folder.access.put(f"{folder.name}/{name}", BytesBody(data), options)

    def look(name: str) -> Any:
        folder.page.goto(f"{served.console}browser/files/object?key={folder.name}%2F{name}")
        return folder.page.locator(".look").first

    put("dot.png", picture(21, 12), "image/png")
    look("dot.png").locator("img").wait_for()
    folder.page.wait_for_function("document.querySelector('.look img').naturalWidth === 21")
    put("page.html", b"<h1>Title</h1><script>document.title = 'own'</script>", "text/html")
    frame = look("page.html").locator("iframe").element_handle().content_frame()
    frame.wait_for_load_state()
    assert frame.inner_text("body").startswith("<h1>Title</h1><script>")
    put("pic.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml")
    assert look("pic.svg").count() == 0


def test_deleting_goes_on_by_itself(folder: Folder) -> None:
    for number in range(600):
        folder.access.put(f"{folder.name}/{number:03}", BytesBody(b"x"), Put(size=1))
    folder.page.goto(folder.address)
    folder.page.get_by_label("Select all on this page").check()
    assert folder.page.locator(".pick:checked").count() == 100
    folder.page.get_by_role("button", name="Delete all that begins so…").click()
    folder.page.get_by_role("button", name="Delete", exact=True).click()
    folder.page.get_by_text("600 of 600 deleted.").wait_for()
    folder.page.get_by_role("link", name="Done").click()
    assert folder.keys() == []
