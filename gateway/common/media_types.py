"""What a file is, by the end of its name: for uploads that do not say it.

The table is this file's and Python's own: what the machine has (`/etc/mime.types`, the registry
of Windows) would make another type of the same upload on another machine.
"""

from __future__ import annotations

import mimetypes
from functools import cache

UNKNOWN = "application/octet-stream"

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
