"""The job that carries orders out, and renews what was issued: of one process at a time, of all
that have the catalog.

While nothing is due it compares a number each time, and looks at all orders, and at what the
configuration and the bindings ask for, once a minute. What one name is refused for keeps no
other from its certificate; an authority that is away is asked again by one of them. A failure is
said in the log when it changes.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from gateway.catalog import Catalog, CatalogError, OrderRow
from gateway.catalog.certificate_orders import started_anew
from gateway.catalog.rows import certificate_name
from gateway.common.commit_watch import Version
from gateway.common.moments import utc
from gateway.config import AcmeOptions
from gateway.services.issuing import tries
from gateway.services.issuing.answers import Away, NoAccount, Refused

if TYPE_CHECKING:  # with the library, for who has something to order
    from gateway.services.issuing.authority import Authority

log = logging.getLogger("gateway.certificates")

JOB = "acme"
INTERVAL = 5.0
TOGETHER = 20
"""Orders that are under way at once."""
_LOOK = tries.MINUTE
_TURN = 3 * tries.MINUTE
"""Milliseconds for which a process has the turn before it takes it again: so long it may be gone
before another one goes on."""
_ASK_AGAIN = 6 * tries.HOUR
_PAUSE = 0.2


class CarryingOut:
    """`names`: those that the configuration asks for now; `who`: this gateway, of all that have
    the catalog. `run` is the job's work."""

    def __init__(
        self,
        catalog: Catalog,
        options: AcmeOptions,
        names: Callable[[], Collection[str]],
        clock: Callable[[], int],
        who: str,
    ) -> None:
        self._catalog, self._options, self._names = catalog, options, names
        self._clock, self._who = clock, who
        self._seen: Version = -1
        self._next = self._declare = 0

    def run(self) -> Generator[tuple[int, int], None, Mapping[str, int]] | None:
        version, now = self._catalog.version(), self._clock()
        if now >= self._declare:
            self._compare()
            self._declare = now + _LOOK
        elif version == self._seen and now < self._next:
            return None
        due = self._catalog.next_order()
        self._seen, self._next = version, self._declare if due is None else due
        return self._orders() if self._next <= now else None

    def _compare(self) -> None:
        """What is ordered with what is asked for, and what was issued with what there is."""
        names, rows, now = self._names(), self._catalog.orders().values(), self._clock()
        if {one.host for one in rows if one.declared} != set(names):
            self._catalog.declare_certificates(names)
        if any(not one.asked_for for one in rows):
            self._catalog.forget_orders(now, before=now - tries.DAY)
        for row in rows:
            another = row.expires is None or row.directory != self._options.directory
            if row.state == "issued" and row.asked_for and another:
                # It was taken away; or that was another authority's: of one for staging, say.
                self._keep(replace(row, state="waiting", due=0))

    # what is under way

    def _orders(self) -> Generator[tuple[int, int], None, Mapping[str, int]]:
        """Until none is left for now: how many are over, of how many."""
        counted, done, turn = Counter[str](), 0, 0
        authority: Authority | None = None
        try:
            while rows := self._under_way():
                now = self._clock()
                if now >= turn:
                    if not self._catalog.take_turn(self._who, now, now + _TURN):
                        break
                    turn = now + _TURN // 6
                for row in [one for one in rows if _when(one) <= now]:
                    try:
                        authority = authority or self._entered()
                        after = self._take(row, authority)
                    except Away as error:
                        self._wait_for_all(rows, error)
                        counted["away"] += 1
                        break
                    counted["issued"] += row.state != "issued" == after.state
                    counted["failed"] += after.failures > row.failures
                    done += after.state != "ordering"
                    yield done, done + len(rows)
                else:
                    time.sleep(_PAUSE)
                    yield done, done + len(rows)
            else:
                self._catalog.give_turn(self._who)
        finally:
            if authority is not None:
                authority.close()
        return +counted

    def _under_way(self) -> list[OrderRow]:
        """What is begun, and then what is due."""
        found = list(self._catalog.orders_due(self._clock()).values())
        found.sort(key=lambda one: (one.state != "ordering", _when(one)))
        return found[:TOGETHER]

    def _entered(self) -> Authority:
        """With our account there. Raises `Away`."""
        from gateway.services.issuing.authority import Authority, new_key

        options, directory = self._options, self._options.directory
        known_as = None if options.eab_key is None else (options.eab_key_id, options.eab_key)
        account, key = self._catalog.acme_account(directory, new_key())
        authority = Authority(directory, key, account, self._options.ca_file)
        try:
            if not account:
                account = authority.enter(options.email, known_as)
                self._catalog.set_acme_account(directory, account)
        except Refused as error:
            authority.close()
            raise Away(f"it refuses an account: {error.words}") from error
        except BaseException:
            authority.close()
            raise
        return authority

    def _take(self, row: OrderRow, authority: Authority) -> OrderRow:
        from gateway.services.issuing.step import Stepper

        step = Stepper(self._catalog, authority, self._options.directory, self._clock)
        try:
            if self._still_good(row):
                return self._asked(row, authority)
            if not row.url and (later := self._too_soon(row)):
                state = row.state if row.state == "failed" else "waiting"
                return self._keep(replace(row, state=state, due=later))
            after = step.take(row)
        except NoAccount as error:
            self._catalog.set_acme_account(self._options.directory, "")
            raise Away("it does not know the account any more; another is made") from error
        except Refused as error:
            return self._refused(row, error)
        except CatalogError as error:  # the key of an order, say: another is made
            return self._refused(row, Refused(str(error), "damaged"))
        if after.state == "issued" and after.expires is not None:
            log.info("a certificate for %s, until %s", row.host, f"{utc(after.expires):%Y-%m-%d}")
        return after

    def _still_good(self, row: OrderRow) -> bool:
        return row.state == "issued" and row.due > self._clock()

    def _asked(self, row: OrderRow, authority: Authority) -> OrderRow:
        """The authority may want it to be renewed earlier, or later."""
        now, due = self._clock(), row.due
        then = now + _ASK_AGAIN
        certificates = {one.name: one for one in self._catalog.certificates()[1]}
        with suppress(Away, KeyError):
            when, then = authority.renewal(certificates[certificate_name(row.host)].chain)
            assert row.expires is not None
            if when is not None:  # not again and again, whatever it says
                due = max(min(when, row.expires), max(row.tries, default=0) + tries.DAY)
        look = min(max(then, now + tries.HOUR), now + tries.DAY)
        return self._keep(replace(row, due=due, look=look))

    def _too_soon(self, row: OrderRow) -> int:
        """When an order may be begun; 0: now."""
        now = self._clock()
        earliest = tries.earliest(row.tries, now)
        if earliest > now:
            return earliest
        if row.expires is not None:  # a renewal does not wait for others' new names
            return 0
        rows = self._catalog.orders().values()
        lately = sum(len(tries.lately(one.tries, now)) for one in rows)
        return now + 10 * tries.MINUTE if lately >= tries.IN_THREE_HOURS else 0

    # what comes to nothing

    def _refused(self, row: OrderRow, error: Refused) -> OrderRow:
        failures = row.failures + 1
        due = tries.after_refusal(self._clock(), failures, error.wait)
        after = replace(
            started_anew(row),
            state="failed",
            problem=error.words,
            code=error.code,
            directory=self._options.directory,
            failures=failures,
            due=due,
        )
        if (row.problem, row.code) != (after.problem, after.code):
            words = "no certificate for %s: %s (%s); the next try is at %s"
            log.warning(words, row.host, error.words, error.code, f"{utc(due):%Y-%m-%d %H:%M} UTC")
        return self._keep(after)

    def _wait_for_all(self, rows: Collection[OrderRow], error: Away) -> None:
        """What is under way goes on then."""
        failures = max(one.failures for one in rows) + 1
        due = tries.after_silence(self._clock(), failures)
        words = f"{self._options.directory} cannot be asked: {error}"
        if any(one.problem != words for one in rows):
            log.warning("no certificates: %s", words)
        for row in rows:
            if self._still_good(row):
                self._keep(replace(row, look=due))
                continue
            after = replace(row, state="failed", problem=words, code="away", due=due)
            self._keep(replace(after, failures=failures))

    def _keep(self, row: OrderRow) -> OrderRow:
        self._catalog.set_order(row)
        return row


def _when(row: OrderRow) -> int:
    """When something is to be done for it."""
    return min(row.due, row.look) if row.state == "issued" else row.due
