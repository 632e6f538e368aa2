"""Who may sign in, by which names, how often they may fail, and what a token is good for."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from gateway.access.sessions import CALLS, LONGEST, PAGES
from gateway.services.runtime import open_runtime
from gateway.storage import Secret
from gateway.telemetry.access_log import as_json, as_text
from tests.modes.cdn.cdn_gateway import SECRETS, Cdn, configured, controlling, refused, said
from tests.modes.public_gateway import Site


@pytest.mark.parametrize(
    "name", ["kusanagi", "major@section9.co.jp", "MAJOR@section9.co.jp", "Motoko Kusanagi"]
)
@pytest.mark.parametrize("member", ["email", "username"])
def test_names(cdn: Cdn, name: str, member: str) -> None:
    body = {member: name, "password": "password"}
    found = said(cdn.ask("POST", "/check/login", body, as_=None))
    assert found["authenticated"] is True


def test_a_key_by_its_id(cdn: Cdn) -> None:
    cdn.runtime.catalog.add_key(account="batou", id="Upper-1", secret=Secret("u" * 20))
    assert cdn.sign_in("Upper-1", "u" * 20).status == 200
    assert cdn.sign_in("upper-1", "u" * 20, address="192.0.2.2").status == 401


def test_who_may_not(cdn: Cdn) -> None:
    rows = [
        ("kusanagi", "wrong"),
        ("nobody", "password"),
        ("batou", "password"),
        ("viewer", SECRETS["viewer"]),
        ("auditor", SECRETS["auditor"]),
    ]
    for number, (name, secret) in enumerate(rows):
        answer = cdn.sign_in(name, secret, address=f"192.0.2.{10 + number}")
        found = said(answer, 401)
        assert found["authenticated"] is False, name
        assert found["reason"] == found["message"]
        assert "token" not in found
        assert "www-authenticate" in answer.headers


def test_two_names(cdn: Cdn) -> None:
    body = {"email": "kusanagi", "username": "batou", "password": "password"}
    refused(cdn.ask("POST", "/check/login", body, as_=None), 400, "two names")


def test_failures_are_bounded_by_address_and_by_name() -> None:
    with controlling() as cdn:
        token = cdn.token("kusanagi")
        tried = [cdn.sign_in("batou", "x", address="198.51.100.1").status for _ in range(11)]
        assert tried == [401] * 10 + [429]
        answer = cdn.sign_in("kusanagi", address="198.51.100.1")
        refused(answer, 429, "seconds")
        assert 0 < int(answer.headers["retry-after"]) <= 300
        # By name from anywhere, but not from where it was proved.
        assert cdn.sign_in("batou", address="198.51.100.2").status == 429
        assert cdn.sign_in("kusanagi", address="198.51.100.2").status == 200
        tried = [cdn.sign_in("kusanagi", "x", address=f"203.0.113.{n}").status for n in range(11)]
        assert tried == [401] * 10 + [429]
        assert cdn.sign_in("kusanagi").status == 200
        assert said(cdn.ask("GET", "/account"))
        assert token


def test_guessed_tokens_are_bounded() -> None:
    """For an address, and not for who had a good one there."""
    with controlling() as cdn:
        there: dict[str, Any] = {"address": "198.51.100.7"}
        assert cdn.ask("GET", "/account", **there).status == 200
        guesses = [
            cdn.ask("GET", "/account", as_=None, headers={"x-ucdn-token": f"{n:032x}"}, **there)
            for n in range(12)
        ]
        assert [one.status for one in guesses] == [401] * 10 + [429] * 2
        assert guesses[-1].headers["retry-after"]
        assert cdn.ask("GET", "/account", **there).status == 200
        assert cdn.ask("GET", "/account", as_="batou", **there).status == 429
        assert cdn.ask("GET", "/account", as_="batou").status == 200


def test_a_good_token_is_not_kept_out_by_guesses_in_another_worker() -> None:
    """One that was signed in for there, of which this worker has not heard yet."""
    with controlling() as cdn:
        other = Cdn(Site(cdn.runtime, configured()))
        there: dict[str, Any] = {"address": "198.51.100.7"}
        token = said(cdn.sign_in("kusanagi", **there))["token"]
        for n in range(11):
            guess = {"x-ucdn-token": f"{n:032x}"}
            last = other.ask("GET", "/account", as_=None, headers=guess, **there)
        assert last.status == 429
        own = {"x-ucdn-token": token}
        assert other.ask("GET", "/account", as_=None, headers=own, **there).status == 200
        assert other.ask("GET", "/account", as_="batou", **there).status == 429


def test_what_a_token_is_good_for(cdn: Cdn) -> None:
    """A page's session is none of a program, and the other way round."""
    sessions, token = cdn.runtime.sessions, cdn.token("kusanagi")
    page = sessions.begin_session("kusanagi")
    assert sessions.session(token, CALLS) is not None
    assert sessions.session(token, PAGES) is None
    assert sessions.session(page) is not None
    for other in (page, "x" * 200, "", SECRETS["kusanagi"]):
        answer = cdn.ask("GET", "/account", as_=None, headers={"x-ucdn-token": other})
        assert answer.status == 401
    cookie = {"cookie": f"gateway={token}"}
    assert cdn.raw("GET", "/-/console/", cookie).status != 200


def test_how_long_a_token_lives() -> None:
    with controlling() as cdn:
        now = [cdn.runtime.catalog._clock()]
        cdn.runtime.catalog._clock = lambda: now[0]
        token, page = cdn.token("batou"), cdn.runtime.sessions.begin_session("batou")
        now[0] += LONGEST - 60_000
        assert cdn.ask("GET", "/account", as_="batou").status == 200
        assert cdn.runtime.sessions.session(page) is None
        # Who begins another one removes what is over, and nothing else.
        cdn.runtime.sessions.begin_session("kusanagi")
        assert cdn.runtime.sessions.session(token, CALLS) is not None
        now[0] += 60_000
        refused(cdn.ask("GET", "/account", as_="batou"), 401)


def test_a_token_ends_with_its_key() -> None:
    with controlling() as cdn:
        catalog = cdn.runtime.catalog
        catalog.add_key(account="batou", id="other", secret=Secret("o" * 20))
        assert cdn.ask("GET", "/account", as_="batou").status == 200
        catalog.revoke_key("batou")
        refused(cdn.ask("GET", "/account", as_="batou"), 401)
        assert said(cdn.sign_in("other", "o" * 20))["user_id"]


def test_a_token_survives_a_restart_and_is_not_what_is_kept(tmp_path: Path) -> None:
    server = {"data": str(tmp_path)}
    with controlling(server=server) as cdn:
        token, number = cdn.token("kusanagi"), cdn.get("/account")["id"]
    files = [one for one in tmp_path.rglob("*") if one.is_file()]
    assert files
    assert not [one for one in files if token.encode() in one.read_bytes()]
    configuration = configured(server=server)
    runtime = open_runtime(configuration, server="waitress", environ={})
    try:
        again = Cdn(Site(runtime, configuration))
        found = said(again.raw("GET", "/v3/account", {"x-ucdn-token": token}))
        assert (found["username"], found["id"]) == ("kusanagi", number)
    finally:
        runtime.close()


def test_accounts_and_their_numbers() -> None:
    with controlling() as cdn:
        found = {one: cdn.get("/account", as_=one) for one in ("root", "kusanagi", "batou")}
        assert {one["username"] for one in found.values()} == set(found)
        numbers = [one["id"] for one in found.values()]
        assert len(set(numbers)) == 3
        assert [one["id"] for one in cdn.get("/subaccounts", as_="batou")] == [found["batou"]["id"]]
        listed = cdn.get("/subaccounts", as_="root")
        assert {one["username"] for one in listed} == set(found)
        assert [int(one["id"]) for one in listed] == sorted(map(int, numbers))
        (made,) = (one for one in listed if one["username"] == "batou")
        assert int(made["create_ts"]) > 1_700_000_000
        known = cdn.runtime.account_numbers
        assert known.account(int(numbers[1])) == "kusanagi"
        assert known.account(999) is None


def test_a_token_is_told_to_nobody(cdn: Cdn, caplog: pytest.LogCaptureFixture) -> None:
    """Not to the access log, the list of requests, the log of what failed, nor in an error."""
    token = cdn.token("kusanagi")
    with caplog.at_level(logging.DEBUG):
        answers = [
            cdn.ask("GET", path, by="query", query=more)
            for path, more in [
                ("/account", {}),
                ("/account", {"wrong": token}),
                ("/nothing", {}),
            ]
        ]
        cdn.runtime.account_numbers = None  # type: ignore[assignment]
        failed = cdn.ask("GET", "/account", by="query")
    refused(failed, 532, "wrong")
    assert "failed" in caplog.text
    assert token not in caplog.text
    assert token not in "".join(one.body.decode() for one in (*answers, failed))
    lines = [line(one) for one in cdn.site.records for line in (as_text, as_json)]
    assert any("getAccount" in line for line in lines)
    assert not [line for line in lines if token in line]
