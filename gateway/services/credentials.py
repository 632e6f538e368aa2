"""Keys and presigned URLs, for who manages the gateway, or an account: it reaches that one's alone.

Nobody gives more than they have: who manages an account makes, changes and signs by keys that
may no more than its own, and does not rename its user: who is provisioned by that other name
next would get a key of the account.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.access.identity import Credential, Identity, KeyAccess, ServiceLevel
from gateway.catalog import Catalog
from gateway.modes.operating import CredentialInfo, MadeCredential, PresignedInfo
from gateway.services.administration import Administration
from gateway.storage import Conflict, Forbidden, NoSuchStore, NotFound, Secret

_LEVELS: Mapping[ServiceLevel, int] = {"read": 1, "write": 2, "admin": 3}
_OF_ALL: Mapping[str, int] = {"read-all": 1, "write-all": 2, "admin": 3}


class CredentialKeeper:
    """Of one identity."""

    _gateway: Administration
    _identity: Identity
    _catalog: Catalog

    @property
    def _account(self) -> str | None:
        """The one that it reaches; None: all."""
        return None if self._identity.manages_everything else self._identity.account

    # seen

    def credentials(
        self, after: int = 0, limit: int = 1000, text: str = ""
    ) -> Sequence[CredentialInfo]:
        return self._catalog.credentials(after, limit, account=self._account, text=text)

    def count_credentials(self) -> int:
        return self._catalog.count_credentials(account=self._account)

    def credential(self, number: int) -> CredentialInfo:
        info = self._catalog.numbered_credential(number)
        if self._account not in (None, info.account):
            raise NotFound(f"There is no key with the number {number}.")
        return info

    # changed

    def add_credential(
        self,
        *,
        user_name: str = "",
        access_key: str = "",
        secret_key: Secret | None = None,
        access: KeyAccess | None = None,
        manages: bool = False,
        description: str = "",
    ) -> MadeCredential:
        own = self._identity.access
        if access is None:
            access = "own" if self.may_give("own") else own
        self._require(access)
        if self._account is not None and user_name:
            named = self._catalog.account_named(user_name)
            if named is None or named.id != self._account:
                raise Forbidden("The key manages its own user alone.")
        made = self._catalog.add_credential(
            user_name=user_name if self._account is None else "",
            account=self._account or "",
            id=access_key,
            secret=secret_key,
            access=access,
            manages=manages,
            description=description,
        )
        self._take_back(made.info.number, access)
        return made

    def change_credential(
        self,
        number: int,
        *,
        user_name: str | None = None,
        active: bool | None = None,
        access: KeyAccess | None = None,
        manages: bool | None = None,
        description: str | None = None,
    ) -> CredentialInfo:
        before = self.credential(number)
        self._require(before.access)
        if access is not None:
            self._require(access)
        if self._account is not None and user_name is not None:
            if user_name != before.user_name:
                raise Forbidden("Only who manages everything may rename a user.")
            user_name = None
        info = self._catalog.change_credential(
            number,
            user_name=user_name,
            active=active,
            access=access,
            manages=manages,
            description=description,
            seen=before.access,
        )
        if access is not None:
            self._take_back(number, access)
        return info

    def rotate_credential(self, number: int) -> MadeCredential:
        seen = self.credential(number).access
        self._require(seen)
        return self._catalog.rotate_credential(number, seen=seen)

    def remove_credential(self, number: int) -> None:
        seen = self.credential(number).access
        self._require(seen)
        self._catalog.remove_credential(number, seen=seen)

    # presigned

    def signing(self, access_key: str) -> Credential:
        found = self._catalog.credential(access_key)
        if found is None or self._account not in (None, found.identity.account):
            raise NotFound(f"There is no active key {access_key!r}.")
        self._require(found.identity.access)
        return found

    def presigned(self, after: int = 0, limit: int = 1000) -> Sequence[PresignedInfo]:
        return self._catalog.presigned(after, limit, account=self._account)

    def count_presigned(self) -> int:
        return self._catalog.count_presigned(account=self._account)

    # no more than it has

    def _require(self, access: KeyAccess) -> None:
        if not self.may_give(access):
            raise Forbidden("The key may not give or change what may more than itself.")

    def _take_back(self, number: int, access: KeyAccess) -> None:
        """What was given just now, where it is not to be given any more: a bucket that is dropped
        takes with it what keys may do there, but from a key that got it a moment later."""
        if not self.may_give(access):
            self._catalog.change_credential(number, access={})
            raise Conflict("A service that the key names was removed meanwhile.")

    def may_give(self, access: KeyAccess) -> bool:
        own = self._identity.access
        if own in ("admin", access):
            return True
        if isinstance(access, str):
            return isinstance(own, str) and 0 < _OF_ALL.get(access, 0) <= _OF_ALL.get(own, 0)
        return all(_LEVELS[level] <= self._level(sid) for sid, level in access.items())

    def _level(self, sid: str) -> int:
        """What it may in one service."""
        own = self._identity.access
        if not isinstance(own, str):
            return _LEVELS[own[sid]] if sid in own else 0
        if own != "own":
            return _OF_ALL[own]
        try:
            service = self._gateway.access(self._identity, sid).service
        except NoSuchStore:
            return 0
        return 3 if service.owner == self._identity.account else 0
