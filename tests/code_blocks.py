"""The blocks of code in a document, so that tests run what readers paste."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
_FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"# ([\w./-]+\.\w+)\n")


class Block(NamedTuple):
    """`file` is the name in its first line, as in `# tests/test_it.py`; "" for none."""

    language: str
    file: str
    code: str


def blocks(document: str) -> list[Block]:
    """Those of a document of the project, in their order."""
    text = (ROOT / document).read_text(encoding="utf-8")
    found = []
    for language, code in _FENCED.findall(text):
        named = _NAMED.match(code)
        found.append(Block(language, named[1] if named else "", code))
    return found


def write(document: str, folder: Path) -> list[str]:
    """Write the blocks that name a file into `folder`; the names."""
    named = [one for one in blocks(document) if one.file]
    for block in named:
        path = folder / block.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.code, encoding="utf-8")
    return [one.file for one in named]
