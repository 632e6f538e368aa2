"""XML: one writer and one reader for all documents, those that answer and those that ask.

Documents are joined from text, since listings are made by the thousand.

May surprise: parsers turn a bare carriage return into a line feed (XML 1.0 §2.11), so
each control character is written as a reference, and keys keep theirs. Most of them XML
cannot carry at all (§2.2), even so: `carries` tells. What is read has a bound on its
depth: Python 3.13 takes trees of elements apart by recursion in C, and on a thread's small
stack a document of 2 MiB ended the process.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.etree.ElementTree import Element, TreeBuilder

from defusedxml.ElementTree import DefusedXMLParser, ParseError

S3 = "http://s3.amazonaws.com/doc/2006-03-01/"
"""The namespace of S3's documents."""

_PROLOG = '<?xml version="1.0" encoding="UTF-8"?>\n'

_SPECIAL = re.compile('[&<>"\x00-\x1f\x7f\ufffe\uffff]')
_NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
_NEVER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

plain = re.compile('[^&<>"\x00-\x1f\x7f\ufffe\uffff]*').fullmatch
"""A match for text that `escape` leaves as it is."""


def carries(text: str) -> bool:
    """Whether a document can hold that text, so that every parser reads the same again."""
    return _NEVER.search(text) is None


def legible(text: str) -> str:
    """For people: U+FFFD stands for what a document cannot hold."""
    return _NEVER.sub("\ufffd", text)


def _reference(match: re.Match[str]) -> str:
    character = match.group()
    return _NAMED.get(character) or f"&#x{ord(character):x};"


def escape(text: str) -> str:
    """Text between tags. What XML cannot carry is written as a reference too, as S3 does in
    its answers; who asks looks at `carries` first."""
    return _SPECIAL.sub(_reference, text) if _SPECIAL.search(text) else text


def element(name: str, text: object) -> str:
    return f"<{name}>{escape(str(text))}</{name}>"


def optional(name: str, text: str) -> str:
    """The element, or nothing for empty text."""
    return f"<{name}>{escape(text)}</{name}>" if text else ""


def flag(name: str, state: bool) -> str:
    return f"<{name}>{'true' if state else 'false'}</{name}>"


def document(root: str, *content: str, namespace: str = S3) -> bytes:
    """`content` is XML already; `namespace` "" is none."""
    attribute = f' xmlns="{namespace}"' if namespace else ""
    return "".join([f"{_PROLOG}<{root}{attribute}>", *content, f"</{root}>"]).encode()


DEEPEST = 32
"""Levels of elements; S3's documents have six."""

MOST = 100_000
"""Elements: more than 10,000 parts have, each with all that S3 knows of them. They are what a
parser's memory goes for, some 100 bytes each."""


class Malformed(ValueError):
    """What was to be a document is none that we read."""


class _Builder:
    """A tree of elements that is neither too deep nor too large."""

    def __init__(self) -> None:
        tree = TreeBuilder()
        self._start, self._end, self.data, self.close = tree.start, tree.end, tree.data, tree.close
        self._depth, self._left = 0, MOST

    def start(self, name: str, attributes: Mapping[str, str]) -> Element:
        self._depth += 1
        self._left -= 1
        if self._depth > DEEPEST or self._left < 0:
            raise Malformed(f"it has more than {DEEPEST} levels of elements, or {MOST} elements")
        return self._start(name, dict(attributes))

    def end(self, name: str) -> Element:
        self._depth -= 1
        return self._end(name)


def parse(data: bytes) -> Element:
    """The root of a document without a DTD. Raises `Malformed`."""
    parser = DefusedXMLParser(target=_Builder(), forbid_dtd=True)
    try:
        parser.feed(data)
        root: Element = parser.close()
    except (ParseError, ValueError, LookupError) as error:
        # ValueError: defusedxml's refusals, and encodings that expat does not take;
        # LookupError: encodings that nobody knows.
        raise Malformed(str(error)) from error
    return root
