"""A source that lies: nothing of it is stored, and what was wrong is told."""

from __future__ import annotations

import copy
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

import pytest

from drivers.indexed.replica.comparing import Comparing
from drivers.indexed.replica.fetching import Fetching
from drivers.indexed.replica.following import Following as Replica
from drivers.indexed.replica.options import ReplicaOf
from drivers.indexed.replica.source import Source
from drivers.indexed.replica.told import page_of, versions_of
from drivers.memory import Memory
from gateway.background.followers import Following
from gateway.storage import BytesBody, Context, NoFollowers, OriginFailed, Secret
from gateway.testing import Server
from tests.replicas.pair import caught_up, contents, of, store_of, until

DETAILS: Mapping[str, Any] = {
    "contentType": "a/b", "headers": {}, "metadata": {}, "tags": {}, "storageClass": "STANDARD",
    "owner": "root", "encryption": None, "attributes": "{}", "checksums": {},
    "checksumType": None, "parts": [],
    "protection": {"mode": None, "until": None, "hold": True, "event": "3 days"},
}  # fmt: skip
PAGE: Mapping[str, Any] = {
    "updates": [
        {
            "syncId": 1, "kind": "put", "time": "2026-01-02T03:04:05.006Z", "path": "k",
            "version": "null-abc", "size": 3, "etag": "abc", "contentType": "a/b",
            "headers": {}, "metadata": {}, "deleted": False, "cause": "", "details": DETAILS,
        }
    ],
    "lastSyncId": 1, "feed": "1.2", "cut": False,
}  # fmt: skip


def later(page: Mapping[str, Any], number: int) -> Mapping[str, Any]:
    """With its change under another number."""
    changed = {**page["updates"][0], "syncId": number}
    return {**page, "updates": [changed], "lastSyncId": number}


def test_what_it_says_is_understood() -> None:
    (told,) = page_of(PAGE).told
    assert told.change[:5] == (1, "put", 1767323045006, "k", "null")
    assert told.named == "null-abc"
    assert told.info is not None
    assert told.info.protection is not None
    assert told.info.protection.event == (3, "days")


PART: Mapping[str, Any] = {
    "number": 1, "size": 3, "etag": "abc", "modified": "2026-01-02T03:04:05.006Z", "checksums": {},
}  # fmt: skip
UPDATE: Sequence[tuple[str, Any]] = (
    ("syncId", -1), ("syncId", "1"), ("syncId", True), ("syncId", 1 << 70), ("kind", "odd"),
    ("time", "yesterday"), ("time", 5), ("path", ""), ("path", "x" * 1025), ("path", 7),
    ("path", "\ud800"), ("version", None), ("size", 1.5), ("size", -1), ("etag", None),
    ("deleted", "no"), ("deleted", True), ("cause", []), ("details", []), ("details", {}),
    ("time", "9999-12-31T23:59:59-23:59"), ("time", "0001-01-01T00:00:00Z"),
    ("version", "000000000001\r\nx-evil: 1234567"), ("version", "null-a\r\nx-evil: 1"),
    ("version", " 00000000_01" + "0" * 20), ("etag", 'a"b'), ("etag", "a\r\nx-evil: 1"),
)  # fmt: skip
OF_DETAILS: Sequence[tuple[str, Any]] = (
    ("attributes", "[]"), ("attributes", "{"), ("attributes", "[" * 100_000), ("tags", {"a": 1}),
    ("tags", []), ("encryption", "rot13"), ("checksumType", "HALF"), ("parts", [{}]),
    ("protection", {"mode": "mild", "until": None, "hold": False, "event": None}),
    ("protection", {"mode": None, "until": None, "hold": False, "event": "soon"}),
    ("headers", {"\ud800": "x"}), ("owner", None), ("owner", "\0"), ("storageClass", "a\r\nb: c"),
    ("headers", {"Content-Length": "1"}), ("headers", {"Set-Cookie": "a=b"}),
    ("checksums", {"EVIL": "AAAA"}), ("checksums", {"SHA256": "x\r\nx-evil: 1"}),
    ("parts", [{**PART, "size": 4}]), ("parts", [{**PART, "number": 0}]),
    ("parts", [PART, {**PART, "size": 0}]),
)  # fmt: skip


@pytest.mark.parametrize(("name", "lie"), UPDATE)
def test_an_update_that_cannot_be(name: str, lie: object) -> None:
    page = copy.deepcopy(dict(PAGE))
    page["updates"][0][name] = lie
    with pytest.raises(OriginFailed):
        page_of(page)


@pytest.mark.parametrize(("name", "lie"), OF_DETAILS)
def test_details_that_cannot_be(name: str, lie: object) -> None:
    page = copy.deepcopy(dict(PAGE))
    page["updates"][0]["details"][name] = lie
    with pytest.raises(OriginFailed):
        page_of(page)


@pytest.mark.parametrize(
    "page",
    [
        None,
        [],
        {},
        {**PAGE, "feed": ""},
        {**PAGE, "cut": None},
        {**PAGE, "updates": [*PAGE["updates"], *PAGE["updates"]]},
        {**PAGE, "updates": [{k: v for k, v in PAGE["updates"][0].items() if k != "details"}]},
    ],
)
def test_a_page_that_cannot_be(page: object) -> None:
    for read in (page_of, versions_of):
        with pytest.raises(OriginFailed):
            read(page)


@pytest.mark.parametrize(
    "given",
    [
        {"url": "ftp://host"},
        {"url": "http://user:pw@host"},
        {"url": "http://host/path"},
        {"url": "http://host:port"},
        {"url": "host"},
        {"key": Secret("")},
        {"key": Secret("a\nb")},
        {"sid": ""},
    ],
)
def test_options_that_cannot_be(given: dict[str, Any]) -> None:
    right: dict[str, Any] = {"url": "https://host", "key": Secret("k"), "sid": "s"}
    assert str(ReplicaOf(**right).place) == "https://host"
    with pytest.raises(ValueError, match=next(iter(given))):
        ReplicaOf(**right | given)


def test_a_refusal_that_repeats_the_key_is_told_without_it() -> None:
    of = ReplicaOf(url="http://host", key=Secret("very-secret"), sid="s")
    with closing(Source(of)) as source:
        refused = source._refused(400, b'{"error": "odd", "message": "no very-secret here"}')
    assert str(refused) == "http://host, service 's': 400 odd: no [the key] here"


# a replica of one


@pytest.mark.parametrize("page", [{**PAGE, "updates": []}, later(PAGE, 2)])
def test_what_does_not_come_next_is_not_taken_for_all(
    monkeypatch: pytest.MonkeyPatch, page: Mapping[str, Any]
) -> None:
    """Else it would be asked for again and again, or never."""
    monkeypatch.setattr(Source, "_document", lambda *_, **__: page)
    with closing(Memory()) as store:
        store.open(Context(sid="copy"))
        of = ReplicaOf(url="http://host", key=Secret("k"), sid="s")
        following = Replica(store, of, "copy", NoFollowers())
        try:
            with pytest.raises(OriginFailed, match="comes next"):
                following.changes()
        finally:
            following.end()


def test_a_page_of_versions_that_has_none_and_is_not_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It could go on for ever."""
    answers = {"syncnext": {**PAGE, "updates": []}, "versionlist": {"versions": [], "next": "x"}}
    monkeypatch.setattr(Source, "_document", lambda _, function, **__: answers[function])
    with closing(Memory()) as store:
        store.open(Context(sid="copy"))
        store.adopt()
        source = Source(ReplicaOf(url="http://host", key=Secret("k"), sid="s"))
        refused = pytest.raises(OriginFailed, match="not the last")
        with closing(source), closing(Fetching(store, source, "copy")) as fetching, refused:
            Comparing(store, source, fetching, "copy").run()


@pytest.mark.usefixtures("sockets", "seconds")
def test_bytes_that_are_others_stop_it_and_are_not_kept(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    honest = Source.open
    lying = True

    def opened(source: Source, told: Any) -> Any:
        lie = lying and told.change.key == "k2"
        return BytesBody(b"liar") if lie else honest(source, told)

    monkeypatch.setattr(Source, "open", opened)
    monkeypatch.setattr(Following.__init__, "__kwdefaults__", {"delay": lambda failures: 0.05})
    with Server(services={"photos": {"driver": "memory"}}) as first:
        source = store_of(first, "photos")
        for number in range(5):
            source.put(f"k{number}", BytesBody(b"good"))
        with caplog.at_level(logging.WARNING), Server(services={"copy": of(first)}) as second:
            replica = store_of(second, "copy")
            until(lambda: "it is tried again" in caplog.text)
            assert [entry.key for entry in replica.versions().entries] == ["k0", "k1"]
            assert first.secret_key not in caplog.text
            lying = False
            caught_up(source, replica)
            assert contents(replica) == contents(source)


class Endless:
    """A body that goes on and on."""

    def __init__(self) -> None:
        self.reads = 0

    def read(self, size: int = 1, /) -> bytes:
        self.reads += 1
        time.sleep(0.001)
        return b"x"

    def close(self) -> None:
        """There is nothing to give back."""


@pytest.mark.usefixtures("sockets", "seconds")
def test_a_body_without_end_keeps_no_gateway_from_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    body = Endless()
    monkeypatch.setattr(Source, "open", lambda source, told: body)
    with Server(services={"photos": {"driver": "memory"}}) as first:
        store_of(first, "photos").put("k", BytesBody(b"x" * 1_000_000))
        with Server(services={"copy": of(first)}) as second:
            until(lambda: body.reads > 2)
            closing = threading.Thread(target=store_of(second, "copy").close_declared, daemon=True)
            closing.start()
            until(lambda: not closing.is_alive())
