"""The command `gateway`, also as `python -m gateway`."""

from __future__ import annotations

import gc
import sys


def main() -> int:
    """Import and run it. What is imported stays, so the collector need not look at it:
    measured, 25 of the 400 ms until `serve` answers."""
    gc.disable()
    from gateway.cli import main as command

    gc.freeze()
    gc.enable()
    return command()


if __name__ == "__main__":  # workers that are spawned import this file again
    sys.exit(main())
