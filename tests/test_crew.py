"""Threads of which one leads: who does what, and that nobody waits for one who is held up."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import get_ident

import pytest

from drivers.local import Local
from gateway.common.waiting import about_to_wait, listen
from gateway.servers import crew as crew_module
from gateway.servers.crew import WARY, Crew
from gateway.storage import BytesBody, Context, Put

PATIENCE = 60.0


class Order:
    """A job, `held` until it may go on. One that `says` it, is about to wait then."""

    def __init__(
        self, crew: Crew, *, quick: bool = True, held: bool = False, says: bool = False
    ) -> None:
        self.crew, self.quick, self.wary = crew, quick, 0
        self.go, self.over, self.began = threading.Event(), threading.Event(), threading.Event()
        self.thread, self.led, self.says = 0, False, says
        if not held:
            self.go.set()

    def serve(self) -> None:
        self.thread = get_ident()
        self.began.set()
        if self.says:
            about_to_wait()
        assert self.go.wait(PATIENCE)

    def done(self, *, leads: bool) -> None:
        self.led = leads
        self.over.set()


class Shop:
    """A crew whose loop is a queue."""

    def __init__(self, threads: int) -> None:
        self.orders: queue.Queue[Order | None] = queue.Queue()
        self.turned: set[int] = set()
        self.crew = Crew(threads, self._turn, lambda: self.orders.put(None))
        self._open = True
        self._main = threading.Thread(target=self._run)
        self._main.start()

    def _run(self) -> None:
        while self._open:
            self.crew.run(0.5)
        self.crew.stop(PATIENCE)

    def _turn(self, seconds: float) -> None:
        try:
            found = self.orders.get(timeout=seconds)
        except queue.Empty:
            return
        self.turned.add(get_ident())
        if found is not None:
            self.crew.add(found)

    def close(self) -> None:
        self._open = False
        self.crew.rouse()
        self._main.join(PATIENCE)
        assert not self._main.is_alive()

    @property
    def main(self) -> int:
        return self._main.ident or 0

    def order(self, **how: bool) -> Order:
        found = Order(self.crew, **how)
        self.orders.put(found)
        return found

    def ordered(self, **how: bool) -> Order:
        found = self.order(**how)
        assert found.over.wait(PATIENCE)
        return found


@pytest.fixture
def shop() -> Iterator[Callable[[int], Shop]]:
    opened: list[Shop] = []

    def new(threads: int) -> Shop:
        opened.append(Shop(threads))
        return opened[-1]

    yield new
    for one in opened:
        one.close()


def test_what_is_quick_is_done_by_the_one_thread_that_waits_for_it(
    shop: Callable[[int], Shop],
) -> None:
    here = shop(4)
    threads = {here.ordered().thread for _ in range(50)}
    assert len(threads) == 1
    assert here.turned == {here.main, *threads}
    assert here.main not in threads


def test_what_is_not_quick_keeps_nobody_waiting(shop: Callable[[int], Shop]) -> None:
    here = shop(4)
    slow = here.order(quick=False, held=True)
    quick = [here.ordered() for _ in range(3)]
    assert all(one.led for one in quick)
    assert not slow.over.is_set()
    slow.go.set()
    assert slow.over.wait(PATIENCE)
    assert not slow.led
    assert slow.thread not in {one.thread for one in quick}


def test_who_says_that_it_waits_keeps_nobody_waiting(shop: Callable[[int], Shop]) -> None:
    here = shop(4)
    waiting = here.order(held=True, says=True)
    assert here.ordered().led
    assert not waiting.over.is_set()
    waiting.go.set()
    assert waiting.over.wait(PATIENCE)
    assert not waiting.led
    assert waiting.wary == 0  # it is trusted


def test_a_commit_says_that_it_waits(tmp_path: Path) -> None:
    said: list[int] = []
    store = Local()
    store.open(Context(sid="bucket", folder=tmp_path))
    listen(lambda: said.append(get_ident()))
    try:
        store.put("key", BytesBody(b"body"), Put(size=4))
    finally:
        listen(None)
        store.close()
    assert said == [get_ident()]


def test_who_is_held_up_by_surprise_loses_the_lead_and_is_not_trusted_for_a_while(
    shop: Callable[[int], Shop],
) -> None:
    here = shop(4)
    held = here.order(held=True)
    other = here.ordered()  # though nobody said that the first would take its time
    assert not held.over.is_set()
    assert other.led
    assert held.wary == WARY
    held.go.set()
    assert held.over.wait(PATIENCE)
    assert not held.led
    for left in reversed(range(WARY)):
        held.over.clear()
        here.orders.put(held)
        assert held.over.wait(PATIENCE)
        assert held.wary == left
    held.over.clear()
    here.orders.put(held)
    assert held.over.wait(PATIENCE)
    assert held.led  # it is trusted again


def test_when_all_are_busy_the_main_thread_goes_on_reading(shop: Callable[[int], Shop]) -> None:
    here = shop(2)
    busy = [here.order(quick=False, held=True) for _ in range(2)]
    waiting = [here.order() for _ in range(3)]
    until = time.monotonic() + PATIENCE
    while not here.orders.empty() and time.monotonic() < until:
        time.sleep(0.01)
    assert here.orders.empty()  # it was read
    assert not any(one.over.is_set() for one in waiting)
    busy[0].go.set()
    assert all(one.over.wait(PATIENCE) for one in waiting)
    assert here.main not in {one.thread for one in (*busy, *waiting)}
    busy[1].go.set()


def test_many_at_once_are_all_done(shop: Callable[[int], Shop]) -> None:
    here = shop(3)
    found = [here.order(quick=number % 3 > 0) for number in range(500)]
    assert all(one.over.wait(PATIENCE) for one in found)


def test_one_that_fails_is_logged_and_the_thread_goes_on(
    shop: Callable[[int], Shop], caplog: pytest.LogCaptureFixture
) -> None:
    here = shop(1)
    failing = Order(here.crew)
    failing.serve = lambda: 1 / 0  # type: ignore[assignment]
    here.orders.put(failing)
    assert failing.over.wait(PATIENCE)
    assert "a request failed" in caplog.text
    assert here.ordered().led


def test_what_is_held_up_after_a_rest_is_noticed_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that begins while the main thread does something else, between its looks."""
    monkeypatch.setattr(crew_module, "TICK", 0.001)
    orders: queue.Queue[Order | None] = queue.Queue()

    def turn(seconds: float) -> None:
        with suppress(queue.Empty):
            if (found := orders.get(timeout=seconds)) is not None:
                crew.add(found)

    crew = Crew(2, turn, lambda: orders.put(None))
    first = Order(crew)
    orders.put(first)
    while not first.over.is_set():
        crew.run(0.1)
    while crew._quiet < crew_module.QUIET:  # its looks become rare
        crew.run(0.1)
    held, other = Order(crew, held=True), Order(crew)
    orders.put(held)
    assert held.began.wait(PATIENCE)
    orders.put(other)
    began = time.monotonic()

    def watch() -> None:
        other.over.wait(PATIENCE)
        crew.rouse()

    watching = threading.Thread(target=watch)
    watching.start()
    crew.run(PATIENCE)
    assert other.over.is_set()
    assert time.monotonic() - began < PATIENCE / 2
    watching.join(PATIENCE)
    held.go.set()
    crew.stop(PATIENCE)


def test_who_fails_outside_of_a_job_ends_the_server() -> None:
    def turn(seconds: float) -> None:
        if get_ident() != here:
            raise ZeroDivisionError
        crew.add(Order(crew))

    here = get_ident()
    crew = Crew(2, turn, lambda: None)
    with pytest.raises(ZeroDivisionError):
        crew.run(PATIENCE)
    crew.stop(PATIENCE)


def test_what_waits_for_its_turn_at_the_end_is_ended_too() -> None:
    crew = Crew(0, lambda seconds: None, lambda: None)
    order = Order(crew)
    crew.add(order)
    crew.stop(0)
    assert not order.over.is_set()
    crew.clear()
    assert order.over.is_set()
    assert order.led
