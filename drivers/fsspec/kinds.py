"""Content types by name, as file servers guess them; and when saying one says nothing.

The tables are Python's, with those of the system. A name with a coding
(`.gz`) is of the coding's type: its bytes are served as they are.
"""

from __future__ import annotations

import mimetypes

DEFAULT = "binary/octet-stream"
_CODINGS = {
    "gzip": "application/gzip",
    "bzip2": "application/x-bzip2",
    "xz": "application/x-xz",
    "compress": "application/x-compress",
    "br": "application/x-brotli",
}
_SAYING_NOTHING = frozenset({DEFAULT, "application/octet-stream"})


def guess(key: str) -> str:
    """The content type of a file of that name."""
    kind, coding = mimetypes.guess_type(key.rpartition("/")[2], strict=False)
    if coding is not None:
        return _CODINGS.get(coding, DEFAULT)
    return kind or DEFAULT


def says_nothing(content_type: str, key: str) -> bool:
    """Whether a content type is a default, or one that a client guessed from the name.

    Go and browsers add a charset to text; the AWS tools look at the name without `.gz`.
    """
    kind = content_type.lower().replace(" ", "").removesuffix(";charset=utf-8")
    if kind in _SAYING_NOTHING or kind == guess(key):
        return True
    return kind == mimetypes.guess_type(key.rpartition("/")[2], strict=False)[0]
