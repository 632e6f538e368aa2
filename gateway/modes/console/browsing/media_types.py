"""What an object is, and what of it may be shown."""

from __future__ import annotations

from typing import Literal

from gateway.common.media_types import UNKNOWN, guessed

Preview = Literal["image", "video", "audio", "pdf", "text"]

TEXT_SHOWN = 1 << 20
"""Bytes of a text that are shown."""

_NONE = frozenset({"", UNKNOWN, "binary/octet-stream"})

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
