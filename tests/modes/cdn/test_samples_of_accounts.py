"""The samples of signing in and of accounts, sent as they stand."""

from __future__ import annotations

from gateway.modes.cdn.resources.accounts import UNKNOWN
from tests.modes.cdn.cdn_gateway import Cdn, said
from tests.modes.cdn.samples import SAMPLES, agree, check, send

SECRET = ("api_key", "api_secret", "password", "secret_key_2fa")


def test_signing_in(cdn: Cdn) -> None:
    (asked,) = SAMPLES["Check user credentials"].asked
    found = check("Check user credentials", send(cdn, asked))
    assert len(found["token"]) == 32
    assert int(found["token"], 16)
    assert found["user_id"] == int(cdn.get("/account")["id"])


def test_the_account(cdn: Cdn) -> None:
    (asked,) = SAMPLES["Fetch account info"].asked
    check(
        "Fetch account info",
        send(cdn, asked),
        same=("username", "email", "name", "trial"),
    )


def test_subaccounts(cdn: Cdn) -> None:
    """A list of what the sample shows one of, without what is secret; null where a gateway knows
    nothing of it."""
    (asked,) = SAMPLES["Fetch subaccounts list"].asked
    found = said(send(cdn, asked))
    answered = SAMPLES["Fetch subaccounts list"].answered
    assert answered is not None
    shown = {name: value for name, value in answered.document.items() if name not in SECRET}
    (one,) = found
    agree(shown, one, except_for={f".{name}": None for name in UNKNOWN})
    assert (one["username"], one["domain_base"]) == ("kusanagi", "so.clients.cdn13.com")
    assert one["max_zones"] == answered.document["max_zones"]
