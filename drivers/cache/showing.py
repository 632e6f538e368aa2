"""What a cache says of itself with an answer: how old it is (RFC 9111 §5.1), and where it is from
(Cache-Status, RFC 9211)."""

from __future__ import annotations

import re
from dataclasses import replace

from drivers.cache import rfc9111
from drivers.cache.entries import Ageing, CacheEntry
from gateway.storage import OriginAnswer
from gateway.storage.objects import answered

_TOKEN = re.compile(r"[A-Za-z*][A-Za-z0-9:/!#$%&'*+.^_`|~-]*")


def called(sid: str) -> str:
    """The name as a structured field has it."""
    if _TOKEN.fullmatch(sid):
        return sid
    plain = "".join(one if " " <= one <= "~" and one not in '"\\' else "_" for one in sid)
    return f'"{plain}"'


def show(entry: CacheEntry, called: str, now: int) -> None:
    """Make what goes out of an entry in this second: the same for all its readers."""
    info = entry.info
    if info is not None and info.origin is not None:
        if entry.ageing is None or entry.ageing.of is not info.origin:
            entry.ageing = _ageing(info.origin)
        info = answered(info, _at(entry.ageing, now))
    entry.shown = info
    entry.trace = (hit(called, entry, now),)
    entry.second = now // 1000


def hit(called: str, entry: CacheEntry, now: int) -> str:
    ttl = (entry.until - now) // 1000
    return f"{called}; hit; ttl={min(ttl, -1) if entry.marked else ttl}"


def _ageing(origin: OriginAnswer) -> Ageing:
    answer = rfc9111.Answer.of(origin.status, origin.headers, origin.asked, origin.answered)
    lines = tuple(one for one in origin.headers if one[0].lower() != "age")
    return Ageing(origin, lines, rfc9111.born(answer))


def _at(ageing: Ageing, now: int) -> OriginAnswer:
    """With its age as the last line: all before it stay the same."""
    age = ("Age", str(rfc9111.age(ageing.born, now)))
    return replace(ageing.of, headers=(*ageing.lines, age))


def aged(origin: OriginAnswer, now: int) -> OriginAnswer:
    """With its age in place of what it was when it came."""
    return _at(_ageing(origin), now)


def failed(called: str, why: str, *, collapsed: bool) -> tuple[str, ...]:
    """Of an error that the source gave, to this reader or to another."""
    return (f"{called}; fwd={why}{'; collapsed' if collapsed else ''}",)


def fetched(called: str, why: str, entry: CacheEntry, *, collapsed: bool) -> tuple[str, ...]:
    """Of an answer that was fetched, for its reader or for another."""
    end = "; collapsed" if collapsed else "; stored" if entry.info is not None else ""
    return (f"{called}; fwd={why}{end}",)


def passed(called: str, why: str = "bypass") -> str:
    return f"{called}; fwd={why}"
