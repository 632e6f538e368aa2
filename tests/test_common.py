"""Forms of text that modes and drivers share: what one writes the other reads again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from defusedxml import ElementTree
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.common import looking, words, xml
from gateway.common.steady import Steady
from gateway.storage import BytesBody, pieces

many = settings(deadline=None, max_examples=300)


@given(st.text())
@many
def test_what_XML_carries_every_parser_reads_again(text: str) -> None:
    if xml.carries(text):
        root = ElementTree.fromstring(xml.document("A", xml.element("B", text)))
        assert (root[0].text or "") == text


@pytest.mark.parametrize("text", ["a\rb", "a\r\nb", "\n", "\t", " a ", "a&b<c>", "\x7f\x85\u2028"])
def test_what_parsers_normalise_is_written_as_references(text: str) -> None:
    assert xml.carries(text)
    root = ElementTree.fromstring(xml.document("A", xml.element("B", text)))
    assert root[0].text == text


@pytest.mark.parametrize("text", ["\0", "\x0b", "\x1f", "\ufffe", "\uffff", "\ud800"])
def test_what_XML_cannot_carry_is_known(text: str) -> None:
    assert not xml.carries(f"a{text}b")


@given(st.text())
@many
def test_words_are_ASCII_and_say_the_text_again(text: str) -> None:
    said = words.encoded(text)
    assert said.isascii()
    assert said.isprintable()
    assert said == said.strip()
    if said != text and not words._CONTROL.search(text):
        assert words.decoded(said) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("=?UTF-8?B?w6TDtsO8?=", "äöü"),
        ("=?UTF-8?Q?caf=C3=A9_au_lait?=", "café au lait"),
        ("=?utf-8?q?caf=C3?= =?utf-8?q?=A9?=", "café"),  # a character in two words
        ("=?iso-8859-1?Q?f=FCr?=", "für"),
        ("=?UTF-8*de?B?w6Q=?=", "ä"),
    ],
)
def test_words_of_others_are_read(value: str, text: str) -> None:
    assert words.decoded(value) == text


@pytest.mark.parametrize(
    "value",
    [
        "plain",
        "=?no word",
        "=?UTF-8?B?*?=",
        "=?UTF-8?Q??=",
        "=?nobody-knows?B?YQ==?=",
        "=?ascii?B?w6Q=?=",
        "beside =?UTF-8?B?w6Q=?=",
        "=?UTF-8?B?DQpYOiB5?=",  # "\r\nX: y"
    ],
)
def test_what_says_nothing_stays_as_it_is(value: str) -> None:
    assert words.decoded(value) == value


def test_a_word_stays_the_word_that_it_is() -> None:
    word = "=?UTF-8?B?w6TDtsO8?="
    assert words.encoded(word) == word
    assert words.encoded(words.decoded(word)) == word


DEEP = b"<a>" * 100_000


@pytest.mark.parametrize(
    "data",
    [
        DEEP,
        DEEP + b"</a>" * 100_000,
        b"<a>" + b"<b/>" * xml.MOST + b"</a>",
        b'<?xml version="1.0" encoding="cp037"?>' + ("<a>" * 100_000).encode("cp037"),
        ("\ufeff" + "<a>" * 100_000).encode("utf-16-le"),
        b"<a/><b/>",
        b"<!DOCTYPE a><a/>",
        b"",
    ],
    ids=["cut", "deep", "large", "EBCDIC", "UTF-16", "two roots", "DTD", "nothing"],
)
def test_what_is_too_deep_too_large_or_none_is_malformed(data: bytes) -> None:
    """On the smallest stack that threads have: Python 3.13 frees deep trees by recursion."""
    found: list[object] = []

    def read() -> None:
        with pytest.raises(xml.Malformed):
            xml.parse(data)
        found.append(data)

    size = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=read)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(size)
    assert found


def test_what_S3_has_is_read() -> None:
    part = "<Part><PartNumber>1</PartNumber><ETag>e</ETag><A/><B/><C/><D/><E/></Part>"
    assert len(xml.parse(f"<U>{part * 10_000}</U>".encode())) == 10_000
    assert xml.parse(b"<a>" * xml.DEEPEST + b"</a>" * xml.DEEPEST).tag == "a"


# threads that others count on


def test_a_step_that_fails_is_told_once_and_the_next_is_taken(
    caplog: pytest.LogCaptureFixture,
) -> None:
    steady = Steady(logging.getLogger("gateway"), "nothing is done")
    errors: list[BaseException | None] = [
        KeyError("a"), KeyError("a"), SystemExit(1), None, SystemExit(1), None,
    ]  # fmt: skip

    def step() -> None:
        error = errors.pop(0)
        if error is not None:
            raise error

    assert [steady(step) for _ in range(6)] == [False, False, False, True, False, True]
    assert [record.getMessage() for record in caplog.records] == ["nothing is done"] * 3
    assert all(record.exc_info for record in caplog.records)


# whether something is there


def test_what_is_there_and_what_is_not(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert [looking.is_there(tmp_path / name) for name in ("", "file", "none", "file/none")] == [
        True, True, False, False,
    ]  # fmt: skip
    assert [looking.is_file(tmp_path / name) for name in ("", "file", "none")] == [
        False, True, False,
    ]  # fmt: skip
    assert [looking.is_folder(tmp_path / name) for name in ("", "file", "none")] == [
        True, False, False,
    ]  # fmt: skip
    assert not looking.is_there(tmp_path / "\0")


@pytest.mark.parametrize("look", [looking.is_there, looking.is_file, looking.is_folder])
def test_that_nobody_may_look_is_no_answer(
    look: Callable[[Path], bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, **_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(PermissionError):
        look(tmp_path)


# bodies


class Cut(bytes):
    """It counts what is cut out of it, and of what that gave."""

    total: ClassVar[int] = 0

    def __getitem__(self, at: Any) -> Any:
        piece = Cut(super().__getitem__(at))
        Cut.total += len(piece)
        return piece


def test_a_body_of_bytes_is_copied_once_in_whatever_pieces_it_is_read() -> None:
    data = Cut(bytes(range(250)) * 40)
    assert BytesBody(data).read() is data and Cut.total == 0
    body = BytesBody(data)
    assert b"".join(pieces(body, 100)) == data
    assert Cut.total == len(data)
    assert (body.read(), body.data) == (b"", b"")
