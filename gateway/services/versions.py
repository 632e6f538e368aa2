"""Which storage-gateway this is, and what it stands on."""

from __future__ import annotations

import platform
import re
import sqlite3
import ssl
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

_US = "storage-gateway"
_FOR_US = 'extra == "dev"'


def product_version() -> str:
    return _version(_US) or "(not installed)"  # run from a source tree


def versions() -> Iterator[tuple[str, str]]:
    """(what, which): this program, Python, the system, and the libraries that are there of those
    that it asks for, or can use."""
    yield _US, product_version()
    yield platform.python_implementation(), platform.python_version()
    yield platform.system(), f"{platform.release()} ({platform.machine()})"
    yield "SQLite", sqlite3.sqlite_version
    yield "OpenSSL", ssl.OPENSSL_VERSION.removeprefix("OpenSSL ")
    for name in _libraries():
        found = _version(name)
        if found:
            yield name, found


def _libraries() -> list[str]:
    try:
        wanted = requires(_US) or []
    except PackageNotFoundError:
        return []
    # Those for who works on it are no part of what runs.
    names = (re.match(r"[\w.-]+", one) for one in wanted if _FOR_US not in one)
    return sorted({found[0] for found in names if found}, key=str.lower)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
