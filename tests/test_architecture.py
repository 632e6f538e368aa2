"""Imports follow the arrow: server → app → mode → access → service → store, and never back.

Each rule names a part of the tree and what of the gateway it may import; each
part has one. Imports for type checkers and
inside functions count too: an arrow is about what code knows.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.sources import Source, source_at, source_of

ROOT = Path(__file__).resolve().parent.parent
OURS = ("gateway", "drivers")
CONTRACT = "gateway.storage"
COMMON = "gateway.common"

MODES = "gateway.modes"
"""What a mode is and what it gets; each mode below it is a part of its own."""

HOOKIMPL = "gateway.hookspecs.hookimpl"

ALLOWED: dict[str, tuple[str, ...]] = {
    # part of the tree: what it may import besides itself
    "gateway.storage": (),
    COMMON: (CONTRACT,),
    "gateway.access.access": (CONTRACT, "gateway.access", "gateway.services.service"),
    "gateway.access": (CONTRACT,),  # who, what and whether: it knows no service
    "gateway.services.service": (CONTRACT, "gateway.access.grants"),  # its type Grant
    "gateway.services.subtree": (CONTRACT,),
    "gateway.services": (
        CONTRACT,
        COMMON,
        MODES,
        "gateway.access",
        "gateway.catalog",
        "gateway.config",
        "gateway.telemetry.line_spool",
        "gateway.telemetry.report_file",
        "gateway.telemetry.reports",
        "gateway.telemetry.record",
        "gateway.telemetry.request_list",
        "gateway.telemetry.traffic",
    ),
    "gateway.catalog": (CONTRACT, COMMON, "gateway.access", "gateway.config"),
    "gateway.config": (
        CONTRACT,
        COMMON,
        MODES,
        "gateway.access.grants",
        "gateway.access.identity",
        "gateway.access.rules",
        "gateway.plugins",
    ),
    "gateway.plugins": (
        CONTRACT,
        COMMON,
        MODES,
        "gateway.access.settings",
        "gateway.hookspecs",
    ),
    "gateway.telemetry": (COMMON,),
    "gateway.background": (CONTRACT, COMMON, "gateway.telemetry.metrics"),
    "gateway.web.api": (
        CONTRACT,
        COMMON,
        MODES,
        "gateway.access.actions",
        "gateway.web.http_fields",
        "gateway.web.http_ranges",
        "gateway.web.replies",
        "gateway.web.request_head",
        "gateway.web.short_bodies",
    ),
    "gateway.web": (CONTRACT, COMMON, MODES, "gateway.config", "gateway.telemetry"),
    "gateway.servers.worker": (
        CONTRACT,
        COMMON,
        MODES,
        "gateway.background",
        "gateway.catalog",
        "gateway.config",
        "gateway.plugins",
        "gateway.servers",
        "gateway.services",
        "gateway.telemetry",
        "gateway.web",
    ),
    "gateway.servers.reporting": (
        CONTRACT,
        "gateway.access.identity",
        "gateway.background.jobs",
        "gateway.config",
        "gateway.services.runtime",
        "gateway.telemetry",
    ),
    "gateway.servers": (CONTRACT, COMMON, MODES, "gateway.web"),
    "gateway.commands": (
        CONTRACT,
        COMMON,
        MODES,
        "gateway.access",
        "gateway.background.followers",
        "gateway.catalog",
        "gateway.config",
        "gateway.plugins",
        "gateway.servers",
        "gateway.services",
        "gateway.telemetry.logs",
        "gateway.telemetry.report_file",
        "gateway.telemetry.reports",
    ),
    "gateway.__main__": (COMMON, "gateway.commands", "gateway.servers"),
    "gateway.hookspecs": (CONTRACT, MODES),
    MODES: (
        CONTRACT,
        COMMON,
        HOOKIMPL,
        "gateway.access",
        "gateway.telemetry.record",
        "gateway.telemetry.line_spool",
        "gateway.telemetry.reports",
        "gateway.telemetry.request_list",
        "gateway.telemetry.traffic",
        "gateway.web.addressing",
        "gateway.web.api",
        "gateway.web.forms",
        "gateway.web.http_fields",
        "gateway.web.http_ranges",
        "gateway.web.rates",
        "gateway.web.refusal_headers",
        "gateway.web.replies",
        "gateway.web.request_facts",
        "gateway.web.request_head",
        "gateway.web.short_bodies",
        "gateway.web.signed",
        "gateway.web.suspects",
    ),
    "gateway.testing.server": ("gateway",),  # it is a whole gateway
    "gateway.testing": (CONTRACT,),
    "gateway.pytest_plugin": ("gateway.testing",),
    "gateway": (),  # a module that is in no room
    "drivers.indexed": (CONTRACT, COMMON),
    "drivers.local": (CONTRACT, COMMON, HOOKIMPL, "drivers.indexed"),
    "drivers.memory": (CONTRACT, COMMON, HOOKIMPL, "drivers.indexed"),
    "drivers.cache": (CONTRACT, COMMON, HOOKIMPL, "drivers.indexed"),
    "drivers": (CONTRACT, COMMON, HOOKIMPL),
}
"""The first part that fits decides; each driver and each mode is a part of its own."""


def module_of(path: Path, root: Path = ROOT) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(source: Source, module: str, *, package: bool) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of all of ours that a module imports; `from a import b` is `a.b`."""
    for node in source.imports:
        names = [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = len(module.split(".")) - node.level + package
                base = ".".join([*module.split(".")[:above], base]).rstrip(".")
            names = [f"{base}.{name}" for name in names]
        yield from ((node.lineno, name) for name in names if name.split(".")[0] in OURS)


def within(name: str, part: str) -> bool:
    return name == part or name.startswith(part + ".")


def part_of(module: str) -> tuple[str, tuple[str, ...]]:
    """The part of the tree that a module belongs to, and what that may import."""
    rule = next(rule for rule in ALLOWED if within(module, rule))
    names = module.split(".")
    if rule == "gateway":
        return module, ()
    if rule == MODES and len(names) > 2:
        return ".".join(names[:3]), (MODES, *ALLOWED[MODES])
    return (".".join(names[:2]) if rule == "drivers" else rule), ALLOWED[rule]


def offence(module: str, name: str) -> str:
    """Why `module` may not import `name`; "" when it may."""
    part, allowed = part_of(module)
    if within(name, part):
        return ""
    mode = name.split(".")[:3]
    if len(mode) == 3 and within(name, MODES) and is_mode(mode[2]) and allowed != ("gateway",):
        return "a mode is found as a plugin, and imported by nobody"
    if any(within(name, one) for one in allowed):
        return ""
    what = " and ".join(allowed) or "nothing else of the gateway"
    return f"{part} may import {what}"


def is_mode(name: str) -> bool:
    return (ROOT / "gateway" / "modes" / name).is_dir()


def offences(path: Path) -> list[str]:
    module, package = module_of(path), path.name == "__init__.py"
    found = imports(source_at(path), module, package=package)
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


def test_no_file_knows_of_one_that_knows_of_it() -> None:
    files = {module_of(path): path for top in OURS for path in (ROOT / top).rglob("*.py")}
    graph = {
        module: {
            name if name in files else name.rpartition(".")[0]
            for _, name in imports(source_at(path), module, package=path.name == "__init__.py")
        }
        for module, path in files.items()
    }
    assert circles(graph) == []


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Sets of modules each of which leads to all others of its set."""

    def reached(start: str) -> frozenset[str]:
        seen, todo = set[str](), [start]
        while todo:
            todo.extend(found := graph.get(todo.pop(), set()) - seen)
            seen |= found
        return frozenset(seen)

    all_of = {module: reached(module) for module in graph}
    found = {
        frozenset(other for other in all_of[module] if module in all_of.get(other, ()))
        for module in graph
    }
    return sorted(sorted(one) for one in found if len(one) > 1)


def test_circles_are_seen() -> None:
    graph = {"a": {"b"}, "b": {"c", "x"}, "c": {"a"}, "d": {"a"}, "e": {"f"}, "f": {"e"}}
    assert circles(graph) == [["a", "b", "c"], ["e", "f"]]


@pytest.mark.parametrize(
    ("module", "name", "allowed"),
    [
        ("gateway.storage.store", "gateway.storage.types.Get", True),
        ("gateway.storage.store", "gateway.access.access.Access", False),
        ("drivers.local.store", "gateway.storage.Store", True),
        ("drivers.local.store", "drivers.indexed.space", True),
        ("drivers.local", "gateway.hookspecs.hookimpl", True),
        ("drivers.local", "gateway.hookspecs.PROJECT", False),
        ("drivers.local", "gateway.services.service.Service", False),
        ("drivers.indexed.space", "gateway.common.xml", True),
        ("drivers.s3.documents", "gateway.common.xml.element", True),
        ("gateway.common.xml", "gateway.storage.StorageError", True),
        ("gateway.common.xml", "gateway.plugins.options", False),
        ("gateway.storage.types", "gateway.common.xml", False),
        ("drivers.local", "drivers.memory", False),
        ("drivers.indexed.space", "gateway.hookspecs.hookimpl", False),
        ("drivers.fsspec.store", "drivers.indexed", False),
        ("drivers.fsspec.store", "drivers.fsspec.paths", True),
        ("gateway.modes.s3.wire", "gateway.modes.Gateway", True),
        ("gateway.modes.s3.wire", "gateway.modes.s3.errors", True),
        ("gateway.modes.s3.wire", "gateway.access.access.Access", True),
        ("gateway.modes.s3.wire", "gateway.web.app", False),
        ("gateway.modes.s3.wire", "drivers.local", False),
        ("gateway.web.app", "drivers.local", False),
        ("gateway.web.app", "gateway.modes", True),
        ("gateway.testing.faults", "gateway.storage", True),
        ("gateway.testing.faults", "gateway.services.service", False),
        ("gateway.testing.server.stage", "gateway.services.runtime", True),
        ("gateway.testing.server.stage", "drivers.memory", False),
        ("gateway.services.service", "gateway.modes", False),
        ("gateway.services.service", "gateway.access.access", False),
        ("gateway.access.access", "gateway.services.service", True),
        ("gateway.access.evaluation", "gateway.services.service", False),
        ("gateway.services.chain", "gateway.web.app", False),
        ("gateway.services.chain", "gateway.config.construct", True),
        ("gateway.config.services", "gateway.services.service", False),
        ("gateway.config.tables", "gateway.web.forwarded", False),
        ("gateway.servers.waitress", "gateway.services.chain", False),
        ("gateway.servers.worker", "gateway.services.chain", True),
        ("gateway.background.jobs", "gateway.services.runtime", False),
        ("gateway.telemetry.record", "gateway.web.exchange", False),
        ("gateway.somewhere", "gateway.storage", False),
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
    seen = [name for _, name in imports(source_of(source), "gateway.storage.types", package=False)]
    assert seen == [
        "gateway.access",
        "gateway.service",
        "gateway.service.Service",
        "gateway.storage.store",
        "drivers.local.Local",
    ]
    source = "from .store import Store"
    (own,) = imports(source_of(source), "gateway.storage", package=True)
    assert own[1] == "gateway.storage.store.Store"


WHO_ASKS: dict[str, tuple[str, ...]] = {
    # of a request's environ: who may read or write it
    "REMOTE_ADDR": ("gateway.web.forwarded", "gateway.web.exchange", "gateway.servers"),
    "HTTP_HOST": (
        "gateway.web.addressing",
        "gateway.web.forwarded",
        "gateway.web.request_head",
        "gateway.modes.s3",
        "gateway.modes.console.security",
    ),
    "wsgi.url_scheme": (
        "gateway.web.addressing",
        "gateway.web.forwarded",
        "gateway.web.request_facts",
        "gateway.modes.s3",
        "gateway.modes.console.security",
        "gateway.servers",
    ),
    "SERVER_PORT": ("gateway.web.addressing", "gateway.web.doors", "gateway.servers"),
    "SERVER_NAME": ("gateway.servers",),
    "HTTP_FORWARDED": ("gateway.web.forwarded", "gateway.modes.s3.signatures.suspects"),
    "HTTP_X_FORWARDED_FOR": ("gateway.web.forwarded",),
    "HTTP_X_FORWARDED_HOST": ("gateway.web.forwarded", "gateway.modes.s3.signatures.suspects"),
    "HTTP_X_FORWARDED_PROTO": ("gateway.web.forwarded",),
    "HTTP_X_FORWARDED_PORT": ("gateway.modes.s3.signatures.suspects",),
    "HTTP_X_REAL_IP": (),
}
"""Servers say what they see, `forwarded` decides once, before a door is chosen, and what comes
behind it reads that: the client in `gateway.client`, host and scheme where they always are. The
suspects explain signatures that were refused."""


def test_parameters_of_sql_have_no_numbers() -> None:
    """Early Pythons 3.12 warn of `?1` with a sequence (3.13 and 3.14 do not), and in tests a
    warning is an error."""
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for part in ("gateway", "drivers")
        for path in sorted((ROOT / part).rglob("*.py"))
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if re.search(r"[=(,] ?\?[0-9]|LIMIT \?[0-9]", line)
    ]
    assert not found, found


def test_who_asks_for_what_is_decided_in_one_place() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line} reads {name}"
        for path in sorted((ROOT / "gateway").rglob("*.py"))
        if not within(module := module_of(path), "gateway.testing.server")  # it is a server
        for line, name in source_at(path).looked_up
        if name in WHO_ASKS and not any(within(module, one) for one in WHO_ASKS[name])
    ]
    assert not found, "\n" + "\n".join(found)


def test_what_is_looked_up_is_seen() -> None:
    source = """
environ["A"]; environ.get("B", ""); "C" in environ; said(environ, "D"); names = {"E"}
"""
    assert {text for _, text in source_of(source).looked_up} == {"A", "B", "", "C", "D"}


PAGE = ROOT / "docs" / "architecture.md"


def gone(text: str) -> list[str]:
    """What a page names, in backticks, and is not there: paths from the root, and files
    (`name.py`) of the folder of the path named last."""
    folder, missing = ROOT, []
    for name in re.findall(r"`([\w./-]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        if "/" in name:
            path = ROOT / name
            folder = path if path.is_dir() else path.parent
        elif name.endswith(".py"):
            path = folder / name
        else:
            continue
        if not path.exists():
            missing.append(name)
    return missing


def test_what_the_page_names_is_there() -> None:
    text = PAGE.read_text("utf-8")
    assert len(re.findall(r"`[\w/]+\.py`", text)) > 30
    assert gone(text) == []


def test_what_is_gone_from_a_page_is_seen() -> None:
    text = "`gateway/storage/` has `store.py`, `stores.py`, `drivers/no`, `Store`\n```\n`x.py`\n```"
    assert gone(text) == ["stores.py", "drivers/no"]


def listed(docstring: str) -> set[str]:
    """The files that a package's docstring lists, at the beginnings of its lines; none where it
    is no list."""
    lines = re.findall(r"^ *(?:\w+\.py\b ?)+.*$", docstring, flags=re.MULTILINE)
    return set(re.findall(r"\w+\.py\b", "\n".join(lines))) if len(lines) > 3 else set()


def test_a_package_that_lists_its_files_lists_all() -> None:
    lists = 0
    for path in [
        *(ROOT / "drivers").rglob("__init__.py"),
        *(ROOT / "gateway").rglob("__init__.py"),
    ]:
        named = listed(source_at(path).docstring)
        there = {one.name for one in path.parent.glob("*.py")} - {"__init__.py"}
        assert not named or named == there, f"{path.parent}: {sorted(named ^ there)}"
        lists += bool(named)
    assert lists > 5
