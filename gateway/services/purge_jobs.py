"""Purge jobs: what a zone's cache is to forget, checked, written down, and carried out by one
process.

All that a job names is one mark in the cache's history, in one commit, and counts in every worker
once that is written (`drivers/cache/marks.py`). So a job that is finished is finished everywhere;
and one that is carried out twice, because whoever did it has died, does no harm.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import cast
from urllib.parse import unquote_to_bytes, urlsplit

from gateway.access.identity import ROOT_ACCOUNT, Identity, account_of, owner_listed
from gateway.catalog.purge_jobs import WantedPurge
from gateway.catalog.rows import PurgeJobRow
from gateway.modes import KEY_LIMIT
from gateway.modes.purge_jobs import MOST_FILES, MOST_NAMES, PurgeJob, Status
from gateway.modes.zones import Zones
from gateway.services.administration import Administration
from gateway.storage import (
    Busy,
    Conflict,
    InvalidRequest,
    NoSuchStore,
    NotFound,
    Purge,
    Purges,
    StorageError,
    Unavailable,
)

WAITING = 100
"""Jobs of an account that may wait at once."""
KEPT = 10_000
"""Jobs of an account that are kept when they are over."""
DAYS = 30
PATIENCE = 60_000
"""Milliseconds for which a cache that cannot be reached is tried again."""

_SHARE = 10.0
"""Seconds that one run takes, of a thread that others wait for: what is left comes next."""
_INDEX = "index.html"
_DAY = 86_400_000
_GATEWAY = Identity(account=ROOT_ACCOUNT, access="admin")
"""Who carries out what was allowed when it was begun."""


class GatewayPurgeJobs:
    """Implements `gateway.modes.purge_jobs.PurgeJobs`."""

    def __init__(self, gateway: Administration, zones: Zones) -> None:
        self._gateway, self._catalog, self._zones = gateway, gateway.catalog, zones

    def begin(
        self,
        identity: Identity,
        zone: int,
        files: Sequence[str] = (),
        *,
        prefixes: Sequence[str] = (),
        tags: Sequence[str] = (),
        soft: bool = False,
    ) -> PurgeJob:
        found = self._zones.find(identity, zone)
        hosts = (found.cdn_domain, *found.custom_domains)
        for what, given, most in (
            ("files", files, MOST_FILES),
            ("prefixes", prefixes, MOST_NAMES),
            ("tags", tags, MOST_NAMES),
        ):
            if len(given) > most:
                raise InvalidRequest(
                    f"{what}: a job has at most {most}, and these are {len(given)}."
                )
        wanted = WantedPurge(
            found.account,
            zone,
            found.sid,
            found.cdn_domain,
            self._gateway.clock(),
            [*dict.fromkeys(_path(one, hosts) for one in files)],
            [*dict.fromkeys(map(_prefix, prefixes))],
            [*dict.fromkeys(map(_tag, tags))],
            soft,
        )
        return self.find(identity, self._catalog.add_purge_job(wanted, waiting=WAITING, kept=KEPT))

    def find(self, identity: Identity, job: str) -> PurgeJob:
        account, row = account_of(identity), self._catalog.purge_job(job)
        if row is None or not (identity.manages_everything or row.account == account):
            raise NotFound(f"There is no purge job {job!r}.")
        return _told(row)

    def list(
        self,
        identity: Identity,
        status: Status | None = None,
        limit: int = 20,
        *,
        every: bool = False,
    ) -> Sequence[PurgeJob]:
        owner = owner_listed(identity, every=every)
        rows = self._catalog.purge_jobs(owner, status or "", limit=limit)
        return [_told(row) for row in rows]

    def remove(self, identity: Identity, job: str) -> None:
        self.find(identity, job)
        if not self._catalog.remove_purge_job(job, ("waiting", "finished")):
            status = self.find(identity, job).status
            raise Conflict(f"The purge job is {status}: only one that waits or is finished can go.")

    # carrying out

    def carry_out(self) -> Mapping[str, int]:
        done = Counter[str](finished=0, failed=0)
        served, tried = Counter[str](), set[int]()
        until = time.monotonic() + _SHARE
        while time.monotonic() < until and (number := self._next(served, tried)):
            row = self._catalog.run_purge_job(number)
            if row is not None:  # else it was removed meanwhile
                done[self._carried_out(row)] += 1
        before = self._gateway.clock() - DAYS * _DAY
        return {**done, "forgotten": self._catalog.forget_purge_jobs(before)}

    def _next(self, served: Counter[str], tried: set[int]) -> int:
        """The oldest job of who was served least; 0 where there is none. Who has many, with
        thousands of files, keeps nobody else waiting."""
        waiting = [one for one in self._catalog.open_purge_jobs() if one.number not in tried]
        if not waiting:
            return 0
        number, account = min(waiting, key=lambda one: (served[one.account], one.number))
        served[account] += 1
        tried.add(number)
        return number

    def _carried_out(self, row: PurgeJobRow) -> str:
        """Its status now."""
        status, problem = "finished", ""
        try:
            access = self._gateway.access(_GATEWAY, row.sid)
            access.service.need(Purges).purge_all([*_purges(row)])
        except NoSuchStore:
            pass  # with the zone all is gone that its cache had
        except StorageError as error:
            late = self._gateway.clock() - row.created > PATIENCE
            if isinstance(error, Busy | Unavailable) and not late:
                return "running"
            status, problem = "failed", error.message
        self._catalog.end_purge_job(row.number, status, problem)
        return status


def _purges(row: PurgeJobRow) -> Iterator[Purge]:
    if not (row.paths or row.prefixes or row.tags):
        yield Purge(soft=row.soft)
    for path in row.paths:
        key = _key(path)
        yield Purge(kind="key", value=key, soft=row.soft)
        if not key or key.endswith("/"):  # what visitors get of a folder
            yield Purge(kind="key", value=key + _INDEX, soft=row.soft)
    for prefix in row.prefixes:
        yield Purge(kind="prefix", value=_key(prefix), soft=row.soft)
    for tag in row.tags:
        yield Purge(kind="tag", value=tag, soft=row.soft)


def _key(path: str) -> str:
    """What a visitor asks for by that path, as `web.request_head` reads it. Raises `ValueError`
    where nobody can."""
    key = unquote_to_bytes(path).decode()[1:]
    if "\0" in key or len(key.encode()) > KEY_LIMIT:
        raise ValueError
    return key


def _path(text: str, hosts: Sequence[str]) -> str:
    """Of an address of one of these hosts, or a path. Raises `InvalidRequest`."""
    if text.startswith("/") and not text.startswith("//"):
        return _checked_path(text, text)
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError:
        parts, host = None, None
    if parts is None or host is None or parts.scheme not in ("http", "https", ""):
        raise InvalidRequest(f"files: {_shown(text)} is no path that begins with / and no address.")
    if not any(_is_within(host.rstrip("."), one) for one in hosts):
        raise InvalidRequest(f"files: {_shown(text)} is no address of this zone.")
    return _checked_path(parts.path or "/", text)


def _is_within(host: str, name: str) -> bool:
    return host == name or (name.startswith("*.") and host.endswith(name[1:]))


def _prefix(text: str) -> str:
    if not text.startswith("/"):
        raise InvalidRequest(f"prefixes: {_shown(text)} does not begin with a slash.")
    return _checked_path(text, text)


def _checked_path(path: str, text: str) -> str:
    """Without a query."""
    path = path.partition("?")[0].partition("#")[0]
    try:
        _key(path)
    except ValueError:
        raise InvalidRequest(f"{_shown(text)} is a path that nobody can ask for.") from None
    return path


def _tag(text: str) -> str:
    if not text or len(text) > KEY_LIMIT or not text.isprintable() or " " in text:
        raise InvalidRequest(f"tags: {_shown(text)} is no tag.")
    return text


def _shown(text: str) -> str:
    return repr(text if len(text) <= 100 else f"{text[:100]}…")


def _told(row: PurgeJobRow) -> PurgeJob:
    return PurgeJob(
        id=row.id,
        account=row.account,
        zone=row.zone,
        files=tuple(f"http://{row.host}{path}" for path in row.paths),
        count=row.files,
        prefixes=row.prefixes,
        tags=row.tags,
        soft=row.soft,
        status=cast("Status", row.status),
        problem=row.problem,
        created=row.created,
    )
