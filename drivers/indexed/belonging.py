"""Whose the folder of an index is, when an earlier release made it, which left no word."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Literal

from gateway.common import folders, looking

OBJECTS = "local"
"""The owner of a folder that all stores of objects share."""

KNOWN = (folders.FILE, "index.db")
"""Of a folder in which a store of objects has been, one is there."""


def claim(folder: Path, name: str, kind: Literal["objects", "cache"]) -> None:
    """Have the folder for a store of that kind. Raises `folders.Taken`, and `OSError`."""
    found = "" if folders.owner(folder) else kept_in(folder)
    if found not in ("", kind):
        raise folders.Taken(f"The folder {folder} {folders.taken(_WORDS[found])}")
    if kind == "objects" and folders.owner(folder) == OBJECTS:
        _refuse_lost(folder)
    folders.claim(folder, name)


def _refuse_lost(folder: Path) -> None:
    """Raise `ValueError` where blobs are and their index is not: with a new one they would be
    nobody's, and be removed. Blobs are looked for first: another worker makes an index before
    them."""
    index = folder / "index.db"
    if next((folder / "blobs").glob("??/?*"), None) is None:
        return
    if not looking.is_file(index) or not index.stat().st_size:
        raise ValueError(
            f"The index {index} is missing, and {folder / 'blobs'} has the bytes of objects that"
            " it knew: restore it from a backup. To begin anew, move that folder away."
        )


_WORDS = {"objects": OBJECTS, "cache": "a cache"}


def kept_in(folder: Path) -> Literal["", "objects", "cache"]:
    """What the index there keeps; "" where there is none, or nothing in it yet. Objects
    count: a cache may once have been put upon them."""
    path = folder / "index.db"
    if not looking.is_file(path):
        return ""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as found:
            names = {row[0] for row in found.execute("SELECT name FROM sqlite_master")}
            if "services" in names and found.execute("SELECT 1 FROM services").fetchone():
                return "objects"
    except sqlite3.Error:
        return ""  # whoever opens it says what is wrong with it
    return "cache" if "cache_entries" in names else ""
