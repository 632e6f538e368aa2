"""What becomes of access logs whose target is not as it was, and of those of others meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.access.access import Access
from gateway.access.identity import Identity
from gateway.config import load
from gateway.modes.s3.configuration.access_logging import AccessLogging
from gateway.modes.s3.delivery.access_logs import LogDelivery, Route
from gateway.services.runtime import Runtime, open_runtime
from gateway.storage import (
    BadKey,
    Full,
    OriginFailed,
    Protected,
    Put,
    StorageError,
    TooLarge,
    Unsupported,
)
from gateway.storage.objects import now

DAY = 86_400_000
MAIN = Identity(key="main-key", account="main", access="own")
SHORT, LONG = "a line", "x" * 2000


def document(policy: object) -> dict[str, str]:
    return {"policy": json.dumps({"Statement": [policy]})}


def encrypted(algorithm: str) -> dict[str, str]:
    said = f"<ApplyServerSideEncryptionByDefault><SSEAlgorithm>{algorithm}</SSEAlgorithm>"
    rule = f"<Rule>{said}</ApplyServerSideEncryptionByDefault></Rule>"
    name = "ServerSideEncryptionConfiguration"
    return {"encryption": f"<{name}>{rule}</{name}>"}


LOCK = (
    "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>"
    "</ObjectLockConfiguration>"
)
_PUT = {"Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::denying/*"}
SERVICES: dict[str, dict[str, Any]] = {
    "plain": {},
    "denying": {"settings": document({"Effect": "Deny", **_PUT})},
    "tight": {"quota": 1000},
    "versioned": {"keep_versions": "forever"},
    "sealed": {"settings": encrypted("AES256")},
    "by-kms": {"settings": encrypted("aws:kms")},
    "locked": {"keep_versions": "forever", "settings": {"object-lock": LOCK}},
    "others": {"account": "other"},
}


@pytest.fixture
def gateway() -> Iterator[Runtime]:
    tables = {
        "server": {"memory": True},
        "accounts": [{"id": "main"}, {"id": "other"}],
        "services": {
            sid: {"driver": "memory", "account": "main", "keep_versions": "off", **options}
            for sid, options in SERVICES.items()
        },
    }
    found = open_runtime(load(tables=tables, environ={}), server="waitress", environ={})
    yield found
    found.close()


def log(gateway: Runtime, target: str, *lines: str, time: int = 0, bucket: str = "") -> None:
    route = Route(bucket or f"{target}-source", "main", AccessLogging(target, "log/"))
    for one in lines:
        gateway.lines.add(route.queue, time or now(), one)


def deliver(delivery: LogDelivery) -> StorageError | None:
    """One run, and what it fails by."""
    try:
        for _ in delivery():
            pass
    except StorageError as error:
        return error
    return None


def stored(gateway: Runtime, bucket: str) -> list[str]:
    access = gateway.access(MAIN, bucket)
    found = []
    for one in access.list().entries:
        with access.get(one.key) as opened:
            found.append(opened.body.read().decode())
    return found


@pytest.mark.parametrize("target", ["denying", "by-kms", "locked", "others", "nowhere"])
def test_a_target_that_refuses_for_good_costs_its_lines_which_is_counted_and_told_once(
    gateway: Runtime, target: str, caplog: pytest.LogCaptureFixture
) -> None:
    delivery = LogDelivery(gateway)
    for _ in range(2):
        log(gateway, target, SHORT, SHORT)
        log(gateway, "plain", SHORT)
        assert deliver(delivery) is None
    assert not gateway.lines.queues()
    assert gateway.lines.shed == 4
    assert stored(gateway, "plain") == [f"{SHORT}\n"] * 2
    (said,) = caplog.messages
    assert said.startswith(f"{target}-source: its access log is dropped: ")


@pytest.mark.parametrize("target", ["versioned", "sealed"])
def test_a_target_that_keeps_versions_or_encrypts_does_so_with_logs(
    gateway: Runtime, target: str
) -> None:
    log(gateway, target, SHORT)
    assert deliver(LogDelivery(gateway)) is None
    assert stored(gateway, target) == [f"{SHORT}\n"]
    access = gateway.access(MAIN, target)
    (one,) = access.list().entries
    info = access.stat(one.key)
    assert (info.version is not None) is (target == "versioned")
    assert (info.encryption is not None) is (target == "sealed")


def test_a_full_target_is_waited_for_a_day(
    gateway: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    delivery, old = LogDelivery(gateway), now() - DAY - 1000
    log(gateway, "tight", LONG)
    log(gateway, "plain", SHORT)
    for _ in range(3):
        log(gateway, "tight", LONG, time=old, bucket="another")
        assert isinstance(deliver(delivery), Full)
    assert stored(gateway, "plain") == [f"{SHORT}\n"]
    (queue,) = gateway.lines.queues()
    assert [one.line for one in gateway.lines.page(queue, 9)] == [LONG]
    assert gateway.lines.shed == 3
    assert caplog.messages == [
        f"another: its access log {what}: The quota of 1000 bytes is reached: 0 are used, and 2001"
        " more were to be stored."
        for what in ("waits", "of more than a day ago is dropped")
    ]


@pytest.mark.parametrize("error", [OriginFailed("it is away"), KeyError("unforeseen")])
def test_a_target_that_fails_is_tried_once_a_run_and_keeps_nobody_waiting(
    gateway: Runtime, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, tries = Access.put, list[str]()

    def failing(self: Access, key: str, *rest: Any) -> Any:
        if self.service.sid == "sealed":
            tries.append(key)
            raise error
        return put(self, key, *rest)

    monkeypatch.setattr(Access, "put", failing)
    for number in range(3):
        log(gateway, "sealed", SHORT, bucket=f"source-{number}")
    log(gateway, "versioned", SHORT)
    with pytest.raises(type(error)):
        [*LogDelivery(gateway)()]
    assert len(tries) == 1
    assert stored(gateway, "versioned") == [f"{SHORT}\n"]
    monkeypatch.undo()
    assert deliver(LogDelivery(gateway)) is None
    assert stored(gateway, "sealed") == [f"{SHORT}\n"] * 3
    assert gateway.lines.shed == 0


@pytest.mark.parametrize("error", [TooLarge(limit=1), BadKey(), Protected(), Unsupported()])
def test_what_would_be_refused_tomorrow_too_is_not_tried_again(
    gateway: Runtime, error: StorageError, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(Access, "put", refuse)
    log(gateway, "plain", SHORT)
    assert deliver(LogDelivery(gateway)) is None
    assert (gateway.lines.queues(), gateway.lines.shed) == ({}, 1)


def test_what_comes_while_it_is_delivered_is_for_the_next_run(
    gateway: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, left = Access.put, [SHORT] * 5

    def slow(self: Access, *rest: Any) -> Any:
        if left:
            log(gateway, "plain", left.pop())
            gateway.lines.flush()
        return put(self, *rest)

    monkeypatch.setattr(Access, "put", slow)
    log(gateway, "plain", SHORT)
    log(gateway, "sealed", SHORT)
    deliver(LogDelivery(gateway))
    assert len(stored(gateway, "plain")) == 1
    assert len(stored(gateway, "sealed")) == 1


def test_what_was_told_is_told_again_once_it_went_well_meanwhile(
    gateway: Runtime, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    delivery = LogDelivery(gateway)
    for fails in (True, True, False, True):
        with monkeypatch.context() as patch:
            if fails:
                patch.setattr(Access, "put", away)
            log(gateway, "plain", SHORT)
            deliver(delivery)
    assert len(caplog.messages) == 2


def away(*_: object) -> Put:
    raise OriginFailed("it is away")
