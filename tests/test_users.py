"""The catalog's keys as people and APIs know them; their sessions; the URLs made with them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.access.identity import Account, Credential, Identity
from gateway.access.sessions import IDLE, LONGEST, SEEN
from gateway.catalog import Catalog, KeyInfo, sessions
from gateway.catalog.keys import Declarations
from gateway.catalog.schema import SESSIONS
from gateway.catalog.secrets import Keyring, new_master
from gateway.storage import AlreadyExists, Conflict, InvalidRequest, NotFound, Secret
from tests import catalogs

MINUTE = 60_000


def declared(*keys: str) -> Declarations:
    return Declarations(
        accounts=[Account(id="photos", name="Photo team")],
        keys=[
            Credential(
                id=key,
                secret=Secret(f"secret of {key}"),
                identity=Identity(key=key, account="photos"),
            )
            for key in keys
        ],
    )


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=catalogs.SHARED)
def opened(
    request: pytest.FixtureRequest, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Catalog]]:
    """Catalogs of one database, each as another process has it."""
    catalogs.empty(request.param)
    catalogs.without_delay(monkeypatch)
    keyring, given = Keyring(new_master()), list[Catalog]()

    def opened(declared: Declarations = declared("reader")) -> Catalog:
        given.append(catalogs.opened(request.param, tmp_path, declared, clock, keyring))
        return given[-1]

    yield opened
    for one in given:
        one.close()


@pytest.fixture(params=catalogs.QUICK)
def catalog(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Catalog]:
    catalogs.empty(request.param)
    keyring = Keyring(new_master())
    one = catalogs.opened(request.param, tmp_path, declared("reader"), clock, keyring)
    yield one
    one.close()


# numbers


def test_a_number_is_never_another_keys(opened: Callable[..., Catalog]) -> None:
    catalog = opened()
    one, two = catalog.add_credential().info, catalog.add_credential().info
    (reader,) = [key for key in catalog.credentials() if key.declared]
    assert len({one.number, two.number, reader.number}) == 3
    assert min(one.number, two.number, reader.number) >= 1
    catalog.remove_credential(two.number)
    with pytest.raises(NotFound):
        catalog.numbered_credential(two.number)
    with pytest.raises(AlreadyExists):
        catalog.add_credential(id=two.id)
    other = opened(declared("reader", "new"))
    numbers = {key.id: key.number for key in other.credentials()}
    assert numbers["reader"] == reader.number
    assert numbers["new"] not in (one.number, two.number, reader.number)
    assert {key.id for key in catalog.credentials()} == {one.id, "reader"}
    gone = opened(Declarations())  # a key that is declared no more
    assert [key.id for key in gone.credentials()] == [one.id]
    assert gone.add_credential(id="reader").info.number == reader.number


def test_credentials_come_in_pages_of_one_account_or_all(catalog: Catalog) -> None:
    made = [catalog.add_credential(user_name=f"user-{n % 2}").info for n in range(5)]
    everything = [one.number for one in catalog.credentials()]
    assert everything == sorted(everything) and len(everything) == 6
    pages, after = list[int](), 0
    while page := catalog.credentials(after, 2):
        assert len(page) <= 2
        pages += [one.number for one in page]
        after = pages[-1]
    assert pages == everything
    mine = [one.id for one in made if one.user_name == "user-1"]
    assert [one.id for one in catalog.credentials(account="user-1")] == mine
    assert [one.id for one in catalog.credentials(account="photos")] == ["reader"]
    assert catalog.count_credentials() == 6
    assert catalog.count_credentials(account="user-1") == 2
    assert catalog.count_credentials(account="photos") == 1


def test_credentials_are_found_by_a_text(catalog: Catalog) -> None:
    one = catalog.add_credential(user_name="Alice 100%", description="Her laptop").info
    other = catalog.add_credential(account="photos", description="l_p").info
    for text, found in {
        "alice": [one.id],
        "100%": [one.id],
        "LAP": [one.id],
        "l_p": [other.id],
        "photo TEAM": [other.id, "reader"],
        "read": ["reader"],
        one.id.lower(): [one.id],
        "nobody\0": [],
    }.items():
        assert sorted(key.id for key in catalog.credentials(text=text)) == sorted(found), text


# users


def test_a_user_of_that_name_gets_another_key_or_is_made(catalog: Catalog) -> None:
    first = catalog.add_credential(user_name="Alice Smith").info
    second = catalog.add_credential(user_name="Alice Smith", access="read-all").info
    assert first.account == second.account and first.id != second.id
    assert catalog.account(first.account) == Account(id=first.account, name="Alice Smith")
    assert catalog.add_credential(user_name="bob").info.account == "bob"
    assert catalog.add_credential(user_name="Photo team").info.account == "photos"
    alone = catalog.add_credential(id="alone").info
    assert (alone.account, alone.user_name) == ("alone", "alone")


def test_who_names_no_user_gets_nobodys_account(catalog: Catalog) -> None:
    """A key that is called as an account must not be one of it."""
    catalog.add_account(Account(id="alice", name="Alice"))
    for taken in ("root", "Photo team"):
        with pytest.raises(AlreadyExists):
            catalog.add_credential(id=taken)
    for id in ("photos", "alice"):
        made = catalog.add_credential(id=id).info
        assert made.account not in ("photos", "alice") and made.user_name == id


def test_a_name_that_several_have_is_nobodys(catalog: Catalog) -> None:
    catalog.add_account(Account(id="a", name="Twin"))
    catalog.add_account(Account(id="b", name="Twin"))
    with pytest.raises(Conflict, match="Several users"):
        catalog.add_credential(user_name="Twin")


@pytest.mark.parametrize("name", [" blank", "line\nend", "x" * 257, "null\0"])
def test_what_is_no_name(catalog: Catalog, name: str) -> None:
    with pytest.raises(InvalidRequest):
        catalog.add_credential(user_name=name)
    made = catalog.add_credential(user_name="fine").info
    with pytest.raises(InvalidRequest):
        catalog.change_credential(made.number, user_name=name)


def test_a_user_is_renamed_with_all_keys(catalog: Catalog) -> None:
    one = catalog.add_credential(user_name="before").info
    two = catalog.add_credential(user_name="before").info
    catalog.add_credential(user_name="taken")
    assert catalog.change_credential(one.number, user_name="after").user_name == "after"
    assert catalog.numbered_credential(two.number).user_name == "after"
    account = catalog.account(one.account)
    assert account is not None and account.name == "after"
    for name in ("taken", "root", "Photo team"):
        with pytest.raises(AlreadyExists):
            catalog.change_credential(one.number, user_name=name)
    declared = catalog.add_credential(account="photos").info
    with pytest.raises(Conflict):
        catalog.change_credential(declared.number, user_name="other")
    assert catalog.change_credential(declared.number, user_name="Photo team") == declared


# switched off and on, changed, rotated, removed


def test_a_key_is_switched_off_and_on_everywhere(opened: Callable[..., Catalog]) -> None:
    catalog, other = opened(), opened()
    made, secret = catalog.add_credential(access="admin")
    assert other.credential(made.id) is not None
    assert not catalog.change_credential(made.number, active=False).active
    assert other.credential(made.id) is None
    assert other.credential_by_secret(secret.reveal()) is None
    assert [one.active for one in other.credentials() if one.id == made.id] == [False]
    assert catalog.change_credential(made.number, active=True).active
    assert other.credential(made.id) is not None


def test_a_key_is_given_other_rights(catalog: Catalog) -> None:
    made, secret = catalog.add_credential(user_name="alice", access="own", manages=True)
    assert catalog.credential(made.id) == Credential(
        id=made.id,
        secret=secret,
        identity=Identity(key=made.id, account="alice", access="own", manages=True),
    )
    changed = catalog.change_credential(made.number, access={"archive": "read"}, manages=False)
    assert (changed.access, changed.manages) == ({"archive": "read"}, False)
    found = catalog.credential_by_secret(secret.reveal())
    assert found is not None
    assert found.identity == Identity(key=made.id, account="alice", access={"archive": "read"})


def test_a_rotated_key_has_another_secret(opened: Callable[..., Catalog]) -> None:
    catalog, other = opened(), opened()
    made, before = catalog.add_credential()
    assert other.credential_by_secret(before.reveal()) is not None
    rotated = catalog.rotate_credential(made.number)
    assert rotated.info == made and rotated.secret.reveal() != before.reveal()
    assert other.credential_by_secret(before.reveal()) is None
    found = other.credential_by_secret(rotated.secret.reveal())
    assert found is not None and found.id == made.id
    taken = catalog.add_credential().secret
    for secret in (taken, Secret("secret of reader")):
        with pytest.raises(AlreadyExists):
            catalog.rotate_credential(made.number, secret)


def test_the_last_key_of_who_owns_buckets_stays(catalog: Catalog) -> None:
    first = catalog.add_credential(user_name="alice").info
    second = catalog.add_credential(user_name="alice").info
    row = catalog.add_service("bucket", "alice")
    catalog.change_credential(second.number, active=False)
    with pytest.raises(Conflict, match=r"last active key .*'alice', who owns 1 bucket"):
        catalog.remove_credential(first.number)
    assert catalog.credential(first.id) is not None
    catalog.change_credential(second.number, active=True)
    catalog.remove_credential(first.number)
    assert catalog.credential(first.id) is None
    catalog.remove_service(row.id)
    catalog.remove_credential(second.number)
    catalog.add_service("theirs", "photos")  # `reader` is declared, and of that account
    catalog.remove_credential(catalog.add_credential(account="photos").info.number)


def test_a_declared_key_stays_as_it_is(catalog: Catalog) -> None:
    number = catalog.number_of("reader")
    for change in (
        lambda: catalog.change_credential(number, active=False),
        lambda: catalog.rotate_credential(number),
        lambda: catalog.remove_credential(number),
    ):
        with pytest.raises(Conflict, match="declared in the configuration"):
            change()
    with pytest.raises(NotFound):
        catalog.number_of("nobody\0")


# sessions


def test_a_session_is_its_keys_in_every_worker(
    opened: Callable[..., Catalog], clock: Clock
) -> None:
    catalog, other = opened(), opened()
    made = catalog.add_credential(user_name="alice", access="read-all").info
    token = catalog.begin_session(made.id, address="192.0.2.1", agent="Browser\0")
    found = other.session(token)
    assert found is not None
    assert found.identity == Identity(key=made.id, account="alice", access="read-all")
    assert (found.created, found.seen, found.address) == (clock.now, clock.now, "192.0.2.1")
    assert found.agent == "Browser\N{REPLACEMENT CHARACTER}"
    second = other.begin_session(made.id)
    seen = other.session(second)
    assert seen is not None and seen.csrf != found.csrf and second != token
    catalog.change_credential(made.number, access="own")
    changed = other.session(token)
    assert changed is not None and changed.identity.access == "own"
    other.end_session(token)
    assert catalog.session(token) is None and catalog.session(second) is not None
    for strange in ("", "x", token + "x", "\udcff", "\0"):
        assert catalog.session(strange) is None
        catalog.end_session(strange)
    with pytest.raises(NotFound):
        catalog.begin_session("nobody")


END: Mapping[str, Callable[[Catalog, KeyInfo], object]] = {
    "revoked": lambda catalog, key: catalog.revoke_key(key.id),
    "removed": lambda catalog, key: catalog.remove_credential(key.number),
    "off": lambda catalog, key: catalog.change_credential(key.number, active=False),
    "rotated": lambda catalog, key: catalog.rotate_credential(key.number),
    "ended": lambda catalog, key: catalog.end_sessions(key.id),
}


@pytest.mark.parametrize("how", END)
def test_sessions_end_everywhere_with_their_key(opened: Callable[..., Catalog], how: str) -> None:
    catalog, other = opened(), opened()
    made = catalog.add_credential().info
    kept = other.begin_session("reader")
    tokens = [one.begin_session(made.id) for one in (catalog, other)]
    assert all(other.session(token) for token in tokens)
    END[how](catalog, made)
    assert not any(other.session(token) for token in tokens)
    if how == "off":
        catalog.change_credential(made.number, active=True)
        assert not any(other.session(token) for token in tokens)
    assert other.session(kept) is not None


def test_a_session_of_a_declared_key_ends_with_its_secret(opened: Callable[..., Catalog]) -> None:
    token = opened().begin_session("reader")
    assert opened(Declarations()).session(token) is None
    said = declared("reader")
    (key,) = said.keys
    other = Credential(id="reader", secret=Secret("another"), identity=key.identity)
    assert opened(Declarations(keys=[other])).session(token) is None
    assert opened().session(token) is not None


def test_what_is_kept_of_a_session_signs_nobody_in(catalog: Catalog) -> None:
    token = catalog.begin_session("reader")
    found = catalog.session(token)
    assert found is not None
    with catalog._database.reading() as connection:
        (row,) = connection.execute(select(SESSIONS)).all()
    kept = repr([bytes(one) if isinstance(one, memoryview) else one for one in row])
    assert "secret of reader" not in kept
    for one in (token, found.csrf, bytes.fromhex(found.csrf).hex(), repr(token.encode())[2:-1]):
        assert one not in kept
    for text in (row.token.hex(), row.secret.hex(), row.token.decode("latin-1")):
        assert catalog.session(text) is None


def test_a_session_is_over_when_idle_or_old(catalog: Catalog, clock: Clock) -> None:
    token, began = catalog.begin_session("reader"), clock.now
    clock.now += SEEN - 1
    assert catalog.session(token) is not None  # and nothing is written
    clock.now += IDLE - 1
    assert catalog.session(token) is not None
    clock.now += IDLE + SEEN
    assert catalog.session(token) is None
    token, began = catalog.begin_session("reader"), clock.now
    while clock.now < began + LONGEST:
        assert catalog.session(token) is not None
        clock.now += IDLE // 2
    assert catalog.session(token) is None


def test_being_seen_is_written_once_in_five_minutes(catalog: Catalog, clock: Clock) -> None:
    token = catalog.begin_session("reader")
    version = catalog.version()
    for _ in range(3):
        clock.now += SEEN // 3 - 1
        assert catalog.session(token) is not None
    assert catalog.version() == version
    clock.now += 3
    assert catalog.session(token) is not None
    assert catalog.version() != version


def test_a_key_has_so_many_sessions(
    catalog: Catalog, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "_MOST", 3)
    tokens = []
    for _ in range(5):
        tokens.append(catalog.begin_session("reader"))
        clock.now += 1
    assert [catalog.session(token) is not None for token in tokens] == [False] * 2 + [True] * 3


# URLs


def test_urls_are_listed_until_they_are_over(catalog: Catalog, clock: Clock) -> None:
    alice = catalog.add_credential(user_name="alice").info
    for number in range(3):
        expires = clock.now + (number + 1) * MINUTE
        catalog.add_presigned("bucket", f"key {number}", "GET", alice.id, expires=expires)
    catalog.add_presigned("bucket", "other", "PUT", "reader", expires=clock.now + MINUTE)
    assert catalog.count_presigned() == 4
    assert catalog.count_presigned(account="alice") == 3
    (first, second) = catalog.presigned(limit=2, account="alice")
    assert (first.bucket, first.key, first.method, first.access_key, first.created) == (
        *("bucket", "key 0", "GET", alice.id, clock.now),
    )
    assert [one.key for one in catalog.presigned(second.id)] == ["key 2", "other"]
    clock.now += MINUTE
    assert [one.key for one in catalog.presigned()] == ["key 1", "key 2"]
    assert catalog.count_presigned() == 2
    with pytest.raises(NotFound):
        catalog.add_presigned("bucket", "key", "GET", secrets.token_hex(4), expires=clock.now)
