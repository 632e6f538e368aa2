"""Which of several origins is asked: held against a model that only counts."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from drivers.http.health import LONGEST, SHORTEST, STRIKES, Health, Turn

ORIGINS = 3


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def asked(health: Health) -> Turn:
    turn = health.turn(health.order())
    assert turn is not None
    return turn


def test_one_that_fails_is_passed_over_for_longer_each_time_up_to_a_minute() -> None:
    time = Time()
    health = Health(["a", "b"], clock=time)
    health.failed(asked(health), "down")
    waits = []
    for _ in range(9):
        begun = time.now
        while (turn := asked(health)).origin == 1:
            time.now += 0.5
        assert turn.looks
        assert asked(health).origin == 1  # nobody else looks meanwhile
        waits.append(time.now - begun)
        health.failed(turn, "still down")
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    time.now += LONGEST
    turn = asked(health)
    assert (turn.origin, turn.looks) == (0, True)
    health.heard(turn, 200)
    health.failed(asked(health), "down again")
    time.now += SHORTEST
    assert asked(health).origin == 0


def test_many_that_failed_at_once_count_as_one() -> None:
    time = Time()
    health = Health(["a", "b"], clock=time)
    for turn in [asked(health) for _ in range(10)]:
        health.failed(turn, "down")
    time.now += SHORTEST
    assert asked(health).looks


def test_who_looks_and_learns_nothing_leaves_it_to_the_next() -> None:
    time = Time()
    health = Health(["a", "b"], clock=time)
    health.failed(asked(health), "down")
    time.now += SHORTEST
    turn = asked(health)
    assert (turn.origin, asked(health).origin) == (0, 1)
    health.left(turn)
    assert asked(health).origin == 0


def test_bad_answers_count_in_a_row_only_and_nobody_asks_for_another_of_them() -> None:
    health = Health(["a", "b"], clock=Time())
    for statuses in ((503, 502, 200), (503, 500), (504, 503, 404)):
        for status in statuses:
            health.heard(asked(health), status)
    assert asked(health).origin == 0
    for _ in range(STRIKES):
        health.heard(Turn(0, looks=False), 503)
    assert asked(health).origin == 1
    assert health.turn([0], has_answer=True) is None
    assert health.turn([0]) == Turn(0, looks=False)


def test_around_each_request_begins_with_the_next_one() -> None:
    health = Health(["a", "b", "c"], around=True, clock=Time())
    assert [health.order() for _ in range(4)] == [[0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 1, 2]]


class Requests(RuleBasedStateMachine):
    """Requests that overlap. The model knows of each origin since when it fails without an
    answer in between, and whether somebody looks at it."""

    def __init__(self) -> None:
        super().__init__()
        self.time = Time()
        self.health = Health([*"abc"], clock=self.time)
        self.under_way: list[Turn] = []
        self.failing: dict[int, float] = {}
        self.looked_at: dict[int, Turn] = {}

    @rule(seconds=st.sampled_from([0.1, 1.0, 7.0, 61.0]))
    def wait(self, seconds: float) -> None:
        self.time.now += seconds

    @rule()
    def begin(self) -> None:
        turn = asked(self.health)
        if well := [one for one in range(ORIGINS) if one not in self.failing]:
            assert turn.origin <= well[0]  # never behind one that is well
            assert turn.origin == well[0] or turn.looks
        if turn.looks:
            assert self.time.now >= self.failing[turn.origin] + SHORTEST
            assert turn.origin not in self.looked_at
            self.looked_at[turn.origin] = turn
        self.under_way.append(turn)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), end=st.sampled_from(["failed", "left", "heard"]))
    def end(self, data: Any, end: str) -> None:
        turn = self.under_way.pop(data.draw(st.integers(0, len(self.under_way) - 1)))
        if self.looked_at.get(turn.origin) is turn:
            del self.looked_at[turn.origin]
        if end == "failed":
            self.health.failed(turn, "down")
            self.failing.setdefault(turn.origin, self.time.now)
        elif end == "left":
            self.health.left(turn)
        else:
            self.health.heard(turn, 200)
            self.failing.pop(turn.origin, None)
            self.looked_at.pop(turn.origin, None)

    def teardown(self) -> None:
        """Whatever has been: an hour later, with nobody under way, each is looked at."""
        for turn in self.under_way:
            self.health.left(turn)
        self.time.now += 3600
        for one in range(ORIGINS):
            looks = self.health.turn([one])
            assert looks is not None
            assert looks.looks == (one in self.failing)
            self.health.heard(looks, 200)
        assert asked(self.health).origin == 0


Requests.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestRequests = Requests.TestCase
