"""The Browser: what is listed, shown, downloaded, shared and deleted, without a script."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from hashlib import md5
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest

from gateway.access.access import Access
from gateway.modes.console.browsing import media_types, removals
from gateway.modes.console.object_names import coded, shown
from gateway.storage import Encryption, Forbidden, ListPage, ListQuery, NoSuchKey, Secret
from tests.modes.console.console_gateway import Browser, Seen, serving
from tests.modes.public_gateway import OWNER, Site

STRANGE = (
    "<img src=x onerror=alert(1)>",
    "\"'&amp;{{ 7*7 }}",
    "a\nb\r\tc\x00\x01\x7f",
    "invoice\u202egpj.exe",
    "..",
    "../up",
    "//",
    "//a//b/",
    "/",
    " lead and trail ",
    "100%41?x=1#f&key=other",
    "a+b",
    "ü猫\U0001f600",
    "\ud7ff\ue000\uffff",
    "x" * 1024,
)
"""Keys as anybody may write them."""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with serving() as site:
        yield site


@pytest.fixture(scope="module")
def root(site: Site) -> Browser:
    return Browser(site).sign_in()


@pytest.fixture
def reader(site: Site) -> Browser:
    return Browser(site).sign_in("reader")


@pytest.fixture(autouse=True)
def empty(site: Site) -> None:
    for sid in ("files", "kept"):
        removal = removals.Removal(prefixes=[""], versions=sid == "kept")
        while not removal.over:
            removal.step(site.runtime.access(OWNER, sid))


def names(seen: Seen) -> list[str]:
    """Of the rows that are listed."""
    return [row[1] for row in seen.page.table("Folders and objects")]


def keys(site: Site, sid: str = "files") -> list[str]:
    return [one.key for one in site.runtime.access(OWNER, sid).list(ListQuery()).entries]


def of(key: str, page: str = "object", sid: str = "files", **more: str) -> str:
    return f"browser/{sid}/{page}?{urlencode({'key': key, **more}, quote_via=quote)}"


def submit(root: Browser, seen: Seen, page: str, **values: str) -> Seen:
    """The first form that asks for that page of an object or a service."""
    form = next(one for one in seen.page.all("form") if f"/{page}" in one["action"])
    target = f"browser/{form['action'].partition('browser/')[2]}"
    return root.post(target, {**form.fields(), **values})


# lists


def test_folders_and_objects_are_listed_by_key(site: Site, root: Browser) -> None:
    for key in ("b.txt", "a/1", "a/2", "c/1", "a", "folder/"):
        site.put("files", key, b"12345", content_type="text/plain")
    seen = root.get("browser/files")
    assert names(seen) == ["a", "a/", "b.txt", "c/", "folder/"]
    assert seen.page.table("Folders and objects")[2][1:4] == ["b.txt", "5 B", "text/plain"]
    seen = root.follow(seen, "a/")
    assert (seen.h1, names(seen)) == ("a/", ["1", "2"])
    assert [one.text for one in seen.page.one("nav", class_="way").all("li")] == [
        "Browser",
        "files",
        "a/",
    ]
    assert names(root.get("browser/files?prefix=folder/")) == ["./"]


def test_a_list_goes_on_and_back_page_by_page(site: Site, root: Browser) -> None:
    for number in range(350):
        site.put("files", f"k{number:03}")
    seen = root.get("browser/files")
    firsts = []
    for _ in range(3):
        firsts.append(names(seen)[0])
        assert len(names(seen)) == 100
        seen = root.follow(seen, "Next")
    assert (names(seen)[0], len(names(seen))) == ("k300", 50)
    assert "Next" not in [one.text for one in seen.page.all("a")]
    for first in reversed(firsts):
        seen = root.follow(seen, "Previous")
        assert names(seen)[0] == first
    assert "Previous" not in [one.text for one in seen.page.all("a")]


def test_a_page_is_one_list_of_the_store(
    site: Site, root: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(120):
        site.put("files", f"k{number:03}")
    store = site.runtime.access(OWNER, "files").service.store
    asked: list[ListQuery] = []
    listed = type(store).list  # type: ignore[attr-defined]  # it is a memory store

    def counted(self: object, query: ListQuery = ListQuery()) -> object:
        asked.append(query)
        return listed(self, query)

    monkeypatch.setattr(type(store), "list", counted)
    assert len(names(root.get("browser/files"))) == 100
    assert len(names(root.get("browser/files?limit=250"))) == 120
    assert [(one.limit, one.delimiter) for one in asked] == [(100, "/"), (250, "/")]


def test_what_begins_so_is_found(site: Site, root: Browser) -> None:
    for key in ("photos/cat", "photos/car/1", "photos/dog", "other"):
        site.put("files", key)
    seen = root.submit(root.get("browser/files?prefix=photos/"), "browser/files", starts="ca")
    assert names(seen) == ["car/", "cat"]
    assert seen.page.form("browser/files").fields()["starts"] == "ca"
    assert "No key begins so." in root.get("browser/files?prefix=nothing").text


@pytest.mark.parametrize("key", STRANGE)
def test_any_key_can_be_listed_opened_downloaded_and_deleted(
    site: Site, root: Browser, key: str
) -> None:
    site.put("files", key, b"its bytes", content_type="text/plain")
    folder = key[: key.rfind("/") + 1]
    seen = root.get(f"browser/files?prefix={coded(folder)}")
    name = shown(key[len(folder) :] or "./")
    assert names(seen) == [" ".join(name.split())]
    (link,) = seen.page.one("table").all("a")
    about = root.get(f"browser/files/{link['href'].rpartition('/')[2]}")
    facts = [one.text for one in about.page.one("dl", class_="facts").all("dd")]
    assert facts[0] == " ".join(shown(key).split())
    (download,) = [one for one in about.page.all("a") if one.text == "Download"]
    assert download.get("download") is None  # what it asks for would be no page of its own
    assert root.get(f"browser/files/{download['href'].rpartition('/')[2]}").text == "its bytes"
    picked = seen.page.one("input", class_="pick")["value"]
    asked = root.post("browser/files/delete", [("csrf", root.csrf), ("key", picked)])
    assert asked.h1 == "Delete 1 object?"
    assert root.submit(asked, "delete").notices[-1] == "Deleted."
    assert keys(site) == []


def test_what_was_written_stays_text(site: Site, root: Browser) -> None:
    evil = "<img src=x onerror=alert(1)>"
    site.put(
        "kept",
        evil,
        b"x",
        content_type=evil,
        metadata={"name": evil},
        tags={evil: evil},
        headers=(("Cache-Control", evil),),
    )
    for address in ("browser/kept", of(evil, sid="kept"), f"browser/kept?prefix={quote(evil[:9])}"):
        seen = root.get(address)
        assert evil not in seen.text
        assert seen.page.all("img") == []
        assert shown(evil) in seen.page.text


# what cannot be done


def test_who_may_list_some_folder_only_is_asked_for_it(
    site: Site, root: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.put("files", "own/k", b"x")
    listed = Access.list

    def below(self: Access, query: ListQuery = ListQuery()) -> ListPage:
        if not query.prefix.startswith("own/"):
            raise Forbidden
        return listed(self, query)

    monkeypatch.setattr(Access, "list", below)
    seen = root.get("browser/files")
    assert (seen.status, "Perhaps it may list a folder" in seen.notices[-1]) == (403, True)
    assert names(root.submit(seen, "browser/files", starts="own/")) == ["k"]


def test_what_a_key_may_not_is_neither_offered_nor_done(site: Site, reader: Browser) -> None:
    site.put("files", "key", b"x")
    for address in ("browser/files", of("key")):
        seen = reader.get(address)
        assert seen.status == 200
        texts = {one.text for one in seen.page.all("button")}
        assert not texts & {"Upload", "Delete the selected…", "Delete…", "Restore"}
    csrf = reader.csrf
    fields = {"csrf": csrf, "key": "key", "sure": "yes"}
    assert reader.post("browser/files/delete", fields).text.count("Access denied") == 1
    headers = {"x-csrf-token": csrf, "origin": ORIGIN, "content-length": str(6 << 40)}
    for action in ("put?key=key", "begin?key=key&size=1", "complete?key=key&size=1&upload=u"):
        seen = reader.ask(f"browser/files/{action}", "POST", headers, b"no JSON")
        assert (action, seen.status) == (action, 403)  # before its body is looked at
    assert keys(site) == ["key"]
    assert reader.get("browser/kept").status == 404
    assert [row[0] for row in reader.get("browser").page.table("Services")] == ["files"]


ORIGIN = "http://gateway.example"


def test_a_bucket_that_is_dropped_while_it_is_open_is_told(site: Site, root: Browser) -> None:
    site.runtime.create(OWNER, "leaving")
    site.put("leaving", "k", b"x")
    seen = root.get("browser/leaving")
    site.runtime.access(OWNER, "leaving").delete("k")
    site.runtime.drop(OWNER, "leaving")
    for address in ("browser/leaving", of("k", sid="leaving"), of("k", "get", "leaving")):
        assert root.get(address).status == 404
    gone = submit(root, seen, "delete", key="k")
    assert (gone.status, gone.h1) == (404, "There is nothing here, or your key may not see it.")


# files


def test_a_download_is_a_file_and_runs_nothing(site: Site, root: Browser) -> None:
    site.put("files", "a/ü <b>.html", b"<script>", content_type="text/html")
    seen = root.get(of("a/ü <b>.html", "get"))
    assert seen.headers["content-disposition"] == (
        "attachment; filename=\"_ _b_.html\"; filename*=UTF-8''%C3%BC%20_b_.html"
    )
    assert seen.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert seen.headers["x-content-type-options"] == "nosniff"
    assert (seen.status, seen.answer.body) == (200, b"<script>")


def test_a_part_of_a_file_can_be_downloaded(site: Site, root: Browser) -> None:
    site.put("files", "k", b"0123456789")
    address = of("k", "get")
    part = root.ask(address, headers={"range": "bytes=2-4"})
    assert (part.status, part.answer.body) == (206, b"234")
    assert part.headers["content-range"] == "bytes 2-4/10"
    head = root.ask(address, "HEAD", {"range": "bytes=2-4"})
    assert (head.status, head.headers["content-length"]) == (206, "3")
    other = root.ask(address, headers={"range": "bytes=2-4", "if-range": '"another"'})
    assert (other.status, other.answer.body) == (200, b"0123456789")
    assert root.ask(address, headers={"range": "bytes=99-"}).status == 416


@pytest.mark.parametrize(
    ("key", "content_type", "element", "sent"),
    [
        ("cat.png", "image/png", "img", "image/png"),
        ("cat", "image/webp; x=<b>", "img", "image/webp"),
        ("film.mp4", "binary/octet-stream", "video", "video/mp4"),
        ("paper", "application/pdf", "iframe", "application/pdf"),
        ("page.html", "text/html", "iframe", "text/plain; charset=utf-8"),
    ],
)
def test_what_may_be_shown_is_shown_as_what_it_is(
    site: Site, root: Browser, key: str, content_type: str, element: str, sent: str
) -> None:
    site.put("files", key, b"<b>bytes", content_type=content_type)
    look = root.get(of(key)).page.one("figure", class_="look").one(element)
    seen = root.ask(
        f"browser/files/{look['src'].rpartition('/')[2]}", headers={"sec-fetch-dest": element}
    )
    assert (seen.status, seen.answer.body) == (200, b"<b>bytes")
    assert seen.headers["content-type"] == sent
    assert seen.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert seen.headers["content-disposition"].startswith("inline; filename=")


def test_of_a_text_its_beginning_is_shown(site: Site, root: Browser) -> None:
    site.put("files", "long.txt", b"x" * (media_types.TEXT_SHOWN + 1))
    seen = root.get(of("long.txt"))
    assert seen.page.one("figcaption").text == "Its first MiB."
    cut = root.get(of("long.txt", "view"))
    assert (cut.status, len(cut.answer.body)) == (200, media_types.TEXT_SHOWN)
    assert root.ask(of("long.txt", "view"), "HEAD").headers["content-length"] == str(1 << 20)


def test_what_may_run_something_is_not_shown(site: Site, root: Browser) -> None:
    site.put("files", "x.svg", b"<svg/>", content_type="image/svg+xml")
    assert root.get(of("x.svg")).page.all("figure") == []
    assert root.get(of("x.svg", "view")).status == 415


def test_a_strangers_page_embeds_nothing(site: Site, root: Browser) -> None:
    site.put("files", "cat.png", b"x", content_type="image/png")
    headers = {"sec-fetch-dest": "image"}
    assert root.ask(of("cat.png", "view"), headers=headers).status == 403
    assert root.ask(of("cat.png", "view", embed="0" * 32), headers=headers).status == 403


# versions


def test_an_older_version_is_restored_by_a_copy(site: Site, root: Browser) -> None:
    site.put("kept", "k", b"old", content_type="text/css", metadata={"a": "1"}, tags={"t": "2"})
    site.put("kept", "k", b"newer")
    seen = root.get(of("k", sid="kept"))
    rows = seen.page.table("Versions, newest first")
    assert [row[2] for row in rows] == ["5 B", "3 B"]
    seen = submit(root, seen, "restore")
    assert seen.notices[-1].startswith("The version was restored")
    assert len(seen.page.table("Versions, newest first")) == 3
    access = site.runtime.access(OWNER, "kept")
    with access.get("k") as opened:
        assert opened.body.read() == b"old"
        info = opened.info
    assert (info.content_type, info.metadata, info.tags) == ("text/css", {"a": "1"}, {"t": "2"})


def test_tags_that_a_key_may_not_read_are_neither_shown_nor_copied(
    site: Site, root: Browser
) -> None:
    for data in (b"old", b"newer"):
        site.put("kept", "k", data, tags={"of": "the-ninth-floor"})
    seen = root.get(of("k", sid="kept"))
    assert "the-ninth-floor" in seen.text
    denied = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": ["s3:GetObjectTagging", "s3:GetObjectVersionTagging"],
        "Resource": "arn:aws:s3:::kept/*",
    }
    kind, access = site.runtime.kinds["policy"], site.runtime.access(OWNER, "kept")
    policy = json.dumps({"Version": "2012-10-17", "Statement": [denied]})
    site.runtime.set_setting(access, kind, kind.parsed(policy))
    try:
        assert "the-ninth-floor" not in root.get(of("k", sid="kept")).text
        assert submit(root, seen, "restore").status == 403
    finally:
        site.runtime.remove_setting(access, kind)
    assert len(root.get(of("k", sid="kept")).page.table("Versions, newest first")) == 2


def test_a_deleted_object_is_found_and_comes_back_without_its_marker(
    site: Site, root: Browser
) -> None:
    site.put("kept", "k", b"old")
    access = site.runtime.access(OWNER, "kept")
    marker = access.delete("k").version
    assert marker is not None
    seen = root.get(of("k", sid="kept"))
    assert seen.notices[-1] == "The object is deleted. Its older versions are still there."
    address = f"browser/kept/delete-version?key=k&version={marker}"
    assert root.post(address, {"csrf": root.csrf}).notices[-1].endswith("deleted for good.")
    assert access.stat("k").size == 3
    with pytest.raises(NoSuchKey):
        access.stat("never")
    assert root.get(of("never", sid="kept")).status == 404


def test_where_no_versions_are_kept_none_are_shown(site: Site, root: Browser) -> None:
    site.put("files", "k", b"x")
    assert "Versions" not in root.get(of("k")).page.text


def test_versions_are_listed_page_by_page_and_never_anothers(site: Site, root: Browser) -> None:
    for _ in range(52):
        site.put("kept", "k", b"x")
    site.put("kept", "kk", b"x")
    seen = root.get(of("k", sid="kept"))
    assert len(seen.page.table("Versions, newest first")) == 50
    seen = root.follow(seen, "Older")
    assert len(seen.page.table("Versions, newest first")) == 2
    assert "Older" not in [one.text for one in seen.page.all("a")]
    assert len(root.follow(seen, "Newer").page.table("Versions, newest first")) == 50


# a link for others


def test_what_is_under_a_customers_key_is_told_of_and_not_offered(
    site: Site, root: Browser
) -> None:
    digest = b64encode(md5(b"k" * 32, usedforsecurity=False).digest()).decode()
    theirs = Encryption(kind="customer", key=Secret(b"k" * 32), key_md5=digest)
    site.put("files", "k.txt", b"secret", encryption=theirs)
    seen = root.get(of("k.txt"))
    assert "under a customer’s key" in seen.notices[-1]
    texts = {one.text for one in (*seen.page.all("a"), *seen.page.all("button"))}
    assert not texts & {"Download", "Make a link"}
    assert seen.page.all("figure") == []
    for page in ("get", "view"):
        assert root.get(of("k.txt", page)).status == 422


@pytest.mark.parametrize(("key", "told"), [("a/../b", True), ("./a", True), ("a..b/.c", False)])
def test_a_link_that_a_browser_would_shorten_says_so(
    site: Site, root: Browser, key: str, told: bool
) -> None:
    site.put("files", key, b"x")
    seen = submit(root, root.get(of(key)), "share")
    assert ("Browsers shorten" in seen.page.text) is told


@pytest.mark.parametrize("key", ["a b/ü+?.txt", "<x>"])
def test_a_link_is_read_by_who_has_no_key(site: Site, root: Browser, key: str) -> None:
    site.put("files", key, b"shared")
    seen = submit(root, root.get(of(key)), "share", life="2", unit="days")
    link = urlsplit(seen.page.one("input", id="link")["value"])
    assert parse_qs(link.query)["X-Amz-Expires"] == ["172800"]
    answer = site.ask(f"{link.path}?{link.query}", host=link.netloc)
    assert (answer.status, answer.body) == (200, b"shared")
    noted = site.runtime.catalog.presigned()[-1]
    assert (noted.bucket, noted.key, noted.access_key) == ("files", key, "root")
    assert link.query not in root.get(of(key)).text


@pytest.mark.parametrize(
    ("life", "unit", "status"),
    [
        ("1", "minutes", 200),
        ("7", "days", 200),
        ("0", "days", 400),
        ("8", "days", 400),
        ("-1", "days", 400),
        ("1", "weeks", 400),
        ("²", "days", 400),
    ],
)
def test_a_link_counts_from_a_minute_to_seven_days(
    site: Site, root: Browser, life: str, unit: str, status: int
) -> None:
    site.put("files", "k", b"x")
    fields = {"csrf": root.csrf, "life": life, "unit": unit}
    assert root.post(of("k", "share"), fields).status == status
    assert root.post(of("none", "share"), {**fields, "life": "1", "unit": "days"}).status == 404


# deleting


def test_a_folder_is_deleted_in_steps_with_its_count_told_first(site: Site, root: Browser) -> None:
    for number in range(300):
        site.put("files", f"a/{number:03}", b"12345")
    site.put("files", "b", b"x")
    fields = [("csrf", root.csrf), ("below", coded("a/")), ("key", coded("b"))]
    asked = root.post("browser/files/delete", fields)
    assert asked.h1 == "Delete 301 objects?"
    assert "there are 300 objects of 1.5 KiB" in asked.page.text
    first = root.submit(asked, "delete")
    assert "1 of 301 deleted." in first.page.text
    second = root.submit(first, "delete")
    assert "251 of 301 deleted." in second.page.text
    assert second.page.form("delete").get("hx-trigger") == "load"
    last = root.submit(second, "delete")
    assert "301 of 301 deleted." in last.page.text
    assert keys(site) == []


def test_all_versions_of_a_folder_go_where_that_is_ticked(site: Site, root: Browser) -> None:
    for _ in range(2):
        site.put("kept", "a/1", b"x")
    asked = root.post("browser/kept/delete", [("csrf", root.csrf), ("below", coded("a/"))])
    assert "hidden, and older versions can be restored" in asked.page.text
    assert "2 deleted." in root.submit(asked, "delete", versions="yes").page.text
    assert site.runtime.access(OWNER, "kept").versions().entries == ()


def test_nothing_is_deleted_that_was_not_named(site: Site, root: Browser) -> None:
    site.put("files", "k", b"x")
    for fields in ([], [("sure", "yes")], [("sure", "yes"), ("key", "%ff")]):
        seen = root.post("browser/files/delete", [("csrf", root.csrf), *fields])
        assert seen.status == 400
    assert root.post("browser/files/delete", [("key", "k"), ("sure", "yes")]).status == 403
    assert keys(site) == ["k"]


def test_ten_thousand_keys_may_be_selected_and_not_one_more(site: Site, root: Browser) -> None:
    many = [("key", coded(f"a key of some length/{number}")) for number in range(10_001)]
    asked = root.post("browser/files/delete", [("csrf", root.csrf), *many[:-1]])
    assert "<h1>Delete 10,000 objects?</h1>" in asked.text
    seen = root.post("browser/files/delete", [("csrf", root.csrf), *many])
    assert (seen.status, seen.h1[:27]) == (413, "10,001 objects are selected")


def test_a_thousand_folders_may_be_selected_and_not_one_more(root: Browser) -> None:
    many = [("csrf", root.csrf), *(("below", f"{number}%2F") for number in range(1001))]
    assert root.post("browser/files/delete", many[:-1]).h1[:6] == "Delete"
    seen = root.post("browser/files/delete", many)
    assert (seen.status, seen.h1[:26]) == (413, "1,001 folders are selected")
