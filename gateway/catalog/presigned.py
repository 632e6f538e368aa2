"""The URLs that were made for others through an API of the gateway, until they are over.

Only that they were made is kept: a URL carries its own proof, and works without this.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, delete, func, insert, select

from gateway.catalog.keys import KeyTable
from gateway.catalog.rows import PresignedUrl
from gateway.catalog.schema import PRESIGNED_URLS, is_text
from gateway.storage import NotFound

_TABLE = PRESIGNED_URLS


class PresignedTable(KeyTable):
    def add_presigned(
        self, bucket: str, key: str, method: str, access_key: str, *, expires: int
    ) -> None:
        """`expires`: milliseconds since the epoch. Those that are over go. Raises `NotFound` when
        that access key may not be used now."""
        credential, now = self.credential(access_key), self._clock()
        if credential is None:
            raise NotFound(f"There is no key {access_key!r}.")
        said = {"key": key, "method": method, "access_key": access_key, "expires": expires}
        row = {"bucket": bucket, "account": credential.identity.account, "created": now, **said}
        with self._database.writing() as connection:
            connection.execute(delete(_TABLE).where(_TABLE.c.expires <= now))
            connection.execute(insert(_TABLE).values(row))
            self._note(connection, "presigned.add", bucket, **said)

    def presigned(
        self, after: int = 0, limit: int = 1000, *, account: str | None = None
    ) -> list[PresignedUrl]:
        """Those that are not over, by id, above `after`; by keys of that account, if one is
        given."""
        columns = [_TABLE.c[name] for name in PresignedUrl._fields]
        query = select(*columns).where(_TABLE.c.id > after, *self._live(account))
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(_TABLE.c.id).limit(limit))
            return [PresignedUrl(*row) for row in rows]

    def count_presigned(self, *, account: str | None = None) -> int:
        query = select(func.count()).select_from(_TABLE).where(*self._live(account))
        with self._database.reading() as connection:
            return connection.scalar(query) or 0

    def _live(self, account: str | None) -> list[ColumnElement[bool]]:
        wanted = [_TABLE.c.expires > self._clock()]
        if account is not None:
            wanted.append(is_text(_TABLE.c.account, account))
        return wanted
