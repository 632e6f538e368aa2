"""Purge jobs, as modes see and begin them: what a zone's cache is to forget.

A job is written down, and that is all: one process carries it out a moment later, whoever has
begun it, and goes on where another has ended. Who may is asked in each method, first: what is
another account's is `NotFound`, as if it were not there; who manages everything reaches all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from gateway.access.identity import Identity

Status = Literal["waiting", "running", "finished", "failed"]
STATUSES: tuple[Status, ...] = ("waiting", "running", "finished", "failed")

MOST_FILES = 10_000
MOST_NAMES = 100
"""Prefixes of a job, and tags: each is held against what every request asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeJob:
    """`files` are addresses; where there are more than lists have, `count` says how many. With no
    files, prefixes or tags it is all that the zone's cache has. `soft`: that is only asked for
    anew. `problem`: why it has failed, a sentence for people. `created`: milliseconds since the
    epoch.

    It is "finished" when no worker answers any more from the cache what was there before."""

    id: str
    account: str
    zone: int
    files: tuple[str, ...]
    count: int
    prefixes: tuple[str, ...]
    tags: tuple[str, ...]
    soft: bool
    status: Status
    problem: str
    created: int


class PurgeJobs(Protocol):
    """`Gateway.purge_jobs`. Those that were carried out are kept for 30 days, and of each account
    the last 10,000."""

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
        """`files` are paths that begin with a slash, or addresses of the zone, both as a browser
        has them; what they have of a query counts for nothing, for all that a path was asked with
        is forgotten. `prefixes` are the beginnings of such paths. Raises `InvalidRequest` for
        what is none, or too many; for the address of somebody else; and where the account has
        as many jobs as may wait."""

    def find(self, identity: Identity, job: str) -> PurgeJob:
        """With all its files."""

    def list(
        self,
        identity: Identity,
        status: Status | None = None,
        limit: int = 20,
        *,
        every: bool = False,
    ) -> Sequence[PurgeJob]:
        """Those of the identity's account, the newest first, with the first of their files;
        `every`: all, for who manages everything, else `Forbidden`."""

    def remove(self, identity: Identity, job: str) -> None:
        """One that waits is not carried out then. Raises `Conflict` for one that is running, and
        one that has failed."""

    def carry_out(self) -> Mapping[str, int]:
        """All that wait, and those that were begun by who is no more; and what is kept too long
        goes. For one process at a time; how many of what."""
