"""Who is connected: one thread waits for all of them, and gives those that say something to the
pool. So who says nothing holds a socket, and no thread, until their time is over.
"""

from __future__ import annotations

import logging
import selectors
import socket
import threading
import time
from contextlib import suppress
from queue import Empty, SimpleQueue

from gateway.modes.ftp.bounds import Bound
from gateway.modes.ftp.control import Control
from gateway.modes.ftp.dialogue import Dialogue
from gateway.modes.ftp.pool import Pool, Work
from gateway.modes.ftp.session import Terms

log = logging.getLogger("gateway.ftp")

LOG_IN = 60.0
"""Seconds from the connection to the login."""
_LOOK = 1.0
"""Seconds between two looks whose time is over."""
_STOPPING = "The gateway is going on without this connection: connect again."


class Connections:
    """`bound`: how many there are at most; `idle`: seconds without a command. All that is not in
    the pool's hands is in the thread's."""

    def __init__(
        self, listening: socket.socket, terms: Terms, pool: Pool, bound: Bound, idle: float
    ) -> None:
        self._listening, self._terms = listening, terms
        self._pool, self._bound, self._idle = pool, bound, idle
        self._selector = selectors.DefaultSelector()
        self._open, self._resting = set[Dialogue](), set[Dialogue]()
        self._returned: SimpleQueue[Dialogue] = SimpleQueue()
        self._woken, self._waker = socket.socketpair()
        self._stopping = False
        self._next = 0.0
        self._thread = threading.Thread(target=self._run, name="ftp", daemon=True)

    def start(self) -> None:
        for one in (self._listening, self._woken, self._waker):
            one.setblocking(False)
        self._selector.register(self._listening, selectors.EVENT_READ, self._accept)
        self._selector.register(self._woken, selectors.EVENT_READ, self._wake)
        self._thread.start()

    def stop(self) -> None:
        """Take no more, send away who rests, and wait for who does not."""
        self._stopping = True
        self._nudge()
        self._thread.join()

    # in the thread

    def _run(self) -> None:
        while self._open or not self._stopping:
            for key, _ in self._selector.select(_LOOK):
                if isinstance(key.data, Dialogue):
                    self._give(key.data)
                else:
                    key.data()
            self._take_back()
            if self._stopping:
                self._leave()
            elif (now := time.monotonic()) >= self._next:
                self._next = now + _LOOK
                self._expire(now)
        self._end()

    def _accept(self) -> None:
        while True:
            try:
                plain, peer = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionError):
                return
            except OSError as error:  # too many files, as a rule: not to be asked at each turn
                log.error("no connection can be accepted: %s", error.strerror)
                time.sleep(0.1)
                return
            control = Control(plain, peer[0])
            if not self._bound.take(control.address):
                with suppress(OSError):
                    plain.send(b"421 There are too many connections.\r\n")
                control.close()
                continue
            dialogue = Dialogue(self._terms, control)
            self._open.add(dialogue)
            self._submit(dialogue, dialogue.greet)

    def _wake(self) -> None:
        with suppress(BlockingIOError):
            while self._woken.recv(4096):
                pass

    def _give(self, dialogue: Dialogue) -> None:
        self._selector.unregister(dialogue.control.socket)
        self._resting.discard(dialogue)
        self._submit(dialogue, dialogue.turn)

    def _take_back(self) -> None:
        while True:
            try:
                dialogue = self._returned.get_nowait()
            except Empty:
                return
            if dialogue.over:
                dialogue.close()
                self._open.discard(dialogue)
                self._bound.release(dialogue.control.address)
            elif dialogue.control.pending:
                self._submit(dialogue, dialogue.turn)
            else:
                self._selector.register(dialogue.control.socket, selectors.EVENT_READ, dialogue)
                self._resting.add(dialogue)

    def _expire(self, now: float) -> None:
        for one in list(self._resting):
            over = now - one.heard > self._idle if one.known else now - one.began > LOG_IN
            if over:
                self._dismiss(one, "You have said nothing for too long.")

    def _leave(self) -> None:
        if self._listening.fileno() >= 0:
            self._selector.unregister(self._listening)
            self._listening.close()
        for one in list(self._resting):
            self._dismiss(one, _STOPPING)

    def _dismiss(self, dialogue: Dialogue, why: str) -> None:
        self._selector.unregister(dialogue.control.socket)
        self._resting.discard(dialogue)
        self._submit(dialogue, lambda: dialogue.dismiss(why))

    def _end(self) -> None:
        self._pool.stop()
        self._selector.close()
        for one in (self._listening, self._woken, self._waker):
            one.close()

    # in any thread

    def _submit(self, dialogue: Dialogue, work: Work) -> None:
        def run() -> None:
            try:
                work()
            except BaseException:
                dialogue.control.ended = True
                raise
            finally:
                self._returned.put(dialogue)
                self._nudge()

        self._pool.submit(run)

    def _nudge(self) -> None:
        with suppress(OSError):  # full: it is awake; closed: it has ended
            self._waker.send(b"x")
