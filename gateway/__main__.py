"""The command `gateway`, also as `python -m gateway`."""

from __future__ import annotations

import gc
import os
import sys


def main() -> int:
    """Import what was typed, and run it. What is imported stays, so the collector need not look
    at it: measured, 25 of the 400 ms until `serve` answers."""
    _open_streams()
    gc.disable()
    from gateway.commands.main import main as command
    from gateway.commands.main import parser_for
    from gateway.common.leaving import leave_within

    parser_for(sys.argv[1:])
    gc.freeze()
    gc.enable()
    code = command()
    leave_within(code)
    return code


def _open_streams() -> None:
    """Give a process that was started without stdin, stdout or stderr ones that lead nowhere.

    Else the next file that is opened has the number of one, and what somebody prints there
    is written into it. And nothing that is printed ends a command because the terminal's
    encoding lacks a character.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # in this order each gets its own number
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115, PTH123 - it stays
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)
    if (reconfigure := getattr(sys.stdout, "reconfigure", None)) is not None:
        reconfigure(errors="backslashreplace")


if __name__ == "__main__":  # workers that are spawned import this file again
    sys.exit(main())
