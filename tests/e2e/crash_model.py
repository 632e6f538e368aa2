"""What a store may hold after a crash, and bodies that say what they are.

Each key is a register that many clients write. A write takes effect at one
moment between its beginning and its end; one that was not answered took
effect, or did not. So a key holds the state of a write that no acknowledged
write came after as a whole; anything else is lost, torn, or from the dead.
"""

from __future__ import annotations

import hashlib
import math
import threading
import time
from dataclasses import dataclass, field

from gateway.testing.faults import noise

MIB = 1 << 20
PREFIX = noise(5 * MIB, "the first part of objects in parts")
"""Uploaded once; uploads share it by UploadPartCopy."""


def body(tag: str, size: int) -> bytes:
    """`size` bytes or some more, that name their tag, their length and their digest."""
    rest = noise(size, tag)
    return f"{tag} {len(rest)} {hashlib.sha256(rest).hexdigest()}\n".encode() + rest


def tag_of(data: bytes) -> str:
    """The tag of a whole body, made with `body`; "parts " before it when it follows the
    prefix. An `AssertionError` when a byte of it is missing, wrong or superfluous."""
    kind = "parts " if data.startswith(PREFIX) else ""
    head, ended, rest = data[len(PREFIX) if kind else 0 :].partition(b"\n")
    words = head.decode("ascii", "replace").split(" ")
    assert ended and len(words) == 3, f"torn: {len(data)} bytes that begin with {data[:60]!r}"
    tag, size, digest = words
    assert len(rest) == int(size), f"torn: {tag} has {len(rest)} bytes of {size}"
    assert hashlib.sha256(rest).hexdigest() == digest, f"torn: bytes of {tag} are others"
    return kind + tag


@dataclass(slots=True)
class Write:
    """`state` is a tag; None: nothing. Times are of `time.monotonic`."""

    state: str | None
    begun: float = -math.inf
    ended: float = math.inf
    acknowledged: bool = False


@dataclass
class Model:
    """Shared by threads. `acknowledged` and `unanswered` count writes."""

    acknowledged: int = 0
    unanswered: int = 0
    _writes: dict[str, list[Write]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, key: str, state: str | None) -> Write:
        with self._lock:
            writes = self._writes.setdefault(key, [_settled(None)])
            writes.append(write := Write(state, begun=time.monotonic()))
        return write

    def end(self, write: Write, *, acknowledged: bool) -> None:
        """It was answered, or its connection broke: whoever held it is dead."""
        with self._lock:
            write.ended, write.acknowledged = time.monotonic(), acknowledged
            self.acknowledged += acknowledged
            self.unanswered += not acknowledged

    def names(self) -> list[str]:
        return sorted(self._writes)

    def possible(self, key: str) -> set[str | None]:
        writes = self._writes[key]
        floor = max(write.begun for write in writes if write.acknowledged)
        return {write.state for write in writes if write.ended >= floor}

    def settle(self, key: str, found: str | None) -> None:
        """Nobody writes now, and `found` is there: it must be possible, and it stays."""
        possible = self.possible(key)
        assert found in possible, f"{key} holds {found}; possible: {possible}"
        self._writes[key] = [_settled(found)]


def _settled(state: str | None) -> Write:
    return Write(state, ended=-math.inf, acknowledged=True)
