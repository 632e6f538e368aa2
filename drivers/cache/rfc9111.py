"""The rules of a shared cache, from its standard: RFC 9111, with RFC 5861 (stale answers) and
RFC 9213 (CDN-Cache-Control).

Pure functions of an answer, a request, the clock and what the configuration says. They know no
store, and nothing of how what they decide is done.

    storable     §3      whether an answer may be stored
    kept         §3.1    what of it
    understood   §4.2    what it says of its freshness
    decide       §4      what a request is answered, of what is stored
    names_of     §4.1    which fields of a request choose among answers: see `selecting`
    is_about     §4.3.5  whether the answer to a HEAD is about what is stored
    invalidates  §4.4    whether an answer makes what is stored invalid
    also_named   §4.4    what else it does

Times are seconds, those of the clock milliseconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from drivers.cache.http_fields import (
    MOST,
    Directives,
    Fields,
    Lines,
    date,
    directives,
    fields_of,
    members,
    seconds,
    targeted,
)

HEURISTIC = frozenset({200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501})
"""Statuses that may be reused although nothing says for how long (RFC 9110 §15.1)."""

UNDERSTOOD = HEURISTIC | {302, 303, 307, 400, 401, 403, 500, 502, 503, 504}
"""Those whose caching is known here, for `must-understand` (§5.2.2.3)."""

_TENTH, _DAY = 10, 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a configuration says. `heuristic`: the longest that an answer is taken to be fresh
    which does not say for how long. `stale_*`: where the answer does not say it. `obeys`: what
    a request says of caching counts."""

    heuristic: float = _DAY
    stale_if_error: float = 0.0
    stale_while_revalidate: float = 0.0
    obeys: bool = False


class Answer(NamedTuple):
    """`asked` and `answered`: when the request went out, and when the answer was there."""

    status: int
    fields: Fields
    asked: int
    answered: int

    @classmethod
    def of(cls, status: int, lines: Lines, asked: int, answered: int) -> Answer:
        return cls(status, fields_of(lines), asked, answered)

    @property
    def directives(self) -> Directives:
        """RFC 9213 §2.2: those for this kind of cache, where there are any, and else those for
        all."""
        return self._targeted or directives(self.fields.get("cache-control", ()))

    @property
    def _targeted(self) -> Directives | None:
        return targeted(self.fields.get("cdn-cache-control", ()))

    @property
    def expires(self) -> tuple[str, ...]:
        """RFC 9213 §2.2: of no meaning beside those."""
        return () if self._targeted else self.fields.get("expires", ())


Request = Mapping[str, str]
"""Its fields, by name in lower case."""


def asked_of(request: Request) -> Directives:
    """§5.2.1; and §5.4: a Pragma counts where there is no Cache-Control."""
    if "cache-control" in request:
        return directives((request["cache-control"],))
    pragma = members((request.get("pragma", "").lower(),))
    return directives(one for one in pragma if one == "no-cache")


# §3. Storing Responses in Caches


def storable(answer: Answer, request: Request, options: Options) -> bool:
    """Whether a shared cache may store the answer to a GET; and whether that is of any use: it
    is fresh for a while, or can be validated."""
    said = answer.directives
    understood_well = "must-understand" in said and answer.status in UNDERSTOOD
    if "must-understand" in said and not understood_well:
        return False
    if "no-store" in said and not understood_well:
        return False
    if said.of_all("private") or "*" in names_of(answer):
        return False
    if options.obeys and "no-store" in asked_of(request):
        return False
    explicit = _is_explicit(answer, said)
    if "set-cookie" in answer.fields and not explicit:
        return False
    if not (explicit or "public" in said or answer.status in HEURISTIC):
        return False
    return _for_all(said, request) and _is_useful(answer, options)


def _for_all(said: Directives, request: Request) -> bool:
    """§3.5. Storing Responses to Authenticated Requests."""
    if "authorization" not in request:
        return True
    return not said.keys().isdisjoint({"must-revalidate", "public", "s-maxage"})


def _is_explicit(answer: Answer, said: Directives) -> bool:
    return "max-age" in said or "s-maxage" in said or bool(answer.expires)


def _is_useful(answer: Answer, options: Options) -> bool:
    if not answer.fields.keys().isdisjoint({"etag", "last-modified"}):
        return True
    known = understood(answer, options)
    return not known.no_cache and known.fresh_until > answer.answered


def kept(answer: Answer, lines: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """§3.1, §5.2.2.4, §5.2.2.7: without the fields that are for whoever asked, and those that
    would have to be asked for each time."""
    said = answer.directives
    left_out = said.names("private") | said.names("no-cache")
    if not left_out:
        return lines
    return tuple(one for one in lines if one[0].lower() not in left_out)


# §4.2. Freshness


_STRICT = frozenset({"must-revalidate", "proxy-revalidate"})
"""§5.2.2.2, §5.2.2.8: never stale. So says `s-maxage` (§5.2.2.10), but where an origin says beside
it how stale an answer may be (RFC 5861)."""


class Understood(NamedTuple):
    """What an answer says of its freshness. Times are milliseconds of the clock."""

    born: int
    """When it was made: its age is counted from there."""
    fresh_until: int
    no_cache: bool
    must_revalidate: bool
    stale_if_error: float
    stale_while_revalidate: float


def understood(answer: Answer, options: Options) -> Understood:
    said, since = answer.directives, born(answer)
    lasts, while_asked = said.age("stale-if-error"), said.age("stale-while-revalidate")
    silent = lasts is None and while_asked is None
    return Understood(
        born=since,
        fresh_until=since + round(1000 * _lifetime(answer, said, options)),
        no_cache=said.of_all("no-cache"),
        must_revalidate=not _STRICT.isdisjoint(said)
        or said.of_all("no-cache")
        or ("s-maxage" in said and silent),
        stale_if_error=options.stale_if_error if lasts is None else lasts,
        stale_while_revalidate=(
            options.stale_while_revalidate if while_asked is None else while_asked
        ),
    )


def _lifetime(answer: Answer, said: Directives, options: Options) -> float:
    """§4.2.1. Calculating Freshness Lifetime."""
    for name in ("s-maxage", "max-age"):
        age = said.age(name)
        if age is not None:
            return age
    if answer.expires:
        ends = [date(one) for one in answer.expires]
        if None in ends:
            return 0.0
        return max(0.0, min(one for one in ends if one is not None) - _date(answer))
    return _heuristic(answer, said, options)


def _heuristic(answer: Answer, said: Directives, options: Options) -> float:
    """§4.2.2. Calculating Heuristic Freshness."""
    if answer.status not in HEURISTIC and "public" not in said:
        return 0.0
    modified = date(answer.fields.get("last-modified", ("",))[0])
    if modified is None:
        return 0.0
    return max(0.0, min((_date(answer) - modified) / _TENTH, _DAY, options.heuristic))


def born(answer: Answer) -> int:
    """§4.2.3. Calculating Age: when it began, by the corrected initial age. The clock is read in
    whole seconds, as a Date is."""
    apparent = max(0, answer.answered // 1000 - _date(answer))
    delay = answer.answered // 1000 - answer.asked // 1000
    return answer.answered - 1000 * min(MOST, max(apparent, _age_value(answer) + delay))


def _age_value(answer: Answer) -> int:
    """§5.1: the first of what was said; what is no number is not counted."""
    first = members(answer.fields.get("age", ())[:1])
    return (seconds(first[0]) or 0) if first else 0


def _date(answer: Answer) -> int:
    """RFC 9110 §6.6.1: when it came, where it does not say."""
    found = date(answer.fields.get("date", ("",))[0])
    return answer.answered // 1000 if found is None else found


def age(born: int, now: int) -> int:
    """The field's value (§5.1)."""
    return max(0, now // 1000 - born // 1000)


# §4. Constructing Responses from Caches


class Use(Enum):
    FRESH = auto()
    """It is the answer."""
    BEHIND = auto()
    """It is, and is asked for anew behind that (RFC 5861 §3)."""
    ASK = auto()
    """§4.3: the origin is asked whether it still is."""
    NOTHING = auto()
    """There is nothing to be had, and the origin is not to be asked (§5.2.1.7)."""


class Decision(NamedTuple):
    use: Use
    if_failing: bool = False
    """Where the origin fails, it is the answer all the same (§4.2.4, RFC 5861 §4)."""


def decide(stored: Understood | None, request: Request, now: int, options: Options) -> Decision:
    """What a request is answered. `stored` was chosen for it (§4.1); None: there is nothing."""
    said = asked_of(request) if options.obeys else Directives()
    decision = _decided(stored, said, now)
    if decision.use is Use.ASK and "only-if-cached" in said:
        return Decision(Use.NOTHING)
    return decision


def _decided(stored: Understood | None, said: Directives, now: int) -> Decision:
    if stored is None:
        return Decision(Use.ASK)
    stale = (now - stored.fresh_until) / 1000
    failing = not stored.must_revalidate and stale < stored.stale_if_error
    if stored.no_cache or "no-cache" in said or "no-store" in said:
        return Decision(Use.ASK, failing)
    oldest, least = said.age("max-age"), said.age("min-fresh")
    if oldest is not None and (oldest == 0 or age(stored.born, now) > oldest):
        return Decision(Use.ASK, failing)
    if stale < -(least or 0):
        return Decision(Use.FRESH, failing)
    if stored.must_revalidate:
        return Decision(Use.ASK)
    if 0 <= stale < _most_stale(said):
        return Decision(Use.FRESH, failing)
    if 0 <= stale < stored.stale_while_revalidate and least is None:
        return Decision(Use.BEHIND, failing)
    return Decision(Use.ASK, failing)


def _most_stale(said: Directives) -> float:
    """§5.2.1.2: however stale, where it does not say."""
    if "max-stale" not in said:
        return 0.0
    return float("inf") if "" in said["max-stale"] else said.age("max-stale") or 0.0


# §4.1. Calculating Cache Keys with the Vary Header Field


def names_of(answer: Answer) -> tuple[str, ...]:
    """The fields of a request by which the origin has chosen this answer, in order; "*": by
    others, which nobody knows."""
    return tuple(sorted({one.lower() for one in members(answer.fields.get("vary", ()))}))


# §4.3.5. Freshening Responses with HEAD

_VALIDATORS = ("etag", "last-modified")


def is_about(head: Answer, stored: Answer) -> bool:
    """Whether a 200 to a HEAD has the validators that the answer to a GET had: then its fields
    take the place of those stored, and else that is stale. Without any, nobody knows."""
    told = [name for name in _VALIDATORS if name in head.fields]
    same = all(head.fields[name] == stored.fields.get(name) for name in told)
    return head.status == stored.status == 200 and bool(told) and same


# §4.4. Invalidating Stored Responses

_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""RFC 9110 §9.2.1; another one may change something, for all that is known of it."""


def is_safe(method: str) -> bool:
    return method in _SAFE


def invalidates(method: str, status: int) -> bool:
    """Whether what was asked for is to be asked for anew: by what is no error."""
    return not is_safe(method) and 200 <= status < 400


def also_named(fields: Fields) -> tuple[str, ...]:
    """The URI references that such an answer names beside what was asked for; those of other
    origins do not count."""
    return (*fields.get("location", ()), *fields.get("content-location", ()))
