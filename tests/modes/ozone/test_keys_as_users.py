"""Signing in with the gateway's keys: `OZONE <id>:<secret>`."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from gateway.access.identity import Account
from gateway.config import ConfigurationError
from tests.modes.ozone.trusting import (
    ALWAYS,
    ROOT,
    Ozone,
    configured,
    differing,
    done,
    outcome,
    refused,
    said,
    trusting,
)

SECRETS = {
    "root": ROOT[1],
    "bilbo": "secret-of-bilbo-000000",
    "bilbos-other": "secret-of-bilbos-other",
    "frodo": "secret-of-frodo-000000",
    "second-admin": "secret-of-second-admin",
}
TABLES: dict[str, Any] = {
    "accounts": [{"id": "shire"}, {"id": "baggins"}],
    "keys": [
        {"id": "bilbo", "account": "shire", "access": "own"},
        {"id": "bilbos-other", "account": "shire", "access": "own"},
        {"id": "frodo", "account": "baggins", "access": "own"},
        {"id": "second-admin", "account": "baggins", "access": "admin"},
    ],
}


def tables() -> dict[str, Any]:
    keys = [{**one, "secret": SECRETS[one["id"]]} for one in TABLES["keys"]]
    return {**TABLES, "keys": keys}


class Keyed(Ozone):
    """`as_` names a key, whose secret is sent with it."""

    def ask(self, method: str, path: str, as_: str | None = "root", **more: Any) -> Any:
        proof = f"{as_}:{SECRETS[as_]}" if as_ in SECRETS else as_
        return super().ask(method, path, proof, **more)


@pytest.fixture(scope="module")
def keyed() -> Iterator[Keyed]:
    with trusting({}, **tables()) as found:  # it is what there is when nothing else is said
        yield Keyed(found.site)


def test_what_proves_nothing(keyed: Keyed) -> None:
    """All are told alike; what is no proof at all is malformed."""
    rows = [
        ("OZONE root", "401 Unauthorized"),
        ("OZONE", "401 Unauthorized"),
        ("OZONE :", "401 Unauthorized"),
        ("OZONE root:", "401 Unauthorized"),
        ("OZONE root:wrong", "401 Unauthorized"),
        (f"OZONE bilbo:{ROOT[1]}", "401 Unauthorized"),
        (f"OZONE nobody:{ROOT[1]}", "401 Unauthorized"),
        (f"OZONE root:{ROOT[1]}x", "401 Unauthorized"),
        (f"OZONE root:{ROOT[1]},OZONE root:{ROOT[1]}", "400 badAuthorization"),
        (f"OZONE root:{ROOT[1]}", "200"),
        ("", "400 badAuthorization"),
        (None, "400 badAuthorization"),
    ]
    headers = [{**ALWAYS, "authorization": row[0], "x-ozone-user": "root"} for row in rows]
    found = [keyed.raw("GET", "/", one) for one in headers]
    assert not differing(
        (row[0], outcome(answer), row[1]) for row, answer in zip(rows, found, strict=True)
    )
    texts = {
        answer.body.partition(b'"message"')[2].partition(b'"requestID"')[0]
        for answer in found
        if answer.status == 401
    }
    assert len(texts) == 1


def test_who_asks_is_the_key_whoever_is_named_beside_it(keyed: Keyed) -> None:
    bucket = keyed.bucket()
    refused(keyed.ask("GET", bucket, "frodo", owner="bilbo"), 404, "volumeNotFound")
    refused(keyed.ask("POST", "/by-frodo", "frodo", owner="root"), 403, "accessDenied")
    names = [
        one["volumeName"] for one in said(keyed.ask("GET", "/", "frodo", owner="bilbo"))["volumes"]
    ]
    assert bucket.split("/")[1] not in names


def test_owners_are_keys_or_accounts(keyed: Keyed) -> None:
    rows = [
        ("bilbo", "201"),
        ("shire", "201"),
        ("nobody", "404 userNotFound"),
        ("a b", "404 userNotFound"),
    ]
    for number, (owner, wanted) in enumerate(rows):
        assert outcome(keyed.ask("POST", f"/owned-{number}", owner=owner)) == wanted, owner
    assert outcome(keyed.ask("PUT", "/owned-0", owner="nobody")) == "404 userNotFound"
    for volume, owner in (("owned-0", "bilbo"), ("owned-1", "shire")):
        found = said(keyed.ask("GET", f"/{volume}", "bilbo", info="volume"))
        assert (found["owner"], found["createdBy"]) == ({"name": owner}, "root")
        done(keyed.ask("POST", f"/{volume}/bucket", "bilbos-other"), 201)  # of the same account


def test_a_key_that_is_called_as_anothers_account_gets_nothing_by_that(keyed: Keyed) -> None:
    """Who manages an account may call its keys as they like."""
    volume = keyed.volume("bilbo")
    keyed.runtime.catalog.add_account(Account(id="victims"))
    keyed.runtime.catalog.add_key(account="baggins", id="victims")
    for method, path in (("POST", "/of-victims"), ("PUT", f"/{volume}")):
        refused(keyed.ask(method, path, owner="victims"), 404, "userNotFound", "account", "key")
    assert said(keyed.ask("GET", f"/{volume}", info="volume"))["owner"] == {"name": "bilbo"}
    keyed.runtime.catalog.revoke_key("victims")
    done(keyed.ask("POST", "/of-victims", owner="victims"), 201)


def test_administrators_are_the_keys_with_that_access(keyed: Keyed) -> None:
    done(keyed.ask("POST", "/by-second", "second-admin", owner="bilbo"), 201)
    found = said(keyed.ask("GET", "/by-second", "bilbo", info="volume"))
    assert found["createdBy"] == "second-admin"
    assert outcome(keyed.ask("GET", "/", "second-admin", root_scan="true")) == "200"
    assert outcome(keyed.ask("GET", "/", "bilbo", root_scan="true")) == "401 Unauthorized"


def test_lists_of_control_name_keys_and_accounts(keyed: Keyed) -> None:
    bucket = keyed.bucket()
    keyed.put(bucket, "key")
    rows = [
        ("user:frodo:r", "200"),
        ("user:baggins:r", "404"),
        ("group:baggins:r", "200"),
        ("group:frodo:r", "404"),
        ("world::r", "200"),
    ]
    for acl, wanted in rows:
        done(keyed.ask("PUT", bucket, "bilbo", headers={"x-ozone-acl": f"ADD {acl}"}))
        assert outcome(keyed.ask("GET", f"{bucket}/key", "frodo"))[:3] == wanted, acl
        done(keyed.ask("PUT", bucket, "bilbo", headers={"x-ozone-acl": f"REMOVE {acl}"}))


def test_a_key_that_is_revoked_opens_nothing(keyed: Keyed) -> None:
    from gateway.storage import Secret

    secret = Secret("secret-of-the-passing-0")
    keyed.runtime.catalog.add_key(account="shire", id="passing", secret=secret, access="own")
    headers = {**ALWAYS, "authorization": "OZONE passing:secret-of-the-passing-0"}
    assert keyed.raw("GET", "/", headers).status == 200
    keyed.runtime.catalog.revoke_key("passing")
    assert outcome(keyed.raw("GET", "/", headers)) == "401 Unauthorized"


def test_guessing_is_bounded(keyed: Keyed) -> None:
    """From an address, and for a key; who knows its secret from elsewhere is not kept out."""
    wrong = {**ALWAYS, "authorization": "OZONE bilbo:wrong"}
    right = {**ALWAYS, "authorization": f"OZONE bilbo:{SECRETS['bilbo']}"}
    with trusting({}, **tables()) as fresh:
        found = [
            fresh.site.ask("/", headers=wrong, address="198.51.100.7").status for _ in range(60)
        ]
        assert found[0] == 401
        assert found[-1] in (429, 503)
        there = fresh.site.ask("/", headers=right, address="198.51.100.7")
        assert there.status in (429, 503)
        assert int(there.headers["retry-after"]) > 0


def test_others_attempts_do_not_stop_a_client_that_has_proved_its_key(keyed: Keyed) -> None:
    right, wrong = (
        {**ALWAYS, "authorization": f"OZONE frodo:{secret}"} for secret in (SECRETS["frodo"], "no")
    )

    def asked(address: str, headers: Mapping[str, str]) -> int:
        return keyed.site.ask("/", headers=headers, address=address).status

    assert asked("203.0.113.1", right) == 200
    strangers = [f"198.51.100.{number % 6 + 1}" for number in range(60)]
    assert [asked(one, wrong) for one in strangers][-1] == 429
    assert asked("203.0.113.1", right) == 200
    assert asked("203.0.113.2", right) == 429  # a stranger, as far as is known
    found = [asked("203.0.113.1", wrong) for _ in range(11)]
    assert (found[0], found[-1]) == (401, 429)  # its own attempts are bounded
    assert asked("203.0.113.1", right) == 429


def test_no_secret_is_said_or_written(keyed: Keyed, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for proof in (f"bilbo:{SECRETS['bilbo']}", "bilbo:guessed-wrongly", "typed-without-a-colon"):
        for path in ("/", "/V", "/absent", "/absent/bucket/key"):
            answer = keyed.site.ask(path, headers={**ALWAYS, "authorization": f"OZONE {proof}"})
            secret = proof.partition(":")[2] or proof
            assert secret not in str(answer.lines) + answer.body.decode()
            assert secret not in caplog.text
            assert secret not in repr(keyed.site.records[-1])


# the table


def wrong(table: Mapping[str, Any]) -> str:
    with pytest.raises(ConfigurationError) as caught:
        configured(table)
    return str(caught.value)


def test_the_table_says_what_is_wrong_in_it() -> None:
    assert "auth" in wrong({"auth": "none"})
    assert "simple" in wrong({"auth": "smiple"})
    assert "admins" in wrong({"admins": ["root"]})  # with keys, administrators are keys
    assert "admin" in wrong({"auth": "simple", "admins": ["a b"]})
    assert "admins" in wrong({"auth": "simple", "adminz": ["root"]})
    assert "not_found_as_404" in wrong({"not_found_as_404": "yes"})


def test_without_the_table_nothing_is_here() -> None:
    with trusting(None) as off:
        answer = off.site.ask("/volume", headers={**ALWAYS, "authorization": "OZONE root"})
        assert "x-ozone-request-id" not in answer.headers
        assert off.site.ask("/-/docs/ozone/").status == 404
    with pytest.raises(ConfigurationError, match="ozone"):
        configured(None, bindings=[{"mode": "ozone", "host": "h.example"}])
