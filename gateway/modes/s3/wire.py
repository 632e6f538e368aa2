"""Reading XML, and the few forms of text that go with documents. Pure functions.

Documents are read and written by `gateway.common.xml`. Names count, namespaces do not:
clients send S3's, another, or none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from gateway.common import xml
from gateway.common.moments import EPOCH, FIRST, LAST, MILLISECOND, utc
from gateway.common.xml import escape, plain
from gateway.modes.s3.problems import malformed
from gateway.modes.s3.schemas import CHILDREN, Inside

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_PLAIN_IN_URLS = re.compile("[A-Za-z0-9_.~/-]*").fullmatch


def url_encode(text: str) -> str:
    return quote(text, safe="/")


def encoder(encoding: str) -> Callable[[str], str]:
    """How keys are written in a listing whose `encoding-type` is `encoding`."""
    return url_encode if encoding == "url" else escape


def encoded(texts: Sequence[str], encoding: str = "") -> Sequence[str]:
    """Each as `encoder` writes it. One look at all of them tells whether any needs it."""
    unchanged = _PLAIN_IN_URLS if encoding == "url" else plain
    return texts if unchanged("".join(texts)) else list(map(encoder(encoding), texts))


_TWO = [f"{number:02}" for number in range(60)]


@lru_cache
def _date(day: int) -> str:
    return utc(day * 86_400_000).date().isoformat()


@lru_cache(maxsize=4096)
def _iso(seconds: int) -> str:
    day, seconds = divmod(seconds, 86400)
    minutes, seconds = divmod(seconds, 60)
    return f"{_date(day)}T{_TWO[minutes // 60]}:{_TWO[minutes % 60]}:{_TWO[seconds]}.000Z"


def iso(milliseconds: int) -> str:
    """S3 gives whole seconds, so that a list and Last-Modified say the same."""
    return _iso(milliseconds // 1000)


def isos(many: Iterable[int]) -> list[str]:
    return [_iso(milliseconds // 1000) for milliseconds in many]


_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d)(:\d\d)?(\.\d{1,6})?\d*(Z|[+-]\d\d:?\d\d)?)?", re.ASCII
)


def moment(text: str) -> int | None:
    """A date of ISO 8601, with a time or without (then midnight, UTC), in milliseconds since
    the epoch: the first that is not before it. None when it is none, also when it is in
    another year than 1 to 9999 in UTC, where nobody could say it again."""
    found = _MOMENT.fullmatch(text.strip())
    if found is None:
        return None
    date, clock, seconds, fraction, zone = found.groups(default="")
    try:
        base = datetime.fromisoformat(f"{date}T{clock or '00:00'}{seconds or ':00'}{zone or 'Z'}")
        passed = base - EPOCH + timedelta(seconds=float(fraction or 0))
    except (ValueError, OverflowError):
        return None
    milliseconds = -(-passed // MILLISECOND)
    return milliseconds if FIRST <= milliseconds <= LAST else None


def exact(milliseconds: int) -> str:
    """The same, for what is kept to the millisecond."""
    return f"{utc(milliseconds).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def parse(data: bytes, root: str, code: str = "MalformedXML") -> Element:
    """The document's root element, which is named `root` and has nothing in it, and nothing more
    often, than `schemas` knows. Raises S3Problem with `code`."""
    try:
        found = xml.parse(data)
    except xml.Malformed as error:
        raise malformed(f"This is no XML document: {error}.", code) from None
    if local(found) != root:
        raise malformed(f"The document has to be {root}, not {local(found)}.", code)
    if root in CHILDREN:
        _require_known(found, CHILDREN[root], code)
    return found


_ONLY_TEXT = Inside()


def _require_known(root: Element, schema: Mapping[str, Inside], code: str) -> None:
    for node in root.iter():
        if len(node):
            _require_inside(node, schema.get(local(node), _ONLY_TEXT), code)


def _require_inside(node: Element, known: Inside, code: str) -> None:
    found = [name for name in map(local, node) if name not in known.several]
    if unknown := set(found) - known.once:
        names = ", ".join(sorted(known.once | known.several))
        may = f"it may have {names}" if names else "it has only text"
        raise malformed(f"{min(unknown)} is no element of {local(node)}: {may}.", code)
    if len(set(found)) < len(found):
        twice = next(name for name in found if found.count(name) > 1)
        raise malformed(f"{twice} is in {local(node)} more than once.", code)


def local(node: Element) -> str:
    """The name of an element without its namespace."""
    return str(node.tag).rpartition("}")[2]


def children(node: Element, name: str) -> Iterator[Element]:
    return (one for one in node if local(one) == name)


def child(node: Element, name: str) -> Element | None:
    return next(children(node, name), None)


def text_of(node: Element, name: str) -> str | None:
    """The text of a child as it stands; None when there is no such child."""
    found = child(node, name)
    return None if found is None else found.text or ""


def word_of(node: Element, name: str) -> str:
    """The text of a child without white space around it; "" when there is none."""
    return (text_of(node, name) or "").strip()


def flag_of(node: Element, name: str) -> bool:
    """A child that is `true` or `false`, in any case; without it, or empty: false. Raises
    MalformedXML."""
    text = word_of(node, name).lower()
    if text not in ("", "true", "false"):
        raise malformed(f"{name} has to be true or false, not {text!r}.")
    return text == "true"


def unrepeated(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON (`object_pairs_hook`), in which no name is there twice: one of both would
    say nothing. Raises `ValueError`."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name that is there twice")
    return found


_INTEGER = re.compile("-?[0-9]{1,100}")


def integer(text: str) -> int | None:
    """A decimal number, which may be below 0; None when it is none."""
    return int(text) if _INTEGER.fullmatch(text) else None
