"""Steps of a thread that others count on: one that fails is told, and the next is taken.

A thread that ends by an exception does so in silence, as far as its process goes: what it
was there for is not done any more, and nobody is waiting to hear of it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable


class Steady:
    """Takes steps of one kind. What fails again and again in the same way is told once:
    `words` say what the step was for. Errors that are `foreseen`, and say what is wrong, are
    told in a line; all others with their traceback."""

    def __init__(
        self,
        log: logging.Logger,
        words: str,
        *,
        foreseen: tuple[type[Exception], ...] = (),
    ) -> None:
        self._log, self._words, self._foreseen = log, words, foreseen
        self.failure = ""
        """What the last step failed by; "" when it did not."""

    def __call__(self, step: Callable[[], object]) -> bool:
        """Whether it did not fail."""
        try:
            step()
        except BaseException as error:  # also what ends other threads: this one is counted on
            text = f"{type(error).__name__}: {error}"
            if text != self.failure:
                if isinstance(error, self._foreseen):
                    self._log.warning("%s: %s", self._words, error)
                else:
                    self._log.exception("%s", self._words)
            self.failure = text
            return False
        self.failure = ""
        return True
