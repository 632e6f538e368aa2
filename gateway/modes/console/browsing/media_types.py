"""What a file is, by the end of its name, and what of it may be shown.

The table is this file's and Python's own: what the machine has (`/etc/mime.types`, the registry
of Windows) would make another type of the same upload on another machine.
"""

from __future__ import annotations

import mimetypes
from functools import cache
from typing import Literal

Preview = Literal["image", "video", "audio", "pdf", "text"]

TEXT_SHOWN = 1 << 20
"""Bytes of a text that are shown."""

UNKNOWN = "application/octet-stream"
_NONE = frozenset({"", UNKNOWN, "binary/octet-stream"})

_MORE = {
    ".avif": "image/avif",
    ".csv": "text/csv",
    ".flac": "audio/flac",
    ".log": "text/plain",
    ".md": "text/markdown",
    ".toml": "application/toml",
    ".webm": "video/webm",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}

_SHOWN: dict[str, Preview] = {
    **dict.fromkeys(("image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"), "image"),
    **dict.fromkeys(("video/mp4", "video/webm"), "video"),
    **dict.fromkeys(("audio/mpeg", "audio/ogg", "audio/wav", "audio/flac", "audio/mp4"), "audio"),
    "application/pdf": "pdf",
}
"""What a browser shows without running anything of it. No SVG: that is a program."""

_TEXTS = frozenset(
    f"application/{one}"
    for one in ("json", "javascript", "toml", "xml", "yaml", "x-yaml", "sql", "x-sh", "x-ndjson")
)


@cache
def _types() -> mimetypes.MimeTypes:
    types = mimetypes.MimeTypes()
    for end, kind in _MORE.items():
        types.add_type(kind, end)
    return types


def guessed(name: str) -> str:
    """`UNKNOWN` where the end of the name says nothing, and for what is packed."""
    end = name[name.rfind(".") :].lower() if "." in name else ""
    kind, packed = _types().guess_type(f"file{end}", strict=False)
    return UNKNOWN if kind is None or packed else kind


def plain(content_type: str) -> str:
    """Without parameters."""
    return content_type.partition(";")[0].strip().lower()


def kind_of(content_type: str, name: str) -> str:
    """What an object is: what it says, or what its name does where it says nothing."""
    said = plain(content_type)
    return guessed(name) if said in _NONE else said


def preview(content_type: str, name: str) -> Preview | None:
    """How it may be shown; None: it may not."""
    kind = kind_of(content_type, name)
    if kind in _SHOWN:
        return _SHOWN[kind]
    return "text" if kind.startswith("text/") or kind in _TEXTS else None
