"""The table `[ozone]`: without it the mode is off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from gateway.common.ids import ID, ID_RULE
from gateway.storage.options import OneOrMany


@dataclass(frozen=True, slots=True, kw_only=True)
class OzoneOptions:
    """How the mode knows who asks, and what it answers.

    `auth`: "key": who asks gives a key and its secret; "simple": they say who they are, and are
        believed.
    `admins`: names of those who then may do everything.
    `not_found_as_404`: a bucket or key that is not there is 404, and not 400.
    """

    auth: Literal["key", "simple"] = "key"
    admins: Annotated[tuple[str, ...], OneOrMany] = ()
    not_found_as_404: bool = False

    def __post_init__(self) -> None:
        if self.admins and self.auth == "key":
            raise ValueError(
                'admins: with auth = "key" they are the keys with access = "admin": leave it out'
            )
        for name in self.admins:
            if not ID.fullmatch(name):
                raise ValueError(f'admins: "{name}" is no name: {ID_RULE}')
            if name != name.lower():
                raise ValueError(
                    f'admins: "{name}": names have no capitals here; who writes some is taken'
                    f' for "{name.lower()}"'
                )
