"""On what a bucket's client would have it kept: a word that the bucket keeps, and that is shown.
Where bytes are, the service's driver says.
"""

from __future__ import annotations

from gateway.access.settings import Parsed, SettingKind

DEFAULT = "DISK"
TYPES = (DEFAULT, "SSD", "ARCHIVE", "RAM_DISK")


def parse(text: str) -> str:
    """In any case; DEFAULT is what it stands for. Raises `ValueError`."""
    word = text.strip().upper()
    if word == "DEFAULT":
        return DEFAULT
    if word not in TYPES:
        raise ValueError(f"It is one of DEFAULT, {', '.join(TYPES)}.")
    return word


def document(word: str) -> Parsed[str]:
    return Parsed(f"{word}\n", word)


STORAGE_TYPE: SettingKind[str] = SettingKind(
    name="ozone-storage-type",
    read="read-location",
    write="admin",
    remove="admin",
    parse=parse,
    example=f"{DEFAULT}\n",
)
