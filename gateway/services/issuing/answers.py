"""What an authority answers that is no step further."""

from __future__ import annotations


class Refused(Exception):
    """What the authority says no to. `wait`: milliseconds that it asks for."""

    def __init__(self, words: str, code: str = "", wait: int = 0) -> None:
        super().__init__(words)
        self.words, self.code, self.wait = words, code, wait


class Away(Exception):
    """It cannot be reached, or does not answer as an authority does; the message says how."""


class Gone(Exception):
    """It does not know the order any more."""


class NoAccount(Exception):
    """It does not know the account any more."""
