"""Scripts, styles and pictures of the pages: small, read once, and known by their hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import NamedTuple

from gateway.modes.console.problems import ConsoleProblem
from gateway.web.replies import Reply

FOLDER = "static/"
_TYPES: Mapping[str, str] = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_FOR_GOOD = "public, max-age=31536000, immutable"


class StaticFile(NamedTuple):
    content_type: str
    data: bytes
    hash: str


def _read(folder: Traversable, prefix: str = "") -> dict[str, StaticFile]:
    found: dict[str, StaticFile] = {}
    for one in folder.iterdir():
        if "." not in one.name:
            found |= _read(one, f"{prefix}{one.name}/")
        elif kind := _TYPES.get(one.name.rpartition(".")[2]):
            data = one.read_bytes()
            digest = hashlib.sha256(data).hexdigest()
            found[prefix + one.name] = StaticFile(kind, data, digest[:16])
    return found


class StaticFiles:
    def __init__(self) -> None:
        self._files = _read(files("gateway.modes.console") / "static")

    def address(self, name: str) -> str:
        """Below `static/`: another one when the file is another."""
        return f"{name}?v={self._files[name].hash}"

    def reply(self, name: str, version: str) -> Reply:
        """Raises `ConsoleProblem`."""
        found = self._files.get(name)
        if found is None:
            raise ConsoleProblem("NotFound")
        kept = _FOR_GOOD if version == found.hash else "no-cache"
        return Reply(
            200, [("content-type", found.content_type), ("cache-control", kept)], found.data
        )
