"""How much is in services: seen by whom, in how many looks; and `gateway recount`."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.access.grants import Grant
from gateway.access.identity import Identity
from gateway.access.rules import EVERYONE
from gateway.commands.main import main
from gateway.config import load
from gateway.services.runtime import Runtime, open_runtime
from gateway.storage import BytesBody, Put, Stats, StorageError
from gateway.telemetry.traffic import Numbers, Traffic

ROOT = Identity(key="root", account="root", access="admin")
OTHER = Identity(key="other", account="other", access="own")
FILE = """
[server]
data = "data"

[services.plain]
driver = "local"

[services.front]
driver = "cache"
source = "plain"

[services.files]
driver = "fsspec"
url = "memory://files"
"""


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    file = tmp_path / "gateway.toml"
    file.write_text(FILE, "utf-8")
    runtime = open_runtime(load(file, environ={}), environ={})
    yield runtime
    runtime.close()


def put(runtime: Runtime, sid: str, *keys: str, who: Identity = ROOT) -> None:
    for key in keys:
        runtime.access(who, sid).put(key, BytesBody(b"data"), Put(size=4))


def test_each_who_may_see_a_service_is_told_how_much_is_in_it(runtime: Runtime) -> None:
    runtime.create(ROOT, "roots")
    runtime.create(OTHER, "others")
    put(runtime, "plain", "a", "b")
    put(runtime, "files", "a")
    put(runtime, "others", "a", "a", "b", who=OTHER)
    runtime.access(OTHER, "others").begin("k")
    found = runtime.measured(ROOT)
    numbers = {sid: (one.current, one.bytes, one.uploads) for sid, one in found.items()}
    counted = {"plain": (2, 8, 0), "front": (2, 8, 0), "roots": (0, 0, 0), "others": (2, 8, 1)}
    assert numbers == counted, "what cannot count is left out"
    assert found.total() == Stats(objects=4, bytes=16, current=4, uploads=1), "once, what is once"
    assert found.total(["front", "roots", "files"]) == found["plain"]
    assert found == {sid: runtime.access(ROOT, sid).stats() for sid in found}
    assert runtime.measured(OTHER) == {"others": found["others"]}


def test_what_cannot_say_it_now_is_left_out(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> None:
        raise StorageError("Its upstream is asleep.")

    monkeypatch.setattr(runtime.chain.services["plain"].store, "stats", fails)
    runtime.create(ROOT, "bucket")
    assert set(runtime.measured(ROOT)) == {"bucket"}


def test_numbers_are_told_of_what_somebody_may_see(runtime: Runtime) -> None:
    all_of_it = Numbers(
        time=5.0,
        in_flight=3,
        total=Traffic(requests=90),
        services={"others": Traffic(requests=7, sent=1), "plain": Traffic(requests=50)},
    )
    runtime._numbers = lambda: all_of_it
    runtime.create(OTHER, "others", [Grant(EVERYONE, "read")])
    assert runtime.numbers(ROOT) is all_of_it
    seen = Numbers(
        time=5.0,
        total=Traffic(requests=7, sent=1),
        services={"others": Traffic(requests=7, sent=1)},
    )
    assert runtime.numbers(OTHER) == seen
    stranger = Identity(key="stranger", account="stranger")
    assert [one.service.sid for one in runtime.services(stranger)] == ["others"]
    assert runtime.numbers(stranger) == Numbers(time=5.0), "who may list it may not know that"


def test_many_buckets_cost_one_look(runtime: Runtime, statements: Callable[[], list[str]]) -> None:
    for number in range(12):
        runtime.create(ROOT, f"bucket-{number}")
    runtime.measured(ROOT)  # from now on they are known
    statements().clear()
    assert len(runtime.measured(ROOT)) == 14
    looks = [one for one in statements() if "FROM services" in one]
    assert len(looks) == 3, "all buckets, and each of the two that are declared"
    assert not any("FROM objects" in one or "FROM versions" in one for one in statements())
    page = [runtime.access(ROOT, sid) for sid in ("bucket-3", "bucket-7", "front", "files")]
    page.append(runtime.access(OTHER, "bucket-4"))
    statements().clear()
    found = runtime.measured_of(page)
    assert list(found) == ["bucket-3", "bucket-7", "front"], "which they may measure, and can"
    assert found["front"] == runtime.access(ROOT, "plain").stats()
    (look,) = [one for one in statements() if "FROM services" in one and "bucket-3" in one]
    assert "bucket-7" in look and "bucket-5" not in look


@pytest.fixture
def statements(runtime: Runtime) -> Callable[[], list[str]]:
    """What is asked of the index of objects, by all connections that are open by then."""
    asked: list[str] = []
    space = runtime.chain.services["plain"].store.space  # type: ignore[attr-defined]
    traced: set[sqlite3.Connection] = set()

    def trace() -> list[str]:
        for connection in set(space._opened) - traced:
            connection.set_trace_callback(asked.append)
            traced.add(connection)
        return asked

    return trace


# gateway recount


def test_recount_proves_what_is_counted_while_it_serves(
    runtime: Runtime, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runtime.create(ROOT, "bucket")
    put(runtime, "plain", "a", "a", "b")
    runtime.access(ROOT, "bucket").begin("k")

    def run(*arguments: str) -> tuple[int, list[str]]:
        code = main(["recount", "--config", str(tmp_path / "gateway.toml"), *arguments])
        said = capsys.readouterr()
        assert not said.err or code
        return code, (said.out or said.err).splitlines()

    right = [
        "plain: 3 versions of 2 keys, 12 B; 0 uploads, 0 B: right",
        "bucket: 0 versions of 0 keys, 0 B; 1 uploads, 0 B: right",
    ]
    left_out = [
        "files: not counted: the driver fsspec keeps no counts here",
        "front: not counted: the driver cache keeps no counts here",
    ]
    assert run() == (0, right + left_out)
    assert run("bucket") == (0, right[1:])
    with closing(sqlite3.connect(tmp_path / "data" / "index.db", isolation_level=None)) as index:
        index.execute("UPDATE services SET current = 9, bytes = 13 WHERE name = 'plain'")
    wrong = "13 bytes, there are 12, 9 keys, there are 2"
    assert run() == (1, [f"plain: counted wrong: {wrong}", right[1], *left_out])
    assert run("bucket") == (0, right[1:])
    assert run("plain", "--repair") == (1, [f"plain: counted wrong, and set right: {wrong}"])
    assert run("plain", "--repair") == (0, right[:1])
    assert runtime.measured(ROOT)["plain"].current == 2
    code, said = run("files")
    assert (code, said) == (
        1, ["gateway: There is no service 'files' that counts what it has here."]
    )  # fmt: skip


def test_recount_adds_up_what_the_buckets_of_a_volume_count(
    runtime: Runtime, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runtime.volumes.make(ROOT, "media", owner="root", quota=100)
    for name in ("one", "two"):
        runtime.volumes.create_bucket(ROOT, "media", name)
        put(runtime, f"media.{name}", "a", "b")

    def run(*arguments: str) -> tuple[int, list[str]]:
        code = main(["recount", "--config", str(tmp_path / "gateway.toml"), *arguments])
        return code, [one for one in capsys.readouterr().out.splitlines() if "media" in one]

    def falsify(sql: str) -> None:
        with closing(sqlite3.connect(tmp_path / "data" / "index.db", isolation_level=None)) as one:
            one.execute(sql)

    buckets = [
        f"media.{name}: 2 versions of 2 keys, 8 B; 0 uploads, 0 B: right" for name in ("one", "two")
    ]
    right = [*buckets, "volume media: 16 B in its buckets: right"]
    assert run() == (0, right)
    falsify("UPDATE volumes SET used = 90")
    wrong = "90 bytes, there are 16"
    assert run() == (1, [*buckets, f"volume media: counted wrong: {wrong}"])
    assert run("--repair") == (
        1,
        [*buckets, f"volume media: counted wrong, and set right: {wrong}"],
    )
    assert run() == (0, right)
    # What a bucket counts wrong its volume counts wrong, too; and is repaired with it.
    falsify("UPDATE services SET bytes = bytes + 5 WHERE name = 'media.one'")
    falsify("UPDATE volumes SET used = used + 5")
    assert run("--repair")[0] == 1
    assert run() == (0, right)
