"""What an interface says of an error: found in its table along the MRO, so that an error which is
new gets what its kind has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from gateway.storage import StorageError

T = TypeVar("T")


def entry(table: Mapping[Any, T], error: Exception) -> T:
    """`table` is by class, and has `StorageError`, or whatever all of its errors are."""
    return next(table[kind] for kind in type(error).__mro__ if kind in table)


def words(error: StorageError, speaking: tuple[type[StorageError], ...], usual: str) -> str:
    """The error's own message, if it is one of those `speaking` and has one of its own: that says
    more than what is said of all like it."""
    own = isinstance(error, speaking) and error.message != type(error).message
    return error.message if own and error.message else usual
