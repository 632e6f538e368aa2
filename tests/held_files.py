"""A file that another program has open, as Windows has it: it can be neither removed nor replaced
until that lets go of it.

There it is opened in the way of Python, which does not share it. Elsewhere the calls that would
remove it are made to say what Windows says.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

ERROR_SHARING_VIOLATION = 32


def violation(path: object) -> PermissionError:
    error = PermissionError(errno.EACCES, "The file is in use", path)
    setattr(error, "winerror", ERROR_SHARING_VIOLATION)  # noqa: B010 - POSIX has none
    return error


@contextmanager
def held(*paths: Path) -> Iterator[None]:
    with ExitStack() as held:
        if os.name == "nt":
            for path in paths:
                held.enter_context(path.open("rb"))
        else:
            for name in ("unlink", "remove", "replace"):
                refusing = _refusing(getattr(os, name), set(map(str, paths)))
                held.enter_context(mock.patch.object(os, name, refusing))
        yield


def _refusing(real: Callable[..., Any], paths: set[str]) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        for path in map(os.fspath, arguments):
            if path in paths:
                raise violation(path)
        return real(*arguments, **options)

    return call
