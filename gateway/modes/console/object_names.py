"""Keys on pages: how they are shown, and how they travel.

A key is any text: with markup (templates escape it), with control characters, with what turns
the direction of writing. Such characters are shown by name, so that two keys never look alike.

In a link's query a key is percent-encoded, once. In the fields of a form it is percent-encoded
as well, besides what the browser does to fields: that makes CR LF of each line's end, which
would name another object (HTML Standard, "Constructing the entry list").
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes

DELIMITER = "/"


def shown(text: str) -> str:
    """For eyes: what cannot be seen is said."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else _said(one) for one in text)


def _said(character: str) -> str:
    number = ord(character)
    return chr(0x2400 + number) if number < 0x20 else f"‹U+{number:04X}›"


def coded(text: str) -> str:
    """For a field of a form, and for a query. A dot alone is encoded, too: nobody may take what
    stands in a query for a way up."""
    return quote(text.encode("utf-8", "surrogatepass"), safe="~")


def decoded(text: str) -> str:
    """What was `coded`. Raises `ValueError` when it is not UTF-8."""
    return unquote_to_bytes(text).decode("utf-8")


def folder_of(prefix: str) -> str:
    """The folder in which the names are that begin with `prefix`."""
    return prefix[: prefix.rfind(DELIMITER) + 1]


def name_of(key: str, folder: str) -> str:
    """What a key is called in its folder; the object that is called as the folder is "./"."""
    return key[len(folder) :] or "./"


class Crumb(NamedTuple):
    """A folder on the way: what it is called, and the prefix of all in it."""

    name: str
    prefix: str


def crumbs(folder: str) -> Iterator[Crumb]:
    """The folders on the way to `folder`, the outermost first, without the service itself."""
    at = 0
    while (end := folder.find(DELIMITER, at)) >= 0:
        yield Crumb(folder[at : end + 1], folder[: end + 1])
        at = end + 1
