"""What requests cost, counted: calls of functions, and steps of SQLite's machine. No clock is
looked at, so neither the machine nor what else it does matters.

Many rows are made by SQLite itself: nothing else makes ten thousand buckets in a moment."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType
from typing import Any, NamedTuple

import pytest
from sqlalchemy import event, text

from drivers.indexed.space import MemorySpace
from gateway.access.identity import Account
from gateway.storage import Secret
from tests.modes.ozone.trusting import ALWAYS, HOST, Ozone, done, outcome, said, trusting

STEP = 10
BILBO = "secret-of-bilbo-00000000"
NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {})"


class Cost(NamedTuple):
    calls: int
    steps: int
    """In tens."""


class Meter:
    """Of one gateway in memory, whose catalog and index are asked in the thread that asks it."""

    def __init__(self, ozone: Ozone) -> None:
        self.ozone, self._ticks = ozone, 0
        # What is inside is looked at: there is no other way to see how much a database does.
        buckets: Any = ozone.runtime.chain.buckets
        self.space: MemorySpace = buckets.space
        self.database: Any = ozone.runtime.catalog._database
        self.space._connection.set_progress_handler(self._tick, STEP)
        event.listen(self.database._engine, "checkout", self._watch)

    def _watch(self, connection: Any, *_: object) -> None:
        connection.set_progress_handler(self._tick, STEP)

    def _tick(self) -> int:
        self._ticks += 1
        return 0

    def cost(self, work: Callable[[], object]) -> Cost:
        work()  # what a first request loads is there
        calls, self._ticks = 0, 0

        def count(frame: FrameType, what: str, _: object) -> None:
            nonlocal calls
            calls += what == "call" and frame.f_code is not Meter._tick.__code__

        before = sys.getprofile()
        sys.setprofile(count)
        try:
            work()
        finally:
            sys.setprofile(before)
        return Cost(calls, self._ticks)

    def buckets(self, volume: str, count: int) -> None:
        """That many, called `b000001` and so on, which have nothing in them."""
        numbers, name = NUMBERS.format(count), f"printf('{volume}.b%06d', i)"
        with self.database.writing() as connection:
            top = connection.scalar(text("SELECT max(id) FROM services"))
            columns = "id, namespace, sid, owner, created, granted, grants, settings"
            values = f"{top} + i, namespace, {name}, 'bilbo', 0, 0, '[]', '{{}}'"
            one = "(SELECT namespace FROM services LIMIT 1)"
            connection.execute(
                text(f"INSERT INTO services ({columns}) {numbers} SELECT {values} FROM n, {one}")
            )
            values = f"{top} + i, '{volume}', printf('b%06d', i)"
            connection.execute(text(f"INSERT INTO volume_buckets {numbers} SELECT {values} FROM n"))

        def insert(_: object) -> None:
            volumes = f"(SELECT id FROM volumes WHERE name = '{volume}')"
            one = "(SELECT namespace FROM services LIMIT 1)"
            self.space._connection.execute(
                f"INSERT INTO services (namespace, name, created, volume)"
                f" {numbers} SELECT namespace, {name}, 0, {volumes} FROM n, {one}"
            )

        self.space.write(insert)

    def keys(self, sid: str, count: int) -> None:
        """That many, called `k0000001` and so on, of one byte each, which is nowhere."""

        def insert(_: object) -> None:
            (service,) = self.space._connection.execute(
                "SELECT id FROM services WHERE name = ?", (sid,)
            ).fetchone()
            self.space._connection.execute(
                f"INSERT INTO objects {NUMBERS.format(count)} SELECT {service},"
                " printf('k%07d', i), i, 'v' || i, 1, 'e', 0, 't', 'S', 'o', NULL, NULL, '' FROM n"
            )

        self.space.write(insert)


@pytest.fixture(scope="module")
def meter() -> Iterator[Meter]:
    with trusting() as ozone:
        ozone.runtime.catalog.add_account(Account(id="bilbo"))
        ozone.runtime.catalog.add_key(
            account="bilbo", id="bilbo", secret=Secret(BILBO), access="own"
        )
        ozone.bucket()
        yield Meter(ozone)


def test_a_page_of_buckets_costs_a_page(meter: Meter) -> None:
    """As much in a volume of ten thousand as in one of two hundred, whichever page it is."""
    ozone, costs = meter.ozone, []
    for volume, count in (("few", 200), ("many", 10_000)):
        ozone.volume(name=volume)
        meter.buckets(volume, count)
        middle = f"b{count // 2:06}"

        def page(as_: str, volume: str = volume, middle: str = middle) -> list[Any]:
            query = {"max-keys": 50, "prev-key": middle}
            found: list[Any] = said(ozone.ask("GET", f"/{volume}", as_, query=query))["buckets"]
            return found

        assert page("bilbo")[0]["bucketName"] == f"b{count // 2 + 1:06}"
        assert len(page("root")) == 50
        costs.append([meter.cost(lambda: page("bilbo")), meter.cost(lambda: page("root"))])
    for few, many in zip(*costs, strict=True):
        assert many.calls <= few.calls * 1.02
        assert many.steps <= few.steps * 1.1 + 5


def test_who_sees_nothing_in_a_volume_may_ask_again_and_again(meter: Meter) -> None:
    """Whether they see one of many buckets that are others' is not looked for each time."""
    ozone, costs = meter.ozone, []
    for volume, count in (("open", 20), ("opener", 2000)):
        ozone.volume(name=volume)
        meter.buckets(volume, count)
        given = (
            """UPDATE services SET granted = 1, grants = '[["sam", "read"]]' WHERE sid LIKE :sid"""
        )
        with meter.database.writing() as connection:
            connection.execute(text(given), {"sid": f"{volume}.%"})
        place = f"/{volume}"
        asks = [("GET", f"{place}/absent"), ("GET", f"{place}/b000001/k"), ("POST", f"{place}/new")]

        def ask(asks: list[tuple[str, str]] = asks) -> None:
            assert {outcome(ozone.ask(*one, "frodo")) for one in asks} == {"404 volumeNotFound"}

        costs.append(meter.cost(ask))
        assert outcome(ozone.ask("GET", f"{place}/absent", "sam")) == "400 invalidBucketName"
    few, many = costs
    assert many.calls <= few.calls * 1.02
    assert many.steps <= few.steps * 1.1 + 5


def test_a_page_of_keys_costs_a_page(meter: Meter) -> None:
    ozone, costs = meter.ozone, []
    for count in (2_000, 100_000):
        bucket = ozone.bucket()
        meter.keys(ozone.sid(bucket), count)
        middle = f"k{count // 2:07}"

        def page(bucket: str = bucket, middle: str = middle) -> list[Any]:
            query = {"max-keys": 100, "prev-key": middle}
            found: list[Any] = said(ozone.ask("GET", bucket, "bilbo", query=query))["keyList"]
            return found

        assert page()[0]["keyName"] == f"k{count // 2 + 1:07}"
        most = said(ozone.ask("GET", bucket, "bilbo"))  # more than a store gives at once
        assert (len(most["keyList"]), most["truncated"]) == (1024, True)
        costs.append(meter.cost(page))
    few, many = costs
    assert many.calls <= few.calls * 1.02
    assert many.steps <= few.steps * 1.1 + 5


def test_a_key_costs_no_more_than_through_the_standard_mode(meter: Meter) -> None:
    """A GET and a PUT of 1 KiB; that in Ozone a bucket is found by two names is in it."""
    ozone = meter.ozone
    bucket, data = ozone.bucket(), bytes(1024)
    sid = ozone.sid(bucket)
    here = {**ALWAYS, "authorization": "OZONE bilbo"}
    there = {"x-owncdn-key": BILBO}

    def ask(method: str, target: str, headers: dict[str, str]) -> None:
        body = data if method == "PUT" else None
        answer = ozone.site.ask(target, method, headers, host=HOST, body=body)
        assert answer.status in (200, 201), answer.body

    for method, function in (("PUT", "uploadfile"), ("GET", "getfile")):
        target = f"/{function}?sid={sid}&path=key"
        ours = meter.cost(partial(ask, method, f"{bucket}/key", here))
        standard = meter.cost(partial(ask, method, target, there))
        assert ours.calls <= standard.calls * 1.1
        assert ours.steps <= standard.steps * 1.1 + 5


def test_who_sees_few_buckets_is_shown_them_without_the_others(meter: Meter) -> None:
    """Those that give nothing to anybody are not opened, however many there are."""
    ozone = meter.ozone
    costs = []
    for volume, count in (("seen-few", 100), ("seen-many", 5_000)):
        ozone.volume(name=volume)
        meter.buckets(volume, count)
        grant = {"x-ozone-acl": "ADD user:guest:r"}
        done(ozone.ask("POST", f"/{volume}/shown", "bilbo", headers=grant), 201)

        def look(volume: str = volume) -> None:
            found = said(ozone.ask("GET", f"/{volume}", "guest"))["buckets"]
            assert [one["bucketName"] for one in found] == ["shown"]

        costs.append(meter.cost(look))
    few, many = costs
    assert many.calls <= few.calls * 1.02
