"""Ends requests whose clients stand still, where the server does not (granian's WSGI).

A thread that reads a body waits in the server, which has no time-out for it;
so a client that keeps its connection and sends nothing would hold the thread
and its place for ever. Once a second this looks at the requests under way.
If one has not moved, it looks at TCP: which of that client's connections are
silent, or have taken nothing of what waits for them. Those are shut down, and
the server ends their requests as if the client had gone. When somebody was
refused a place it looks at once, and ends some of those who stand still
sooner, in the order of their standing (`shedding`).

granian does not say which connection a request came by. So connections are
chosen by what must be true of them:

- An answer waits for its client if bytes of it wait in the kernel: that
  connection alone is judged.
- An upload that waits has a silent connection with nothing to send. So have
  kept-alive connections that are idle, which may be closed at any time, and
  requests that are being worked on. The latter were heard of shortly before
  they began. So what was last heard of before the oldest of the client's
  other requests began is an upload that waits, or idle. So is what receives
  a little again and again while nothing is answered. To make room, those to
  which something was sent last, which may be idle, are the last to be cut.

`body_timeout` is the patience; `PRESSED` while half of the threads are held
or others are refused. A reading connection is only closed for reading: its
client still gets the answer. Measured: a look costs 5 µs when
all move, and 20 µs for each open descriptor when one does not.

Between the look at a descriptor and its shutdown the server may close it and
accept another connection under the same number: some microseconds, against a
connection that has stood still for five seconds at least.

Linux only: it needs the kernel's counters (tcp(7), TCP_INFO) and /proc.
"""

from __future__ import annotations

import logging
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from heapq import nsmallest
from typing import TypeAlias

from gateway.common import addresses
from gateway.common.steady import Steady
from gateway.servers.pace import PRESSED, Pace
from gateway.servers.shedding import EAGER, STILL, LoadShedder
from gateway.servers.sockets import own_sockets
from gateway.web.admission import Admission, UnderWay

log = logging.getLogger("gateway")

Peer: TypeAlias = tuple[str, int]

INTERVAL = 1.0
TRICKLE = 3
"""Looks at which something came and nothing was sent: no request that has just begun."""

PROMPT = 0.5
"""Seconds from a request's arrival to its beginning, while threads are free."""

# Offsets in struct tcp_info (linux/tcp.h). Kernels only add fields at its end.
_UNACKED, _LAST_SENT, _LAST_RECEIVED, _ACKED, _NOT_SENT, _SIZE = 24, 44, 52, 120, 144, 148


_SYN = 1
"""Byte that each connection's begin counts as."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A connection: bytes that it `received` and that its client has `taken`; whether some
    `wait` to be taken; for how many seconds it has been `quiet`; and whether it may be
    `idle`, for something was sent and nothing has come since."""

    received: int
    taken: int
    waits: bool
    quiet: float
    idle: bool

    @property
    def moved(self) -> int:
        return self.received + self.taken


class Known:
    """A connection as it was at the looks before. `drops`: looks at which something had
    come, since something was sent. `pace` tells when its client's patience is over, `still`
    since when it stands."""

    __slots__ = ("_last", "drops", "pace", "still")

    def __init__(self, seen: Seen, now: float) -> None:
        self._last, self.drops = seen, 0
        self.pace = Pace(seen.moved, now - seen.quiet)
        self.still = Pace(seen.moved, now - seen.quiet)

    def update(self, seen: Seen, now: float) -> None:
        last, self._last = self._last, seen
        if seen.waits != last.waits:
            self.pace, self.still = Pace(seen.moved, now), Pace(seen.moved, now)
        if seen.taken != last.taken:
            self.drops = 0
        elif seen.received != last.received:
            self.drops += 1


class StallWatch:
    """`ports` are those that are listened at; `patience` in seconds."""

    def __init__(
        self,
        admission: Admission,
        ports: Collection[int],
        patience: float,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._admission, self._ports, self._patience = admission, ports, patience
        self._clock = clock
        self._room = LoadShedder(admission)
        self._crowded = -PRESSED
        self._requests: dict[UnderWay, Pace] = {}
        self._connections: dict[Peer, Known] = {}

    def start(self) -> None:
        if sys.platform == "linux":
            threading.Thread(target=self._run, name="watch", daemon=True).start()

    def _run(self) -> None:
        spent, pause = 0.0, min(INTERVAL, self._patience / 2)
        steady = Steady(log, "connections that stand still are not looked for")
        while True:
            least = max(20 * spent, min(EAGER, pause))
            time.sleep(least)
            self._room.wait(max(0.0, pause - least))
            began = time.perf_counter()
            steady(self._look)
            spent = time.perf_counter() - began

    def _look(self) -> None:
        with suppress(OSError):  # no descriptor is left to look with, now
            self.look()

    def look(self) -> None:
        """Shut down what stands still."""
        now, patience = self._clock(), self._patience_now()
        makers = self._room.makers(now)
        before, under_way = self._requests, list(self._admission.under_way)
        self._requests = {one: before.get(one) or Pace(0, one.begun) for one in under_way}
        if len(under_way) >= self._admission.threads:
            self._crowded = now
        # Looked at from half of the patience on, so that a trickle is known by its end.
        half = (min(STILL, patience) if makers else patience) / 2
        stuck = {
            one
            for one, pace in self._requests.items()
            if not one.waits and pace.late(one.received + one.sent, now, half)
        }
        peers = makers | {one.peer for one in stuck if one.held}
        if peers:
            self._judge(self._oldest(peers, stuck, now), makers, now, patience)
        else:
            self._connections.clear()

    def _patience_now(self) -> float:
        return min(PRESSED, self._patience) if self._admission.pressed() else self._patience

    def _judge(
        self, oldest: dict[str, float], makers: set[str], now: float, patience: float
    ) -> None:
        """Cut what is late, and of what stands still as much as has to make room."""
        before, self._connections = self._connections, {}
        standing: list[tuple[bool, float, Peer]] = []
        for found, peer, seen in _connections(self._ports, set(oldest)):
            known = self._connections[peer] = before.get(peer) or Known(seen, now)
            known.update(seen, now)
            if not _may_end(seen, known, now - oldest[peer[0]]):
                continue
            if known.pace.late(seen.moved, now, patience):
                _end(found, seen)
            elif peer[0] in makers and known.still.late(seen.moved, now, STILL):
                standing.append((seen.idle and not seen.waits, known.still.since, peer))
        if standing:
            self._end_some({peer for _, _, peer in nsmallest(self._room.count, standing)}, now)

    def _end_some(self, chosen: set[Peer], now: float) -> None:
        """They are looked up once more: descriptors may have changed hands meanwhile."""
        for found, peer, seen in _connections(self._ports, {address for address, _ in chosen}):
            if peer in chosen and self._connections[peer].still.late(seen.moved, now, STILL):
                _end(found, seen)
        self._room.cut()

    def _oldest(self, peers: set[str], stuck: set[UnderWay], now: float) -> dict[str, float]:
        """Clients that keep us waiting → when the oldest of their other requests was heard of.

        Those that move need no protection: what moves is not silent.
        """
        oldest = dict.fromkeys(peers, now)
        for one, pace in self._requests.items():
            stuck_here = one in stuck
            if one.peer in oldest and not (one.waiting if stuck_here else pace.moved):
                oldest[one.peer] = min(oldest[one.peer], one.begun)
        return {peer: begun - self._queued(begun) for peer, begun in oldest.items()}

    def _queued(self, begun: float) -> float:
        """How long a request may have waited for a thread that began at that time, or later."""
        return PRESSED if begun <= self._crowded + INTERVAL else PROMPT


def _connections(
    ports: Collection[int], clients: set[str]
) -> Iterator[tuple[socket.socket, Peer, Seen]]:
    """Those of these clients that were accepted at these ports."""
    for found in own_sockets():
        with suppress(OSError, struct.error):  # not connected, or closed meanwhile
            if found.getsockname()[1] not in ports:
                continue
            address, number = found.getpeername()[:2]
            address = addresses.settled(address)
            if address in clients:
                yield found, (address, number), _seen(found)


def _seen(found: socket.socket) -> Seen:
    info = found.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SIZE)
    unacked, not_sent, sent_ago, received_ago = (
        struct.unpack_from("I", info, at)[0]
        for at in (_UNACKED, _NOT_SENT, _LAST_SENT, _LAST_RECEIVED)
    )
    taken, received = struct.unpack_from("QQ", info, _ACKED)
    return Seen(
        received=received,
        taken=taken,
        waits=unacked + not_sent > 0,
        quiet=min(sent_ago, received_ago) / 1000,
        idle=taken > _SYN and sent_ago <= received_ago,
    )


def _may_end(seen: Seen, known: Known, others: float) -> bool:
    """`others`: seconds since the oldest of the client's other requests was heard of."""
    return seen.waits or known.drops >= TRICKLE or seen.quiet > others


def _end(found: socket.socket, seen: Seen) -> None:
    with suppress(OSError):  # gone meanwhile
        if seen.waits:
            _drop(found)
        else:
            found.shutdown(socket.SHUT_RD)


def _drop(found: socket.socket) -> None:
    """With what was not sent: the kernel would keep it for a client that takes nothing."""
    found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    found.shutdown(socket.SHUT_RDWR)
