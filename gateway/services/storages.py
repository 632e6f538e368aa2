"""Storages: services of the driver `local` that accounts make, change and drop themselves.

May surprise: a name whose service was removed is not given to another account. What was written
while it was removed stays on the disk, and must not be somebody else's to read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

from gateway.access.identity import Identity, account_of, owner_listed
from gateway.access.new_keys import new_secret
from gateway.catalog import CatalogError
from gateway.catalog.rows import StorageRow
from gateway.config.paths import here
from gateway.modes import bucket_names
from gateway.modes.storages import SayingFtp, Storage
from gateway.services.administration import Administration
from gateway.services.service_editor import ServiceEditor
from gateway.storage import (
    AlreadyExists,
    BadKey,
    NoSuchStore,
    NotEmpty,
    NotFound,
    Secret,
    Stats,
    Unavailable,
)

MOST = 1000
"""Storages of an account."""

_DRIVER = "local"
_OPTIONS = {"keep_versions": "off"}
"""Who overwrites a file by FTP has no way to see the one before, and would pay for it for good."""


class GatewayStorages:
    """Implements `gateway.modes.storages.Storages`."""

    def __init__(
        self,
        gateway: Administration,
        notice: Callable[[], object],
        listening: Mapping[str, Sequence[tuple[str, int]]],
    ) -> None:
        """`notice` has this process see at once what was changed; `listening` as of `Gateway`."""
        self._gateway, self._catalog, self._notice = gateway, gateway.catalog, notice
        self._listening = listening

    # looking

    def list(
        self,
        identity: Identity,
        *,
        every: bool = False,
        before: int | None = None,
        limit: int | None = None,
    ) -> Sequence[Storage]:
        owner = owner_listed(identity, every=every)
        with _readable():
            rows = self._catalog.storages(owner, before=before, limit=limit)
        return [_told(row) for row in rows]

    def find(self, identity: Identity, number: int) -> Storage:
        account = account_of(identity)
        with _readable():
            row = self._catalog.storage(number)
        if row is None or not (identity.manages_everything or row.account == account):
            raise NotFound(f"There is no storage {number}.")
        return _told(row)

    def size(self, identity: Identity, number: int) -> Stats:
        found = self.find(identity, number)
        return self._gateway.access(identity, found.sid).stats()

    def ftp_place(self, host: str) -> str | None:
        tables = self._gateway.chain.configuration.mode_tables.values()
        told = next((one.ftp for one in tables if isinstance(one, SayingFtp) and one.ftp), "")
        if not told:
            listeners = self._listening.get("ftp")
            if not (listeners and host):
                return None
            told = f"{f'[{host}]' if ':' in host else host}:{listeners[0][1]}"
        return told.removesuffix(":21")

    # changing

    def make(self, identity: Identity, name: str, region: str) -> Storage:
        account = account_of(identity)
        if not bucket_names.is_valid(name):
            raise BadKey(f"A storage's name has {bucket_names.RULE}.", key=name)
        if self._is_taken(name, account):
            raise AlreadyExists(f"The name {name!r} is taken.")
        try:
            number = self._catalog.add_storage(name, account, region, _DRIVER, _OPTIONS, most=MOST)
        except AlreadyExists:
            raise AlreadyExists(f"The name {name!r} is taken.") from None
        self._notice()
        return self.find(identity, number)

    def change_password(self, identity: Identity, region: str) -> Secret:
        secret = new_secret()
        if not self._catalog.set_storage_secret(account_of(identity), region, secret):
            raise NotFound(f"There is no storage in the region {region!r}.")
        return secret

    def drop(self, identity: Identity, number: int) -> None:
        found = self.find(identity, number)
        if self._gateway.access(identity, found.sid).stats().objects:
            raise NotEmpty(f"The storage {number} is not empty.")
        try:
            self._editor.remove_as(partial(self._catalog.remove_storage, number), found.sid)
        except NoSuchStore:
            raise NotFound(f"There is no storage {number}.") from None
        self._notice()

    @property
    def _editor(self) -> ServiceEditor:
        return ServiceEditor(self._gateway.chain.configuration, self._catalog, folder=here())

    def _is_taken(self, name: str, account: str) -> bool:
        gateway = self._gateway
        if name in gateway.chain.services or gateway.accounts.has(name):
            return True
        if self._catalog.read_service(name) is not None:
            return True
        return self._catalog.last_owner(name) not in ("", account)


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except CatalogError as error:
        raise Unavailable(str(error)) from error


def _told(row: StorageRow) -> Storage:
    return Storage(
        number=row.number,
        account=row.account,
        sid=row.sid,
        region=row.region,
        user=row.key,
        password=row.secret,
        created=row.created,
    )
