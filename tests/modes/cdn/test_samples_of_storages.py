"""The samples of storages, sent as they stand; and who may what with them."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.storage import BytesBody
from tests.modes.cdn.cdn_gateway import FTP, Cdn, controlling, refused, said
from tests.modes.cdn.samples import SAMPLES, check, send


@pytest.fixture(scope="module")
def number(cdn: Cdn) -> int:
    """That of the sample's "Create storage", sent literally."""
    (asked,) = SAMPLES["Create storage"].asked
    return int(check("Create storage", send(cdn, asked))["id"])


def make(cdn: Cdn, name: str, region: str = "europe", **more: Any) -> int:
    body = {"name": name, "region": region}
    return int(said(cdn.ask("POST", "/storage/", body, **more))["id"])


def sent(cdn: Cdn, heading: str, number: int, **how: Any) -> Any:
    (asked,) = SAMPLES[heading].asked
    piece = "/".join(asked.target.partition("/v3/")[2].split("/")[:2])
    return check(heading, send(cdn, asked, ids={piece: f"storage/{number}"}), **how)


def test_those_that_there_are(cdn: Cdn, number: int) -> None:
    (asked,) = SAMPLES["List storages"].asked
    found = check("List storages", send(cdn, asked), same=("synchronized_with_storage",))
    (one,) = [each for each in found if each["id"] == number]
    account = int(cdn.get("/account")["id"])
    assert one["ftp_user"] == f"{1_000_000 + account}.{1_000_000 + number}"
    assert (one["container"], one["region"]) == ("level-4-logs", "north-america")
    assert one["ftp_host"] == FTP
    assert one == sent(cdn, "Storage FTP", number)


def test_how_much_is_in_one_and_that_it_goes(cdn: Cdn) -> None:
    number, runtime = make(cdn, "to-be-measured"), cdn.runtime
    assert sent(cdn, "Storage consumed size", number) == {"bytes": 0, "objects": 0}
    found = runtime.keys.credential(cdn.get(f"/storage/{number}")["ftp_user"])
    assert found is not None
    access = runtime.access(found.identity, "to-be-measured")
    access.put("logs/1", BytesBody(b"x" * 10))
    assert sent(cdn, "Storage consumed size", number) == {"bytes": 10, "objects": 1}
    path = f"/storage/{number}"
    refused(cdn.ask("DELETE", path), 409, "is not empty")
    access.delete("logs/1")
    sent(cdn, "Remove storage", number)
    for method, end in (("GET", ""), ("GET", "/size/"), ("DELETE", "/")):
        refused(cdn.ask(method, f"{path}{end}"), 404, f"no storage {number}")


def test_a_new_password(cdn: Cdn, number: int) -> None:
    other = make(cdn, "in-europe")
    before = [cdn.get(f"/storage/{one}")["ftp_password"] for one in (number, other)]
    (asked,) = SAMPLES["Reconfigure storages"].asked
    new = check("Reconfigure storages", send(cdn, asked))["new_ftp_password"]
    after = [cdn.get(f"/storage/{one}")["ftp_password"] for one in (number, other)]
    assert after == [new, before[1]]
    assert new not in before
    user = cdn.get(f"/storage/{number}")["ftp_user"]
    found = cdn.runtime.keys.credential(user)
    assert found is not None
    assert found.secret.reveal() == new
    body = {"region": "europe", "action": "change_ftp_password"}
    refused(cdn.ask("PATCH", "/storages", body, as_="batou"), 404, "no storage in the region")


def test_the_storages_user_cannot_sign_in(cdn: Cdn, number: int) -> None:
    one = cdn.get(f"/storage/{number}")
    answer = cdn.sign_in(one["ftp_user"], one["ftp_password"])
    assert answer.status == 401
    assert one["ftp_password"].encode() not in answer.body


def test_whose_they_are(cdn: Cdn, number: int) -> None:
    path = f"/storage/{number}"
    for who in ("batou",):
        for method, end in (("GET", ""), ("GET", "/size"), ("DELETE", "")):
            refused(cdn.ask(method, f"{path}{end}", as_=who), 404, f"no storage {number}")
        assert cdn.get("/storages", as_=who) == []
    assert cdn.get(path, as_="root") == cdn.get(path)
    assert cdn.get("/storages", as_="root") == []


def test_names_and_forms(cdn: Cdn, number: int) -> None:
    body = {"name": "level-4-logs", "region": "europe"}
    assert refused(cdn.ask("POST", "/storage", body, as_="batou"), 409) == (
        "The name 'level-4-logs' is taken."
    )
    refused(cdn.ask("POST", "/storage", {**body, "name": "Upper"}), 400, "3 to 63 of a-z")
    assert make(cdn, "as-a-form", form=True) > number


def test_where_ftp_is() -> None:
    wanted = {"ftp.example.com:21": "ftp.example.com", "[::1]:2121": "[::1]:2121", "": None}
    for text, shown in wanted.items():
        with controlling(cdn={"suffix": "cdn.example", "ftp": text}) as cdn:
            assert cdn.get(f"/storage/{make(cdn, 'some-files')}")["ftp_host"] == shown, text
    listeners = [{"protocol": "ftp", "address": "127.0.0.1:2121"}]
    with controlling(cdn={"suffix": "cdn.example"}, listeners=listeners) as cdn:
        path = f"/storage/{make(cdn, 'some-files')}"
        assert cdn.get(path)["ftp_host"] == "gateway.example:2121"
        assert cdn.get(path, host="[::1]:9000")["ftp_host"] == "[::1]:2121"
