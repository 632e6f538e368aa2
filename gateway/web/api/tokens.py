"""What goes on from a page of a list (`after`, `next`): opaque to clients, base64url of what the
store is asked, text by text. It is no JSON: whoever makes one up could nest it as deep as the
parser breaks.
"""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64encode
from collections.abc import Sequence

from gateway.web.api.parameters import wrong


def token(*parts: str) -> str:
    return ".".join(urlsafe_b64encode(one.encode()).decode().rstrip("=") for one in parts)


def place(after: str | None, count: int) -> tuple[str, ...] | None:
    """Of a request's parameter: `count` texts; None: at the beginning. Raises `Unfit`."""
    if not after:
        return None
    try:
        return tuple(parts_of(after, count))
    except ValueError:
        raise wrong("after", "the `next` of a page before") from None


def parts_of(text: str, count: int) -> Sequence[str]:
    """What `token` was made of. Raises `ValueError` when it was not made here."""
    found = text.split(".")
    if len(found) != count:
        raise ValueError("no token of this list")
    return [_part(one) for one in found]


def _part(text: str) -> str:
    padded = text + "=" * (-len(text) % 4)
    return b64decode(padded, altchars=b"-_", validate=True).decode()
