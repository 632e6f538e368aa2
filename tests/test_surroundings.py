"""Commands where something that is usually there is missing: a home, a folder, a terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.commands.main import main
from gateway.plugins.finding import Plugins

ROOT = Path(__file__).parent.parent
PATIENCE = 120
posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX")
NOBODY = 65534


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A user without HOME whom the system does not know."""
    import pwd

    def nobody(uid: object) -> object:
        raise KeyError(uid)

    for name in ("HOME", "XDG_DATA_HOME", "GATEWAY_CONFIG", "GATEWAY_MASTER_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    monkeypatch.setattr(pwd, "getpwnam", nobody)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@posix
@pytest.mark.parametrize("words", ["check", "serve", "services", "keys list", "keys add"])
def test_without_a_home_the_data_folder_must_be_given(
    homeless: Path, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    assert main(words.split()) == 1
    assert capsys.readouterr() == (
        "",
        "gateway: server.data: missing; this user has no home folder to keep data in:"
        " give --data.\n",
    )


@posix
@pytest.mark.parametrize("given", ["--data", "data", "memory"])
def test_without_a_home_all_else_works(
    homeless: Path, capsys: pytest.CaptureFixture[str], given: str
) -> None:
    table = {"--data": "", "data": '[server]\ndata = "mine"', "memory": "[server]\nmemory = true"}
    (homeless / "gateway.toml").write_text(table[given])
    words = ["--data", "mine"] if given == "--data" else []
    assert main(["check", *words]) == 0
    where = "in memory" if given == "memory" else str(homeless / "mine")
    assert f"data       {where}" in capsys.readouterr().out


@posix
def test_a_home_that_is_not_known_is_named(
    homeless: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--data", "~you/data"]) == 1
    assert capsys.readouterr().err == (
        'gateway: --data: "~you/data": that home folder is not known here.\n'
    )
    assert main(["check", "--config", "~/gateway.toml"]) == 1
    assert '"~/gateway.toml": that home folder is not known here' in capsys.readouterr().err
    (homeless / "gateway.toml").write_text(
        '[server]\ndata = "~/a"\n[[keys]]\nid = "a"\nsecret_file = "~/b"\n'
    )
    assert main(["check"]) == 1
    said = capsys.readouterr().err
    assert 'server.data: "~/a": that home folder is not known here.' in said
    assert 'keys[0].secret_file: "~/b": that home folder is not known here.' in said


@posix
def test_a_current_folder_that_was_removed_is_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert main(["check", "--data", str(tmp_path / "data")]) == 0
    assert capsys.readouterr().err == ""


@posix
def test_a_current_folder_that_cannot_be_looked_at_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GATEWAY_CONFIG", raising=False)
    closed, plugins = tmp_path / "closed", Plugins.load()
    closed.mkdir()
    monkeypatch.chdir(closed)
    closed.chmod(0)
    try:
        if os.geteuid() == 0:  # root looks everywhere
            os.seteuid(NOBODY)
        assert main(["check"], plugins=plugins) == 1
    finally:
        os.seteuid(os.getuid())
        closed.chmod(0o700)
    assert "gateway.toml: cannot be looked for: Permission denied." in capsys.readouterr().err


_OPEN = (
    "import os, sys; from gateway.__main__ import _open_streams; _open_streams();"
    "print('→', 'more'); print('said', file=sys.stderr); sys.stdin.read();"
    "file = open(sys.argv[1], 'w'); file.write(str(file.fileno()))"
)


@posix
@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
@pytest.mark.usefixtures("processes")
def test_no_file_takes_the_place_of_a_stream_that_is_closed(
    tmp_path: Path, closed: tuple[int, ...]
) -> None:
    note = tmp_path / "note"
    shut = " ".join(f"{number}>&-" for number in closed)
    command = ["sh", "-c", f'exec "$0" "$@" {shut}', sys.executable, "-c", _OPEN, str(note)]
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, timeout=PATIENCE)
    assert done.returncode == 0
    assert int(note.read_text()) > 2


@pytest.mark.usefixtures("processes")
def test_a_character_that_the_terminal_lacks_is_written_in_another_way(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(
        '[services.origin]\ndriver = "local"\n'
        '[services.thumbs]\ndriver = "cache"\nsource = "origin"\n'
    )
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "check", "--data", "data"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "cp1252"},
        capture_output=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert b"thumbs (cache) \\u2192 origin (local)" in done.stdout


_NO_ROOM = """
import sys, tempfile
def none():
    raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")
tempfile.gettempdir = none
from gateway.commands.main import main
sys.exit(main(sys.argv[1:]))
"""


@posix
@pytest.mark.parametrize("kind", ["granian", "waitress"])
@pytest.mark.usefixtures("processes")
def test_no_folder_for_temporary_files_is_one_message(tmp_path: Path, kind: str) -> None:
    words = ["serve", "--data", str(tmp_path), "--server", kind, "--workers", "2"]
    done = subprocess.run(
        [sys.executable, "-c", _NO_ROOM, *words, "--listen", "127.0.0.1:0"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "No usable temporary directory found" in done.stderr and "Set TMPDIR" in done.stderr
