"""Acting on what was decided about: between a decision and its act another may change the object.

So the decision names what it looked at, the act takes that along as a condition which the store
compares in one with it, and where it does not hold it is decided about anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from gateway.storage import Conditions, Conflict, Labels, PreconditionFailed, Store
from gateway.storage.conditions import SEEN

S = TypeVar("S")
T = TypeVar("T")

_TIMES = 3


def has_changed(error: object) -> bool:
    """Whether it was not done because the object has other things than were looked at."""
    return isinstance(error, PreconditionFailed) and error.condition == SEEN


def acted(
    key: str,
    decide: Callable[[], S],
    act: Callable[[S], T],
    changed: Callable[[PreconditionFailed], bool] = has_changed,
) -> T:
    """What `act` gives for what was decided about. Raises what both raise, and `Conflict` where
    the object has `changed` each time."""
    for _ in range(_TIMES):
        try:
            return act(decide())
        except PreconditionFailed as error:
            if not changed(error):
                raise
    raise Conflict(key=key)


def having(
    store: Store, seen: Mapping[str, Any] | None, conditions: Conditions | None = None
) -> Conditions | None:
    """The conditions, and that the object has what was seen (by names of `Properties`; None:
    nothing), where the store compares that."""
    labels = None if seen is None else store.find(Labels)
    if labels is None or not labels.compares_seen:
        return conditions
    return replace(conditions or Conditions(), if_seen=seen)
