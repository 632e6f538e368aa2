"""Paths, as a client says them → names → a service and a key in it.

No path is built of them: `..` goes up among names, and never above `/`.
"""

from __future__ import annotations

from typing import NamedTuple

from gateway.modes import KEY_LIMIT
from gateway.storage import BadKey

Names = tuple[str, ...]
"""Of the folders from `/` on, and of what is in the last of them."""


class Place(NamedTuple):
    """`sid` is "" at the list of services, `key` is "" at a service itself. A folder's key has no
    slash at its end."""

    sid: str
    key: str

    @property
    def prefix(self) -> str:
        """With which the keys of all that is in the folder begin."""
        return f"{self.key}/" if self.key else ""


def resolved(folder: Names, text: str) -> Names:
    names = [] if text.startswith("/") else list(folder)
    for name in text.split("/"):
        if name == "..":
            del names[-1:]
        elif name not in ("", "."):
            names.append(name)
    return tuple(names)


def shown(names: Names) -> str:
    return "/" + "/".join(names)


def place(root: str, names: Names) -> Place:
    """`root`: the service that is `/`; "" where that lists services. Raises `BadKey`."""
    if not root:
        root, names = (names[0], names[1:]) if names else ("", ())
    key = "/".join(names)
    if len(key.encode()) > KEY_LIMIT:
        raise BadKey(f"A name has {KEY_LIMIT} bytes at most, with those of its folders.")
    if "\0" in key:
        raise BadKey
    return Place(root, key)


def sayable(name: str) -> bool:
    """Whether the name can stand in a line of a list, and a client can ask for it again."""
    return name not in ("", ".", "..") and not any(ord(one) < 0x20 or one == "\x7f" for one in name)
