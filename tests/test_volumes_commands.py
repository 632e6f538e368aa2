"""Volumes on the command line: beside a gateway that runs, in its tree, and as a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.access.identity import Account, Identity
from gateway.commands.main import main
from gateway.config import load
from gateway.services.runtime import Runtime, open_runtime
from gateway.services.service_editor import ServiceEditor
from gateway.storage import BytesBody, NoJobs, NoSuchVolume, Put, QuotaExceeded

ROOT = Identity(key="root", account="root", access="admin")
ALICE = Identity(key="alice", account="alice")

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gateway.toml").write_text('[server]\ndata = "data"\n')
    return tmp_path


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> tuple[int, str, str]:
        try:
            code = main(arguments)
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[[], Runtime]]:
    opened: list[Runtime] = []

    def start() -> Runtime:
        opened.append(open_runtime(load(environ={}), environ={}, jobs=NoJobs()))
        return opened[-1]

    yield start
    for runtime in opened:
        runtime.close()


@pytest.fixture
def runtime(start: Callable[[], Runtime]) -> Runtime:
    """A gateway with an account, which serves; a test has it look at the catalog."""
    runtime = start()
    runtime.catalog.add_account(Account(id="alice", name="Alice"))
    runtime.keep_up(lambda _: None)
    runtime.before_close.pop()()  # its thread: no test waits for that
    return runtime


def put(runtime: Runtime, sid: str, size: int) -> None:
    runtime.access(ROOT, sid).put("k", BytesBody(bytes(size)), Put(size=size))


def test_a_gateway_follows_what_is_typed_beside_it(run: Run, runtime: Runtime) -> None:
    add = ("volumes", "add", "media", "--account", "alice", "--quota", "1KiB")
    assert run(*add) == (0, "The volume media is made.\n", "")
    (entry,) = runtime.catalog.audit(limit=1)
    assert (entry.action, entry.mode) == ("volume.add", "command line")
    runtime._notice()
    store = runtime.chain.volumes
    assert store is not None and store.volumes()["media"].quota == 1024
    runtime.volumes.create_bucket(ALICE, "media", "pics")
    put(runtime, "media.pics", 1024)
    assert run("volumes", "set", "media", "--quota", "2KiB")[0] == 0
    runtime._notice()
    put(runtime, "media.pics", 2048)
    assert run("volumes", "set", "media", "--account", "root", "--quota", "none")[0] == 0
    runtime._notice()
    assert runtime.volumes.bucket(ROOT, "media", "pics").service.owner == "root"
    put(runtime, "media.pics", 5000)
    code, _, err = run("volumes", "remove", "media")
    assert code == 1 and "The volume 'media' has buckets: pics.\n" in err
    runtime.access(ROOT, "media.pics").delete("k")
    runtime.drop(ROOT, "media.pics")
    assert run("volumes", "remove", "media") == (0, "The volume media is removed.\n", "")
    with pytest.raises(NoSuchVolume):
        runtime.volumes.find(ROOT, "media")
    assert run(*add)[0] == 0  # what the store still has of the one before is no matter
    runtime._notice()
    runtime.volumes.create_bucket(ALICE, "media", "pics")
    with pytest.raises(QuotaExceeded):
        put(runtime, "media.pics", 1025)


def test_before_the_first_start(run: Run) -> None:
    code, out, err = run("volumes", "add", "media")
    assert (code, out) == (0, "The volume media is made.\n") and "was made now" in err
    assert "media   root     made" in run("volumes", "list")[1]


def test_what_is_listed(run: Run, folder: Path, start: Callable[[], Runtime]) -> None:
    with (folder / "gateway.toml").open("a") as file:
        file.write(
            '[volumes.archive]\nquota = "10TiB"\n[volumes.origins]\n'
            '[services."origins.one"]\ndriver = "local"\nvolume = "origins"\n'
        )
    plan = run("services")[1].splitlines()
    assert "archive (volume), declared, owner root; a quota of 10.0 TiB" in plan
    checked = run("check")[1]
    assert "  volume     archive, of root, with a quota of 10.0 TiB\n" in checked
    runtime = start()
    for bucket in ("one", "two"):
        runtime.volumes.create_bucket(ROOT, "archive", bucket)
        put(runtime, f"archive.{bucket}", 1 << 20)
    put(runtime, "origins.one", 5)
    assert run("volumes", "list")[1].splitlines() == [
        "VOLUME   ACCOUNT  STATE     BUCKETS  USED     QUOTA",
        "archive  root     declared  2        2.0 MiB  10.0 TiB",
        "origins  root     declared  1        5 B",
    ]
    found = [json.loads(line) for line in run("volumes", "list", "--json")[1].splitlines()]
    assert found[0].pop("created") and found[0] == {
        "name": "archive",
        "account": "root",
        "state": "declared",
        "buckets": 2,
        "used": 2 << 20,
        "quota": 10 << 40,
    }
    lines = run("services")[1].splitlines()
    volume = "archive (volume), declared, owner root, 2 buckets, 2.0 MiB; 2.0 MiB of the quota of"
    (start_of_it,) = (number for number, line in enumerate(lines) if line.startswith(volume))
    assert lines[start_of_it + 1].startswith("├─ archive.one (local), made by API, owner root, 1")
    assert lines[start_of_it + 3].startswith("└─ archive.two (local)")
    assert any(
        line.startswith("origins.one (local), declared, owner root, in the volume origins, 1")
        for line in lines
    )
    assert "origins (volume), declared, owner root, 1 bucket, 5 B" in lines


def test_what_is_wrong(run: Run, folder: Path, runtime: Runtime) -> None:
    with (folder / "gateway.toml").open("a") as file:
        file.write("[volumes.declared]\n")
    runtime.volumes.make(ROOT, "media", owner="alice")
    for words, said in (
        (("add", "No"), "A volume's name has"),
        (("add", "media"), "There is a volume 'media'."),
        (("add", "declared"), "is declared in the configuration"),
        (("add", "new", "--account", "alise"), 'no account "alise". Did you mean "alice"?'),
        (("add", "new", "--account", "nix"), "gateway keys add --account makes one"),
        (("set", "none", "--quota", "1"), "There is no volume 'none'."),
        (("set", "media"), "give --account or --quota"),
        (("set", "declared", "--quota", "1"), "is declared in the configuration (volumes.declared"),
        (("remove", "declared"), "is declared in the configuration"),
        (("remove", "none"), "There is no volume 'none'."),
    ):
        code, out, err = run("volumes", *words)
        assert (code, out) == (1, "") and said in err, (words, err)
    for typed in ("add new --quota much", "set media --quota no", ""):
        assert run("volumes", *typed.split())[0] == 2, typed


def test_what_a_check_notes(run: Run, folder: Path, runtime: Runtime) -> None:
    volumes = runtime.volumes
    volumes.make(ROOT, "media", owner="root")
    volumes.create_bucket(ROOT, "media", "pics")
    ServiceEditor(runtime.chain.configuration, runtime.catalog, folder=folder).add(
        "media.added", "local", {"volume": "media"}
    )
    with (folder / "gateway.toml").open("a") as file:
        file.write('[volumes.media]\n[services.pics]\ndriver = "local"\nvolume = "media"\n')
    assert "The one that was made there is reached as media.pics alone." in run("check")[1]
    text = (folder / "gateway.toml").read_text()
    text = text.partition("[volumes")[0] + '[volumes.media]\nquota = "1GiB"\n'
    (folder / "gateway.toml").write_text(text)
    code, out, _ = run("check")
    assert code == 0 and "does not count what the service media.added in it keeps" in out


def test_what_is_exported(run: Run, folder: Path, runtime: Runtime) -> None:
    volumes = runtime.volumes
    volumes.make(ROOT, "media", owner="alice", quota=1 << 30)
    volumes.make(ROOT, "plain", owner="alice")
    volumes.make(ROOT, "empty", owner="root", quota=1 << 20)
    runtime.create(ROOT, "plain.pics")
    volumes.create_bucket(ALICE, "media", "pics")
    hashed = volumes.create_bucket(ALICE, "plain", "pics").service.sid
    put(runtime, "media.pics", 3)
    code, _, err = run("export", "-o", "out.toml")
    assert code == 0
    assert f"The quota of the volume media ({1 << 30} bytes) is not in it" in err
    assert f"The service {hashed} is called {hashed.removeprefix('plain.')} in the volume" in err
    configuration = load("out.toml", environ={})
    found = {name: (one.account, one.quota) for name, one in configuration.volumes.items()}
    assert found == {"empty": ("root", 1 << 20), "media": ("alice", None), "plain": ("alice", None)}
    runtime.close()
    again = open_runtime(configuration, environ={}, jobs=NoJobs())
    try:
        access = again.volumes.bucket(ALICE, "media", "pics")
        assert access.stat("k").size == 3 and access.service.about.declared
        assert again.volumes.find(ALICE, "media").quota is None
        store = again.chain.volumes
        assert store is not None and store.volumes()["media"].quota is None
    finally:
        again.close()
