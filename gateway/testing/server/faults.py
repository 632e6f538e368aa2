"""What can be made to go wrong on the test server, and for which requests.

Errors and delays strike where a mode turns to the gateway: after the request
was understood and authenticated, before anything was done; so each mode says
the error in its own form. Cuts strike when it has been done.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal, NamedTuple

from gateway.common.nearest_name import nearest
from gateway.modes import Mode, Named
from gateway.storage import StorageError

Kind = Literal["error", "slow", "cut", "skew"]
_STRUCK, _SKEW = "gateway.testing.struck", "gateway.testing.skew"


def as_text(path: str) -> str:
    """A path as WSGI has it, as text."""
    return path if path.isascii() else path.encode("latin-1").decode("utf-8", "replace")


class Asked(NamedTuple):
    """What a request is about, as far as the mode has said so. `key` is text."""

    operation: str
    bucket: str
    key: str

    @classmethod
    def of(cls, environ: dict[str, Any]) -> Asked:
        record = environ["gateway.record"]
        return cls(record.operation, record.sid, as_text(record.path)[1:].partition("/")[2])


def check_operation(pattern: str, modes: Iterable[Mode]) -> None:
    """Raise `ValueError` when no operation of these modes can fit: a test that waits for it
    would pass, or fail, for the wrong reason. With a mode that names none, anything may fit."""
    if pattern == "*":
        return
    known: list[str] = []
    for mode in modes:
        if not isinstance(mode, Named):
            return
        known += mode.operations()
    if not any(fnmatchcase(name, pattern) for name in known):
        # S3 and the management API have some names in common but for their case.
        alike = " or ".join(f'"{one}"' for one in sorted(known) if one.lower() == pattern.lower())
        hint = f" Did you mean {alike}?" if alike else nearest(pattern, known)
        raise ValueError(f'No operation is called "{pattern}".{hint}')


@dataclass(eq=False, kw_only=True)
class Fault:
    """Strikes `times` requests (None: all) to which operation, bucket and key fit; these
    may have `*` and `?`. `hits` counts. Used as a context, it ends with it."""

    kind: Kind
    operation: str = "*"
    bucket: str = "*"
    key: str = "*"
    times: int | None = None
    error: StorageError | None = None
    seconds: float = 0.0
    after: int | None = None
    hits: int = 0
    faults: Faults | None = field(default=None, repr=False)

    def fits(self, asked: Asked) -> bool:
        return (self.times is None or self.hits < self.times) and all(
            fnmatchcase(one, pattern)
            for one, pattern in zip(asked, (self.operation, self.bucket, self.key), strict=True)
        )

    def remove(self) -> None:
        if self.faults is not None:
            self.faults.remove(self)

    def __enter__(self) -> Fault:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


class Faults:
    """Those of one server. True while there are any."""

    def __init__(self) -> None:
        self._all: tuple[Fault, ...] = ()
        self._lock = threading.Lock()
        self._here = threading.local()
        self._hurry = threading.Event()

    def __bool__(self) -> bool:
        return bool(self._all)

    def add(self, fault: Fault) -> Fault:
        fault.faults = self
        with self._lock:
            self._all += (fault,)
        return fault

    def remove(self, fault: Fault) -> None:
        with self._lock:
            self._all = tuple(one for one in self._all if one is not fault)

    def clear(self) -> None:
        """Forget all of them; who is being delayed goes on."""
        self._all = ()
        self._hurry.set()
        self._hurry = threading.Event()

    def begin(self, environ: dict[str, Any]) -> None:
        """This thread answers that request now."""
        self._here.environ = environ

    def strike(self) -> None:
        """Before this thread's request is carried out; once for each. Raises `StorageError`."""
        environ = getattr(self._here, "environ", None)
        if environ is None or not self._all or environ.setdefault(_STRUCK, False):
            return
        environ[_STRUCK] = True
        asked = Asked.of(environ)
        slow = self._take("slow", asked)
        if slow is not None:
            self._hurry.wait(slow.seconds)
        fault = self._take("error", asked)
        if fault is not None and fault.error is not None:
            raise copy(fault.error)

    def skew(self) -> int:
        """Milliseconds by which the clock is wrong for this thread's request."""
        environ = getattr(self._here, "environ", None)
        if environ is None or not self._all:
            return 0
        if _SKEW not in environ:
            fault = self._take("skew", Asked.of(environ))
            environ[_SKEW] = 0 if fault is None else int(fault.seconds * 1000)
        return int(environ[_SKEW])

    def cut(self, environ: dict[str, Any]) -> Fault | None:
        """The cut of this answer, if it has one."""
        return self._take("cut", Asked.of(environ))

    def _take(self, kind: Kind, asked: Asked) -> Fault | None:
        with self._lock:
            for fault in self._all:
                if fault.kind == kind and fault.fits(asked):
                    fault.hits += 1
                    return fault
        return None


class Cut:
    """The first `after` bytes of an answer's body; then it breaks."""

    def __init__(self, body: Iterable[bytes], after: int) -> None:
        self._body, self._left = body, after

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._body:
            yield piece[: self._left]
            self._left -= len(piece)
            if self._left < 0:
                raise ConnectionAbortedError("cut, as it was asked for")

    def close(self) -> None:
        getattr(self._body, "close", lambda: None)()
