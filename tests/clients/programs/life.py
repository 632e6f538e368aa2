"""What the programs have in common that run in an environment of their own: a client's life in
steps, each of which prints a line. They import nothing of the project."""

from __future__ import annotations

import os
import sys
import traceback
import urllib.request
from collections.abc import Callable
from pathlib import Path

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
BUCKET = os.environ["LIFE_BUCKET"]
LARGE = Path(os.environ["LIFE_LARGE"])
CERTIFICATE = os.environ.get("AWS_CA_BUNDLE", "")
SMALL = b"0123456789"
KEYS = ("a b+c/1", "a b+c/é 📁", "d/2")

_failed: list[str] = []


def step(name: str) -> Callable[[Callable[[], None]], None]:
    """Run what is decorated, and print how it went."""

    def run(does: Callable[[], None]) -> None:
        try:
            does()
        except BaseException as error:
            _failed.append(name)
            traceback.print_exc()
            print(f"{name}: failed: {error!r}"[:300].replace("\n", " "), flush=True)
        else:
            print(f"{name}: ok", flush=True)

    return run


def fetched(url: str) -> bytes:
    """What a URL gives whoever has it."""
    import ssl

    context = ssl.create_default_context(cafile=CERTIFICATE) if CERTIFICATE else None
    with urllib.request.urlopen(url, context=context) as answer:
        found: bytes = answer.read()
    return found


def ended() -> None:
    sys.exit(1 if _failed else 0)
