"""What caches were asked to forget: a row for each request, and what has become of it.

A row is written before anything is done, so a request that was acknowledged is carried out by
whoever lives. Lists cost what their rows do, however many files these name.
"""

from __future__ import annotations

import json
import secrets
import zlib
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select, update

from gateway.catalog.audit import AuditTable
from gateway.catalog.rows import PurgeJobRow
from gateway.catalog.schema import PURGE_FILES, PURGE_JOBS, is_text
from gateway.storage import InvalidRequest

FIRST = 20
"""Files of a job that lists have."""

OPEN = ("waiting", "running")
"""Of those that are to be carried out yet."""

_JOBS = PURGE_JOBS


class WantedPurge(NamedTuple):
    """Nothing named: all that the cache has. `created`: milliseconds since the epoch."""

    account: str
    zone: int
    sid: str
    host: str
    created: int
    paths: Sequence[str] = ()
    prefixes: Sequence[str] = ()
    tags: Sequence[str] = ()
    soft: bool = False


class OpenJob(NamedTuple):
    number: int
    account: str


class PurgeJobTable(AuditTable):
    # looking

    def purge_job(self, id: str) -> PurgeJobRow | None:
        """With all its files."""
        with self._database.reading() as connection:
            row = connection.execute(select(_JOBS).where(is_text(_JOBS.c.id, id))).first()
            return None if row is None else _row(row, _paths(connection, row))

    def purge_jobs(self, account: str | None, status: str = "", *, limit: int) -> list[PurgeJobRow]:
        """The newest first, with the first of their files; of that account and that status, if
        one is given."""
        which = [] if account is None else [is_text(_JOBS.c.account, account)]
        which += [_JOBS.c.status == status] if status else []
        query = select(_JOBS).where(*which).order_by(_JOBS.c.number.desc()).limit(limit)
        with self._database.reading() as connection:
            return [_row(row, row.first) for row in connection.execute(query)]

    def open_purge_jobs(self) -> list[OpenJob]:
        """Those that are to be carried out, the oldest first."""
        query = select(_JOBS.c.number, _JOBS.c.account).where(_JOBS.c.status.in_(OPEN))
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(_JOBS.c.number)).all()
        return [OpenJob(row.number, row.account) for row in rows]

    # changing

    def add_purge_job(self, wanted: WantedPurge, *, waiting: int, kept: int) -> str:
        """Its id. Raises `InvalidRequest` where the account has so many that are not carried out
        yet. Of those that are, it has `kept` at most: the oldest go."""
        account, paths = is_text(_JOBS.c.account, wanted.account), [*wanted.paths]
        id = secrets.token_hex(16)
        row = {
            **wanted._asdict(),
            "id": id,
            "status": "waiting",
            "problem": "",
            "files": len(paths),
            "first": paths[:FIRST],
            "prefixes": [*wanted.prefixes],
            "tags": [*wanted.tags],
        }
        del row["paths"]
        with self._database.writing() as connection:
            if _count(connection, account, _JOBS.c.status.in_(OPEN)) >= waiting:
                raise InvalidRequest(f"{waiting} purge jobs wait to be carried out: wait for them.")
            made = connection.execute(insert(_JOBS).values(row))
            assert made.inserted_primary_key is not None
            if len(paths) > FIRST:
                number = made.inserted_primary_key[0]
                packed = zlib.compress(json.dumps(paths).encode(), 1)
                connection.execute(insert(PURGE_FILES).values(job=number, paths=packed))
            _keep(connection, account, kept)
            said = {"files": len(paths), "prefixes": row["prefixes"], "tags": row["tags"]}
            self._note(connection, "purge.add", id, zone=wanted.zone, sid=wanted.sid, **said)
        return id

    def run_purge_job(self, number: int) -> PurgeJobRow | None:
        """One that is to be carried out, which runs from now on, with all its files; None where it
        was removed meanwhile."""
        with self._database.writing() as connection:
            if not _set(connection, number, "running"):
                return None
            row = connection.execute(select(_JOBS).where(_JOBS.c.number == number)).one()
            return _row(row, _paths(connection, row))

    def end_purge_job(self, number: int, status: str, problem: str = "") -> None:
        with self._database.writing() as connection:
            _set(connection, number, status, problem)

    def remove_purge_job(self, id: str, status: Collection[str]) -> bool:
        """Whether it was there, and was of one of these."""
        which = is_text(_JOBS.c.id, id), _JOBS.c.status.in_(status)
        return bool(self._database.removing(lambda connection: _remove(connection, *which)))

    def forget_purge_jobs(self, before: int) -> int:
        """Have those go that were made before that and carried out; how many went."""
        which = _JOBS.c.created < before, _JOBS.c.status.not_in(OPEN)
        with self._database.reading() as connection:  # mostly there is none
            if connection.scalar(select(_JOBS.c.number).where(*which).limit(1)) is None:
                return 0
        return self._database.removing(lambda connection: _remove(connection, *which))


def _set(connection: Connection, number: int, status: str, problem: str = "") -> bool:
    """Of one that is to be carried out still; whether it is there."""
    which = _JOBS.c.number == number, _JOBS.c.status.in_(OPEN)
    change = update(_JOBS).where(*which).values(status=status, problem=problem)
    return bool(connection.execute(change).rowcount)


def _remove(connection: Connection, *which: ColumnElement[bool]) -> int:
    numbers = select(_JOBS.c.number).where(*which)
    connection.execute(delete(PURGE_FILES).where(PURGE_FILES.c.job.in_(numbers)))
    return connection.execute(delete(_JOBS).where(*which)).rowcount


def _keep(connection: Connection, account: ColumnElement[bool], most: int) -> None:
    ended = account, _JOBS.c.status.not_in(OPEN)
    query = select(_JOBS.c.number).where(*ended).order_by(_JOBS.c.number.desc())
    last = connection.scalar(query.offset(most).limit(1))
    if last is not None:
        _remove(connection, *ended, _JOBS.c.number <= last)


def _count(connection: Connection, *which: ColumnElement[bool]) -> int:
    return connection.scalar(select(func.count()).select_from(_JOBS).where(*which)) or 0


def _paths(connection: Connection, row: Row[Any]) -> Sequence[str]:
    """All of them."""
    if row.files <= FIRST:
        return tuple(row.first)
    packed = connection.scalar(select(PURGE_FILES.c.paths).where(PURGE_FILES.c.job == row.number))
    return tuple(row.first) if packed is None else tuple(json.loads(zlib.decompress(packed)))


def _row(row: Row[Any], paths: Sequence[str]) -> PurgeJobRow:
    return PurgeJobRow(
        number=row.number,
        id=row.id,
        account=row.account,
        zone=row.zone,
        sid=row.sid,
        host=row.host,
        status=row.status,
        problem=row.problem,
        soft=row.soft,
        files=row.files,
        paths=tuple(paths),
        prefixes=tuple(row.prefixes),
        tags=tuple(row.tags),
        created=row.created,
    )
