"""How the fields are written that a cache lives by: directives, dates, numbers.

What is not as it should be is told from what is not there: rules that are broken make an
answer stale, and never fresh.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from gateway.common.remembering import remembered

Lines = Iterable[tuple[str, str]]
Fields = Mapping[str, tuple[str, ...]]
"""Values by name in lower case, those of each line apart."""

_MEMBER = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*"?)+')
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")
_DIGITS = re.compile(r"[0-9]+")
MOST = 1 << 31
"""RFC 9111 §1.2.2: a number of seconds that is larger is this."""


def fields_of(lines: Lines) -> Fields:
    found: dict[str, tuple[str, ...]] = {}
    for name, value in lines:
        lower = name.lower()
        found[lower] = (*found.get(lower, ()), value)
    return found


def members(lines: Iterable[str]) -> list[str]:
    """Of a list (RFC 9110 §5.6.1), what is between its commas."""
    return [
        stripped
        for line in lines
        for member in _MEMBER.findall(line)
        if (stripped := member.strip(" \t"))
    ]


def unquoted(member: str) -> str:
    """One without its quotes, and without parameters behind them (RFC 9651 §3.3.3, §3.1.2)."""
    match = _QUOTED.match(member)
    return member if match is None else _ESCAPED.sub(r"\1", match[1])


def seconds(text: str) -> int | None:
    """A delta-seconds (RFC 9111 §1.2.2)."""
    return min(int(text[:20]), MOST) if _DIGITS.fullmatch(text) and text.isascii() else None


class Directives(dict[str, tuple[str, ...]]):
    """Those of a Cache-Control (RFC 9111 §5.2), by name in lower case, with what each was
    said to be: "" where nothing follows the name."""

    def age(self, name: str) -> int | None:
        """The seconds of one: the fewest, where it was said more than once (§4.2.1); what is
        no number is 0, so that the answer is stale. None: it is not there."""
        given = self.get(name)
        return None if given is None else min(seconds(one) or 0 for one in given)

    def names(self, name: str) -> frozenset[str]:
        """The fields that one names; empty where it is of all of the answer, or not there."""
        given = self.get(name, ())
        if "" in given:
            return frozenset()
        found = (one.strip().lower() for value in given for one in value.split(","))
        return frozenset(one for one in found if one)

    def of_all(self, name: str) -> bool:
        """Whether it is there, and not for some fields only."""
        return name in self and not self.names(name)


def directives(lines: Iterable[str]) -> Directives:
    found: dict[str, list[str]] = {}
    for member in members(lines):
        name, _, value = member.partition("=")
        quoted = _QUOTED.fullmatch(value)
        if quoted is not None:
            value = _ESCAPED.sub(r"\1", quoted[1])
        found.setdefault(name.lower(), []).append(value)
    return Directives((name, tuple(values)) for name, values in found.items())


# RFC 9213: structured (RFC 9651), or not at all

_KEY = re.compile(r"[a-z*][a-z0-9_.*-]*")
_ITEM = re.compile(
    r"(?P<number>-?[0-9]{1,15})(?![0-9.])|-?[0-9]{1,12}\.[0-9]{1,3}"
    r'|"(?P<text>(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"'
    r"|\?(?P<truth>[01])|[A-Za-z*][A-Za-z0-9:/!#$%&'*+.^_`|~-]*|:[A-Za-z0-9+/=]*:"
)
_PARAMETER = re.compile("; *")
_FOLLOWING = re.compile(r"[ \t]*(?:,[ \t]*(?!\Z)|\Z)")
"""Behind a member: another one, or the end."""

_NUMBERS = frozenset({"max-age", "s-maxage", "stale-while-revalidate", "stale-if-error"})


def targeted(lines: tuple[str, ...]) -> Directives | None:
    """Those of a field like CDN-Cache-Control (RFC 9213 §2.1). None for one that is empty or
    not as it should be: then it is as if it were not there."""
    text, at, found = ", ".join(lines).strip(" "), 0, Directives()
    while at < len(text):
        key = _KEY.match(text, at)
        if key is None:
            return None
        at, value = key.end(), ("",)
        if text[at : at + 1] == "=":
            item = _ITEM.match(text, at + 1)
            if item is None or (key[0] in _NUMBERS) != (item["number"] is not None):
                return None
            at, value = item.end(), (item["number"] or item["text"] or "",)
        elif key[0] in _NUMBERS:
            return None
        else:
            item = None
        while (parameter := _PARAMETER.match(text, at)) is not None:
            inner = _KEY.match(text, parameter.end())
            if inner is None:
                return None
            at = inner.end()
            if text[at : at + 1] == "=":
                bare = _ITEM.match(text, at + 1)
                if bare is None:
                    return None
                at = bare.end()
        if item is None or item["truth"] != "0":
            found[key[0]] = value
        else:
            found.pop(key[0], None)
        following = _FOLLOWING.match(text, at)
        if following is None:
            return None
        at = following.end()
    return found or None


# dates (RFC 9110 §5.6.7)

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_TIME = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_DATES = tuple(
    re.compile(form, re.IGNORECASE | re.ASCII)
    for form in (
        rf"[a-z]{{3}}, (?P<day>\d\d) (?P<month>[a-z]{{3}}) (?P<year>\d{{4}}) {_TIME} GMT",
        rf"[a-z]{{6,9}}, (?P<day>\d\d)-(?P<month>[a-z]{{3}})-(?P<year>\d\d) {_TIME} GMT",
        rf"[a-z]{{3}} (?P<month>[a-z]{{3}}) (?P<day>[ \d]\d) {_TIME} (?P<year>\d{{4}})",
    )
)


@remembered(texts=4096, longest=len("Wednesday, 09-Nov-94 08:49:37 GMT"))
def date(text: str) -> int | None:
    """Seconds since the epoch; None for what is no date of HTTP."""
    for form in _DATES:
        match = form.fullmatch(text)
        if match is not None:
            break
    else:
        return None
    try:
        year = int(match["year"])
        if year < 100:
            year = _century(year, datetime.now(UTC).year)
        at = datetime(
            year,
            _MONTHS.index(match["month"].lower()) + 1,
            int(match["day"]),
            int(match["hour"]),
            int(match["minute"]),
            min(int(match["second"]), 59),
            tzinfo=UTC,
        )
    except ValueError:
        return None
    return int(at.timestamp())


def _century(year: int, now: int) -> int:
    """A year of two digits: one that would be more than 50 years away is in the past."""
    year += now // 100 * 100
    return year - 100 if year > now + 50 else year
