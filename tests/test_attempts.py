"""Attempts to sign in: counted by all processes together, and bounded in what is kept."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.services.attempts import (
    ADDRESSES,
    FILE,
    FOR_KEY,
    FROM_ADDRESS,
    PROVED,
    ROWS,
    SESSIONS,
    WINDOW,
    KeptAttempts,
)

Now = list[int]


@pytest.fixture
def now() -> Now:
    return [1_000_000_000]


@pytest.fixture
def two(tmp_path: Path, now: Now) -> Iterator[tuple[KeptAttempts, KeptAttempts]]:
    """As two workers have them."""
    first, second = (KeptAttempts(tmp_path, lambda: now[0]) for _ in range(2))
    with closing(first), closing(second):
        yield first, second


def test_workers_count_together(two: tuple[KeptAttempts, KeptAttempts], now: Now) -> None:
    for number in range(FROM_ADDRESS):
        assert two[0].wait("192.0.2.1", "new") == 0
        two[number % 2].failed("192.0.2.1", f"key-{number}")
        now[0] += 1000
    # The first was ten seconds ago.
    assert [one.wait("192.0.2.1", "new") for one in two] == [WINDOW // 1000 - FROM_ADDRESS] * 2
    assert two[0].wait("192.0.2.2", "new") == 0
    now[0] += WINDOW - FROM_ADDRESS * 1000
    assert two[1].wait("192.0.2.1", "new") == 0


def test_a_key_has_its_own_bound(two: tuple[KeptAttempts, KeptAttempts]) -> None:
    for number in range(FOR_KEY):
        assert two[0].wait("198.51.100.1", "root") == 0
        two[1].failed(f"192.0.2.{number}", "root")
    assert two[0].wait("198.51.100.1", "root") == WINDOW // 1000
    assert two[0].wait("198.51.100.1", "Root") == 0


def test_a_key_begins_so_many_sessions(two: tuple[KeptAttempts, KeptAttempts], now: Now) -> None:
    assert [two[number % 2].begun("192.0.2.9", "root") for number in range(SESSIONS)] == [
        0
    ] * SESSIONS
    assert [one.begun("192.0.2.9", "root") for one in two] == [WINDOW // 1000] * 2
    assert two[0].begun("192.0.2.9", "other") == two[0].wait("192.0.2.1", "root") == 0
    now[0] += WINDOW
    assert two[0].begun("192.0.2.9", "root") == 0


def test_strangers_keep_nobody_from_a_key_where_it_was_proved(
    two: tuple[KeptAttempts, KeptAttempts], now: Now
) -> None:
    assert two[0].begun("2001:db8::1", "root") == 0

    def tried() -> None:
        for number in range(FOR_KEY):
            two[0].failed(f"192.0.2.{number}", "root")

    tried()
    assert two[1].wait("2001:db8::2", "root") == 0, "of the same /64"
    assert two[1].wait("2001:db8:0:1::1", "root") == WINDOW // 1000
    for _ in range(FROM_ADDRESS):
        assert two[1].wait("2001:db8::1", "root") == 0
        two[0].failed("2001:db8::1", "root")
    assert two[1].wait("2001:db8::1", "root") == WINDOW // 1000, "it has its own bound"
    now[0] += PROVED
    tried()
    assert two[1].wait("2001:db8::1", "root") == WINDOW // 1000, "long ago"


def test_so_many_addresses_are_known_of_a_key(tmp_path: Path, now: Now) -> None:
    with closing(KeptAttempts(tmp_path, lambda: now[0])) as attempts:
        for key, number in (("b", 0), *(("a", number) for number in range(ADDRESSES + 2))):
            attempts.begun(f"192.0.2.{number}", key)
            now[0] += 1
        for number in range(FOR_KEY):
            attempts.failed(f"198.51.100.{number}", "a")
            attempts.failed(f"198.51.100.{number}", "b")
        kept = [n for n in range(ADDRESSES + 2) if not attempts.wait(f"192.0.2.{n}", "a")]
        assert kept == [*range(2, ADDRESSES + 2)]
        assert attempts.wait("192.0.2.0", "b") == 0


def test_what_is_kept_is_bounded_and_names_nobody(tmp_path: Path, now: Now) -> None:
    with closing(KeptAttempts(tmp_path, lambda: now[0])) as attempts:
        attempts.failed("192.0.2.1", "a-secret-in-the-wrong-field")
        with closing(sqlite3.connect(tmp_path / FILE)) as file:
            rows = file.execute("SELECT place FROM attempts").fetchall()
            assert len(rows) == 2 and "a-secret" not in repr(rows)
            many = [(f"from 198.51.{n}", now[0]) for n in range(ROWS)]
            file.executemany("INSERT INTO attempts VALUES (?, ?)", many)
            file.commit()
            attempts.failed("192.0.2.1", "x")
            assert file.execute("SELECT count(*) FROM attempts").fetchone() == (ROWS,)
            now[0] += WINDOW
            attempts.failed("192.0.2.1", "x")
            assert file.execute("SELECT count(*) FROM attempts").fetchone() == (2,)


def test_who_cannot_be_counted_may_sign_in(
    tmp_path: Path, now: Now, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk keeps nobody out who has to make room on it."""
    with closing(KeptAttempts(tmp_path / "gone", lambda: now[0])) as attempts:
        for _ in range(FROM_ADDRESS + 1):
            attempts.failed("192.0.2.1", "x")
        assert attempts.wait("192.0.2.1", "x") == 0
    assert "attempts to sign in are not counted" in caplog.text
    assert attempts.wait("192.0.2.1", "x") == 0  # closed


def test_nothing_is_kept_on_disk_where_nothing_is(now: Now) -> None:
    with closing(KeptAttempts(None, lambda: now[0])) as attempts:
        for _ in range(FROM_ADDRESS):
            attempts.failed("not an address", "x")
        assert attempts.wait("not an address", "y") == WINDOW // 1000
