"""Content-Disposition of what is downloaded (RFC 6266), with its name in two forms: as old
clients read it, in ASCII, and in full (RFC 8187)."""

from __future__ import annotations

import re
from urllib.parse import quote

_LONGEST = 255
"""Bytes of a file's name on most systems."""

_NOT_IN_NAMES = re.compile(r'[\x00-\x1f\x7f"\\/:*?<>|]')
"""Those that a file system takes for something else; some clients drop what is before a slash."""

_ATTRIBUTE = "!#$&+-.^_`|~"
"""`attr-char` of RFC 8187, besides letters and digits."""


def attachment(key: str) -> str:
    """For who downloads an object: the last part of its key is the file's name."""
    return _disposition("attachment", key)


def inline(key: str) -> str:
    """For who looks at it, and may keep it then."""
    return _disposition("inline", key)


def _disposition(kind: str, key: str) -> str:
    name = file_name(key)
    plain = name.encode("ascii", "replace").decode().replace("?", "_").replace("%", "_")
    text = f'{kind}; filename="{plain}"'
    return text if name == plain else f"{text}; filename*=UTF-8''{quote(name, safe=_ATTRIBUTE)}"


def file_name(key: str) -> str:
    """Of the part of a key behind its last slash; "download" where that is no name at all."""
    part = key.rstrip("/").rpartition("/")[2]
    name = "".join(one if one.isprintable() else "_" for one in _NOT_IN_NAMES.sub("_", part))
    name = _shortened(name).strip(" .")
    return name or "download"


def _shortened(name: str) -> str:
    """Its end tells what it is, and stays."""
    stem, dot, end = name.rpartition(".")
    tail = f"{dot}{end}" if stem and len(end.encode("utf-8", "replace")) <= 16 else ""
    head = stem if tail else name
    room = _LONGEST - len(tail.encode("utf-8", "replace"))
    return head.encode("utf-8", "replace")[:room].decode("utf-8", "ignore") + tail
