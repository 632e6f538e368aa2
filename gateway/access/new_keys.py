"""Ids and secrets that are made up for keys."""

from __future__ import annotations

import secrets
from string import ascii_letters, digits

from gateway.storage import Secret

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def new_id() -> str:
    """An access key id that nobody has: 20 letters and digits, as AWS's have."""
    return "GW" + "".join(secrets.choice(_ALPHABET) for _ in range(18))


def new_secret() -> Secret:
    """40 letters and digits, 238 random bits: no quoting anywhere, and no "-" in front."""
    return Secret("".join(secrets.choice(ascii_letters + digits) for _ in range(40)))
