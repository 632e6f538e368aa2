"""Imports follow the arrow: server → app → mode → access → service → store, and never back.

Each rule names a part of the tree and what of the gateway it may import; a
part without a rule may import all but drivers. Imports for type checkers and
inside functions count too: an arrow is about what code knows.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = ("gateway", "drivers")
CONTRACT = "gateway.storage"
COMMON = "gateway.common"

ALLOWED: dict[str, tuple[str, ...]] = {
    # part of the tree: what it may import besides itself
    "gateway.storage": (),
    COMMON: (CONTRACT,),
    "gateway.testing.server": ("gateway",),  # it is a whole gateway
    "gateway.testing": (CONTRACT,),
    "drivers.indexed": (CONTRACT, COMMON),
    "drivers.local": (CONTRACT, COMMON, "gateway.hookspecs.hookimpl", "drivers.indexed"),
    "drivers.memory": (CONTRACT, COMMON, "gateway.hookspecs.hookimpl", "drivers.indexed"),
    "drivers.cache": (CONTRACT, COMMON, "gateway.hookspecs.hookimpl", "drivers.indexed"),
    "drivers": (CONTRACT, COMMON, "gateway.hookspecs.hookimpl"),
    "gateway.identity": (CONTRACT,),
    "gateway.service": (CONTRACT, "gateway.access"),  # the latter for its type Grant
    "gateway.access": (CONTRACT, "gateway.identity", "gateway.service"),
    "gateway": ("gateway",),
}
"""The first part that fits decides; each driver is a part of its own."""

BEHIND_MODES = ("app", "server", "cli", "chain", "config", "catalog", "plugins")
"""What makes modes and calls them: they get what they need of it as arguments."""


def module_of(path: Path, root: Path = ROOT) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(source: str, module: str, *, package: bool) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of all of ours that a module imports; `from a import b` is `a.b`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = len(module.split(".")) - node.level + package
                base = ".".join([*module.split(".")[:above], base]).rstrip(".")
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from ((node.lineno, name) for name in names if name.split(".")[0] in OURS)


def within(name: str, part: str) -> bool:
    return name == part or name.startswith(part + ".")


def part_of(module: str) -> tuple[str, tuple[str, ...]]:
    """The part of the tree that a module belongs to, and what that may import."""
    rule = next(rule for rule in ALLOWED if within(module, rule))
    names = module.split(".")
    if names[:2] == ["gateway", "modes"] and len(names) > 2:
        return ".".join(names[:3]), ("gateway",)
    return (".".join(names[:2]) if rule == "drivers" else rule), ALLOWED[rule]


def offence(module: str, name: str) -> str:
    """Why `module` may not import `name`; "" when it may."""
    part, allowed = part_of(module)
    if within(name, part):
        return ""
    if within(part, "gateway.modes") and part != "gateway.modes":
        mode = name.split(".")[:3]
        if len(mode) == 3 and mode[:2] == ["gateway", "modes"] and is_mode(mode[2]):
            return "modes do not import each other"
        if any(within(name, f"gateway.{one}") for one in BEHIND_MODES):
            return "modes are given what they need and do not import who calls them"
    if any(within(name, one) for one in allowed):
        return ""
    what = " and ".join(allowed) or "nothing else of the gateway"
    return f"{part} may import {what}"


def is_mode(name: str) -> bool:
    return (ROOT / "gateway" / "modes" / name).is_dir()


def offences(path: Path) -> list[str]:
    module, package = module_of(path), path.name == "__init__.py"
    found = imports(path.read_text("utf-8"), module, package=package)
    return [
        f"{path.relative_to(ROOT)}:{line} imports {name}, but {why}"
        for line, name in found
        if (why := offence(module, name))
    ]


def test_imports_follow_the_arrow() -> None:
    files = [path for top in OURS for path in sorted((ROOT / top).rglob("*.py"))]
    assert len(files) > 20
    found = [one for path in files for one in offences(path)]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("module", "name", "allowed"),
    [
        ("gateway.storage.store", "gateway.storage.types.Get", True),
        ("gateway.storage.store", "gateway.access.Access", False),
        ("drivers.local.store", "gateway.storage.Store", True),
        ("drivers.local.store", "drivers.indexed.space", True),
        ("drivers.local", "gateway.hookspecs.hookimpl", True),
        ("drivers.local", "gateway.hookspecs.PROJECT", False),
        ("drivers.local", "gateway.service.Service", False),
        ("drivers.indexed.space", "gateway.common.xml", True),
        ("drivers.s3.documents", "gateway.common.xml.element", True),
        ("gateway.common.xml", "gateway.storage.StorageError", True),
        ("gateway.common.xml", "gateway.fields", False),
        ("gateway.storage.types", "gateway.common.xml", False),
        ("drivers.local", "drivers.memory", False),
        ("drivers.indexed.space", "gateway.hookspecs.hookimpl", False),
        ("drivers.fsspec.store", "drivers.indexed", False),
        ("drivers.fsspec.store", "drivers.fsspec.paths", True),
        ("gateway.modes.s3.wire", "gateway.modes.Gateway", True),
        ("gateway.modes.s3.wire", "gateway.modes.s3.errors", True),
        ("gateway.modes.s3.wire", "gateway.access.Access", True),
        ("gateway.modes.s3.wire", "gateway.app", False),
        ("gateway.modes.s3.wire", "drivers.local", False),
        ("gateway.app", "drivers.local", False),
        ("gateway.app", "gateway.modes", True),
        ("gateway.testing.faults", "gateway.storage", True),
        ("gateway.testing.faults", "gateway.service", False),
        ("gateway.testing.server.stage", "gateway.runtime", True),
        ("gateway.testing.server.stage", "drivers.memory", False),
        ("gateway.service", "gateway.modes", False),
    ],
)
def test_the_rules_know_right_from_wrong(module: str, name: str, allowed: bool) -> None:
    assert (offence(module, name) == "") is allowed


def test_a_mode_does_not_import_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "is_mode", {"s3", "standard"}.__contains__)
    assert offence("gateway.modes.standard", "gateway.modes.s3.wire")
    assert not offence("gateway.modes.standard", "gateway.modes.Mode")


def test_all_ways_to_import_are_seen() -> None:
    source = """
import os, gateway.access
from gateway import service
from ..service import Service
from . import store
def later():
    from drivers.local import Local
"""
    seen = [name for _, name in imports(source, "gateway.storage.types", package=False)]
    assert seen == [
        "gateway.access",
        "gateway.service",
        "gateway.service.Service",
        "gateway.storage.store",
        "drivers.local.Local",
    ]
    (own,) = imports("from .store import Store", "gateway.storage", package=True)
    assert own[1] == "gateway.storage.store.Store"
