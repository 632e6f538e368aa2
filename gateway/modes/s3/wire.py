"""XML, both ways, and the few forms of text that go with it. Pure functions.

Documents are joined from text, since listings are made by the thousand.
Parsing is defusedxml's: no DTD, no entities. Names count, namespaces do not:
clients send S3's, another, or none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from time import gmtime
from typing import TYPE_CHECKING
from urllib.parse import quote

from defusedxml import ElementTree

from gateway.modes.s3.problems import S3Problem

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_PROLOG = '<?xml version="1.0" encoding="UTF-8"?>\n'
_SPECIAL = re.compile('[&<>"\x00-\x1f\x7f\ufffe\uffff]')
_PLAIN = re.compile('[^&<>"\x00-\x1f\x7f\ufffe\uffff]*').fullmatch
_PLAIN_IN_URLS = re.compile("[A-Za-z0-9_.~/-]*").fullmatch
_NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}


def _reference(match: re.Match[str]) -> str:
    character = match.group()
    return _NAMED.get(character) or f"&#x{ord(character):x};"


def escape(text: str) -> str:
    """Text between tags. XML 1.0 cannot hold most control characters at all; as S3 does,
    they are written as references, and `encoding-type=url` is for who must read them."""
    return _SPECIAL.sub(_reference, text) if _SPECIAL.search(text) else text


def url_encode(text: str) -> str:
    return quote(text, safe="/")


def encoder(encoding: str) -> Callable[[str], str]:
    """How keys are written in a listing whose `encoding-type` is `encoding`."""
    return url_encode if encoding == "url" else escape


def encoded(texts: Sequence[str], encoding: str = "") -> Sequence[str]:
    """Each as `encoder` writes it. One look at all of them tells whether any needs it."""
    plain = _PLAIN_IN_URLS if encoding == "url" else _PLAIN
    return texts if plain("".join(texts)) else list(map(encoder(encoding), texts))


def element(name: str, text: object) -> str:
    return f"<{name}>{escape(str(text))}</{name}>"


def optional(name: str, text: str) -> str:
    """The element, or nothing for empty text."""
    return f"<{name}>{escape(text)}</{name}>" if text else ""


def flag(name: str, state: bool) -> str:
    return f"<{name}>{'true' if state else 'false'}</{name}>"


def document(root: str, *content: str, attributes: str = f' xmlns="{NAMESPACE}"') -> bytes:
    return "".join([f"{_PROLOG}<{root}{attributes}>", *content, f"</{root}>"]).encode()


_TWO = [f"{number:02}" for number in range(60)]


@lru_cache
def _date(day: int) -> str:
    t = gmtime(day * 86400)
    return f"{t.tm_year:04}-{t.tm_mon:02}-{t.tm_mday:02}"


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


MOST_TAGS = 200_000
"""More than 10,000 parts have, each with all that S3 knows of them. Elements are what a
parser's memory goes for: some 100 bytes each."""


def parse(data: bytes, root: str, code: str = "MalformedXML") -> Element:
    """The document's root element, which is named `root`. Raises S3Problem with `code`."""
    if data.count(b"<") > MOST_TAGS:
        raise S3Problem(code)
    try:
        found: Element = ElementTree.fromstring(data, forbid_dtd=True)
    except (ElementTree.ParseError, ValueError, LookupError):
        # ValueError: defusedxml's refusals, and encodings that expat does not take;
        # LookupError: encodings that nobody knows.
        raise S3Problem(code) from None
    if local(found) != root:
        raise S3Problem(code)
    return found


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


def whole_number(text: str, least: int, most: int) -> int | None:
    """A decimal number within bounds; None when it is no such number."""
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        return None
    number = int(text)
    return number if least <= number <= most else None
