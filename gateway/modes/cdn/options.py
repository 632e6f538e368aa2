"""The table `[cdn]`: without it the mode is off."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_PLACE = re.compile(rf"({_LABEL}(\.{_LABEL})*|\[[0-9a-f:.]+\])(:[0-9]{{1,5}})?")
_LONGEST = 180
"""Characters: a zone's label and a dot come before it, and a name has 253."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CdnOptions:
    """What the interface says of this gateway.

    `suffix`: the domain below which zones have their names; whoever runs the gateway leads all
        names below it here (`*.cdn.example.com`).
    `ftp`: where storages are reached by FTP, as customers are told: a host, with its port where
        that is not 21.
    """

    suffix: str
    ftp: str = ""

    def __post_init__(self) -> None:
        if self.ftp and not _PLACE.fullmatch(self.ftp):
            raise ValueError(
                f'ftp: "{self.ftp}" is no host with or without a port, such as'
                ' "ftp.example.com:2121"'
            )
        if len(self.suffix) > _LONGEST or not _DOMAIN.fullmatch(self.suffix):
            raise ValueError(
                f'suffix: "{self.suffix}" is no domain: small letters, digits, hyphens and dots,'
                ' such as "cdn.example.com"'
            )
