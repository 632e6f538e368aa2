"""A folder of this machine as a store: existing trees, links, sidecars, and what a crash leaves."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from drivers.fsspec import FileSystem, label
from drivers.fsspec.local import LocalTree
from gateway.common import open_files
from gateway.storage import (
    BadKey,
    Busy,
    BytesBody,
    Conflict,
    Context,
    Delete,
    Get,
    IncompleteBody,
    Labels,
    ListQuery,
    NoSuchKey,
    NoSuchVersion,
    OriginDenied,
    Put,
    Unavailable,
    Unsupported,
    Writable,
    lent,
    pieces,
)
from gateway.testing.faults import noise
from tests.held_files import held

DAY = 86_400_000


class Jobs:
    def __init__(self) -> None:
        self.work: dict[str, Callable[[], object]] = {}

    def add(self, name: str, interval: float, work: Callable[[], object]) -> None:
        self.work[name] = work

    def remove(self, name: str) -> None:
        del self.work[name]


class Tree:
    """A folder `root` and a store on it."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.root = folder / "tree"
        self.root.mkdir(exist_ok=True)
        self.jobs, self.ahead = Jobs(), 0
        self.store = FileSystem(url=f"file://{self.root}", **options)
        self.store.open(Context(sid="s", clock=self.clock, jobs=self.jobs))

    def clock(self) -> int:
        return Context().clock() + self.ahead

    def file(self, path: str, data: bytes = b"data") -> Path:
        at = self.root / path
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_bytes(data)
        return at

    def put(self, key: str, data: bytes = b"data", **options: Any) -> None:
        self.store.put(key, BytesBody(data), Put(size=len(data), **options))

    def read(self, key: str) -> bytes:
        with self.store.get(key) as opened:
            return b"".join(pieces(opened.body))

    def listed(self, **query: Any) -> list[str]:
        page = self.store.list(ListQuery(**query))
        return sorted([*(entry.key for entry in page.entries), *page.prefixes])

    def own(self, kind: str) -> list[Path]:
        return [one for one in (self.root / ".gateway" / kind).rglob("*") if one.is_file()]


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    made = Tree(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Tree]:
    """With sidecars."""
    made = Tree(tmp_path, metadata="sidecar")
    yield made
    made.store.close()


posix = pytest.mark.skipif(sys.platform == "win32", reason="links and rights are POSIX's here")


def test_an_existing_tree_is_served_as_it_is_and_not_written_to(tree: Tree) -> None:
    tree.file("a.txt", b"one")
    tree.file("a/photo.jpg", b"two")
    tree.file("a/archive.tar.gz")
    (tree.root / "empty" / "folders").mkdir(parents=True)
    assert tree.listed() == ["a.txt", "a/archive.tar.gz", "a/photo.jpg"]
    assert tree.listed(delimiter="/") == ["a.txt", "a/"]
    kinds = {key: tree.store.stat(key).content_type for key in tree.listed()}
    assert kinds == {
        "a.txt": "text/plain",
        "a/photo.jpg": "image/jpeg",
        "a/archive.tar.gz": "application/gzip",
    }
    assert tree.read("a/photo.jpg") == b"two"
    assert sorted(one.name for one in tree.root.iterdir()) == ["a", "a.txt", "empty"]


def test_a_file_changed_by_others_has_another_ETag_and_none_looks_like_an_MD5(tree: Tree) -> None:
    at = tree.file("k", b"one")
    before = tree.store.stat("k")
    assert "-" in before.etag
    at.write_bytes(b"two")
    os.utime(at, ns=(0, before.modified * 1_000_000 + 5_000_000_000))
    assert tree.store.stat("k").etag != before.etag


TOO_LONG = [] if sys.platform == "win32" else ["d/" * 3000 + "k"]
"""How long a path may be on Windows, its administrator says."""


def test_a_path_that_is_too_long_for_windows_is_refused(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    mkdir = os.mkdir

    def refuse(path: str | Path, mode: int = 0o777) -> None:
        if Path(path).name == "folder":
            raise FileNotFoundError(path)
        mkdir(path, mode)

    tree.put("k")
    monkeypatch.setattr(tree.store._open_tree, "windows", True)
    monkeypatch.setattr(os, "mkdir", refuse)
    with pytest.raises(BadKey, match="longer than Windows"):
        tree.put("folder/k")
    assert tree.listed() == ["k"]


def test_what_another_program_has_open_is_refused_for_now(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = tree.file("k", b"before")
    monkeypatch.setattr(open_files, "_WAITS", (0.0,))
    with held(at):
        for change in (lambda: tree.put("k", b"after"), lambda: tree.store.delete("k")):
            with pytest.raises(Busy):
                change()
        assert tree.read("k") == b"before"
    assert not tree.own("drafts")
    tree.put("k", b"after")
    assert tree.read("k") == b"after"
    assert tree.store.delete("k").existed


def test_what_is_no_path_is_refused_by_a_put_and_not_there_for_a_reader(tree: Tree) -> None:
    tree.file("a/b")
    outside = tree.root.parent / "outside"
    outside.write_bytes(b"secret")
    for key in (
        "", "/", "..", "../outside", "a/../../outside", "a//b", "a/b/", ".", "a/.", "\x00",
        ".gateway/drafts/x", ".GateWay/x", "a", "a/b/c", "x" * 256, *TOO_LONG,
    ):  # fmt: skip
        with pytest.raises(BadKey):
            tree.put(key)
        for ask in (tree.store.get, tree.store.stat):
            with pytest.raises(NoSuchKey):
                ask(key)
        assert not tree.store.delete(key).existed
    assert tree.listed() == ["a/b"]
    assert outside.read_bytes() == b"secret"
    assert not tree.own("drafts")


@posix
def test_a_link_is_a_file_of_the_tree_or_nothing(tree: Tree) -> None:
    tree.put("real", b"inside")
    outside = tree.root.parent / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (tree.root / "in").symlink_to("real")
    (tree.root / "out").symlink_to(outside / "secret")
    (tree.root / "folder").symlink_to(outside)
    (tree.root / "loop").symlink_to(".")
    (tree.root / "nowhere").symlink_to("absent")
    tree.put("again", b"x", conditions=None)
    (tree.root / "locks").symlink_to(tree.root / ".gateway" / "locks" / "00")
    assert tree.listed() == ["again", "in", "real"]
    assert tree.read("in") == b"inside"
    for key in ("out", "folder/secret", "loop/real", "nowhere", "locks", "folder"):
        with pytest.raises(NoSuchKey):
            tree.store.get(key)
    for key in ("folder/new", "loop/new"):
        with pytest.raises(BadKey):
            tree.put(key)
        assert not tree.store.delete(key).existed
    assert tree.listed(prefix="folder/") == tree.listed(prefix="loop/") == []
    assert [one.name for one in outside.iterdir()] == ["secret"]


@posix
def test_writing_over_a_link_or_deleting_one_leaves_its_target(tree: Tree) -> None:
    target = tree.root.parent / "target"
    target.write_bytes(b"old")
    for name in ("over", "gone"):
        (tree.root / name).symlink_to(target)
    tree.put("over", b"new")
    assert target.read_bytes() == b"old"
    assert not (tree.root / "over").is_symlink()
    inside = tree.root / "linked"
    inside.symlink_to(tree.root / "over")
    assert tree.store.delete("linked").existed
    assert tree.read("over") == b"new"


@posix
def test_what_is_no_regular_file_is_not_there(tree: Tree) -> None:
    os.mkfifo(tree.root / "pipe")
    assert tree.listed() == []
    with pytest.raises(NoSuchKey):
        tree.store.get("pipe")  # opening one would wait for ever


@posix
@pytest.mark.skipif(getattr(os, "geteuid", int)() == 0, reason="root may do everything")
def test_what_the_gateway_may_not_do_is_OriginDenied(tree: Tree) -> None:
    tree.file("k").chmod(0)
    with pytest.raises(OriginDenied):
        tree.store.get("k")


def test_a_put_that_says_more_than_a_file_can_keep_is_refused(tree: Tree) -> None:
    for more in (
        {"metadata": {"a": "1"}},
        {"tags": {"a": "1"}},
        {"headers": (("Cache-Control", "no-cache"),)},
        {"content_type": "image/png"},
        {"storage_class": "GLACIER"},
        {"attributes": {"grants": []}, "metadata": {"x": ""}},
    ):
        with pytest.raises(Unsupported, match="sidecar"):
            tree.put("k.txt", **more)
    for said in ("text/plain", "text/plain; charset=utf-8", "application/octet-stream"):
        tree.put("k.txt", content_type=said)
        assert tree.store.stat("k.txt").content_type == "text/plain"
    assert tree.store.find(Labels) is None


def test_a_sidecar_of_a_file_that_others_changed_is_not_used(kept: Tree) -> None:
    kept.put("k", b"one", metadata={"a": "1"}, content_type="image/png")
    assert kept.store.stat("k").metadata == {"a": "1"}
    kept.file("k", b"two")
    info = kept.store.stat("k")
    assert (dict(info.metadata), info.content_type) == ({}, "binary/octet-stream")
    assert "-" in info.etag
    assert kept.store.list().entries[0].etag == info.etag


def test_sidecars_go_with_their_objects(kept: Tree) -> None:
    for number in range(3):
        kept.put("a/k", noise(number), metadata={"n": str(number)})
        assert len(kept.own("labels")) == 1
    kept.store.delete("a/k")
    assert kept.own("labels") == []
    assert [one.name for one in kept.root.iterdir()] == [".gateway"]


def test_a_write_that_fails_leaves_no_sidecar_and_no_draft(kept: Tree) -> None:
    kept.put("k", b"old", metadata={"a": "1"})
    with pytest.raises(IncompleteBody):
        kept.store.put("k", BytesBody(b"x"), Put(size=2))
    kept.file("blocked")
    with pytest.raises(BadKey):
        kept.put("blocked/k")
    assert kept.read("k") == b"old"
    assert (len(kept.own("labels")), kept.own("drafts")) == (1, [])


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("place", ["LocalTree.move", "Sidecars.drop"])
def test_a_crash_between_the_steps_shows_the_old_object_or_the_new_one_whole(
    kept: Tree, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    kept.put("k", b"old", metadata={"which": "old"})

    def die(*args: object) -> None:
        raise Killed

    monkeypatch.setattr(label.Sidecars, "drop_unless_current", die)
    owner, name = place.split(".")
    monkeypatch.setattr({"LocalTree": LocalTree, "Sidecars": label.Sidecars}[owner], name, die)
    with pytest.raises(Killed):
        kept.put("k", b"new", metadata={"which": "new"})
    monkeypatch.undo()
    now = kept.read("k").decode()
    assert dict(kept.store.stat("k").metadata) == {"which": now}
    assert len(kept.own("labels")) == 2  # one is nobody's
    kept.ahead = 2 * DAY
    kept.jobs.work["files s"]()
    assert len(kept.own("labels")) == 1
    assert dict(kept.store.stat("k").metadata) == {"which": now}


def test_drafts_that_a_crash_left_are_removed_after_a_day(kept: Tree) -> None:
    kept.put("k")
    left = kept.root / ".gateway" / "drafts" / "left"
    left.write_bytes(b"half")
    kept.jobs.work["files s"]()
    assert left.exists()
    kept.ahead = 2 * DAY
    kept.jobs.work["files s"]()
    assert not left.exists()
    assert kept.read("k") == b"data"


def test_a_torn_sidecar_is_none(kept: Tree) -> None:
    kept.put("k", metadata={"a": "1"})
    (one,) = kept.own("labels")
    for torn in (b"", one.read_bytes()[:-5], b"[]", b'{"format": 2}'):
        one.write_bytes(torn)
        assert dict(kept.store.stat("k").metadata) == {}


def test_two_writes_in_the_same_instant_are_told_apart(
    kept: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 1_700_000_000_000_000_000)
    etags, times = set(), set()
    for turn in range(5):
        kept.put("k", b"%d" % turn, metadata={"turn": str(turn)})
        info = kept.store.stat("k")
        assert dict(info.metadata) == {"turn": str(turn)}
        assert kept.read("k") == b"%d" % turn
        etags.add(info.etag)
        times.add((kept.root / "k").stat().st_mtime_ns)
    assert len(times) > 1
    assert len(etags) == 5


def test_an_empty_folder_is_no_object_and_in_nobodys_way(tree: Tree) -> None:
    (tree.root / "a").mkdir()
    (tree.root / "b" / "c").mkdir(parents=True)
    tree.put("a", b"now a file")
    assert tree.listed(delimiter="/") == ["a"]
    tree.put("b/c/d")
    tree.store.delete("b/c/d")
    assert not (tree.root / "b").exists()


def test_a_file_that_is_cut_while_it_is_read_does_not_end_as_a_whole_one(tree: Tree) -> None:
    at = tree.file("k", noise(1 << 20))
    with tree.store.get("k") as opened:
        opened.body.read(10)
        os.truncate(at, 1000)
        with pytest.raises(Conflict):
            list(pieces(opened.body))


def test_a_file_that_is_written_to_while_it_is_read_does_not_end_as_a_whole_one(tree: Tree) -> None:
    at = tree.file("k", noise(1 << 20))
    with tree.store.get("k") as opened:
        opened.body.read(10)
        with at.open("r+b") as file:
            file.write(b"other")
        with pytest.raises(Conflict):
            list(pieces(opened.body))


def test_a_file_that_is_written_to_while_it_is_lent_is_lent_no_further(tree: Tree) -> None:
    at = tree.file("k", noise(1 << 20))
    with tree.store.get("k") as opened:
        assert lent(opened.body, 1000) is not None
        with at.open("r+b") as file:
            file.write(b"other")
        with pytest.raises(Conflict):
            lent(opened.body, 1000)


def test_the_last_bytes_of_a_file_are_read_so_that_a_change_is_seen(tree: Tree) -> None:
    at = tree.file("k", noise(1 << 20))
    with tree.store.get("k") as opened:
        assert lent(opened.body, 1 << 30) is not None
        assert lent(opened.body, 1 << 30) is None
        with at.open("r+b") as file:
            file.write(b"other")
        with pytest.raises(Conflict):
            list(pieces(opened.body))


@posix
def test_an_overwritten_file_keeps_its_rights(tree: Tree) -> None:
    tree.file("k").chmod(0o640)
    tree.put("k", b"new")
    assert (tree.root / "k").stat().st_mode & 0o777 == 0o640


def test_the_null_version_is_the_object_and_there_is_no_other(tree: Tree) -> None:
    tree.put("k")
    assert tree.store.stat("k", Get(version="null")).key == "k"
    with pytest.raises(NoSuchVersion):
        tree.store.stat("k", Get(version="v1"))
    assert not tree.store.delete("k", Delete(version="v1")).existed
    assert tree.read("k") == b"data"


def test_names_that_differ_in_case_are_not_taken_for_each_other(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system that folds case finds `K` when asked for `k`; here by a link."""
    tree.file("a/Key")
    opened = tree.store._open_tree
    monkeypatch.setattr(opened, "_folds", True)
    monkeypatch.setattr(os.path, "lexists", lambda at: True)
    assert tree.store.stat("a/Key").key == "a/Key"
    with pytest.raises(NoSuchKey):
        tree.store.stat("a/kEY")
    with pytest.raises(BadKey):
        tree.put("A/k")


def test_a_draft_is_synced_then_moved_and_then_its_folder_synced(
    kept: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.put("k")
    done: list[str] = []
    fsync, move = os.fsync, os.replace

    def seen(descriptor: int) -> None:
        done.append("folder" if Path(f"/proc/self/fd/{descriptor}").is_dir() else "file")
        fsync(descriptor)

    def moved(source: Any, target: Any) -> None:
        done.append("move")
        move(source, target)

    monkeypatch.setattr(os, "fsync", seen)
    monkeypatch.setattr(os, "replace", moved)
    kept.put("k", b"new", metadata={"a": "1"})
    if sys.platform == "linux":
        # bytes, sidecar and its folder; then the move, and the folder of the file
        assert [one for one in done if one != "folder"] == ["file", "file", "move"]
        assert done[-2:] == ["move", "folder"]
        assert done[2] == "folder"


def test_labels_are_kept_of_a_file_that_had_none(kept: Tree) -> None:
    kept.file("photo.png", b"image")
    before = kept.store.stat("photo.png")
    after = kept.store.set_labels("photo.png", tags={"a": "1"}, attributes={"b": [1]})
    assert after == kept.store.stat("photo.png")
    assert after == replace(before, tags={"a": "1"}, attributes={"b": [1]})


def test_a_store_that_only_reads_makes_nothing(tmp_path: Path) -> None:
    made = Tree(tmp_path)
    made.file("k")
    made.read("k")
    made.listed()
    made.store.close()
    assert [one.name for one in made.root.iterdir()] == ["k"]
    assert made.store.find(Writable) is made.store


def test_a_write_waits_for_that_of_another_gateway_on_the_tree(tree: Tree) -> None:
    tree.put("other")
    gateway = LocalTree(str(tree.root))
    writer = Thread(target=tree.put, args=("k",))
    with gateway.lock("k"):
        writer.start()
        writer.join(0.5)
        assert writer.is_alive()
        assert not (tree.root / "k").exists()
    writer.join()
    gateway.close()
    assert tree.read("k") == b"data"


def test_a_file_that_cannot_be_read_to_its_end_is_an_error_of_the_tree(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.put("k", noise(1 << 20))
    with tree.store.get("k") as opened:
        assert opened.body.read(1000)

        class Broken:
            def read(self, _: int) -> bytes:
                raise OSError(errno.ESTALE, "Stale file handle")

            def close(self) -> None:
                file.close()

        file = opened.body._file  # type: ignore[attr-defined]  # a Steady
        monkeypatch.setattr(opened.body, "_file", Broken())
        with pytest.raises(Unavailable, match="Stale"):
            opened.body.read()
