"""What somebody does with files and folders, by a real client."""

from __future__ import annotations

import ftplib
import io
import re
from pathlib import Path
from typing import Any

import pytest

from gateway.access.access import Access
from gateway.modes.ftp import tree
from gateway.modes.ftp.paths import place, resolved
from gateway.storage import BadKey, Full
from tests.modes.ftp.served import Served, serving


def stored(client: ftplib.FTP, path: str, data: bytes, rest: int | None = None) -> str:
    return client.storbinary(f"STOR {path}", io.BytesIO(data), rest=rest)


def fetched(client: ftplib.FTP, path: str, rest: int | None = None) -> bytes:
    found = list[bytes]()
    client.retrbinary(f"RETR {path}", found.append, rest=rest)
    return b"".join(found)


def refused(client: ftplib.FTP, command: str) -> str:
    with pytest.raises(ftplib.Error) as caught:
        client.voidcmd(command)
    return str(caught.value)[:3]


def test_a_file_comes_and_goes(served: Served) -> None:
    client = served.client("storage.1")
    assert client.pwd() == "/"
    stored(client, "a/b/photo.JPG", b"bytes" * 1000)
    assert served.read("a/b/photo.JPG") == b"bytes" * 1000
    assert served.access().stat("a/b/photo.JPG").content_type == "image/jpeg"
    client.cwd("a")
    client.cwd("b")
    assert client.pwd() == "/a/b"
    assert client.size("photo.JPG") == 5000
    assert re.fullmatch(r"213 20\d{12}", client.sendcmd("MDTM photo.JPG"))
    assert fetched(client, "photo.JPG") == b"bytes" * 1000
    assert fetched(client, "/a/b/photo.JPG", rest=4998) == b"es"
    assert fetched(client, "photo.JPG", rest=5000) == b""
    client.rename("photo.JPG", "../c.jpg")
    assert (served.read("a/b/photo.JPG"), served.read("a/c.jpg")) == (None, b"bytes" * 1000)
    client.cwd("/")
    client.delete("a/c.jpg")
    assert served.read("a/c.jpg") is None
    client.quit()


def test_what_a_file_has_besides_its_bytes_goes_along(served: Served) -> None:
    client = served.client("storage.1")
    told: dict[str, Any] = {
        "metadata": {"colour": "red"},
        "tags": {"a": "b"},
        "content_type": "text/x-odd",
    }
    served.put("old", b"1234567890", **told)
    client.rename("old", "new")
    info = served.access().stat("new")
    assert (info.metadata, dict(info.tags), info.content_type) == tuple(told.values())
    client.storbinary("APPE new", io.BytesIO(b"AB"))
    stored(client, "new", b"xyz", rest=5)
    assert served.read("new") == b"12345xyz"
    info = served.access().stat("new")
    assert (info.metadata, info.content_type) == (told["metadata"], told["content_type"])


@pytest.mark.parametrize("size", [5 << 20, (5 << 20) - 1])
def test_a_file_goes_on_where_it_ends_or_where_it_is_told(served: Served, size: int) -> None:
    """By parts, and where its beginning is too short for one."""
    client = served.client("storage.1")
    beginning = bytes(range(256)) * (size // 256) + b"!" * (size % 256)
    served.put("large", beginning, metadata={"kept": "yes"})
    client.storbinary("APPE large", io.BytesIO(b"the end"))
    assert served.read("large") == beginning + b"the end"
    stored(client, "large", b"another", rest=size)
    assert served.read("large") == beginning + b"another"
    assert served.access().stat("large").metadata == {"kept": "yes"}
    assert served.uploads() == 0
    client.storbinary("APPE new", io.BytesIO(b"it begins"))
    assert served.read("new") == b"it begins"


def test_nothing_goes_on_behind_the_end(served: Served) -> None:
    client = served.client("storage.1")
    served.put("short", b"12345")
    for path, offset in (("short", 6), ("none", 1)):
        with pytest.raises(ftplib.error_perm, match=r"^554 "):
            stored(client, path, b"x", rest=offset)
        with pytest.raises(ftplib.error_perm, match=r"^554 |^550 "):
            fetched(client, path, rest=offset)
    assert (served.read("short"), served.read("none")) == (b"12345", None)
    stored(client, "short", b"x")  # what was said of another transfer does not count
    assert served.read("short") == b"x"


def test_folders_are_markers_and_what_is_in_them(served: Served) -> None:
    client = served.client("storage.1")
    assert client.mkd("empty") == "/empty"
    assert served.read("empty/") == b""
    assert refused(client, "MKD empty") == "550"
    client.cwd("empty")
    assert list(client.mlsd()) == []
    client.cwd("..")
    served.put("full/deep/x", b"x")
    names = {name: facts["type"] for name, facts in client.mlsd()}
    assert names == {"empty": "dir", "full": "dir"}
    assert refused(client, "RMD full") == "550"
    client.rmd("empty")
    assert (served.read("empty/"), refused(client, "RMD empty")) == (None, "550")
    assert refused(client, "CWD empty") == "550"
    assert client.sendcmd("MLST full/deep").splitlines()[1] == " type=dir; /full/deep"
    assert "size=1;" in client.sendcmd("MLST full/deep/x").splitlines()[1]
    for path in ("full", "none", "/"):
        assert refused(client, f"SIZE {path}") == refused(client, f"DELE {path}") == "550"


def test_a_folder_is_renamed_with_all_that_is_in_it(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = served.client()
    client.mkd("files/old")
    names = ["a", "deep/b", *(f"{number:04}" for number in range(40))]
    for name in names:
        served.put(f"old/{name}", name.encode())
    monkeypatch.setattr(tree, "LIMIT", 16)
    client.rename("files/old", "files/new/place")
    assert served.read("old/a") is served.read("old/") is None
    assert all(served.read(f"new/place/{name}") == name.encode() for name in names)
    client.rename("files/new/place", "more/there")
    assert (served.read("there/deep/b", "more"), served.read("there/", "more")) == (b"deep/b", b"")
    client.sendcmd("RNFR more/there")
    assert refused(client, "RNTO more/there/in/itself") == "550"
    served.put("taken/x", b"")
    client.sendcmd("RNFR more/there")
    assert refused(client, "RNTO files/taken") == "550"
    monkeypatch.setattr(tree, "RENAMED", 42)
    client.sendcmd("RNFR more/there")
    assert refused(client, "RNTO more/other") == "552"
    assert served.read("other/a", "more") is None
    for command in ("RNFR files", "RNFR /", "RNFR files/none"):
        assert refused(client, command) == "550", command


def test_a_folder_that_cannot_be_renamed_in_whole_loses_nothing(served: Served) -> None:
    client = served.client("storage.1")
    for name in "abc":
        served.put(f"old/{name}", name.encode())

    def copy(self: Access, source: Access, key: str, *args: object, **more: object) -> object:
        if key == "old/b":
            raise Full
        return real(self, source, key, *args, **more)  # type: ignore[arg-type]

    real = Access.copy
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Access, "copy", copy)
        client.sendcmd("RNFR old")
        assert refused(client, "RNTO new") == "452"
    assert [served.read(f"old/{name}") for name in "abc"] == [b"a", b"b", b"c"]
    for name in ("new/a", "new/b"):
        served.access().delete(name)
    client.rename("old", "new")
    assert [served.read(f"new/{name}") for name in "abc"] == [b"a", b"b", b"c"]


def test_a_store_of_files_has_empty_folders_for_who_makes_them(
    tmp_path: Path, sockets: None
) -> None:
    (tmp_path / "there").mkdir()
    url = (tmp_path / "there").as_uri()
    more = f'[services.tree]\ndriver = "fsspec"\nurl = "{url}"\n'
    with serving(tmp_path, more=more) as served:
        client, other = served.client(), served.client()
        client.cwd("tree")
        assert client.mkd("new") == "/tree/new"
        assert refused(client, "MKD new") == "550"
        client.cwd("new")
        assert client.nlst() == []
        assert refused(other, "CWD tree/new") == "550"
        client.cwd("..")
        client.rmd("new")
        assert refused(client, "CWD new") == refused(client, "RMD new") == "550"
        client.mkd("new")
        stored(client, "new/file", b"1234567890")
        client.storbinary("APPE new/file", io.BytesIO(b"and more"))
        assert fetched(other, "tree/new/file", rest=8) == b"90and more"
        assert refused(client, "RMD new") == refused(client, "MKD /tree/new/") == "550"
        client.rename("new/file", "file")
        assert (tmp_path / "there" / "file").read_bytes() == b"1234567890and more"


def test_lists_have_all_of_a_folder_and_no_line_that_nobody_could_say(served: Served) -> None:
    client = served.client("storage.1")
    names = [f"file {number:04}" for number in range(1100)]
    for name in names:
        served.put(f"in/{name}", b"12")
    served.put("in/über\N{SNOWMAN}", b"")
    served.put("in/below/x", b"")
    for odd in ("in/two\r\nlines", "in/nul\0", "in//empty name", "in/../up", "in/./here"):
        served.put(odd, b"")
    client.cwd("in")
    found = {name: facts for name, facts in client.mlsd() if facts["type"] == "file"}
    assert sorted(found) == sorted([*names, "über\N{SNOWMAN}"])
    assert {facts["size"] for name, facts in found.items() if name in names} == {"2"}
    lines = list[str]()
    client.retrlines("LIST -la", lines.append)
    assert len(lines) == 1102
    shape = re.compile(
        r"[d-]\S{9} 1 owner group +\d+ [A-Z][a-z]{2} [ \d]\d (?: \d{4}|\d\d:\d\d) .+"
    )
    assert all(map(shape.fullmatch, lines))
    assert sorted(client.nlst("/in")) == sorted([*names, "below", "über\N{SNOWMAN}"])
    assert client.nlst("file 0007") == ["file 0007"]
    with pytest.raises(ftplib.error_perm, match=r"^550 "):
        client.nlst("none")
    assert [name for name, _ in client.mlsd("/in/below")] == ["x"]


def test_services_are_folders_for_who_may_see_several(served: Served) -> None:
    client = served.client()
    assert client.nlst() == ["files", "more"]
    stored(client, "/more/x", b"there")
    assert served.read("x", "more") == b"there"
    client.rename("/more/x", "/files/y")
    assert (served.read("x", "more"), served.read("y")) == (None, b"there")
    for command in ("MKD third", "RMD more", "DELE more", "CWD none", "RETR none/x", "STOR x"):
        assert refused(client, command) == "550", command
    assert served.client("stranger").nlst() == []
    assert refused(served.client("stranger"), "CWD files") == "550"


def test_a_listener_of_one_service_has_it_as_its_root(tmp_path: Path, sockets: None) -> None:
    with serving(tmp_path, service="more") as served:
        stored(served.client(), "x", b"there")
        assert served.read("x", "more") == b"there"
        for key in ("storage.1", "stranger"):
            with pytest.raises(ftplib.error_perm, match=r"^530 "):
                served.client(key)


def test_rights_are_those_of_every_door(served: Served) -> None:
    served.put("there", b"bytes")
    client = served.client("reader")
    assert (client.nlst(), client.nlst("files")) == (["files", "more"], ["there"])
    assert fetched(client, "files/there") == b"bytes"
    client.sendcmd("RNFR files/there")
    for command in ("RNTO files/new", "DELE files/there", "MKD files/x", "RMD files/x"):
        assert refused(client, command) == "550", command
    for command in ("STOR files/new", "STOR files/there", "APPE files/there"):
        with pytest.raises(ftplib.error_perm, match=r"^550 "):
            client.storbinary(command, io.BytesIO(b"x"))
    assert (served.read("there"), served.read("new")) == (b"bytes", None)


def test_paths_go_up_among_names_and_no_further() -> None:
    for folder, text, names in (
        ((), "", ()),
        (("a", "b"), "", ("a", "b")),
        (("a", "b"), "c//d/", ("a", "b", "c", "d")),
        (("a", "b"), "/c", ("c",)),
        (("a", "b"), "../../../..", ()),
        (("a",), "./x/../../y", ("y",)),
        ((), "...", ("...",)),
        ((), "a\\..\\b", ("a\\..\\b",)),
        ((), "..%2f..", ("..%2f..",)),
    ):
        assert resolved(folder, text) == names, text
    assert place("", ()) == ("", "")
    assert place("", ("sid", "a", "b")) == ("sid", "a/b")
    assert place("sid", ("a", "b")) == ("sid", "a/b")
    for long in (("x" * 1025,), ("x\0",), ("ü" * 513,)):
        with pytest.raises(BadKey):
            place("sid", long)
    assert place("sid", ("x" * 1024,)).key == "x" * 1024
