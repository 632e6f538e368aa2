"""Pages of a list: where one begins, and the ways to those beside it.

Lists go forwards only, from behind any text. So a page knows where those before it began: these
marks travel in its query, the nearest of them, as many as a link may carry.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from gateway.modes.console.call import Call
from gateway.modes.console.object_names import coded
from gateway.modes.console.problems import ConsoleProblem
from gateway.web import request_head

_ROOM = 2000
"""Characters of marks in a link: proxies take 4,000 of a request's line at the least."""


class Position(NamedTuple):
    """`after`: what is before the page, "" for the first; `marks`: the same of pages before it,
    the nearest last. Where these were too many, the page before is the first."""

    after: str = ""
    marks: tuple[str, ...] = ()

    @classmethod
    def of(cls, query: Iterable[tuple[str, str]]) -> Position:
        """Of a query's parameters, in their order."""
        after, marks = "", list[str]()
        for name, value in query:
            if name == "after":
                after = value
            elif name == "from":
                marks.append(value)
        return cls(after, tuple(marks))

    def next(self, after: str) -> Position:
        """The page behind this one, which begins after its last item."""
        return Position(after, _fitting((*self.marks, self.after)))

    @property
    def before(self) -> Position | None:
        """The page before; None for the first."""
        if not self.after:
            return None
        if not self.marks:
            return Position()
        return Position(self.marks[-1], self.marks[:-1])

    @property
    def query(self) -> str:
        """To be joined to a link's query."""
        said = [f"from={coded(one)}" for one in self.marks]
        return "&".join([f"after={coded(self.after)}", *said]) if self.after else ""


def _fitting(marks: tuple[str, ...]) -> tuple[str, ...]:
    room = _ROOM
    for at in reversed(range(len(marks))):
        room -= len(coded(marks[at])) + len("&from=")
        if room < 0:
            return marks[at + 1 :]
    return marks


class Pager(NamedTuple):
    """The addresses of the pages beside one, "" where there is none."""

    next: str
    previous: str


def position(call: Call) -> Position:
    """The one that a page is asked for."""
    return Position.of(request_head.pairs(call.environ.get("QUERY_STRING", "")))


def numbered(call: Call) -> int | None:
    """The same of a list by number; None: the first. Raises `ConsoleProblem`."""
    if not (after := position(call).after):
        return None
    if (number := request_head.whole_number(after)) is None:
        raise no_place()
    return number


def no_place() -> ConsoleProblem:
    """What the query says is the beginning of no page."""
    return ConsoleProblem("BadRequest", "There is no such place in the list.")


def pager(call: Call, following: str | int | None, **query: object) -> Pager:
    """`following`: what the next page begins after; None, "" or 0 where there is none. `query`
    says what is listed."""
    at, address = position(call), call.url(call.path, **query)
    return Pager(
        next=_at(address, at.next(str(following))) if following else "",
        previous="" if at.before is None else _at(address, at.before),
    )


def _at(address: str, position: Position) -> str:
    joint = "&" if "?" in address else "?"
    return f"{address}{joint}{position.query}" if position.query else address
