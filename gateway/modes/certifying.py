"""Certificates that an authority gives by ACME (RFC 8555), as modes see and order them.

An order is written down, and that is all: a job of one process carries it out, whoever gave it,
and goes on where another has ended. What came of it is asked for later. Whether somebody may
order a certificate for a name, a mode knows; the authority asks whether that name leads here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol


class CertificateState(NamedTuple):
    """What comes of an order of a certificate for `name`.

    `problem`: the authority's words for why the last try came to nothing, and `code` its word for
    them (`dns`, `connection`, `unauthorized`, `caa`, `rateLimited`, …: RFC 8555 §6.7), or "away"
    where it did not answer; both "" where there is none. `expires`: when the certificate that
    there is ends, also while another one cannot be had. `next`: when the next try is made, or the
    certificate renewed; None when nobody asks for it any more. Times are in milliseconds since
    the epoch."""

    name: str
    state: Literal["waiting", "ordering", "issued", "failed"]
    problem: str = ""
    code: str = ""
    expires: int | None = None
    next: int | None = None


class Certificates(Protocol):
    """`Gateway.certificates`. Every answer is current in every worker. A certificate is for one
    name, and is shown to who asks for that, in all workers, within a second of its coming."""

    offered: bool
    """Whether there is an authority: all that changes something raises `Unsupported` if not."""

    def order(self, names: Sequence[str], *, again: bool = False) -> Sequence[CertificateState]:
        """Have certificates for these from now on, renewed until they are released; it returns
        before anything is asked of the authority. Nothing changes for a name that has one, or an
        order under way. `again`: one that failed is tried at once, where that does not exceed what
        authorities allow in an hour, and not when its time comes. Raises `InvalidRequest` where
        one of them is no name that certificates are given for."""

    def states(self, names: Sequence[str] | None = None) -> Sequence[CertificateState]:
        """Of those among these names (None: of all) that were ever ordered, by name."""

    def release(self, names: Sequence[str]) -> None:
        """Renew these no more, unless the configuration asks for them. The certificates that
        there are stay until they are over."""

    def answer(self, host: str, token: str) -> str | None:
        """What proves, at that token, that the name (in lower case) leads here; None: the
        authority does not ask for that now. It costs a look at a number in memory."""
