"""Which country an address is in, by a database that the operator has (MaxMind's format, as
GeoLite2, DB-IP and others come). It is looked at again when its file is another.

The library is `maxminddb`, which is installed by the extra `countries`.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

log = logging.getLogger("gateway")

NOWHERE = "ZZ"
"""The country of an address that the database does not know (ISO 3166-1: for users to assign)."""

LOOK = 30.0
"""Seconds between two looks at the file."""


class Countries:
    """Raises `ValueError`, which says what would be right, when the file cannot be used."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._clock = path, clock
        self._stamp = self._now()
        self._reader = _opened(path)
        self._next = clock() + LOOK

    def country(self, address: str) -> str | None:
        """ISO 3166-1 alpha-2, `NOWHERE`, or None for what is no address. For any thread."""
        if self._clock() >= self._next:
            self._look()
        try:
            return _code(self._reader.get(address))
        except ValueError:
            return None

    def _now(self) -> object:
        try:
            found = self._path.stat()
        except OSError as error:
            return error.errno
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _look(self) -> None:
        self._next = self._clock() + LOOK
        if (stamp := self._now()) == self._stamp:
            return
        self._stamp = stamp
        try:
            self._reader = _opened(self._path)
        except ValueError as error:
            log.error("Countries stay as they were: %s.", error)


def _opened(path: Path) -> Any:
    try:
        import maxminddb
    except ImportError:
        raise ValueError(
            "the library maxminddb is needed: pip install storage-gateway[countries]"
        ) from None
    # What is mapped, Windows lets nobody replace.
    mode = maxminddb.MODE_MEMORY if sys.platform == "win32" else maxminddb.MODE_AUTO
    try:
        return maxminddb.open_database(path, mode)
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no database of this kind"
        raise ValueError(f"{path} cannot be read: {reason}") from None


def _code(found: object) -> str:
    """As the databases have it: a table `country` with its `iso_code`, or the code itself."""
    country: object = None
    if isinstance(found, dict):
        country = found.get("country", found.get("country_code"))
        if isinstance(country, dict):
            country = country.get("iso_code")
    return country.upper() if isinstance(country, str) and len(country) == 2 else NOWHERE
