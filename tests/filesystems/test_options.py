"""What is configured: URLs, secrets that are never shown, and what is said of mistakes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from drivers.fsspec import FileSystem, kinds, paths
from drivers.fsspec.opening import revealed
from gateway.config import ConfigurationError, load
from gateway.services.chain import Chain
from gateway.storage import BadKey, Context, OriginFailed, Secret, Unsupported, Writable


def configured(tmp_path: Path, text: str, **environ: str) -> Any:
    file = tmp_path / "gateway.toml"
    file.write_text(text, encoding="utf-8")
    return load(file, environ=environ)


def test_values_of_storage_options_may_be_secrets(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from a file\n")
    found = configured(
        tmp_path,
        """
        [services.files]
        driver = "fsspec"
        url = "memory://x"
        [services.files.storage_options]
        port = 22
        password_env = "FTP_PASSWORD"
        client_kwargs = { token_file = "token", verify = true }
        """,
        FTP_PASSWORD="hidden",
    )
    store = Chain(found).services["files"].store
    assert isinstance(store, FileSystem)
    options = store.storage_options
    assert options["port"] == 22
    assert isinstance(options["password"], Secret)
    assert revealed(options) == {
        "port": 22,
        "password": "hidden",
        "client_kwargs": {"token": "from a file", "verify": True},
    }
    assert "hidden" not in repr(store) + repr(found)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('url = "ftp://me:secret@host/"', "password"),
        ('url = "zip://a::ftp://me:secret@host/a.zip"', "password"),
        ('url = "nonsense://x"', "nonsense"),
        ('url = "file://photos"', "whole"),
        ('url = "photos"', "whole"),
        ('url = "memory://x"\nmetadata = "drop"', "metadata"),
        ('url = "memory://x"\nstorage_options = { password_env = "NOT_SET" }', "NOT_SET"),
        ('url = "memory://x"\nstorage_options = { a = 1, a_file = "x" }', "storage_options"),
        ('url = "memory://x"\nconnections = 0', "connections"),
        ("", "url"),
    ],
)
def test_a_mistake_is_told_at_start_and_no_secret_with_it(
    tmp_path: Path, text: str, told: str
) -> None:
    with pytest.raises(ConfigurationError) as raised:
        configured(tmp_path, f'[services.files]\ndriver = "fsspec"\n{text}\n')
    assert told in str(raised.value)
    assert "secret@" not in str(raised.value)


def test_a_folder_that_is_not_there_is_told_when_it_is_opened(tmp_path: Path) -> None:
    store = FileSystem(url=f"file://{tmp_path}/absent")
    with pytest.raises(ValueError, match="absent"):
        store.open(Context())


def test_options_that_do_not_fit_are_told_without_their_values() -> None:
    store = FileSystem(url="ftp://127.0.0.1:1/", storage_options={"prot": Secret("value")})
    store = FileSystem(url="sftp://127.0.0.1:1/", storage_options={"prot": Secret("value")})
    store.open(Context())
    with pytest.raises(OriginFailed) as raised:
        store.stat("k")
    assert str(raised.value) == "storage_options do not fit sftp (TypeError)."


def test_memory_lives_in_one_process_and_a_folder_does_not(tmp_path: Path) -> None:
    assert FileSystem(url="memory://x").in_one_process
    assert not FileSystem(url=f"file://{tmp_path}").in_one_process
    found = configured(tmp_path, '[services.mem]\ndriver = "fsspec"\nurl = "memory://x"\n')
    assert "one process" in (Chain(found).single_process or "")


def test_what_cannot_replace_a_file_in_one_step_is_only_read(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("folder/k.txt", b"data")
    store = FileSystem(url=f"zip://folder::file://{tmp_path}/a.zip")
    store.open(Context())
    assert store.find(Writable) is None
    with store.get("k.txt") as opened:
        assert opened.body.read() == b"data"
    assert [one.key for one in store.list().entries] == ["k.txt"]
    from gateway.storage import BytesBody

    with pytest.raises(Unsupported):
        store.put("k", BytesBody(b""))
    store.close()


@pytest.mark.usefixtures("processes")
def test_fsspec_is_not_imported_before_it_is_configured() -> None:
    code = (
        "import sys, drivers.fsspec; from gateway.plugins.finding import Plugins; Plugins.load();"
        "assert 'fsspec' not in sys.modules;"
        "drivers.fsspec.FileSystem(url='file:///'); assert 'fsspec' in sys.modules;"
        "assert 's3fs' not in sys.modules and 'paramiko' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


@pytest.mark.parametrize(
    "key", ["CON", "con.txt", "a:b", "x.", "x ", "a\\b", "COM1", "a\x1f", "n/aux.c"]
)
def test_names_that_Windows_has_not_are_refused_there_and_only_there(key: str) -> None:
    assert paths.check(key) == key
    with pytest.raises(BadKey):
        paths.check(key, windows=True)


def test_types_are_guessed_from_names() -> None:
    assert kinds.guess("a/b.html") == "text/html"
    assert kinds.guess("a.html/b") == "binary/octet-stream"
    assert kinds.guess("a.tar.gz") == "application/gzip"
    assert kinds.says_nothing("application/x-tar", "a.tar.gz")
    assert not kinds.says_nothing("text/html", "a.txt")
