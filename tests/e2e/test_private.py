"""Nobody but the gateway's user can look into what it keeps, whatever the umask, and also
when the folder around it is opened one day.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.common import private
from tests.e2e.conftest import SERVERS, Running, serving
from tests.e2e.raw import ask, eventually

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="rights are the folder's there")

CONFIG = """
[services.source]
driver = "local"

[services.front]
driver = "cache"
source = "source"
"""


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def open_to_others(data: Path) -> set[str]:
    """What others could look into, below the data folder."""
    return {
        path.relative_to(data).as_posix()
        for path in data.rglob("*")
        if path.lstat().st_mode & 0o077
    }


def left_open(data: Path) -> set[str]:
    """Folders and databases; other files are behind those folders."""
    return {one for one in open_to_others(data) if (data / one).is_dir() or ".db" in one}


def use(gateway: Running) -> None:
    for sid, key in (("source", "big"), ("source", "small"), ("front", "big"), ("front", "small")):
        body = b"x" * (500_000 if key == "big" else 500)
        assert ask(gateway.url, "PUT", f"/{sid}/{key}", body=body).status == 200
        assert ask(gateway.url, "GET", f"/{sid}/{key}").body == body
    assert ask(gateway.url, "PUT", "/made-bucket").status in (200, 409)


@pytest.mark.parametrize("server", SERVERS)
def test_all_that_is_kept_is_the_gateways_alone(tmp_path: Path, server: str) -> None:
    data = tmp_path / "data"
    options = ("--server", server)
    with umask(0), serving(tmp_path, *options, config=CONFIG) as gateway:
        use(gateway)
        assert {"index.db-wal", "catalog.db-shm", "cache", "jobs"} <= {
            path.relative_to(data).as_posix() for path in data.rglob("*")
        }
        eventually((data / "requests.db").exists, "the list of requests is written")
        assert open_to_others(data) == set()
    for path in data.rglob("*"):  # as an earlier release left it
        path.chmod(0o755 if path.is_dir() else 0o644)
    (data / "gateway.key").chmod(0o600)
    data.chmod(0o755)  # by a person
    with umask(0), serving(tmp_path, *options, config=CONFIG) as gateway:
        use(gateway)
        eventually(lambda: not left_open(data), "all of it is closed to others")
        assert data.stat().st_mode & 0o777 == 0o755


def test_a_folder_is_made_with_all_above_it_and_an_open_one_is_closed(tmp_path: Path) -> None:
    with umask(0):
        private.make_folder(tmp_path / "a" / "b" / "c")
        private.make_folder(tmp_path / "a" / "b" / "c")
        assert open_to_others(tmp_path) == set()
        (tmp_path / "a" / "b").chmod(0o775)
        private.make_folder(tmp_path / "a" / "b")
        assert open_to_others(tmp_path) == {"a/b"}
        assert private.own_folder(tmp_path / "a" / "b")
        assert not private.own_folder(tmp_path / "a" / "b")
        private.write_text(tmp_path / "a" / "text", "é")
        private.database(tmp_path / "a" / "x.db")
    assert open_to_others(tmp_path) == set()
    assert (tmp_path / "a" / "text").read_text("utf-8") == "é"
    with pytest.raises(FileExistsError):
        private.make_folder(tmp_path / "a" / "text")


def test_what_another_owns_stays_as_it_is_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(path: Path, mode: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    tmp_path.chmod(0o755)
    monkeypatch.setattr(Path, "chmod", refuse)
    assert not private.close(tmp_path)
    assert "stays so: Operation not permitted" in caplog.text
