"""Texts of one form that options are: addresses, names of hosts and of other things, URLs."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from gateway.config.decode import Text

SID = re.compile(r"[a-z0-9.-]{3,63}", re.ASCII)
SID_RULE = "a service id has 3 to 63 of the characters a-z 0-9 . -"


class _Address(NamedTuple):
    host: str
    port: int


class Address(_Address, Text):
    """Where to listen: "127.0.0.1:9000", "[::1]:9000", "example.com:80"."""

    __slots__ = ()
    described = 'an address such as "127.0.0.1:9000" or "[::1]:9000"'

    @classmethod
    def parse(cls, text: str) -> Address:
        found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]*)):(\d{1,5})", text)
        if found is None or int(found[3]) > 65535:
            raise ValueError(f'"{text}" is not {cls.described}')
        return cls(found[1] or found[2] or "0.0.0.0", int(found[3]))  # noqa: S104 - ":9000" asks for all

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


class HostName(str, Text):
    """A host name, in lower case; a final dot is dropped."""

    __slots__ = ()
    described = 'a host name such as "s3.example.com"'

    @classmethod
    def parse(cls, text: str) -> HostName:
        name = text.lower().rstrip(".")
        if not re.fullmatch(
            r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*", name
        ):
            raise ValueError(f'"{text}" is not {cls.described}')
        return cls(name)


class HostPattern(HostName):
    """A host name, or `*.` before one for all that are below it."""

    __slots__ = ()
    described = 'a host name such as "s3.example.com", or "*.example.com" for all below it'

    @classmethod
    def parse(cls, text: str) -> HostPattern:
        star = "*." if text.startswith("*.") else ""
        try:
            return cls(star + HostName.parse(text.removeprefix("*.")))
        except ValueError:
            raise ValueError(f'"{text}" is not {cls.described}') from None


class CertifiedName(HostName):
    """A host name for which an authority may give a certificate to who answers for it by HTTP
    (RFC 8555 §8.3): no address, no wildcard, and none that is known to this machine alone."""

    __slots__ = ()
    described = 'a public host name such as "cdn.example.com": no address, and no "*."'

    @classmethod
    def parse(cls, text: str) -> CertifiedName:
        try:
            name = HostName.parse(text)
        except ValueError:
            raise ValueError(f'"{text}" is not {cls.described}') from None
        labels = name.split(".")
        fits = len(name) <= 253 and max(map(len, labels)) <= 63 and "_" not in name
        if len(labels) < 2 or labels[-1].isdigit() or not fits:
            raise ValueError(f'"{text}" is not {cls.described}')
        return cls(name)


class EncryptionKeyName(str, Text):
    """The name of a key for SSE-KMS: what the id of a key says, and behind `alias/`."""

    __slots__ = ()
    described = (
        "a name of 1 to 128 of the characters A-Z a-z 0-9 . _ / -, of which a letter or digit"
        " is first"
    )

    @classmethod
    def parse(cls, text: str) -> EncryptionKeyName:
        if not re.fullmatch(r"(?!alias/)[A-Za-z0-9][A-Za-z0-9._/-]{0,127}", text):
            raise ValueError(f'"{text}" is not {cls.described}')
        return cls(text)


class WebUrl(str, Text):
    """`scheme://host[:port][/path]` without credentials; a final slash is dropped."""

    __slots__ = ()
    described = 'an address such as "https://s3.example.com"'

    @classmethod
    def parse(cls, text: str) -> WebUrl:
        parts = urlsplit(text)
        bare = not (parts.query or parts.fragment or parts.username or parts.password)
        if parts.scheme not in ("http", "https") or not parts.hostname or not bare:
            raise ValueError(f"not {cls.described}")
        return cls(text.rstrip("/"))
