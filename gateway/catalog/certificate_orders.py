"""What is ordered of an authority by ACME (RFC 8555): certificates by the one name that each is
for, what proves that the name leads here, and the accounts there.

An order is written down before each step of it, so another process goes on where one has ended:
with the same key, at the same address. A certificate and the end of its order are one commit.
Private keys, of accounts too, are sealed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial

from sqlalchemy import (
    ColumnElement,
    Connection,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from gateway.catalog.certificates import CertificateTable
from gateway.catalog.rows import Challenge, OrderRow, certificate_name, order_row
from gateway.catalog.schema import (
    ACME_ACCOUNTS,
    ACME_CHALLENGES,
    CERTIFICATE_ORDERS,
    CERTIFICATES,
    get_meta,
    set_meta,
)
from gateway.storage import Secret

_TURN = "who carries out orders of certificates"
"""In `meta`: until when, in milliseconds since the epoch, and who."""

_ORDERS, _ACCOUNTS, _CHALLENGES = CERTIFICATE_ORDERS, ACME_ACCOUNTS, ACME_CHALLENGES
_ASKED_FOR = _ORDERS.c.wanted | _ORDERS.c.declared
_LOOKS = (_ORDERS.c.state == "issued") & (_ORDERS.c.look < _ORDERS.c.due)
_WHEN = case((_LOOKS, _ORDERS.c.look), else_=_ORDERS.c.due)
"""When something is to be done."""


class CertificateOrderTable(CertificateTable):
    # orders

    def orders(self, hosts: Sequence[str] | None = None) -> dict[str, OrderRow]:
        """By name, all of them or those of these names, each with when its certificate is over."""
        return self._orders(*(() if hosts is None else (_ORDERS.c.host.in_(hosts),)))

    def orders_due(self, now: int) -> dict[str, OrderRow]:
        """Those that somebody asks for, and that are under way, or for which there is something
        to be done."""
        return self._orders(_ASKED_FOR, or_(_ORDERS.c.state == "ordering", now >= _WHEN))

    def _orders(self, *which: ColumnElement[bool]) -> dict[str, OrderRow]:
        query = select(_ORDERS, CERTIFICATES.c.expires).join_from(
            _ORDERS, CERTIFICATES, CERTIFICATES.c.name == _ORDERS.c.certificate, isouter=True
        )
        with self._database.reading() as connection:
            rows = connection.execute(query.where(*which).order_by(_ORDERS.c.host)).all()
        return {row.host: order_row(row) for row in rows}

    def next_order(self) -> int | None:
        """When there is something to be done for one that somebody asks for; None: never."""
        with self._database.reading() as connection:
            found: int | None = connection.scalar(select(func.min(_WHEN)).where(_ASKED_FOR))
        return found

    def count_orders(self) -> dict[str, int]:
        """How many are in each state, of those that somebody asks for."""
        columns = _ORDERS.c.state, func.count().label("number")
        query = select(*columns).where(_ASKED_FOR).group_by(_ORDERS.c.state)
        with self._database.reading() as connection:
            return {row.state: row.number for row in connection.execute(query)}

    def want_certificates(self, hosts: Sequence[str]) -> None:
        """Have an order of each of these names that somebody asks for from now on."""
        with self._database.writing() as connection:
            for host in hosts:
                self._want(connection, host, wanted=True)
                self._note(connection, "certificate.order", host)

    def hasten_order(self, host: str, due: int) -> None:
        """Have one that failed tried again then, unless that is earlier anyway."""
        which = _ORDERS.c.host == host, _ORDERS.c.state == "failed", _ORDERS.c.due > due
        with self._database.writing() as connection:
            connection.execute(update(_ORDERS).where(*which).values(due=due))

    def release_certificates(self, hosts: Sequence[str]) -> None:
        """Nobody asks for these any more; what there is stays."""
        with self._database.writing() as connection:
            for host in hosts:
                which = _ORDERS.c.host == host, _ORDERS.c.wanted
                if connection.execute(update(_ORDERS).where(*which).values(wanted=False)).rowcount:
                    self._note(connection, "certificate.release", host)

    def declare_certificates(self, hosts: Collection[str]) -> None:
        """Have orders of these names, and of those that somebody asks for, and of no others."""
        with self._database.writing() as connection:
            for host in hosts:
                self._want(connection, host, declared=True)
            others = _ORDERS.c.declared & _ORDERS.c.host.not_in(hosts)
            connection.execute(update(_ORDERS).where(others).values(declared=False))

    def _want(self, connection: Connection, host: str, **how: bool) -> None:
        which = _ORDERS.c.host == host
        if not connection.execute(update(_ORDERS).where(which).values(how)).rowcount:
            row = {**asdict(OrderRow(host=host)), **how, "changed": self._clock()}
            del row["expires"]
            row["certificate"] = certificate_name(host)
            connection.execute(insert(_ORDERS).values(row))

    def set_order(self, row: OrderRow, chain: str = "", key: Secret | None = None) -> None:
        """What is known of it now; with `chain` and `key` its certificate, in one commit. Who
        asks for it is not changed; an order that is gone stays so."""
        values = asdict(row) | {"changed": self._clock()}
        for name in ("host", "wanted", "declared", "expires"):
            del values[name]
        with self._database.writing() as connection:
            which = _ORDERS.c.host == row.host
            if not connection.execute(update(_ORDERS).where(which).values(values)).rowcount:
                return
            if not row.url:
                connection.execute(delete(_CHALLENGES).where(_CHALLENGES.c.host == row.host))
            if key is not None and row.expires is not None:
                name = certificate_name(row.host)
                self._set(connection, name, (row.host,), chain, key, expires=row.expires)

    def forget_orders(self, now: int, *, before: int) -> list[str]:
        """Have those go that nobody asks for and that were changed before that, if they have no
        certificate, or one that is over; their names."""
        with self._database.writing() as connection:
            query = select(_ORDERS.c.host, _ORDERS.c.certificate).join_from(
                _ORDERS, CERTIFICATES, CERTIFICATES.c.name == _ORDERS.c.certificate, isouter=True
            )
            over = or_(CERTIFICATES.c.expires <= now, CERTIFICATES.c.expires.is_(None))
            idle = ~_ORDERS.c.wanted, ~_ORDERS.c.declared, _ORDERS.c.changed < before
            gone = connection.execute(query.where(over, *idle)).all()
            for row in gone:
                connection.execute(delete(_ORDERS).where(_ORDERS.c.host == row.host))
                connection.execute(delete(_CHALLENGES).where(_CHALLENGES.c.host == row.host))
                self._take_away(connection, row.certificate, partial(self._note, connection))
        return [row.host for row in gone]

    # what proves that a name leads here

    def challenges(self) -> Mapping[tuple[str, str], Challenge]:
        """By name and token. It is asked by strangers' requests: what is known is remembered."""
        memory = self._current()
        if memory.challenges is None:
            with self._database.reading() as connection:
                rows = connection.execute(select(_CHALLENGES)).all()
            memory.challenges = {(row.host, row.token): Challenge(*row) for row in rows}
        return memory.challenges

    def set_challenge(self, one: Challenge) -> None:
        """There is one for each name at a time."""
        with self._database.writing() as connection:
            connection.execute(delete(_CHALLENGES).where(_CHALLENGES.c.host == one.host))
            connection.execute(insert(_CHALLENGES).values(one._asdict()))

    # accounts at authorities

    def acme_account(self, directory: str, new: Secret) -> tuple[str, Secret]:
        """Its address, "" while there is none, and its key: `new` where it has none yet."""
        query = select(_ACCOUNTS).where(_ACCOUNTS.c.directory == directory)
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            with self._database.writing() as connection:
                row = connection.execute(query).one_or_none()
                if row is None:
                    sealed = self.keyring.seal_account_key(directory, new)
                    made = {"directory": directory, "url": "", "sealed": sealed}
                    connection.execute(insert(_ACCOUNTS).values(made | {"created": self._clock()}))
                    return "", new
        return row.url, self.keyring.unseal_account_key(directory, row.sealed)

    def set_acme_account(self, directory: str, url: str) -> None:
        """Its address is known, or ("") that it has none any more."""
        which = _ACCOUNTS.c.directory == directory
        with self._database.writing() as connection:
            connection.execute(update(_ACCOUNTS).where(which).values(url=url))

    # who carries orders out

    def take_turn(self, who: str, now: int, until: int) -> bool:
        """Whether `who` carries orders out until then: nobody else does, of all that have this
        catalog. Who has the turn takes it again before that."""
        with self._database.writing() as connection:
            end, _, holder = (get_meta(connection, _TURN) or "0 ").partition(" ")
            if holder not in ("", who) and int(end) > now:
                return False
            set_meta(connection, _TURN, f"{until} {who}")
        return True

    def give_turn(self, who: str) -> None:
        with self._database.writing() as connection:
            if (get_meta(connection, _TURN) or "").endswith(f" {who}"):
                set_meta(connection, _TURN, "0 ")


def started_anew(row: OrderRow) -> OrderRow:
    """Without what was under way."""
    return replace(row, state="waiting", url="", sealed=None, begun=0)
