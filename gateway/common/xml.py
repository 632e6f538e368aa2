"""Text as XML has it: one writer for all documents, those that answer and those that ask.

Documents are joined from text, since listings are made by the thousand.

May surprise: parsers turn a bare carriage return into a line feed (XML 1.0 §2.11), so
each control character is written as a reference, and keys keep theirs. Most of them XML
cannot carry at all (§2.2), even so: `carries` tells.
"""

from __future__ import annotations

import re

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
