"""Commands for a person to paste, in the words of the shell at hand: PowerShell's on Windows,
elsewhere those that all POSIX shells have.

PowerShell has no assignment for one command: what is set there stays for the window. And its
`curl` is, in the version that Windows brings, another command. It takes typographic quotation
marks for plain ones (about_Quoting_Rules).
"""

from __future__ import annotations

import re
import shlex
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import NamedTuple


class Variable(NamedTuple):
    """What an environment has under that name."""

    name: str


Piece = str | Variable


class Shell(ABC):
    @abstractmethod
    def word(self, *pieces: Piece) -> str:
        """One argument, made of these."""

    @abstractmethod
    def settings(self, values: Mapping[str, Piece]) -> str:
        """What stands before a command that is to have these in its environment."""

    def program(self, name: str) -> str:
        return name


class Posix(Shell):
    def word(self, *pieces: Piece) -> str:
        return "".join(
            f'"${one.name}"' if isinstance(one, Variable) else shlex.quote(one) for one in pieces
        )

    def settings(self, values: Mapping[str, Piece]) -> str:
        return "".join(f"{name}={self.word(value)} " for name, value in values.items())


class PowerShell(Shell):
    _PLAIN = re.compile(r"[\w./\\:=+-]*[\w/\\]")
    _SHADOWED = frozenset({"curl"})
    SINGLE, DOUBLE = "'\u2018\u2019\u201a\u201b", '"\u201c\u201d\u201e'

    def word(self, *pieces: Piece) -> str:
        if not any(isinstance(one, Variable) for one in pieces):
            text = "".join(map(str, pieces))
            return text if self._PLAIN.fullmatch(text) else _literal(text)
        return f'"{"".join(map(_expandable, pieces))}"'

    def settings(self, values: Mapping[str, Piece]) -> str:
        return "".join(
            f"$env:{name} = {_literal(value)}; "
            for name, value in values.items()
            if isinstance(value, str)  # else it is there
        )

    def program(self, name: str) -> str:
        return f"{name}.exe" if name in self._SHADOWED else name


def _literal(text: str) -> str:
    return "'" + re.sub(f"([{PowerShell.SINGLE}])", r"\1\1", text) + "'"


def _expandable(piece: Piece) -> str:
    """Between double quotes (about_Quoting_Rules)."""
    if isinstance(piece, Variable):
        return f"${{env:{piece.name}}}"
    return re.sub(f"([`${PowerShell.DOUBLE}])", r"`\1", piece)


HERE: Shell = PowerShell() if sys.platform == "win32" else Posix()
