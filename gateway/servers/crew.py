"""Threads of which one leads: it waits for what comes on all connections, and answers what is
quick itself; another is woken only when something is to be waited for.

One interpreter runs one thread at a time. When one thread waits for connections and others
answer, each request passes from one to another and back, each time over the interpreter's
lock, and by a thread that has to be woken, perhaps on another processor. Measured, for a GET
of 1 KiB: 4 to 40 voluntary switches with the machine's mood, and one in several requests here.

- Who leads and comes to something that takes its time (a large body; an answer that is long, and
  goes at its client's pace; what says that it is `about_to_wait`, as a commit does) hands the
  lead to another, and is an ordinary worker until that is done.
- Who leads and is held up without having known (a disk, an upstream) loses the lead to another:
  the main thread looks for that each few milliseconds, while there is something to do at all.
  What comes next on such a connection is handed over from the start, for a while.
- When nobody is left to lead, the main thread does: it reads and sends, and answers nothing.
- Who fails outside of a job ends the server, loudly: else nobody would lead, and nobody notice.

What is ready is served in the order in which it came, by whoever is free.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import get_ident
from typing import Protocol

from gateway.common.waiting import listen

log = logging.getLogger("gateway")

TICK = 0.005
"""Seconds between looks at who leads."""

QUIET = 20
"""Looks without anything to do after which nobody looks any more, until there is something."""

WARY = 16
"""Requests of a connection that are handed over after one has held up who led."""

LONG = 60.0
"""Seconds."""


class Job(Protocol):
    wary: int
    """So many requests of it are handed over."""

    @property
    def quick(self) -> bool:
        """Whether it is thought to wait for nothing."""

    def serve(self) -> None:
        """Do it, in any thread."""

    def done(self, *, leads: bool) -> None:
        """It is served. `leads`: by who leads, and may turn the loop."""


class _Hand:
    """A thread: `ring` when there is something for it."""

    __slots__ = ("bell", "ident")

    def __init__(self) -> None:
        self.bell, self.ident = threading.Lock(), 0
        self.bell.acquire()

    def ring(self) -> None:
        with suppress(RuntimeError):  # it has been
            self.bell.release()


class Crew:
    """`most` threads beside the main one. `turn` waits for so many seconds at most for something
    to come, and does what has; `wake` ends that wait."""

    def __init__(self, most: int, turn: Callable[[float], None], wake: Callable[[], None]) -> None:
        self._most, self._turn, self._wake = most, turn, wake
        self._ready: deque[Job] = deque()
        self._lock = threading.Lock()
        self._main = self._leader = _Hand()
        self._idle: list[_Hand] = []
        self._threads: list[threading.Thread] = []
        self._hands: list[_Hand] = []
        self._job: Job | None = None
        """What who leads does itself just now; `_served`: the how manieth."""
        self._served = self._quiet = 0
        self._asleep = self._told = self._stopping = False
        self._failure: BaseException | None = None

    # for the loop, and for who serves

    def add(self, job: Job) -> None:
        """By who leads: it is done in its turn."""
        self._ready.append(job)

    @property
    def leads(self) -> bool:
        """Whether this thread does."""
        return self._leader.ident == get_ident()

    def step_back(self) -> None:
        """This thread is going to wait. If it leads, another does from now on."""
        if self.leads:
            with self._lock:
                if self.leads:
                    self._appoint()

    # the main thread

    def run(self, seconds: float) -> None:
        """Lead, or look after who leads, for so long or until `rouse` is called. Raises what ended
        a thread."""
        self._main.ident = get_ident()
        until = time.monotonic() + seconds
        while not self._told and (left := until - time.monotonic()) > 0:
            if self.leads:
                self._turn(left)
                with self._lock:
                    if self._ready and (self._idle or len(self._hands) < self._most):
                        self._appoint()
            else:
                self._look(left)
        self._told = False
        if self._failure is not None:
            raise self._failure

    def rouse(self) -> None:
        """In any thread, and in a signal's handler."""
        self._told = True
        self._main.ring()
        self._wake()

    def _look(self, seconds: float) -> None:
        job, served = self._job, self._served
        if job is not None or self._quiet < QUIET:
            seconds = min(seconds, TICK)
        else:
            self._asleep = True  # from here on who begins something rings
            if self._job is not None or self._served != served:  # since it was looked
                return
        rung = self._main.bell.acquire(timeout=seconds)
        self._asleep = False
        self._quiet = self._quiet + 1 if job is None and self._served == served else 0
        if job is not None and not rung:
            with self._lock:
                if self._job is job and self._served == served:
                    job.wary = WARY
                    self._appoint()

    # who serves

    def _appoint(self) -> None:
        """With the lock: somebody who has nothing else to do leads."""
        self._job = None
        hand = self._idle.pop() if self._idle else self._new() or self._main
        self._leader = hand
        hand.ring()

    def _new(self) -> _Hand | None:
        if len(self._hands) >= self._most:
            return None
        hand = _Hand()
        name = f"waitress-{len(self._hands)}"
        thread = threading.Thread(target=self._work, args=(hand,), name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system has none left
            return None
        hand.ident = thread.ident or 0
        self._hands.append(hand)
        self._threads.append(thread)
        return hand

    def _work(self, hand: _Hand) -> None:
        listen(self.step_back)
        hand.bell.acquire()  # until it is known
        try:
            self._go_on(hand)
        except BaseException as error:
            self._failure = error
            self.rouse()

    def _go_on(self, hand: _Hand) -> None:
        while not self._stopping:
            try:
                job = self._ready.popleft()
            except IndexError:
                if self._leader is hand:
                    self._turn(LONG)
                else:
                    self._rest(hand)
            else:
                self._do(job, hand)

    def _rest(self, hand: _Hand) -> None:
        with self._lock:
            if self._ready or self._leader is hand or self._stopping:
                return
            self._idle.append(hand)
        hand.bell.acquire()

    def _do(self, job: Job, hand: _Hand) -> None:
        if self._leader is hand:
            self._begin(job)
        _serve(job)
        leads = False
        if self._leader is hand:
            with self._lock:
                leads = self._leader is hand  # from here on nobody takes that away
                self._job = None if leads else self._job
        job.done(leads=leads)

    def _begin(self, job: Job) -> None:
        if job.wary or not job.quick:
            job.wary = max(0, job.wary - 1)
            self.step_back()
            return
        self._served += 1
        self._job = job
        if self._asleep:
            self._asleep = False
            self._main.ring()

    # the end

    def stop(self, seconds: float) -> None:
        """Of all threads, by the main one, which leads from then on. Those that are at work after
        so long are left alone."""
        until = time.monotonic() + seconds
        with self._lock:
            self._stopping = True
            self._leader, self._idle = self._main, []
        self._wake()
        for hand in self._hands:
            hand.ring()
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def clear(self) -> None:
        """After `stop`, by the main thread: what waits for its turn, which is over by now."""
        while self._ready:
            job = self._ready.popleft()
            _serve(job)
            job.done(leads=True)


def _serve(job: Job) -> None:
    try:
        job.serve()
    except BaseException:
        log.exception("a request failed")
