"""Credentials and presigned URLs: made, changed, taken away, by who may and no further."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import pytest

from gateway.access.identity import Identity, KeyAccess
from gateway.catalog import KeyInfo, MadeKey
from gateway.storage import Conflict
from tests.modes.management.managed import HOST, SECRETS, Managed, managing, refused, said


def made(api: Managed, key: str = "root", **body: Any) -> dict[str, Any]:
    return dict(said(api.ask("POST", "/credentials", body, key=key), 201))


def presigned(api: Managed, key: str = "root", host: str = HOST, **body: Any) -> str:
    given = {"bucket_name": "files", "object_key": "a", "access_key": "root", **body}
    answer = said(api.ask("POST", "/presigned-urls", given, key=key, host=host), 201)
    return str(answer["url"])


def fetch(api: Managed, url: str, method: str = "GET", body: bytes | None = None) -> Any:
    """As whoever has the URL does: host and path are those that it says."""
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}"
    return api.site.ask(target, method, host=parts.netloc, body=body)


def test_what_is_not_given_is_made(api: Managed) -> None:
    one, other = made(api), made(api)
    assert one["user_name"] == one["access_key"] != other["access_key"]
    assert len(one["secret_key"]) >= 40
    assert one["secret_key"] != other["secret_key"]
    found = api.get(f"/credentials/{one['id']}")
    assert (found["bucket_count"], found["buckets"]) == (0, [])
    assert "secret_key" not in found
    assert one["secret_key"] not in str(api.get("/credentials"))


def test_another_key_of_a_user(api: Managed) -> None:
    first, second = made(api, user_name="Ann Ü"), made(api, user_name="Ann Ü")
    assert first["user_name"] == second["user_name"] == "Ann Ü"
    said(api.ask("POST", "/buckets", {"name": "of-ann", "owner_id": first["id"]}), 201)
    assert api.get(f"/credentials/{second['id']}")["buckets"][0]["name"] == "of-ann"
    said(api.ask("DELETE", f"/credentials/{first['id']}"))
    message = refused(api.ask("DELETE", f"/credentials/{second['id']}"), 409, "Conflict")
    assert "last" in message
    said(api.ask("DELETE", "/buckets/of-ann"))
    said(api.ask("DELETE", f"/credentials/{second['id']}"))
    refused(api.ask("GET", f"/credentials/{second['id']}"), 404, "NoSuchCredential")


def test_what_is_taken(api: Managed) -> None:
    one = made(api, access_key="TAKEN")
    body = {"access_key": "TAKEN"}
    refused(api.ask("POST", "/credentials", body), 409, "AlreadyExists")
    same = {"secret_key": one["secret_key"]}
    refused(api.ask("POST", "/credentials", same), 409, "AlreadyExists")
    refused(api.ask("POST", "/credentials", {"access_key": "root"}), 409, "Conflict", "declared")
    for wrong in ({"access_key": "a b"}, {"secret_key": "short"}, {"user_name": "\n"}):
        refused(api.ask("POST", "/credentials", wrong), 422, "ValidationError", *wrong)
    refused(api.ask("POST", "/credentials", {"user_name": " a"}), 400, "InvalidRequest")


def test_one_that_is_switched_off_proves_nothing(api: Managed) -> None:
    one = made(api)
    path, id = f"/credentials/{one['id']}", one["access_key"]
    assert api.runtime.keys.credential(id) is not None
    url = presigned(api, access_key=id)
    said(api.ask("PUT", path, {"is_active": False}))
    assert api.get(path)["is_active"] is False
    assert api.runtime.keys.credential(id) is None
    assert fetch(api, url).status == 403
    body = {"bucket_name": "files", "object_key": "a", "access_key": id}
    refused(api.ask("POST", "/presigned-urls", body), 404, "NoSuchCredential", id)
    said(api.ask("PUT", path, {"is_active": True}))
    assert api.runtime.keys.credential(id) is not None


def test_a_user_gets_another_name(api: Managed) -> None:
    one, other = made(api, user_name="before"), made(api, user_name="another")
    path = f"/credentials/{one['id']}"
    said(api.ask("PUT", path, {"user_name": "after"}))
    assert api.get(path)["user_name"] == "after"
    said(api.ask("PUT", path, {}))
    taken = api.ask("PUT", path, {"user_name": other["user_name"]})
    refused(taken, 409, "AlreadyExists", "another")


def test_what_is_declared_is_changed_where_it_is(api: Managed) -> None:
    path = f"/credentials/{api.credential()}"
    assert api.get(path)["created_at"] is None
    for answer in (api.ask("PUT", path, {"is_active": False}), api.ask("DELETE", path)):
        refused(answer, 409, "Conflict", "root")


def test_lists_go_on_and_are_counted(api: Managed) -> None:
    everything = api.get("/credentials")["credentials"]
    numbers = [one["id"] for one in everything]
    assert numbers == sorted(numbers)
    page = api.get("/credentials", limit=1)
    found = page["credentials"]
    while "next" in page:
        page = api.get("/credentials", limit=1, after=page["next"])
        found += page["credentials"]
    assert found == everything
    assert api.get("/stats")["credentials"] == len(everything)


# reach


def test_who_manages_an_account_manages_its_keys(api: Managed) -> None:
    found = api.get("/credentials", key="manager")["credentials"]
    assert {one["user_name"] for one in found} == {"The team"}
    assert api.get("/stats", key="manager")["credentials"] == len(found)
    one = made(api, key="manager")
    assert one["user_name"] == "The team"
    credential = api.runtime.keys.credential(one["access_key"])
    assert credential is not None
    assert (credential.identity.account, credential.identity.access) == ("team", "own")
    assert not credential.identity.manages
    path = f"/credentials/{one['id']}"
    said(api.ask("PUT", path, {"is_active": False}, key="manager"))
    said(api.ask("DELETE", path, key="manager"))


@pytest.mark.parametrize("key", ["manager", "viewer"])
def test_and_no_others(api: Managed, key: str) -> None:
    path = f"/credentials/{api.credential()}"
    for method, body in (("GET", None), ("PUT", {"is_active": False}), ("DELETE", None)):
        refused(api.ask(method, path, body, key=key), 404, "NoSuchCredential")
    for name in ("root", "somebody"):
        answer = api.ask("POST", "/credentials", {"user_name": name}, key=key)
        refused(answer, 403, "AccessDenied")


def test_nobody_gives_more_than_they_have(api: Managed) -> None:
    one = made(api, key="viewer")
    credential = api.runtime.keys.credential(one["access_key"])
    assert credential is not None
    assert credential.identity.access == {"shared": "read"}
    more = api.credential("manager")  # may more, though it is of the same account
    for method, body in (("PUT", {"is_active": False}), ("DELETE", None)):
        refused(api.ask(method, f"/credentials/{more}", body, key="viewer"), 403, "AccessDenied")
    by_more = {"bucket_name": "shared", "object_key": "a", "access_key": "manager"}
    refused(api.ask("POST", "/presigned-urls", by_more, key="viewer"), 403, "AccessDenied")
    by_root = {"bucket_name": "shared", "object_key": "a", "access_key": "root"}
    answer = api.ask("POST", "/presigned-urls", by_root, key="manager")
    refused(answer, 404, "NoSuchCredential")


def test_who_manages_an_account_does_not_rename_it(api: Managed) -> None:
    """Else who is provisioned by that name next would get a key of the account."""
    one = made(api, key="manager")
    path = f"/credentials/{one['id']}"
    taking = {"user_name": "provisioned-next", "is_active": False}
    refused(api.ask("PUT", path, taking, key="manager"), 403, "AccessDenied")
    same = {"user_name": "The team", "is_active": True}
    said(api.ask("PUT", path, same, key="manager"))
    found = api.get(path)
    assert (found["user_name"], found["is_active"]) == ("The team", True)
    theirs = api.runtime.catalog.numbered_credential(made(api, user_name="provisioned-next")["id"])
    assert theirs.account == "provisioned-next"


def test_what_keys_may_in_a_bucket_goes_with_it(
    api: Managed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else who dropped it would have a key for whoever's is called so next."""
    catalog, number = api.runtime.catalog, api.credential("manager")
    manager = catalog.numbered_credential(number)
    operator = api.runtime.operator(Identity(key="manager", account=manager.account, manages=True))

    def made() -> None:
        said(api.ask("POST", "/buckets", {"name": "passed-on", "owner_id": number}), 201)

    def dropped() -> None:
        said(api.ask("DELETE", "/buckets/passed-on", key="manager"))

    def may(number: int) -> KeyAccess:
        return catalog.numbered_credential(number).access

    made()
    given: KeyAccess = {"passed-on": "admin", "shared": "read"}
    key = operator.add_credential(access=given).info.number
    dropped()
    assert may(key) == {"shared": "read"}
    assert catalog.audit(subject=catalog.numbered_credential(key).id)[0].action == "key.change"
    add, change = catalog.add_credential, catalog.change_credential

    def add_late(**asked: Any) -> MadeKey:
        dropped()
        return add(**asked)

    def change_late(number: int, **asked: Any) -> KeyInfo:
        if asked["access"]:
            dropped()
        return change(number, **asked)

    for name, late in (("add_credential", add_late), ("change_credential", change_late)):
        made()
        with monkeypatch.context() as patch:
            patch.setattr(catalog, name, late)
            with pytest.raises(Conflict, match="removed meanwhile"):
                if name == "add_credential":
                    operator.add_credential(access_key="late", access=given)
                else:
                    operator.change_credential(key, access=given)
    assert may(catalog.number_of("late")) == may(key) == {}


@pytest.mark.parametrize("change", ["change_credential", "rotate_credential", "remove_credential"])
def test_what_is_given_meanwhile_is_not_taken_over(
    api: Managed, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """A key that may everything, from the moment on at which its manager was allowed."""
    catalog = api.runtime.catalog
    made = catalog.add_credential(account="team").info
    operator = api.runtime.operator(Identity(key="manager", account="team", manages=True))
    changed = getattr(catalog, change)

    def late(*asked: Any, **more: Any) -> Any:
        promoted(made.number, access="admin")
        return changed(*asked, **more)

    promoted = catalog.change_credential
    monkeypatch.setattr(catalog, change, late)
    with pytest.raises(Conflict, match="changed meanwhile"):
        getattr(operator, change)(made.number)
    assert catalog.numbered_credential(made.number).access == "admin"
    assert catalog.audit(subject=made.id)[0].detail == {"access": "admin"}


# presigned URLs


@pytest.mark.parametrize("key", ["a", "ä/ö ü+%2F&?#=~!*'()", "//x/", "a/../b"])
def test_whoever_has_the_url_may_do_what_it_says(api: Managed, key: str) -> None:
    url = presigned(api, object_key=key, method="PUT")
    assert fetch(api, url, "PUT", b"by the url").status == 200
    assert fetch(api, url).status == 403  # another method
    assert fetch(api, presigned(api, object_key=key)).body == b"by the url"
    assert fetch(api, presigned(api, object_key=key, method="DELETE"), "DELETE").status == 204
    assert fetch(api, presigned(api, object_key=key)).status == 404


def test_a_url_is_over(api: Managed, monkeypatch: pytest.MonkeyPatch) -> None:
    url, before = presigned(api, expires_in=1, object_key="over"), api.get("/stats")
    assert "X-Amz-Expires=1&" in url
    urls = api.get("/presigned-urls")["urls"]
    assert urls[-1]["object_key"] == "over"
    now = api.runtime.clock() + 1001
    monkeypatch.setattr(api.runtime, "clock", lambda: now)
    monkeypatch.setattr(api.runtime.catalog, "_clock", lambda: now)
    assert fetch(api, url).status == 403
    assert urls[-1] not in api.get("/presigned-urls")["urls"]
    after = api.get("/stats")
    assert after["active_presigned_urls"] == before["active_presigned_urls"] - 1


def test_urls_are_listed_for_who_reaches_their_keys(api: Managed) -> None:
    presigned(api)
    presigned(api, key="manager", access_key="manager", bucket_name="shared")
    found = api.get("/presigned-urls", key="manager")["urls"]
    assert {one["access_key"] for one in found} == {"manager"}
    page = api.get("/presigned-urls", limit=1)
    assert api.get("/presigned-urls", limit=1, after=page["next"])["urls"] != page["urls"]
    assert "Signature" not in str(found)


def test_a_url_is_for_a_bucket_that_is_reached(api: Managed) -> None:
    for sid in ("nothing", "files"):
        body = {"bucket_name": sid, "object_key": "a", "access_key": "manager"}
        answer = api.ask("POST", "/presigned-urls", body, key="manager")
        refused(answer, 404, "NoSuchBucket")
    body = {"bucket_name": "files", "object_key": "k" * 1025, "access_key": "root"}
    refused(api.ask("POST", "/presigned-urls", body), 422, "ValidationError", "1024")


@pytest.mark.parametrize(
    ("host", "where"),
    [
        ("gateway.example:80", "http://gateway.example/files/"),
        ("gateway.example:8080", "http://gateway.example:8080/files/"),
        ("[::1]:9000", "http://[::1]:9000/files/"),
    ],
)
def test_the_url_is_at_the_host_that_was_asked(api: Managed, host: str, where: str) -> None:
    url = presigned(api, host=host, object_key="here", method="PUT")
    assert url.startswith(where)
    assert fetch(api, url, "PUT", b"").status == 200


BELOW = [
    {"mode": "s3", "prefix": "/deeper/s3"},
    {"mode": "s3", "prefix": "/s3"},
    {"mode": "s3", "host": "s3.example", "prefix": "/x/"},
]


@pytest.mark.parametrize(
    ("outside", "host", "where"),
    [
        (None, "gateway.example", "http://gateway.example/s3/files/"),
        (None, "s3.example", "http://s3.example/x/files/"),
        ("https://out.example", "gateway.example", "https://out.example/s3/files/"),
        ("https://out.example/s3", "gateway.example", "https://out.example/s3/files/"),
    ],
)
def test_the_url_is_where_s3_is(outside: str | None, host: str, where: str) -> None:
    server = {"memory": True} | ({"external_url": outside} if outside else {})
    with managing(BELOW, server=server) as api:
        url = presigned(api, host=host, object_key="below", method="PUT")
        assert url.startswith(where)
        assert fetch(api, url, "PUT", b"below").status == 200
        assert fetch(api, presigned(api, host=host, object_key="below")).body == b"below"


def test_a_binding_that_is_added_counts() -> None:
    with managing() as api:
        api.runtime.keep_up(lambda found: None)
        operator = api.runtime.operator(api.runtime.keys.credential("root").identity)  # type: ignore[union-attr]
        operator.add_binding({"mode": "s3", "prefix": "/added"})
        assert "/added/files/a?" in presigned(api)


def test_no_secret_is_in_the_log(api: Managed, caplog: pytest.LogCaptureFixture) -> None:
    one = made(api)
    api.ask("GET", "/buckets", key=one["secret_key"])
    text = caplog.text + "".join(map(repr, api.site.records))
    assert one["secret_key"] not in text
    assert not re.search("|".join(SECRETS.values()), text)
