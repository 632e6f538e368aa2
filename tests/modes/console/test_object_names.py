"""Keys on the console's pages: shown, linked, named, and the positions in lists of them."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from falcon.util.mediatypes import parse_header
from hypothesis import given
from hypothesis import strategies as st

from gateway.modes.console import object_names
from gateway.modes.console.browsing import dispositions, media_types
from gateway.modes.console.paging import Position
from gateway.web import request_head

KEYS = st.text(min_size=1, max_size=60)
"""Of what a key may be: anything but halves of surrogates."""


@given(KEYS)
def test_a_key_comes_back_from_a_form_and_from_a_query(key: str) -> None:
    coded = object_names.coded(key)
    assert object_names.decoded(coded) == key
    assert request_head.form_decoded(coded) == key
    assert coded.isascii() and not set(coded) & set("\r\n<>\"'&+ /\\")


def test_a_half_of_a_surrogate_is_no_key() -> None:
    with pytest.raises(ValueError, match="utf-8"):
        object_names.decoded(object_names.coded("\udcff"))


@given(KEYS)
def test_a_key_is_shown_without_what_cannot_be_seen(key: str) -> None:
    assert object_names.shown(key).isprintable()


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("plain/ä 猫.txt", "plain/ä 猫.txt"),
        ("a\nb\x00", "a␊b␀"),
        ("invoice\u202egpj.exe", "invoice‹U+202E›gpj.exe"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
    ],
)
def test_how_a_key_is_shown(key: str, shown: str) -> None:
    assert object_names.shown(key) == shown


@pytest.mark.parametrize(
    ("prefix", "folder", "names"),
    [
        ("", "", []),
        ("pho", "", []),
        ("photos/2024/c", "photos/2024/", ["photos/", "2024/"]),
        ("//a", "//", ["/", "/"]),
        ("../x/", "../x/", ["../", "x/"]),
    ],
)
def test_the_folders_on_the_way(prefix: str, folder: str, names: list[str]) -> None:
    found = [*object_names.crumbs(object_names.folder_of(prefix))]
    assert [one.name for one in found] == names
    assert "".join(one.name for one in found) == object_names.folder_of(prefix) == folder
    assert [one.prefix for one in found] == ["".join(names[: at + 1]) for at in range(len(names))]


@given(st.lists(KEYS, min_size=1, max_size=30, unique=True))
def test_the_way_back_leads_to_where_each_page_began(ends: list[str]) -> None:
    at, seen = Position(), [Position()]
    for end in ends:
        at = at.next(end)
        assert Position.of(request_head.pairs(at.query)) == at
        assert len(at.query) < 2000 + 5 + 12 * 60
        seen.append(at)
    while seen:
        assert at.after == seen.pop().after
        if at.before is None:
            break
        at = at.before
    assert at.after == ""


def test_marks_that_no_link_can_carry_are_left_out_the_oldest_first() -> None:
    at = Position()
    for number in range(9):
        at = at.next(f"{number}{'x' * 900}")
    assert [mark[0] for mark in at.marks] == ["6", "7"]
    while (before := at.before) is not None:
        at = before
    assert at == Position()


@given(KEYS)
def test_a_file_name_fits_into_a_header_and_no_other_place(key: str) -> None:
    text = dispositions.attachment(key)
    assert text.isascii() and text.isprintable()
    kind, said = parse_header(text)
    assert kind == "attachment"
    for name in (said["filename"], object_names.decoded(said.get("filename*", "")[7:]) or "x"):
        assert name and not set(name) & set('/\\"\r\n\0') and name not in {".", ".."}
        assert len(name.encode()) <= 255


@pytest.mark.parametrize(
    ("key", "plain", "full"),
    [
        ("a/b/cat.jpg", "cat.jpg", None),
        ("猫.jpg", "_.jpg", "猫.jpg"),
        ("100%.txt", "100_.txt", "100%.txt"),
        ("..", "download", None),
        ("a/../../etc/passwd", "passwd", None),
        ('say "hi".txt', "say _hi_.txt", None),
        ("folder/", "folder", None),
        ("x" * 300 + ".tar", "x" * 251 + ".tar", None),
    ],
)
def test_what_a_download_is_called(key: str, plain: str, full: str | None) -> None:
    said = parse_header(dispositions.attachment(key))[1]
    assert said["filename"] == plain
    if full is None:
        assert "filename*" not in said
    else:
        assert unquote(said["filename*"].removeprefix("UTF-8''")) == full


@pytest.mark.parametrize(
    ("content_type", "name", "preview"),
    [
        ("image/png", "x", "image"),
        ("IMAGE/PNG; q=1", "x", "image"),
        ("image/svg+xml", "x.svg", None),
        ("text/html; charset=utf-8", "x", "text"),
        ("binary/octet-stream", "cat.webp", "image"),
        ("", "notes.MD", "text"),
        ("application/octet-stream", "x.pdf", "pdf"),
        ("application/octet-stream", "x.tar.gz", None),
        ("application/json", "x", "text"),
        ("application/zip", "x.txt", None),
        ("video/mp4", "x", "video"),
        ("nonsense\r\nx: y", "x", None),
    ],
)
def test_what_may_be_shown(content_type: str, name: str, preview: str | None) -> None:
    assert media_types.preview(content_type, name) == preview
