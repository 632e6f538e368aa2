"""Keys as paths: a key is a path below the root, or it is refused. Nothing else builds one.

Only plain segments between single slashes pass, so that each key is one path
and each path one key, and none leads out of the root. What the operating
system adds (links, lengths of whole paths) `local` checks where it opens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gateway.storage import BadKey

HIDDEN = ".gateway"
"""The folder at the root that is the gateway's own: drafts, locks and sidecars."""

DRAFTS = f"{HIDDEN}/drafts"
LOCKS = f"{HIDDEN}/locks"
LABELS = f"{HIDDEN}/labels"

NAME_BYTES = 255
"""NAME_MAX of the usual POSIX file systems; Windows counts 255 UTF-16 units."""

# https://learn.microsoft.com/windows/win32/fileio/naming-a-file
_WINDOWS_SIGNS = re.compile(r'[<>:"|?*\\\x00-\x1f]')
_WINDOWS_NAMES = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\..*)?", re.IGNORECASE
)


def check(key: str, *, windows: bool = False) -> str:
    """The key, when it is a path below the root. Raises `BadKey` saying why it is none."""
    for number, segment in enumerate(key.split("/")):
        why = _why_not(segment, windows=windows)
        if not why and number == 0 and segment.casefold() == HIDDEN:
            why = f"{HIDDEN!r} is the gateway's own folder"
        if why:
            raise BadKey(f"This store keeps objects as files, and {why}.", key=key)
    return key


def fits(name: str, *, at_root: bool, windows: bool = False) -> bool:
    """Whether a name that a folder has is a segment of a key."""
    return not _why_not(name, windows=windows) and not (at_root and name.casefold() == HIDDEN)


def above(path: str) -> Iterator[str]:
    """The folders that a path is in, the innermost first, without the root."""
    while (end := path.rfind("/")) > 0:
        path = path[:end]
        yield path


def _why_not(segment: str, *, windows: bool) -> str:
    if segment in ("", ".", ".."):
        return "no part of a path is empty, '.' or '..'"
    if "\x00" in segment:
        return "a file name has no NUL"
    try:
        size = len(segment.encode())
    except UnicodeEncodeError:
        return "a key is text that can be written as UTF-8"
    if size > NAME_BYTES:
        return f"a file name has at most {NAME_BYTES} bytes"
    if windows and (
        _WINDOWS_SIGNS.search(segment) or _WINDOWS_NAMES.fullmatch(segment) or segment[-1] in ". "
    ):
        return "Windows has no file of such a name"
    return ""
