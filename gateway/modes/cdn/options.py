"""The table `[cdn]`: without it the mode is off."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gateway.modes.zones import DOMAIN, ZoneOptions

_PLACE = re.compile(rf"({DOMAIN}|\[[0-9a-f:.]+\])(:[0-9]{{1,5}})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class CdnOptions(ZoneOptions):
    """What zones may be (`ZoneOptions`), and what the interface says of this gateway.

    `ftp`: where storages are reached by FTP, as customers are told: a host, with its port where
        that is not 21.
    """

    ftp: str = ""

    def __post_init__(self) -> None:
        ZoneOptions.__post_init__(self)
        if self.ftp and not _PLACE.fullmatch(self.ftp):
            raise ValueError(
                f'ftp: "{self.ftp}" is no host with or without a port, such as'
                ' "ftp.example.com:2121"'
            )
