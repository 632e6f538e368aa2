"""What tests look for in our sources, each of which is read and parsed once for all of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """`looked_up`: (line, text) of each text by which something is looked up, set or taken."""

    docstring: str
    imports: tuple[ast.Import | ast.ImportFrom, ...]
    looked_up: tuple[tuple[int, str], ...]


@cache
def source_at(path: Path) -> Source:
    return source_of(path.read_text("utf-8"))


def source_of(text: str) -> Source:
    tree, imports, looked_up = ast.parse(text), [], list[tuple[int, str]]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            imports.append(node)
        else:
            looked_up += _looked_up(node)
    return Source(
        docstring=ast.get_docstring(tree) or "",
        imports=tuple(imports),
        looked_up=tuple(looked_up),
    )


def _looked_up(node: ast.AST) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.Subscript):
        keys = [node.slice]
    elif isinstance(node, ast.Call):
        keys = node.args
    elif isinstance(node, ast.Compare):
        keys = [node.left]
    else:
        return
    for key in keys:
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            yield key.lineno, key.value
