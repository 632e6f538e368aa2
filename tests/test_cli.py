"""The command line as a person uses it: what is printed, and the exit codes."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.access.identity import Identity
from gateway.catalog import open_catalog, prepare
from gateway.commands.main import COMMANDS, main
from gateway.common import actor
from gateway.config import Configuration, load
from gateway.plugins.finding import Plugins
from gateway.services.runtime import Runtime, open_runtime
from gateway.storage import BytesBody, NoSuchStore, Put
from gateway.testing.certificates import certificate
from tests.tiny_mode import PICTURES

NOBODY = 65534
CONFIGURATION = """
[server]
data = "data"
[[keys]]
id = "reader"
secret = "hunter2-declared"
access = { archive = "read" }
[services.archive]
driver = "local"
quota = "1GiB"
"""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [one for one in os.environ if one.startswith("GATEWAY_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gateway.toml").write_text(CONFIGURATION)
    return tmp_path


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str, plugins: Plugins | None = None) -> tuple[int, str, str]:
        try:
            code = main(arguments, plugins=plugins)
        except SystemExit as leaving:  # argparse's way to end
            code = int(leaving.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def configuration() -> Configuration:
    return load(environ={})


def test_check_says_what_is_fine_and_writes_nothing(run: Run, folder: Path) -> None:
    code, out, err = run("check")
    assert (code, err) == (0, "")
    assert "is fine" in out and "archive (local)" in out and "127.0.0.1:9000" in out
    assert [one.name for one in folder.iterdir()] == ["gateway.toml"]


def test_check_reports_every_problem_with_its_place(run: Run, folder: Path) -> None:
    (folder / "gateway.toml").write_text("[server]\nlistn = 1\n[services.one]\ndriver = 'locl'\n")
    code, out, err = run("check")
    assert (code, out) == (1, "")
    assert 'server.listn: unknown option. Did you mean "listen"?' in err
    assert "services.one.driver" in err
    assert "Traceback" not in err


def test_check_warns_of_what_is_unsafe(run: Run, folder: Path) -> None:
    (folder / "gateway.toml").write_text('[server]\nlisten = "0.0.0.0:9000"\n')
    code, out, _ = run("check")
    assert code == 0
    assert "WARNING" in out and "0.0.0.0:9000" in out


def test_check_looks_at_the_master_key(run: Run, folder: Path) -> None:
    (folder / "data").mkdir()
    key = folder / "data" / "gateway.key"
    key.write_bytes(b"nonsense\n")
    key.chmod(0o600)
    code, _, err = run("check")
    assert code == 1
    assert "gateway.key is no master key" in err
    assert "nonsense" not in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("serve", "--workers", "many"),
        ("serve", "--memory", "--data", "x"),
        ("serve", "--server", "apache"),
        ("unknown",),
        (),
        ("keys",),
        ("keys", "add", "--access", "sometimes"),
        ("keys", "add", "--access", "archive=own"),
        ("keys", "add", "--access", "UP=read"),
        ("keys", "add", "--id", "a/b"),
        ("keys", "revoke"),
        ("services", "add", "one"),
        ("services", "add", "one", "--driver", "local", "--option", "quota"),
        ("services", "set"),
        ("bindings",),
    ],
)
def test_wrong_usage_is_2(run: Run, arguments: tuple[str, ...]) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert "usage:" in err


def test_serve_says_what_is_wrong_before_it_starts(run: Run, folder: Path) -> None:
    code, _, err = run("serve", "--listen", "nowhere", "--workers", "0")
    assert code == 1
    assert "--listen" in err and "--workers" in err
    assert not (folder / "data").exists()


def test_drivers_shows_options_with_types_and_defaults(run: Run) -> None:
    code, out, _ = run("drivers")
    assert code == 0
    assert "local (store, of the plugin local: drivers.local.store)" in out
    assert '= "64KiB"' in out and '"forever" | "off"' in out
    assert "Multipart" in out and "lives in one process" in out


def test_of_a_driver_that_is_named_it_is_said_what_options_are_for(run: Run) -> None:
    code, out, _ = run("drivers", "image")
    lines = out.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("  max_frames"))
    assert (code, lines[at + 1]) == (0, "    Of what moves.")
    assert not [line for line in lines if "drivers.local" in line]
    assert all(len(line) <= 100 for line in lines if line.startswith("    "))
    code, _, err = run("drivers", "imgae")
    assert (code, err) == (1, "gateway: there is no driver 'imgae'. Did you mean \"image\"?\n")


def test_what_a_file_declares_can_be_typed() -> None:
    package = importlib.import_module("gateway.commands")
    modules = [
        importlib.import_module(f"gateway.commands.{path.stem}")
        for folder in package.__path__
        for path in Path(folder).glob("*.py")
    ]
    declared = [one.COMMAND for one in modules if hasattr(one, "COMMAND")]
    assert sorted(one.name for one in declared) == sorted(COMMANDS)


def test_version_is_the_distributions(run: Run) -> None:
    code, out, _ = run("version")
    assert code == 0
    assert out.startswith("storage-gateway ")


def added(out: str) -> tuple[str, str]:
    key, secret = (line.split()[-1] for line in out.splitlines())
    return key, secret


def test_a_key_is_added_listed_and_revoked_while_a_worker_runs(run: Run) -> None:
    prepare(configuration(), {})
    worker = open_catalog(configuration(), {})
    try:
        code, out, _ = run(
            "keys", "add", "--account", "alice", "--access", "archive=read,thumbs=write"
        )
        key, secret = added(out)
        assert code == 0
        found = worker.credential(key)
        assert found is not None and found.secret.reveal() == secret
        assert found.identity == Identity(
            key=key, account="alice", access={"archive": "read", "thumbs": "write"}
        )
        code, out, _ = run("keys", "list")
        assert code == 0 and secret not in out and "hunter2-declared" not in out
        rows = {line.split()[0]: line for line in out.splitlines()}
        assert "archive=read,thumbs=write" in rows[key] and "active" in rows[key]
        assert "declared (configuration)" in rows["reader"]
        assert run("keys", "revoke", key)[0] == 0
        assert worker.credential(key) is None
        assert "revoked" in run("keys", "list")[1]
    finally:
        worker.close()


def test_a_key_is_switched_off_and_on_and_rotated_while_a_worker_runs(run: Run) -> None:
    prepare(configuration(), {})
    worker = open_catalog(configuration(), {})
    try:
        key, secret = added(run("keys", "add", "--id", "mine")[1])
        assert worker.credential(key) is not None
        assert run("keys", "deactivate", key)[0] == 0
        assert worker.credential(key) is None
        (row,) = [one.split() for one in run("keys", "list")[1].splitlines() if key in one]
        assert row[1].isdigit() and row[2:] == ["root", "own", "-", "off"]
        assert run("keys", "activate", key)[0] == 0
        rotated, another = added(run("keys", "rotate", key)[1])
        assert rotated == key and another != secret
        assert worker.credential_by_secret(secret) is None
        found = worker.credential(key)
        assert found is not None and found.secret.reveal() == another
    finally:
        worker.close()


@pytest.mark.parametrize(
    ("words", "identity", "shown"),
    [
        ((), Identity(account="root", access="admin", manages=True), "everything"),
        (
            ("--account", "alice"),
            Identity(account="alice", access="own", manages=True),
            "its account",
        ),
        (
            ("--account", "alice", "--access", "read-all"),
            Identity(account="alice", access="read-all", manages=True),
            "its account",
        ),
    ],
)
def test_a_key_that_manages(
    run: Run, words: tuple[str, ...], identity: Identity, shown: str
) -> None:
    key, _ = added(run("keys", "add", "--id", "m", "--management", *words)[1])
    opened = open_catalog(configuration(), {})
    try:
        found = opened.credential(key)
        assert found is not None and found.identity == replace(identity, key="m")
    finally:
        opened.close()
    (row,) = [one for one in run("keys", "list")[1].splitlines() if one.startswith("m ")]
    assert f"  {shown}" in row


def test_what_was_changed_is_in_the_audit(run: Run, folder: Path) -> None:
    key, secret = added(run("keys", "add", "--id", "mine", "--account", "alice")[1])
    run("keys", "revoke", "mine")
    code, out, err = run("audit")
    assert (code, err) == (0, "") and secret not in out
    newest, added_key, *_ = out.splitlines()
    assert " key.revoke " in newest and " mine " in newest
    assert added_key.endswith(f"by {actor.command_line().client}, command line")
    found = [json.loads(line) for line in run("audit", "--json")[1].splitlines()]
    assert [one["action"] for one in found] == ["key.revoke", "key.add", "account.add"]
    assert found[1]["subject"] == key and found[1]["mode"] == "command line"
    assert found[1]["detail"] == {"account": "alice", "access": "own", "manages": False}
    only = [
        ("--action", "account"),
        ("--subject", "mine", "--action", "key.add"),
        ("--actor", "nobody"),
        ("--since", "2999-01-01"),
        ("--since", found[2]["time"]),
    ]
    assert [len(run("audit", *words)[1].splitlines()) for words in only] == [1, 1, 0, 0, 3]
    assert run("audit", "--since", "12")[0] == 2


def test_what_cannot_be_done_with_a_key_is_1_and_a_sentence(run: Run) -> None:
    assert run("keys", "add", "--id", "mine")[0] == 0
    for arguments, said in [
        (("add", "--id", "mine"), "'mine'"),
        (("add", "--id", "reader"), "declared in the configuration"),
        (("revoke", "reader"), "declared in the configuration"),
        (("revoke", "never"), "no key 'never'"),
        (("deactivate", "reader"), "declared in the configuration"),
        (("activate", "never"), "no key 'never'"),
        (("rotate", "reader"), "declared in the configuration"),
    ]:
        code, out, err = run("keys", *arguments)
        assert (code, out) == (1, "")
        assert said in err and "Traceback" not in err


@pytest.mark.parametrize("words", [("list",), ("revoke", "mine")])
def test_keys_are_looked_for_only_where_the_gateway_has_run(
    run: Run, folder: Path, words: tuple[str, ...]
) -> None:
    code, out, err = run("keys", *words)
    assert (code, out) == (1, "")
    assert err == (
        f"gateway: The gateway has not run with the data folder {folder / 'data'} yet."
        " Did you start it with --data or --config? Give the same here.\n"
    )
    assert [one.name for one in folder.iterdir()] == ["gateway.toml"]


def test_a_first_key_says_which_folder_it_made(run: Run, folder: Path) -> None:
    assert f"The data folder {folder / 'data'} was made now" in run("keys", "add")[2]
    assert "made now" not in run("keys", "add")[2]


def test_scrub_makes_nothing(run: Run, folder: Path) -> None:
    code, out, err = run("scrub")
    assert (code, out) == (1, "")
    assert f"has not run with the data folder {folder / 'data'} yet" in err
    assert not (folder / "data").exists()


@pytest.mark.parametrize("words", [("check",), ("keys", "add"), ("serve",)])
@pytest.mark.usefixtures("sockets")
def test_a_data_folder_below_a_file_is_said(run: Run, folder: Path, words: tuple[str, ...]) -> None:
    port = ("--listen", "127.0.0.1:0") if words == ("serve",) else ()
    data = folder / "gateway.toml" / "data"
    made = sys.platform == "win32" and words != ("check",)  # which makes nothing
    said = "is not a folder" if made else "cannot be made: Not a directory"
    assert run(*words, *port, "--data", str(data)) == (
        1,
        "",
        f"gateway: The data folder {data} {said}. Choose another by --data or [server] data.\n",
    )


@pytest.mark.usefixtures("sockets")
def test_a_data_folder_that_is_a_file_is_said(run: Run, folder: Path) -> None:
    data = folder / "gateway.toml"
    assert run("serve", "--listen", "127.0.0.1:0", "--data", str(data)) == (
        1,
        "",
        f"gateway: The data folder {data} is not a folder."
        " Choose another by --data or [server] data.\n",
    )


@pytest.fixture
def plugins() -> Plugins:
    """All that is imported later otherwise, when it may be out of this user's reach."""
    for name in ("services.runtime", "commands.start_screen"):
        importlib.import_module(f"gateway.{name}")
    return Plugins.load()


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch, plugins: Plugins) -> Iterator[Path]:
    """A folder that this user may enter, not write."""
    if sys.platform == "win32":
        pytest.skip("the modes of folders: POSIX")
    folder = Path(tempfile.mkdtemp(dir="/tmp"))  # all may enter that one
    folder.chmod(0o555)
    monkeypatch.chdir(folder)
    try:
        if os.geteuid() == 0:  # root writes anywhere
            os.seteuid(NOBODY)
        yield folder
    finally:
        os.seteuid(os.getuid())
        folder.rmdir()


@pytest.mark.parametrize("words", [("check",), ("keys", "add")])
@pytest.mark.parametrize(("name", "done"), [(".", "written"), ("new", "made")])
def test_a_data_folder_that_cannot_be_written_is_said(
    capsys: pytest.CaptureFixture[str],
    closed: Path,
    plugins: Plugins,
    words: tuple[str, ...],
    name: str,
    done: str,
) -> None:
    data = closed / name
    assert main([*words, "--data", str(data)], plugins=plugins) == 1
    assert capsys.readouterr().err == (
        f"gateway: The data folder {data} cannot be {done}: Permission denied."
        " Choose another by --data or [server] data.\n"
    )


@pytest.mark.parametrize("words", [("keys", "list"), ("services",), ("scrub",)])
def test_a_data_folder_of_somebody_else_is_said(
    capsys: pytest.CaptureFixture[str], closed: Path, plugins: Plugins, words: tuple[str, ...]
) -> None:
    closed_too = closed / "new"
    user = os.geteuid()
    os.seteuid(os.getuid())
    closed.chmod(0o755)
    closed_too.mkdir(mode=0o000)
    os.seteuid(user)
    try:
        assert main([*words, "--data", str(closed_too)], plugins=plugins) == 1
        assert capsys.readouterr().err == (
            f"gateway: The data folder {closed_too} cannot be read: Permission denied.\n"
        )
    finally:
        os.seteuid(os.getuid())
        closed_too.rmdir()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_data_folder_where_nothing_can_be_made_is_said(run: Run) -> None:
    """Access rights say that root may."""
    code, out, err = run("check", "--data", "/proc/x")
    assert (code, out) == (1, "")
    assert "The data folder /proc/x cannot be made: " in err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[server]\ndata = "here"', "No gateway runs with the data folder "),
        ('[server]\ndata = "here"\n[servces]', "No gateway runs with the data folder "),
        ("[server]\nmemory = true", "has no data folder, by which it could be found"),
        ("[server", "not TOML"),
        ("[server]\ndata = 3", "server.data: found 3"),
    ],
)
def test_a_gateway_to_be_told_is_looked_for(run: Run, folder: Path, text: str, words: str) -> None:
    (folder / "gateway.toml").write_text(text)
    code, out, err = run("reload")
    assert (code, out) == (1, "") and words in err and "Traceback" not in err
    code, out, err = run("reload", "--data", "typed")
    assert (code, out) == (1, "") and f"data folder {folder / 'typed'}. Did you" in err
    assert [one.name for one in folder.iterdir()] == ["gateway.toml"]


def test_options_are_not_abbreviated(run: Run) -> None:
    code, out, err = run("serve", "--mem")
    assert (code, out) == (2, "")
    usage = " ".join(err.split())  # from Python 3.13 on a line may end within a group
    assert "[--data DIR | --memory]" in usage and usage.endswith("unrecognized arguments: --mem")
    code, out, err = run("keys", "list", "--dat", "elsewhere")
    assert (code, out) == (2, "")
    assert "[--data DIR]" in err


def test_a_data_folder_that_is_typed_wins(run: Run, folder: Path) -> None:
    assert run("keys", "add", "--id", "mine", "--data", "other")[0] == 0
    assert (folder / "other" / "catalog.db").exists()
    assert not (folder / "data").exists()


def test_services_shows_the_chain_before_the_first_start(run: Run, folder: Path) -> None:
    code, out, _ = run("services")
    assert code == 0
    assert "archive (local), declared, owner root" in out and "Versions" in out
    assert not (folder / "data").exists()


def test_services_shows_sizes_and_what_was_made(run: Run) -> None:
    runtime = open_runtime(configuration(), environ={})
    admin = Identity(key="k", account="root", access="admin")
    runtime.create(admin, "made-one")
    runtime.access(admin, "archive").put("k", BytesBody(b"x" * 2048), Put(size=2048))
    code, out, _ = run("services")
    runtime.close()
    assert code == 0
    archive = "archive (local), declared, owner root, 1 objects, 2.0 KiB; 2.0 KiB of the quota"
    assert f"{archive} of 1.0 GiB used (0 %)\n" in out
    assert "made-one (local), made by API, owner root, 0 objects, 0 B\n" in out


def test_what_another_account_stored_under_a_name_is_not_given_away_unsaid(
    run: Run, folder: Path
) -> None:
    (folder / "gateway.toml").write_text(f'{CONFIGURATION}[[accounts]]\nid = "alice"\n')
    add = ("services", "add", "one", "--driver", "local")
    assert run(*add, "--account", "alice")[2].endswith("--data or --config.\n")
    for account, warning in (("alice", ""), ("root", "a service of that id was alice's")):
        assert run("services", "remove", "one")[0] == 0
        code, out, err = run(*add, "--account", account)
        assert (code, out) == (0, "The service one is added.\n")
        assert warning in err and bool(warning) == bool(err)


def test_a_name_that_nothing_has_is_told(run: Run, folder: Path) -> None:
    """A bucket may get it later: it is no problem."""
    text = CONFIGURATION.replace("archive = ", 'archve = "read", made-one = "read", archive = ')
    door = '[[bindings]]\nport = 9000\nmode = "public"\nservice = "made-one"\n'
    (folder / "gateway.toml").write_text(text + door)
    note = 'NOTE: the access of the key "reader" names "archve", and there is no such service.'
    for started in (False, True):
        code, out, _ = run("check")
        assert code == 0
        assert f'{note} Did you mean "archive"?' in out
        assert ('names "made-one"' in out) == (not started)
        assert ('the binding :9000 leads to "made-one", and there is' in out) == (not started)
        runtime = open_runtime(configuration(), environ={})
        if not started:
            runtime.create(Identity(key="k", account="root", access="admin"), "made-one")
        runtime.close()
    names = "archive=read,made-one=read,archvie=read"
    code, _, err = run("keys", "add", "--id", "some", "--access", names)
    assert code == 0
    assert (
        'key "some" names "archvie", and there is no such service. Did you mean "archive"?' in err
    )
    assert err.count("NOTE") == 1


def test_no_name_commands_a_terminal(run: Run) -> None:
    red = "\x1b[31mred"
    assert run("services", "add", "one", "--driver", "local", "--name", red)[0] == 0
    said = [
        run("services", "show", "one"),
        run("services", "add", red, "--driver", "local"),
        run("keys", "add", "--id", red),
    ]
    assert [code for code, _, _ in said] == [0, 1, 2]
    for _, out, err in said:
        assert "\x1b" not in out + err and "\\x1b[31mred" in out + err


@pytest.mark.usefixtures("processes")
def test_the_module_is_the_command(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "check"], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "is fine" in done.stdout


# services and bindings of the catalog


@pytest.fixture
def worker(run: Run) -> Iterator[Runtime]:
    """One that serves the same data folder."""
    runtime = open_runtime(configuration(), environ={})
    yield runtime
    runtime.close()


ADMIN = Identity(key="k", account="root", access="admin")


def test_a_service_is_added_shown_changed_and_removed_while_a_worker_runs(
    run: Run, worker: Runtime
) -> None:
    quota = ("--option", "quota=1GiB", "--name", "Fresh")
    done = (0, "The service fresh is added.\n", "")
    assert run("services", "add", "fresh", "--driver", "local", *quota) == done
    worker.access(ADMIN, "fresh").put("k", BytesBody(b"x"), Put(size=1))
    link = ("--link", "source=fresh", "--option", "source_path=a/b", "--option", "max_size=1GiB")
    assert run("services", "add", "front", "--driver", "cache", *link)[0] == 0
    assert worker.access(ADMIN, "front").service.about.source == "fresh"
    shown = run("services", "show", "front")[1].split()
    assert "source → fresh source_path a/b" in " ".join(shown) and '"1GiB"' in shown
    assert "Fresh" in run("services", "show", "fresh")[1]
    change = ("--option", "max_size=2GiB", "--unset", "source_path")
    assert run("services", "set", "front", *change) == (0, "The service front is changed.\n", "")
    shown = run("services", "show", "front")[1].split()
    assert '"2GiB"' in shown and "source_path" not in shown
    lines = run("services")[1].splitlines()
    at = next(at for at, line in enumerate(lines) if line.startswith("front (cache), added"))
    assert lines[at + 2].startswith("└─ fresh (local), added, owner root, 1 objects")
    code, out, err = run("services", "remove", "fresh")
    assert (code, out) == (1, "") and "the service 'front' in front of it needs it" in err
    for sid in ("front", "fresh"):
        assert run("services", "remove", sid) == (0, f"The service {sid} is removed.\n", "")
    with pytest.raises(NoSuchStore):
        worker.access(ADMIN, "fresh")


def test_secrets_of_a_service_are_never_printed(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UP_SECRET", "hunter2-secret")
    options = ("bucket=bucket", "region=r", "path_style=true", "secret_key_env=UP_SECRET")
    words = [word for one in options for word in ("--option", one)]
    key = ("--option", "access_key=hunter2-key")
    assert run("services", "add", "upper", "--driver", "s3", *words, *key)[0] == 0
    monkeypatch.delenv("UP_SECRET")
    code, out, err = run("services", "show", "upper")
    assert (code, err) == (0, "") and "hunter2" not in out
    assert out.count("(secret)") == 2 and '"bucket"' in out and "true" in out
    code, out, err = run("services", "set", "upper", *key, "--option", "bukket=x")
    assert code == 1 and "hunter2" not in out + err
    code, out, _ = run("services", "set", "upper", "--option", "secret_key=hunter2-other")
    assert code == 0 and "hunter2" not in out
    files = "storage_options.password=hunter2-x"
    words = ["--option", "url=sftp://127.0.0.1/x", "--option", files, "--option", "timeout=5s"]
    assert run("services", "add", "files", "--driver", "fsspec", *words)[0] == 0
    code, out, _ = run("services", "show", "files")
    assert code == 0 and "sftp://" in out and "hunter2" not in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "one", "--driver", "locl"), 'services.one.driver: found "locl"'),
        (("add", "one", "--driver", "local", "--option", "quta=1"), 'Did you mean "quota"?'),
        (("add", "one", "--driver", "local", "--link", "source=x"), "has no such link"),
        (("add", "one", "--driver", "cache", "--link", "source=archiv"), 'Did you mean "archive"?'),
        (("add", "one", "--driver", "local", "--account", "bob"), "known accounts: root"),
        (("add", "archive", "--driver", "local"), "gateway.toml (services.archive): change it"),
        (("set", "archive", "--option", "quota=1"), "gateway.toml (services.archive): change it"),
        (("remove", "archive"), "gateway.toml (services.archive): change it"),
        (("remove", "never"), "no service 'never'"),
        (("show", "never"), "no service 'never'"),
    ],
)
def test_what_cannot_be_done_with_a_service_is_1_and_a_sentence(
    run: Run, words: tuple[str, ...], said: str
) -> None:
    prepare(configuration(), {})
    code, out, err = run("services", *words)
    assert (code, out) == (1, "")
    assert said in err and "Traceback" not in err


def test_a_declared_service_is_shown_with_its_place(run: Run, folder: Path) -> None:
    prepare(configuration(), {})
    code, out, _ = run("services", "show", "archive")
    assert code == 0
    assert f"declared in {folder / 'gateway.toml'} (services.archive)" in out and "quota" in out


def test_a_place_is_typed_before_or_behind(run: Run, folder: Path) -> None:
    place = ("--data", str(folder / "other"))
    assert run("services", *place, "add", "one", "--driver", "local")[0] == 0
    assert run("services", "show", "one", *place)[0] == 0
    assert run("services", "show", "one")[0] == 1


@pytest.fixture(scope="module")
def pictures() -> Plugins:
    """With a mode that is about one service."""
    plugins = Plugins.load()
    plugins.register(PICTURES, "pictures")
    return plugins


def test_check_says_what_each_binding_is_and_what_its_mode_tells(
    run: Run, folder: Path, pictures: Plugins
) -> None:
    (folder / "gateway.toml").write_text(
        f'{CONFIGURATION}[[bindings]]\nprefix = "/s3"\nmode = "s3"\n'
        '[[bindings]]\nhost = "g.example"\nmode = "galleries"\nservice = "archive"\ncolumns = 5\n'
        '[[bindings]]\nport = 9000\nmode = "public"\nservice = "archive"\n'
    )
    code, out, _ = run("check", plugins=pictures)
    assert code == 0
    lines = out.splitlines()
    assert "  binding    /s3 → s3" in lines
    place = lines.index("  binding    g.example → galleries of archive")
    assert lines[place + 1] == '             columns = 5, fresh = "1m", title = ""'
    assert lines[place + 2] == "NOTE: the binding g.example: archive in 5 columns."
    everybody = 'everybody may read all of "archive", without a key.'
    assert f"NOTE: the binding :9000: {everybody}" in lines


def test_check_says_which_modes_are_on_and_what_they_warn_of(
    run: Run, folder: Path, pictures: Plugins
) -> None:
    file = folder / "gateway.toml"
    for table, shut in (("", False), ("open = true", False), ("open = false", True)):
        file.write_text(f'{CONFIGURATION}[shop]\ncurrency = "EUR"\n{table}\n')
        code, out, _ = run("check", plugins=pictures)
        lines = out.splitlines()
        assert code == 0 and "  mode       shop, by [shop]" in lines
        assert ("WARNING: the shop takes EUR, and is shut." in lines) == shut
    file.write_text(CONFIGURATION)
    assert "shop" not in run("check", plugins=pictures)[1]


def test_a_binding_leads_to_no_mode_that_is_off(run: Run, folder: Path, pictures: Plugins) -> None:
    prepare(configuration(), {})
    words = ("bindings", "add", "--host", "a.example", "--mode", "shop")
    code, out, err = run(*words, plugins=pictures)
    assert (code, out) == (1, "") and "a table [shop] switches it on" in err
    with (folder / "gateway.toml").open("a") as file:
        file.write('[shop]\ncurrency = "EUR"\n')
    assert run(*words, plugins=pictures)[0] == 0


def test_a_binding_is_added_with_options_of_its_mode(
    run: Run, folder: Path, pictures: Plugins
) -> None:
    prepare(configuration(), {})
    door = ("--host", "g.example", "--mode", "galleries", "--service", "archive")
    options = ("--option", "columns=5", "--option", "title=Ours")
    code, out, _ = run("bindings", "add", *door, *options, plugins=pictures)
    assert (code, out.splitlines()) == (
        0,
        ["The binding g.example is added.", "NOTE: the binding g.example: archive in 5 columns."],
    )
    listed = run("bindings", "list", plugins=pictures)[1]
    assert 'columns = 5, title = "Ours"' in listed and "fresh" not in listed
    assert "g.example" in run("bindings", "list")[1]  # without the mode, too
    note = "NOTE: the binding g.example: archive in 5 columns."
    assert note in run("check", plugins=pictures)[1].splitlines()
    for option, said in [
        ("columns=0", "at least 1"),
        ("colums=1", 'Did you mean "columns"?'),
        ("service=archive", "type it as --service"),
    ]:
        words = ("bindings", "add", *door, "--prefix", "/x", "--option", option)
        code, out, err = run(*words, plugins=pictures)
        assert (code, out) == (1, "") and said in err
    assert run("bindings", "remove", "--host", "g.example")[0] == 0
    assert run("bindings", "add", *door, plugins=pictures)[0] == 0
    assert "columns" not in run("bindings", "list", plugins=pictures)[1]


def test_what_is_part_of_a_zone_is_listed_so_and_not_removed(run: Run, folder: Path) -> None:
    tables = {"server": {"data": str(folder / "data")}, "cdn": {"suffix": "cdn.test"}}
    file = folder / "gateway.toml"
    file.write_text('[server]\ndata = "data"\n[cdn]\nsuffix = "cdn.test"\n')
    runtime = open_runtime(load(tables=tables, environ={}), environ={})
    try:
        endpoint = {"endpoints": [{"host": "news.com"}], "type": "own", "proto": "http"}
        document = {"object_size": "big", "upstream": endpoint, "custom_domains": ["a.test"]}
        root = Identity(key="root", account="root", access="admin")
        assert runtime.zones.make(root, document).number == 1
    finally:
        runtime.close()
    assert "zone-1" not in run("check")[1]  # that everybody may read a zone is nothing to note
    rows = [line.split()[:6] for line in run("bindings", "list")[1].splitlines()[1:]]
    assert ["a.test", "public", "zone-1", "of", "the", "zone"] in rows
    assert "zone-1 (cache), of the zone 1, owner root" in run("services")[1]
    assert "is changed with the zone 1," in run("services", "show", "zone-1")[1]
    for words in (("services", "remove", "zone-1"), ("bindings", "remove", "--host", "a.test")):
        code, _, err = run(*words)
        assert (code, "is part of the zone 1: change that." in err) == (1, True)


def test_bindings_are_added_listed_and_removed(run: Run, folder: Path, pictures: Plugins) -> None:
    (folder / "gateway.toml").write_text(
        f'{CONFIGURATION}[[bindings]]\nprefix = "/s3"\nmode = "s3"\n'
    )
    prepare(configuration(), {})
    door = ("--host", "IMG.example.com", "--prefix", "/x")
    one = ("bindings", "add", *door, "--mode", "pictures", "--service", "archive")
    assert run(*one, plugins=pictures)[1] == "The binding img.example.com/x is added.\n"
    at = ("bindings", "add", "--mode", "s3", "--port")
    assert run(*at, "9000", "--prefix", "/here")[2] == ""
    code, _, err = run(*at, "1234")
    assert (code, "where nothing listens" in err) == (0, True)
    for gone in (("--port", "9000", "--prefix", "/here"), ("--port", "1234")):
        assert run("bindings", "remove", *gone)[0] == 0
    code, out, _ = run("bindings", "list")
    assert code == 0
    assert [line.split() for line in out.splitlines()[1:]] == [
        ["/s3", "s3", "declared"],
        ["img.example.com/x", "pictures", "archive", "added"],
    ]
    to_archive = ("--prefix", "/y", "--mode", "public", "--service", "archive")
    for words, said in [
        (("add", *door, "--mode", "s3"), "same host, port and prefix"),
        (("add", "--mode", "s3"), "give one of host, port and prefix"),
        (
            ("add", "--prefix", "/y", "--mode", "s4"),
            'found "s4"; known modes: cdn, console, galleries,',
        ),
        (("add", "--prefix", "/y", "--mode", "pictures", "--service", "none"), "no such service"),
        (("add", "--prefix", "/y", "--mode", "public"), 'the mode "public" is about one'),
        (("add", "--prefix", "/y", "--mode", "s3", "--service", "archive"), "all services"),
        (("add", *to_archive, "--option", "methods=all"), "has no HTTP origin behind it"),
        (("add", "--prefix", "/s3", "--mode", "s3"), "(bindings[0])"),
        (("remove", "--prefix", "/s3"), "(bindings[0])"),
        (("remove", "--prefix", "/never"), "no such binding"),
        (("remove",), "give one of host, port and prefix"),
    ]:
        code, out, err = run("bindings", *words, plugins=pictures)
        assert (code, out) == (1, "")
        assert said in err and "Traceback" not in err
    assert run("bindings", "remove", *door)[1] == "The binding img.example.com/x is removed.\n"


def test_a_service_that_a_binding_leads_to_stays(run: Run, pictures: Plugins) -> None:
    assert run("services", "add", "one", "--driver", "local")[0] == 0
    door = ("--port", "8080", "--mode", "pictures", "--service", "one")
    assert run("bindings", "add", *door, plugins=pictures)[0] == 0
    code, _, err = run("services", "remove", "one")
    assert code == 1 and "the binding :8080 needs it" in err


# certificates of the catalog


@pytest.fixture
def declared(folder: Path) -> Path:
    """The file of a certificate that the configuration has, for own.test."""
    one, key = certificate(folder, "own.test", days=3)
    tls = f"tls = {{ certificate = '{one}', key = '{key}' }}"
    text = CONFIGURATION.replace("[server]", f"[server]\n{tls}")
    (folder / "gateway.toml").write_text(text)
    return one


def test_certificates_are_added_listed_shown_replaced_and_removed(
    run: Run, folder: Path, declared: Path
) -> None:
    one, key = certificate(folder, "*.zone.test", days=90)
    given = ("--cert", str(one), "--key", str(key))
    (folder / "there").mkdir()
    later, late_key = certificate(folder / "there", "*.zone.test", days=200)
    prepare(configuration(), {})
    code, out, err = run("certificates", "add", "zone", *given)
    assert (code, err) == (0, "")
    assert out.startswith("The certificate zone is added: for *.zone.test, until 20")
    assert out.count("\n") == 1
    listed = run("certificates")
    assert listed == run("certificates", "show")
    rows = [line.split() for line in listed[1].splitlines()]
    assert rows[0] == ["CERTIFICATE", "NAMES", "UNTIL", "STATE"]
    assert rows[1][:2] == [str(declared), "own.test"] and rows[1][3:] == ["(soon)", "declared"]
    assert rows[2][:2] == ["zone", "*.zone.test"] and rows[2][3:] == ["added"]
    shown = run("certificates", "show", "zone")[1]
    printed = ssl.PEM_cert_to_DER_cert(one.read_text())
    assert hashlib.sha256(printed).hexdigest().upper() in shown.replace(":", "")
    assert "CN=*.zone.test" in shown and "PRIVATE" not in shown
    code, out, _ = run("certificates", "add", "zone", "--cert", str(later), "--key", str(late_key))
    assert code == 0 and out.startswith("The certificate zone is replaced")
    assert run("certificates", "show", "zone")[1] != shown
    done = (0, "The certificate zone is removed.\n", "")
    assert run("certificates", "remove", "zone") == done
    assert len(run("certificates")[1].splitlines()) == 2
    declared.unlink()
    assert run("certificates")[0] == 1  # the file names one that is not there


def test_a_certificate_that_would_not_be_shown_is_noted(
    run: Run, folder: Path, declared: Path
) -> None:
    (folder / "there").mkdir()
    one, key = certificate(folder / "there", "own.test", days=-1)
    code, out, _ = run("certificates", "add", "own", "--cert", str(one), "--key", str(key))
    assert code == 0
    _, warning, note = out.splitlines()
    assert warning.startswith("WARNING: clients may refuse it: it is over since 20")
    assert note == f"NOTE: for own.test the one of the configuration counts ({declared})."
    assert "(over)" in run("certificates")[1]
    (folder / "gateway.toml").write_text(CONFIGURATION)
    out = run("certificates", "add", "own", "--cert", str(one), "--key", str(key))[1]
    assert "NOTE: no listener of this configuration speaks TLS" in out


def test_what_cannot_be_done_with_a_certificate_is_1_and_a_sentence(run: Run, folder: Path) -> None:
    prepare(configuration(), {})
    one, key = certificate(folder, "one.test")
    other = certificate(folder, "other.test")[1]
    for words, said in [
        (("add", "one", "--cert", str(one), "--key", str(other)), "is not that of the cert"),
        (("add", "one", "--cert", str(key), "--key", str(key)), "no certificate (PEM) can be"),
        (("add", "one", "--cert", "none.pem", "--key", str(key)), "--cert: "),
        (("add", "a/b", "--cert", str(one), "--key", str(key)), 'certificates."a/b": an id'),
        (("remove", "one"), "There is no certificate 'one'."),
        (("show", "one"), "There is no certificate 'one'."),
    ]:
        code, out, err = run("certificates", *words)
        assert (code, out) == (1, "")
        assert said in err and "Traceback" not in err and "PRIVATE" not in err
    assert run("certificates", "add", "one", "--cert", str(one))[0] == 2


@pytest.mark.skipif(
    sys.platform == "win32", reason="there a write to a closed pipe fails otherwise"
)
@pytest.mark.usefixtures("processes")
def test_who_reads_no_further_is_no_mistake(folder: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "gateway", "check"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


# keys for SSE-KMS


def test_encryption_keys_are_added_rotated_disabled_and_listed(run: Run) -> None:
    code, out, err = run("kms", "add", "photos", "--default")
    assert (code, out) == (0, "The key photos is added.\n") and "was made now" in err
    assert run("kms", "add", "a/b") == (0, "The key a/b is added.\n", "")
    assert run("kms", "add", "a/b")[0] == 1
    assert run("kms", "rotate", "photos")[1].startswith("The key photos has version 2 now")
    assert run("kms", "disable", "a/b")[0] == 0

    def rows() -> list[list[str]]:
        return [line.split() for line in run("kms", "list")[1].splitlines()]

    heading, first, second = rows()
    assert heading == ["KEY", "VERSIONS", "MADE", "ROTATED", "STATE"]
    assert (first[:2], first[3:]) == (["a/b", "1"], ["disabled"])
    assert (second[:2], second[4:]) == (["photos", "2"], ["enabled,", "default"])
    assert run("kms", "enable", "a/b")[0] == run("kms", "default", "a/b")[0] == 0
    assert [row[-1] for row in rows()[1:]] == ["default", "enabled"]
    for command in ("rotate", "disable", "enable", "default"):
        code, _, err = run("kms", command, "none")
        assert (code, err) == (1, "gateway: There is no encryption key 'none'.\n")
    assert run("kms", "add", "alias/x")[0] == 2
