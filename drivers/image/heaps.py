"""What decoders have freed goes back to the system, where glibc would keep it.

glibc gives each thread that allocates a heap of its own, up to eight for each processor, and keeps
what is freed in them. Pictures take tens of megabytes, in whichever thread a request runs.
"""

from __future__ import annotations

import ctypes
import os
import sys

_M_ARENA_MAX = -8
"""Of `mallopt(3)`."""
_FEW = 2


def few() -> None:
    """Have the process make no more than a few heaps from now on. Nothing elsewhere than with
    glibc; whoever has set `MALLOC_ARENA_MAX` has decided already, and is not overruled."""
    if sys.platform != "linux" or "MALLOC_ARENA_MAX" in os.environ:
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _FEW)
