"""The command `gateway flush`, beside a gateway that runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.commands.main import main
from gateway.config import load
from gateway.services.runtime import Runtime, open_runtime
from gateway.storage import BytesBody, Put
from tests.one_service import ADMIN, Run, runner

CONFIGURATION = """
[server]
data = "data"
[services.archive]
driver = "local"
keep_versions = "off"
[services.front]
driver = "cache"
source = "archive"
refresh_after = "1d"
[services.quick]
driver = "cache"
space = "memory"
source = "archive"
refresh_after = "1d"
"""
KEYS = ("a", "b/c", "b/d")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return runner("flush", CONFIGURATION, tmp_path, monkeypatch, capsys)


@pytest.fixture
def runtime(run: Run) -> Iterator[Runtime]:
    running = open_runtime(load(environ={}), environ={})
    write(running, b"old")
    yield running
    running.close()


def write(runtime: Runtime, body: bytes) -> None:
    """Behind the caches' back; `b/d` has a tag."""
    for key in KEYS:
        headers = (("Surrogate-Key", "other spring"),) if key == "b/d" else ()
        options = Put(size=len(body), headers=headers)
        runtime.access(ADMIN, "archive").put(key, BytesBody(body), options)


def read(runtime: Runtime, sid: str) -> list[bytes]:
    found = []
    for key in KEYS:
        with runtime.access(ADMIN, sid).get(key) as opened:
            found.append(opened.body.read())
    return found


NAMED = (
    ((), KEYS, "all is gone", 3),
    (("--prefix", "b/"), ("b/c", "b/d"), "what has the prefix b/ is gone", 2),
    (("--key", "b/c"), ("b/c",), "what has the key b/c is gone", 1),
    (("--tag", "spring"), ("b/d",), "what has the tag spring is gone", 1),
    (("--soft",), KEYS, "all is asked for anew", 3),
    (("--soft", "--key", "a"), ("a",), "what has the key a is asked for anew", 1),
)


@pytest.mark.parametrize("sid", ["front", "quick"])
def test_what_is_named_is_read_anew_at_once_and_nothing_else(
    run: Run, runtime: Runtime, sid: str
) -> None:
    was = read(runtime, sid)
    for typed, gone, told, entries in NAMED:
        write(runtime, new := " ".join(typed).encode())
        assert read(runtime, sid) == was, "the cache does not ask"
        counted = f" ({entries} entries)" if sid == "front" else ""
        assert run(sid, *typed) == (0, [f"{sid}: {told}{counted}"], "")
        was = [new if key in gone else old for key, old in zip(KEYS, was, strict=True)]
        assert read(runtime, sid) == was, typed


def test_a_cache_that_was_added(run: Run, runtime: Runtime) -> None:
    option = ("--option", "source=archive", "--option", "refresh_after=1d")
    assert main(["services", "add", "added", "--driver", "cache", *option]) == 0
    assert read(runtime, "added") == [b"old"] * 3
    write(runtime, b"new")
    assert read(runtime, "added") == [b"old"] * 3
    assert run("added")[0] == 0
    assert read(runtime, "added") == [b"new"] * 3


@pytest.mark.usefixtures("runtime")
def test_what_is_refused(run: Run) -> None:
    for typed, code, why in (
        (("archive",), 1, "is no cache, so there is nothing to flush"),
        (("nobody",), 1, "There is no service 'nobody'"),
        (("front", "--tag", ""), 2, "it is empty"),
        (("front", "--tag", "one", "--key", "a"), 2, "not allowed with"),
    ):
        found, lines, err = run(*typed)
        assert (found, lines, why in err) == (code, [], True), err


def test_where_no_gateway_has_run(run: Run) -> None:
    code, _, err = run("front")
    assert code == 1
    assert "There is nothing to flush: The gateway has not run" in err
