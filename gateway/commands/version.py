"""`gateway version`: which storage-gateway this is."""

from __future__ import annotations

import argparse
import sys

from gateway.commands.command import Command
from gateway.services.versions import product_version


def _run(_typed: argparse.Namespace) -> int:
    print(f"storage-gateway {product_version()}, Python {sys.version.split()[0]}")
    return 0


COMMAND = Command(name="version", text="which storage-gateway this is", run=_run)
