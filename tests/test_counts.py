"""How much is in services: seen by whom, and in how many looks."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.access.identity import Identity
from gateway.config import load
from gateway.services.runtime import Runtime, open_runtime
from gateway.storage import BytesBody, Put, StorageError
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
    runtime.create(OTHER, "others")
    assert runtime.numbers(ROOT) is all_of_it
    seen = Numbers(
        time=5.0,
        total=Traffic(requests=7, sent=1),
        services={"others": Traffic(requests=7, sent=1)},
    )
    assert runtime.numbers(OTHER) == seen


def test_many_buckets_cost_one_look(runtime: Runtime, statements: Callable[[], list[str]]) -> None:
    for number in range(50):
        runtime.create(ROOT, f"bucket-{number}")
    runtime.measured(ROOT)  # from now on they are known
    statements().clear()
    assert len(runtime.measured(ROOT)) == 52
    looks = [one for one in statements() if "FROM services" in one]
    assert len(looks) == 3, "all buckets, and each of the two that are declared"
    assert not any("FROM objects" in one or "FROM versions" in one for one in statements())


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
