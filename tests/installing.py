"""Installs a foreign package as its user would, but into a folder, and without a network."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path


def install(source: Path, site: Path) -> None:
    """Build and install it. The source is copied first: building writes into it."""
    copied = site.with_name(f"{site.name}-source")
    shutil.copytree(source, copied)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(site)]
    command = [sys.executable, "-m", "pip", "install", *options, str(copied)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
