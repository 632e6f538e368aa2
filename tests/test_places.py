"""A folder belongs to one store: what would have two fill one is refused before it is opened."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest

from drivers.cache import Cache
from drivers.local import Local
from drivers.memory import Memory
from gateway.commands.main import main
from gateway.common import folders
from gateway.config import load
from gateway.services.chain import Chain, ChainError
from gateway.storage import BytesBody, Context, Get

CACHE = '[services.{sid}]\ndriver = "cache"\nsource = "{source}"\nfolder = "{folder}"\n'
LOCAL = '[services.{sid}]\ndriver = "local"\nfolder = "{folder}"\n'
FILES = '[services.{sid}]\ndriver = "fsspec"\nurl = "file://{folder}"\n'


def chain(tmp_path: Path, text: str) -> Chain:
    file = tmp_path / "gateway.toml"
    file.write_text(f"[server]\ndata = '{tmp_path / 'data'}'\n{text}", encoding="utf-8")
    return Chain(load(file, environ={}))


def opened(store: Local | Cache, folder: Path, sid: str = "s") -> Local | Cache:
    store.open(Context(sid=sid, folder=folder))
    return store


WRONG = {
    "a cache on the data folder": (
        CACHE.format(sid="cac", source="mem", folder="data"),
        "both have the folder",
    ),
    "a cache on it in another spelling": (
        CACHE.format(sid="cac", source="mem", folder="x/../data/./"),
        "both have the folder",
    ),
    "a cache on a store's folder": (
        LOCAL.format(sid="loc", folder="l") + CACHE.format(sid="cac", source="mem", folder="l"),
        "both have the folder",
    ),
    "a store where other things are": (
        LOCAL.format(sid="loc", folder="other"),
        "other things in it, such as 'thing'",
    ),
    "a store among the blocks of another": (
        LOCAL.format(sid="loc", folder="data/blobs/aa"),
        "lies among the files",
    ),
    "a cache where files are served": (
        FILES.format(sid="fil", folder="{top}") + CACHE.format(sid="cac", source="mem", folder="c"),
        "would be served as objects",
    ),
    "files that are the data folder": (
        FILES.format(sid="fil", folder="{top}/data"),
        "both have the folder",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_check_finds_stores_that_would_fill_one_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    text, reason = WRONG[name]
    (tmp_path / "x").mkdir()
    (tmp_path / "other" / "thing").mkdir(parents=True)
    text = '[services.mem]\ndriver = "local"\n' + text.replace("{top}", tmp_path.as_posix())
    made = chain(tmp_path, text)
    before = sorted(tmp_path.rglob("*"))
    assert main(["check", "--config", str(tmp_path / "gateway.toml")]) == 1
    assert reason in capsys.readouterr().err
    with pytest.raises(ChainError, match=reason):
        made.open(folder=tmp_path / "data", master_key=None)
    assert sorted(tmp_path.rglob("*")) == before


def test_what_differs_in_one_folder_is_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def warnings(text: str) -> list[str]:
        chain(tmp_path, text)
        assert main(["check", "--config", str(tmp_path / "gateway.toml")]) == 0
        said = capsys.readouterr().out
        return [one for one in said.splitlines() if "WARNING" in one and "together" in one]

    same = LOCAL.format(sid="one", folder="l") + LOCAL.format(sid="two", folder="./l")
    assert warnings(same) == []
    (said,) = warnings(f'{same}durability = "process"\nkeep_removed = "1h"\n')
    assert said.startswith("WARNING: services.one, services.two: they have the folder")
    assert "differ in durability and keep_removed" in said
    (said,) = warnings('[services.one]\ndriver = "local"\nkeep_removed = "1h"\n')
    assert "buckets, services.one" in said and "differ in keep_removed:" in said


def test_several_are_said_under_one_heading(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = LOCAL.format(sid="loc", folder="l") + "".join(
        CACHE.format(sid=sid, source="loc", folder=folder)
        for sid, folder in (("ca1", "l"), ("ca2", "data"))
    )
    made = chain(tmp_path, text)
    assert main(["check", "--config", str(tmp_path / "gateway.toml")]) == 1
    said = capsys.readouterr().err
    heading, *lines = said.splitlines()
    assert heading == f"gateway: 2 problems in {tmp_path / 'gateway.toml'}:"
    assert [line.split(":")[0] for line in lines] == [
        "  buckets, services.ca2", "  services.loc, services.ca1",
    ]  # fmt: skip
    with pytest.raises(ChainError, match="2 problems in "):
        made.open(folder=tmp_path / "data", master_key=None)


@pytest.mark.parametrize("empty", [False, True])
def test_blobs_whose_index_is_lost_are_not_taken_for_nobodys(tmp_path: Path, empty: bool) -> None:
    """With a new index they would be removed a day later."""
    store = opened(Local(inline_limit=0), tmp_path)
    store.put("k", BytesBody(b"bytes"))
    store.close()
    index, blobs = tmp_path / "index.db", tmp_path / "blobs"
    kept = index.rename(tmp_path / "kept.db")
    if empty:
        index.touch()
    for name in ("index.db-wal", "index.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    with pytest.raises(ValueError, match=r"index\.db is missing, .* restore it from a backup"):
        opened(Local(), tmp_path)
    assert [one for one in blobs.glob("??/*") if one.is_file()]
    kept.replace(index)
    opened(Local(), tmp_path).close()
    index.unlink()
    blobs.rename(tmp_path / "away")
    opened(Local(), tmp_path).close()


def test_a_link_to_a_folder_is_that_folder(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    link = tmp_path / "link"
    with suppress(OSError):
        link.symlink_to(tmp_path / "data", target_is_directory=True)
    if not link.is_symlink():  # Wine says that it made one
        pytest.skip("links cannot be made here")
    text = (
        CACHE.format(sid="cac", source="loc", folder="link") + '[services.loc]\ndriver = "local"\n'
    )
    assert len(chain(tmp_path, text).misplaced(tmp_path / "data")) == 1


def test_stores_and_trees_that_may_share_a_folder_do(tmp_path: Path) -> None:
    for name in ("files", "files/below", "caches"):
        (tmp_path / name).mkdir()
    top = tmp_path.as_posix()
    text = (
        '[services.one]\ndriver = "local"\n[services.two]\ndriver = "local"\n'
        + FILES.format(sid="fi1", folder=f"{top}/files")
        + FILES.format(sid="fi2", folder=f"{top}/files/below")
        + CACHE.format(sid="ca1", source="one", folder="caches")
        + CACHE.format(sid="ca2", source="two", folder="caches")
        + '[services.ca3]\ndriver = "cache"\nsource = "fi1"\n'
    )
    made = chain(tmp_path, text)
    assert made.misplaced(tmp_path / "data") == []
    made.open(folder=tmp_path / "data", master_key=None)
    try:
        for sid in ("one", "two"):
            store = made.services[sid].store
            assert isinstance(store, Local)
            store.put("k", BytesBody(sid.encode()))
        for cache, source in (("ca1", "one"), ("ca2", "two"), ("ca1", "one")):
            with made.services[cache].store.get("k", Get()) as found:
                assert found.body.read() == source.encode()  # each has its own source's bytes
    finally:
        made.close()
    assert sorted(one.name for one in (tmp_path / "caches").iterdir()) == [
        folders.FILE, "ca1", "ca2",
    ]  # fmt: skip


def test_another_gateway_is_refused_what_is_not_of_its_kind(tmp_path: Path) -> None:
    opened(Local(), tmp_path / "data").close()
    opened(Cache(source=Memory(), folder=tmp_path / "caches"), tmp_path, "c").close()
    for folder in (tmp_path / "caches", tmp_path / "caches" / "c"):
        with pytest.raises(ValueError, match="belongs to another store"):
            opened(Local(folder=folder), tmp_path)
    with pytest.raises(ValueError, match=r"belongs to another store \(local\)"):
        opened(Cache(source=Memory(), folder=tmp_path / "data"), tmp_path, "c")
    text = FILES.format(sid="fil", folder=f"{(tmp_path / 'data').as_posix()}")
    (problem,) = chain(tmp_path / "caches", text).misplaced(None)
    assert "kept by a store (local)" in problem


def test_folders_of_an_earlier_release_are_adopted_by_what_they_keep(tmp_path: Path) -> None:
    opened(Local(), tmp_path / "data").close()
    opened(Cache(source=Memory()), tmp_path / "data", "c").close()
    cache = tmp_path / "data" / "cache" / "c"
    for folder in (tmp_path / "data", cache):
        (folder / folders.FILE).unlink()
    with pytest.raises(ValueError, match="belongs to another store"):
        opened(Cache(source=Memory(), folder=tmp_path / "data"), tmp_path, "c")
    with pytest.raises(ValueError, match=r"belongs to another store \(a cache\)"):
        opened(Local(folder=cache), tmp_path)
    opened(Local(), tmp_path / "data").close()
    opened(Cache(source=Memory()), tmp_path / "data", "c").close()
    assert folders.owner(tmp_path / "data") == "local"
    assert folders.owner(cache) == "the cache c"


def test_objects_that_a_cache_was_put_upon_are_kept(tmp_path: Path) -> None:
    """Earlier releases let a cache have the folder of a store, which made its tables there."""
    opened(Local(), tmp_path).close()
    (tmp_path / folders.FILE).unlink()
    with closing(sqlite3.connect(tmp_path / "index.db")) as index:
        index.execute("CREATE TABLE cache_entries (id)")
    opened(Local(), tmp_path).close()
    assert folders.owner(tmp_path) == "local"


def test_half_a_word_is_none(tmp_path: Path) -> None:
    (tmp_path / folders.FILE).write_bytes(b"")
    folders.claim(tmp_path, "local")
    assert folders.owner(tmp_path) == "local"
    folders.claim(tmp_path, "local")
    with pytest.raises(folders.Taken):
        folders.claim(tmp_path, "caches")
    assert [one.name for one in tmp_path.iterdir()] == [folders.FILE]
