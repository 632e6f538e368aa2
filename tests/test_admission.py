"""Places for clients that are slow: how many, whose, and who makes room when they are short."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.servers.shedding import LASTS, LoadShedder
from gateway.storage import Busy
from gateway.web.admission import Admission, Need


def test_one_client_leaves_places_for_others() -> None:
    admission = Admission(16)
    with pytest.raises(Busy) as refused:
        for _ in range(100):
            admission.take("192.0.2.1")
    assert refused.value.retry_after == 1
    share, limit = admission.shares[Need.LARGE], admission.limits[Need.LARGE]
    assert admission.held == share < limit < 16
    admission.take("192.0.2.2")
    admission.release("192.0.2.1")
    admission.take("192.0.2.1")
    assert admission.refused == 1


def test_places_are_short_when_half_are_held_or_somebody_was_refused() -> None:
    admission = Admission(8)
    for _ in range(3):
        admission.take("a")
    assert not admission.pressed()
    with pytest.raises(Busy):
        admission.take("a")
    assert [admission.pressed(), admission.pressed()] == [True, False]
    admission.take("b")
    assert [admission.pressed(), admission.pressed()] == [True, True]


@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from("abc"), st.sampled_from(Need))),
    st.integers(1, 40),
)
def test_admission_never_exceeds_its_limits(
    steps: list[tuple[bool, str, Need]], threads: int
) -> None:
    admission, held = Admission(threads), Counter[tuple[str, Need]]()

    def count(level: Need, client: str = "abc") -> int:
        return sum(held[one, need] for one in client for need in Need if need >= level)

    for taking, client, need in steps:
        if taking:
            try:
                admission.take(client, need)
            except Busy:
                assert any(
                    count(level) == admission.limits[level]
                    or count(level, client) == admission.shares[level]
                    for level in Need
                    if level <= need
                )
            else:
                held[client, need] += 1
        elif held[client, need]:
            admission.release(client, need)
            held[client, need] -= 1
        assert admission.held == count(Need.SMALL)
        assert all(count(level) <= admission.limits[level] for level in Need)
    assert threads == 1 or admission.limits[Need.SMALL] < threads


def test_small_bodies_have_places_of_their_own() -> None:
    admission = Admission(16)
    with pytest.raises(Busy):
        for _ in range(100):
            admission.take("192.0.2.1")
    admission.take("192.0.2.1", Need.SMALL)
    assert admission.short() == {"192.0.2.1"}
    with pytest.raises(Busy):
        for _ in range(100):
            admission.take("192.0.2.2")
    admission.take("192.0.2.2", Need.SMALL)
    assert (admission.short(), admission.short()) == ({None}, set())


# room for those who ask


@dataclass(eq=False)
class Standing:
    peer: str
    client: str
    held: bool = True
    waits: bool = False
    waiting: bool = True
    received: int = 0
    sent: int = 0
    begun: float = 0.0


def test_room_is_made_where_somebody_was_refused() -> None:
    admission = Admission(16)
    room, proxy = LoadShedder(admission), "198.51.100.1"
    admission.under_way |= {
        Standing("192.0.2.1", "192.0.2.1"),
        Standing("192.0.2.2", "192.0.2.2", held=False),
        Standing("192.0.2.3", "192.0.2.3", waits=True),
        Standing(proxy, "192.0.2.4"),
    }
    assert room.makers(0) == set()
    refuse(admission, "192.0.2.4")
    assert room.makers(1) == {proxy}
    assert room.makers(1 + LASTS / 2) == {proxy}
    assert room.makers(1 + LASTS) == set()
    refuse(admission, "192.0.2.1")
    assert room.makers(9) == {"192.0.2.1"}
    room.cut()
    assert room.makers(9) == set()
    for client in "abc":
        refuse(admission, client, keep=True)
    assert room.makers(9) == {"192.0.2.1", proxy}  # all places were taken: anybody's will do


def refuse(admission: Admission, client: str, *, keep: bool = False) -> None:
    taken = 0
    with suppress(Busy):
        while True:
            admission.take(client)
            taken += 1
    for _ in range(0 if keep else taken):
        admission.release(client)


def test_who_waits_for_changes_makes_nobody_go() -> None:
    admission = Admission(16)
    with pytest.raises(Busy):
        for _ in range(100):
            admission.take("a", Need.WAIT)
    assert admission.short() == set()
