"""Sizes and durations: what people write, and that formatting loses nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.common.units import (
    about_size,
    format_duration,
    format_size,
    parse_duration,
    parse_size,
)


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("64KiB", 65536),
        ("20GiB", 20 << 30),
        ("5TB", 5 * 10**12),
        ("5 MB", 5_000_000),
        ("1.5KiB", 1536),
        ("7B", 7),
        ("1234", 1234),
        ("64kib", 65536),
        (0, 0),
    ],
)
def test_sizes_are_read(written: str | int, size: int) -> None:
    assert parse_size(written) == size


@pytest.mark.parametrize(
    "written", ["", "KiB", "12 KiX", "-1", "1.5B", "0.3", "1e3", "1 2KB", "٣KB"]
)
def test_what_is_no_size_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"is not|unknown unit"):
        parse_size(written)


@pytest.mark.parametrize("written", [1 << 63, 10**400, "8EiB", "9" * 400])
def test_more_bytes_than_there_are_is_refused(written: str | int) -> None:
    with pytest.raises(ValueError, match="more bytes than there are"):
        parse_size(written)


def test_a_negative_number_of_bytes_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        parse_size(-1)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("10m", 600), ("24h", 86400), ("30d", 2_592_000), ("500ms", 0.5), ("1w", 604800), (1.5, 1.5)],
)
def test_durations_are_read(written: str | float, seconds: float) -> None:
    assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    "written", ["", "m", "10 parsecs", "10M", -1, float("inf"), float("nan"), 10**400]
)
def test_what_is_no_duration_is_refused(written: str | float) -> None:
    with pytest.raises(ValueError, match=r"is not|unknown unit"):
        parse_duration(written)


@given(st.integers(min_value=0, max_value=(1 << 63) - 1))
def test_a_formatted_size_is_the_same_size(size: int) -> None:
    assert parse_size(format_size(size)) == size


def test_a_duration_of_thousands_of_years_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than a thousand years"):
        parse_duration("9" * 400)


@given(st.integers(min_value=0, max_value=10**12).map(lambda ms: ms / 1000))
def test_a_formatted_duration_is_the_same_duration(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


def test_people_read_rounded_sizes() -> None:
    assert [about_size(n) for n in (0, 1023, 1536, 5 << 40)] == [
        "0 B",
        "1023 B",
        "1.5 KiB",
        "5.0 TiB",
    ]
