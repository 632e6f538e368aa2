"""Paths as people write them: "~" for a home folder, relative to a folder that may be gone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from gateway.config.problems import BAD, Problems


def expanded(path: str | os.PathLike[str]) -> Path:
    """With the home folder that a "~" at its beginning stands for. Raises `ValueError`."""
    try:
        return Path(path).expanduser()
    except RuntimeError:  # no HOME, and no such user
        raise ValueError(f'"{path}": that home folder is not known here') from None


def here() -> Path:
    """Where relative paths start from. When that folder was removed, they stay relative:
    nothing is found by them, and who gives none needs none."""
    try:
        return Path.cwd()
    except OSError:
        return Path()


def located(problems: Problems, folder: Path, text: str, place: str) -> Any:
    """The path that is written at that place, relative ones from `folder`; `BAD` when it is
    none."""
    try:
        return folder / expanded(text)
    except ValueError as error:
        problems.add(place, f"{error}.")
        return BAD
