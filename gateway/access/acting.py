"""Acting on what was decided about: between a decision and its act another may change the object.

So the decision names what it looked at, the act takes that along as a condition which the store
compares in one with it, and where it does not hold it is decided about anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from gateway.storage import Conditions, Conflict, Labels, PreconditionFailed, Store
from gateway.storage.conditions import TAGS

S = TypeVar("S")
T = TypeVar("T")

_TIMES = 3


def has_other_tags(error: object) -> bool:
    """Whether that is why it was not done."""
    return isinstance(error, PreconditionFailed) and error.condition == TAGS


def acted(
    key: str,
    decide: Callable[[], S],
    act: Callable[[S], T],
    changed: Callable[[PreconditionFailed], bool] = has_other_tags,
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
    store: Store, tags: Mapping[str, str] | None, conditions: Conditions | None = None
) -> Conditions | None:
    """The conditions, and that the object has these tags, which it was decided by (None: by
    none), where the store compares them."""
    labels = None if tags is None else store.find(Labels)
    if labels is None or not labels.compares_tags:
        return conditions
    return replace(conditions or Conditions(), if_tags=tags)
