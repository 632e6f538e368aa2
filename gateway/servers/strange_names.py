"""Handshakes for names that are no ASCII (RFC 6066 §3 has no others) are refused by Python's
`ssl` before it asks for a certificate, and it has no other way to say so than on stderr, in
several lines, to the operator. Anybody could fill a log with them.
"""

from __future__ import annotations

import ssl
import sys
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # it is there for type checkers alone
    from sys import UnraisableHookArgs


@cache
def keep_quiet() -> None:
    """About these, in this process. Whatever else cannot be raised is said as before."""
    before = sys.unraisablehook

    def hook(found: UnraisableHookArgs, /) -> None:
        if not _is_a_name(found):
            before(found)

    sys.unraisablehook = hook


def _is_a_name(found: UnraisableHookArgs) -> bool:
    """Code in Python that cannot decode something has a frame below that of `ssl`."""
    at = found.exc_traceback
    if not issubclass(found.exc_type, UnicodeDecodeError) or at is None:
        return False
    return at.tb_next is None and at.tb_frame.f_globals is vars(ssl)
