"""Text in headers of printable ASCII: RFC 2047's encoded words, in which S3 says metadata, and
in which it takes it. Raw UTF-8 does not arrive everywhere, and then its signature is another.

May surprise: what is a word already stays one in both directions, so a text that looks like
one is read as what it says. Of values that are words in part, or of no meaning, nothing is read.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import a2b_qp
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

_WORD = re.compile(r"=\?([A-Za-z0-9._-]+)(?:\*[A-Za-z-]*)?\?([bBqQ])\?([!->@-~]+)\?=")
_WORDS = re.compile(rf"{_WORD.pattern}(?:[ \t]+{_WORD.pattern})*")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def encoded(text: str) -> str:
    """One word, as S3 answers; printable ASCII without blanks at its ends stays as it is."""
    if text.isascii() and text.isprintable() and text == text.strip(" "):
        return text
    return f"=?UTF-8?B?{b64encode(text.encode('utf-8', 'replace')).decode()}?="


def decoded(value: str) -> str:
    """What a value says that is words and nothing else; any other value as it is, and one
    whose text would have control characters."""
    if "=?" not in value or _WORDS.fullmatch(value) is None:
        return value
    try:
        found = "".join(
            b"".join(data for _, data in several).decode(coding)
            for coding, several in groupby(_bytes(value), itemgetter(0))
        )
    except (ValueError, LookupError):  # no base64, another coding than it says, or none
        return value
    return value if _CONTROL.search(found) else found


def _bytes(value: str) -> Iterator[tuple[str, bytes]]:
    """(coding, bytes) of each word: characters may be spread over two."""
    for coding, kind, text in _WORD.findall(value):
        data = b64decode(text, validate=True) if kind in "bB" else a2b_qp(text, header=True)
        yield coding.lower(), data
