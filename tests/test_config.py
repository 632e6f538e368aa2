"""The configuration: what a file may say, and what is said when it is wrong."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Annotated, Any, ClassVar, Literal

import pytest

from gateway.access.identity import Identity
from gateway.config import (
    Address,
    Configuration,
    ConfigurationError,
    Key,
    load,
    load_again,
)
from gateway.hookspecs import hookimpl
from gateway.modes.protocols import ProtocolListener
from gateway.plugins import finding
from gateway.plugins.finding import PluginError, Plugins
from gateway.storage import Get, NoSuchKey, Opened, Secret, Store
from gateway.storage.options import AtLeast, Duration, OneOrMany, Size
from tests.tiny_mode import PICTURES, GalleryOptions, ShopOptions


class Empty(Store):
    def get(self, key: str, want: Get = Get()) -> Opened:
        raise NoSuchKey(key=key)


@dataclass
class Upstream(Empty):
    """Options of all kinds."""

    driver: ClassVar[str] = "upstream"

    bucket: str
    password: Secret
    token: Secret | None = None
    retries: Annotated[int, AtLeast(0)] = 3
    ratio: float = 0.5
    verify: bool = True
    chunk: Annotated[int, Size] = 1 << 20
    keep: Literal["forever", "off"] | Annotated[float, Duration] = "forever"
    hosts: Annotated[tuple[str, ...], OneOrMany] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    anything: dict[str, Any] = field(default_factory=dict)
    folder: Path | None = None
    _private: int = 0
    state: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.bucket == "bad":
            raise ValueError("bucket: bad is not allowed")
        if self.bucket == "worse":
            raise ValueError("this cannot be")


@dataclass
class Front(Empty):
    driver: ClassVar[str] = "front"

    source: Store
    second: Store | None = None


def module_of(*drivers: type[Store]) -> object:
    @hookimpl
    def gateway_drivers() -> list[type[Store]]:
        return list(drivers)

    module = ModuleType("sample")
    module.gateway_drivers = gateway_drivers  # type: ignore[attr-defined]  # as a plugin does
    return module


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    plugins = Plugins.load()
    plugins.register(PICTURES, "pictures")
    plugins.register(module_of(Upstream, Front), "sample")
    plugins.register(SimpleNamespace(gateway_listeners=hookimpl(lambda: [Line])), "line")
    return plugins


@pytest.fixture
def read(tmp_path: Path, plugins: Plugins) -> Any:
    def read(text: str, environ: Mapping[str, str] | None = None, **more: Any) -> Configuration:
        file = tmp_path / "gateway.toml"
        file.write_text(text, "utf-8")
        return load(file, environ=environ or {}, plugins=plugins, **more)

    return read


def problems(read: Any, text: str, **more: Any) -> dict[str, str]:
    with pytest.raises(ConfigurationError) as caught:
        read(text, **more)
    return {one.place: one.message for one in caught.value.problems}


EXAMPLE = """
[server]
listen = ["127.0.0.1:9000", "[::1]:9001"]
data = "store"
domains = ["S3.example.com."]
external_url = "https://s3.example.com/"
trusted_proxies = ["10.0.0.0/8", "fd00::/8"]
max_body = "5TiB"
drain = "1m"

[[accounts]]
id = "photos"
name = "Photo team"

[[keys]]
id = "reader"
secret_env = "READER_SECRET"
account = "photos"
access = { archive = "read", thumbs = "read" }

[buckets]
driver = "local"

[services.archive]
driver = "local"
name = "Photo archive"
account = "photos"

[services.thumbs]
driver = "front"
source = "upstream"

[services.upstream]
driver = "upstream"
bucket = "company"
password = "hunter2"
keep = "30d"
chunk = "2MiB"
hosts = "one"
headers = { a = "b" }
anything = { deep = { list = [1] } }
folder = "sub"

[[bindings]]
host = "img.example.com"
mode = "pictures"
service = "thumbs"
"""


@pytest.mark.parametrize("name", ["header_timeout", "body_timeout"])
def test_clients_have_a_second_at_least(read: Any, name: str) -> None:
    assert read(f'[server]\n{name} = "1s"').server
    (message,) = problems(read, f'[server]\n{name} = "900ms"').values()
    assert message == "at least 1s."


def test_files_are_handed_to_proxies_that_are_named(read: Any) -> None:
    text = '[server]\naccel = "nginx"\n'
    (message,) = problems(read, text).values()
    assert "trusted_proxies" in message
    assert read(f'{text}trusted_proxies = ["127.0.0.1"]').server.accel == "nginx"


def test_grants_of_a_service_name_accounts_that_are_there(read: Any) -> None:
    text = '[[accounts]]\nid = "photos"\n[services.archive]\ndriver = "local"\n'
    given = '[{ to = "photos", permission = "read" }, { to = "*", permission = "read-acl" }]'
    declared = read(f"{text}grants = {given}").services["archive"]
    assert declared.grants == (("photos", "read"), ("*", "read-acl"))
    nobody = problems(read, f'{text}grants = {{ to = "photo", permission = "read" }}')
    assert "Did you mean" in nobody["services.archive.grants.to"]
    unknown = problems(read, f'{text}grants = {{ to = "~", permission = "all" }}')
    assert [*unknown] == ["services.archive.grants.permission"]
    assert "buckets.grants" in problems(read, "[buckets]\ngrants = []")


def test_the_example_is_read(read: Any, tmp_path: Path) -> None:
    configuration = read(EXAMPLE, {"READER_SECRET": "s3cret"})
    server = configuration.server
    assert server.listen == (Address("127.0.0.1", 9000), Address("::1", 9001))
    assert [str(one) for one in server.listen] == ["127.0.0.1:9000", "[::1]:9001"]
    assert configuration.data == tmp_path / "store"
    assert (server.drain, server.max_body, server.domains) == (60.0, 5 << 40, ("s3.example.com",))
    assert server.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
    assert server.proxy_headers == "x-forwarded"
    assert configuration.mode_options().external_url == "https://s3.example.com"
    (key,) = configuration.keys
    assert key.secret.reveal() == "s3cret"
    assert key.credential().identity.access == {"archive": "read", "thumbs": "read"}
    assert configuration.services["archive"].account == "photos"
    assert configuration.services["thumbs"].links == {"source": "upstream"}
    options = configuration.services["upstream"].options
    assert options["password"].reveal() == "hunter2"
    assert (options["keep"], options["chunk"], options["hosts"]) == (2_592_000.0, 2 << 20, ("one",))
    assert options["anything"] == {"deep": {"list": [1]}}
    assert options["folder"] == tmp_path / "sub"
    assert configuration.bindings[0].host == "img.example.com"


def test_a_source_may_be_seen_below_a_path(read: Any) -> None:
    text = '[services.upstream]\ndriver = "local"\n[services.thumbs]\ndriver = "front"\n'
    configuration = read(f'{text}source = "upstream"\nsource_path = "a/b"\n')
    assert configuration.services["thumbs"].source_path == "a/b"
    for wrong in ("/a", "a/", "a//b", "/"):
        found = problems(read, f'{text}source = "upstream"\nsource_path = "{wrong}"\n')
        assert "whole segments" in found["services.thumbs.source_path"]
    found = problems(read, '[services.upstream]\ndriver = "local"\nsource_path = "a"\n')
    assert "services.upstream.source_path" in found


def test_defaults_just_work(tmp_path: Path, plugins: Plugins, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    configuration = load(environ={}, plugins=plugins)
    assert configuration.server.listen == (Address("127.0.0.1", 9000),)
    assert configuration.server.body_limit("granian") == 5 << 40
    assert configuration.server.body_limit("waitress") == 1 << 30
    assert configuration.buckets.driver.driver == "local"
    assert configuration.buckets.options == {"keep_versions": "off"}
    assert configuration.data is not None and configuration.data.name == "storage-gateway"


def test_a_largest_body_that_is_given_holds_on_both_servers(read: Any) -> None:
    configuration = read('[server]\nmax_body = "1MiB"\n')
    assert configuration.mode_options("granian").max_body == 1 << 20
    assert configuration.mode_options("waitress").max_body == 1 << 20


def test_where_the_file_is_looked_for(tmp_path: Path, plugins: Plugins, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    names = ("typed.toml", "environment.toml", "gateway.toml")
    for name in names:
        (tmp_path / name).write_text(f'[server]\nregion = "{name}"\n')
    environ = {"GATEWAY_CONFIG": "environment.toml"}
    found = [
        load("typed.toml", environ=environ, plugins=plugins),
        load(environ=environ, plugins=plugins),
        load(environ={}, plugins=plugins),
    ]
    assert [one.server.region for one in found] == list(names)


def test_the_command_line_wins_and_is_named(read: Any) -> None:
    text = '[server]\nlisten = "127.0.0.1:1"\nworkers = 2\n'
    assert read(text, overrides={"workers": 4}).server.workers == 4
    found = problems(read, text, overrides={"listen": ["nowhere"], "log_format": "xml"})
    assert found.keys() == {"--listen", "--log-format"}


def test_another_process_makes_the_same_of_the_origin(
    tmp_path: Path, read: Any, plugins: Plugins
) -> None:
    """Whatever became of the files, and a root key that was made here included."""
    (tmp_path / "secret").write_text("as it was\n")
    text = '[server]\nworkers = 2\n[[keys]]\nid = "me"\nsecret_file = "secret"\n'
    first = read(text, overrides={"threads": 7}).with_root(Key(id="root", secret=Secret("made")))
    handed = pickle.dumps(first.origin)
    (tmp_path / "secret").write_text("another\n")
    (tmp_path / "gateway.toml").write_text("[server\n")
    again = load_again(pickle.loads(handed), environ={}, plugins=plugins)
    assert again.server == first.server
    assert (again.server.workers, again.server.threads) == (2, 7)
    assert [one.secret.reveal() for one in again.keys] == ["as it was"]
    assert again.root is not None and again.root.secret.reveal() == "made"
    assert again.origin == first.origin
    assert "as it was" not in repr(again) and "made" not in repr(again)


def test_another_process_finds_no_file_where_there_was_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plugins: Plugins
) -> None:
    monkeypatch.chdir(tmp_path)
    first = load(environ={}, plugins=plugins, overrides={"data": "data"})
    (tmp_path / "gateway.toml").write_text('[server]\nregion = "late"\n')
    again = load_again(pickle.loads(pickle.dumps(first.origin)), environ={}, plugins=plugins)
    assert again.server == first.server
    assert again.server.data == tmp_path / "data"


def test_a_driver_that_no_plugin_brings_is_not_guessed_at(read: Any) -> None:
    """`scratch` is the driver of plugins.md: it is not installed, and no `cache` is meant."""
    found = problems(read, '[services.a]\ndriver = "scratch"\n[services.b]\ndriver = "chace"\n')
    said = found["services.a.driver"]
    assert 'found "scratch": no installed plugin brings it; known drivers: ' in said
    assert "Did you mean" not in said
    assert found["services.b.driver"].endswith('Did you mean "cache"?')


def test_everything_wrong_is_said_at_once_with_its_place(read: Any) -> None:
    found = problems(
        read,
        """
        [server]
        listn = "127.0.0.1:9000"
        drain = "30 parsecs"
        health = 1
        default_mode = "s4"
        tls = { certificate = "none.pem", key = "none.key" }
        [serices]
        [catalog]
        url = "mysql://"
        [[keys]]
        id = "a b"
        account = "nobody"
        access = "read-al"
        [services.up]
        driver = "upstrem"
        [services.upstream]
        driver = "upstream"
        retries = -1
        max_sise = 5
        keep = "foreve"
        ratio = "0.5"
        [[bindings]]
        mode = "s3"
        """,
    )
    assert found.keys() == {
        "server.listn",
        "server.drain",
        "server.health",
        "server.default_mode",
        "server.tls.certificate",
        "server.tls.key",
        "serices",
        "catalog.url",
        "keys[0].id",
        "keys[0].secret",
        "keys[0].account",
        "keys[0].access",
        "services.up",
        "services.up.driver",
        "services.upstream.retries",
        "services.upstream.max_sise",
        "services.upstream.keep",
        "services.upstream.ratio",
        "services.upstream.bucket",
        "services.upstream.password",
        "bindings[0]",
    }
    assert 'Did you mean "listen"?' in found["server.listn"]
    assert 'Did you mean "services"?' in found["serices"]
    assert 'Did you mean "upstream"?' in found["services.up.driver"]
    assert 'found "read-al"' in found["keys[0].access"]
    assert 'Did you mean "forever"?' in found["services.upstream.keep"]
    assert "secret_env" in found["keys[0].secret"]


@pytest.mark.parametrize(
    ("option", "allowed"),
    [
        ("retries = true", "a whole number"),
        ("retries = 1.5", "a whole number"),
        ("verify = 1", "true or false"),
        ("ratio = true", "a number"),
        ("bucket = 5", "text"),
        ("hosts = [1]", "text"),
        ("headers = { a = 1 }", "text"),
        ("headers = 1", "a table of: text"),
        ("chunk = true", "a size"),
        ("keep = false", "a duration"),
        ("folder = 1", "a path"),
    ],
)
def test_types_are_not_mixed_up(read: Any, option: str, allowed: str) -> None:
    rest = "" if option.startswith("bucket") else 'bucket = "b"\n'
    found = problems(read, f'[services.one]\ndriver = "upstream"\npassword = "p"\n{rest}{option}\n')
    assert len(found) == 1
    ((place, message),) = found.items()
    assert place.startswith(f"services.one.{option.split(maxsplit=1)[0]}")
    assert "found" in message and f"allowed: {allowed}" in message.replace(
        '"forever" | "off" or ', ""
    )


def test_a_drivers_refusal_is_a_problem_at_its_place(read: Any) -> None:
    service = '[services.{0}]\ndriver = "upstream"\npassword = "p"\nbucket = "{0}"\n'
    found = problems(read, service.format("bad") + service.format("worse"))
    assert found == {
        "services.bad.bucket": "bad is not allowed.",
        "services.worse": "this cannot be.",
    }


def test_links_to_nothing_and_loops_are_found(read: Any) -> None:
    def front(sid: str, *links: str) -> str:
        fields = zip(("source", "second"), links, strict=False)
        return f'[services.{sid}]\ndriver = "front"\n' + "".join(
            f'{name} = "{to}"\n' for name, to in fields
        )

    found = problems(
        read,
        front("aaa", "bbb")
        + front("bbb", "ccc")
        + front("ccc", "aaa")
        + front("own", "own")
        + front("behind", "aaa")
        + front("lost", "behnd")
        + front("bare"),
    )
    assert found.keys() == {
        "services.aaa.source",
        "services.own.source",
        "services.lost.source",
        "services.bare.source",
    }
    assert "aaa → bbb → ccc → aaa" in found["services.aaa.source"]
    assert 'Did you mean "behind"?' in found["services.lost.source"]


def test_a_service_behind_two_others_is_no_loop(read: Any) -> None:
    text = (
        '[services.top]\ndriver = "front"\nsource = "left"\nsecond = "right"\n'
        '[services.left]\ndriver = "front"\nsource = "base"\n'
        '[services.right]\ndriver = "front"\nsource = "base"\n'
        '[services.base]\ndriver = "memory"\n'
    )
    assert read(text).services["top"].links == {"source": "left", "second": "right"}


@pytest.mark.parametrize("sid", ["ab", "a" * 64, "Upper", "under_score", "é-é-é", "a/b"])
def test_a_service_id_has_its_rule(read: Any, sid: str) -> None:
    found = problems(read, f'[services."{sid}"]\ndriver = "memory"\n')
    assert all("3 to 63" in message for message in found.values()) and len(found) == 1


def test_dotted_ids_are_quoted_in_places(read: Any) -> None:
    assert read('[services."a.b"]\ndriver = "memory"\n').services["a.b"].sid == "a.b"
    found = problems(read, '[services."a.b"]\ndriver = "memory"\nx = 1\n')
    assert found.keys() == {'services."a.b".x'}


def test_secrets_come_from_three_places_but_one_at_a_time(read: Any, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from a file\r\n")
    head = '[services.one]\ndriver = "upstream"\nbucket = "b"\n'

    def password(option: str) -> str:
        configuration = read(head + option, {"NAME": "from the environment"})
        secret = configuration.services["one"].options["password"]
        assert isinstance(secret, Secret)
        return secret.reveal()

    assert password('password = "here"') == "here"
    assert password('password_env = "NAME"') == "from the environment"
    assert password('password_file = "secret"') == "from a file"
    for option, place in [
        ('password = "a"\npassword_env = "NAME"', "services.one.password"),
        ('password_env = "OTHER"', "services.one.password_env"),
        ('password_file = "missing"', "services.one.password_file"),
        ('password = ""', "services.one.password"),
        ("password = 5", "services.one.password"),
    ]:
        assert problems(read, head + option).keys() == {place}


def test_management_keys_manage_what_their_account_has(read: Any) -> None:
    text = """
    [[accounts]]
    id = "photos"
    [[management_keys]]
    id = "everything"
    secret_env = "ROOTS"
    [[management_keys]]
    id = "theirs"
    secret = "other"
    account = "photos"
    """
    found = [one.credential() for one in read(text, {"ROOTS": "s3cret"}).management_keys]
    assert [one.secret.reveal() for one in found] == ["s3cret", "other"]
    assert [one.identity for one in found] == [
        Identity(key="everything", account="root", access="admin", manages=True),
        Identity(key="theirs", account="photos", access="own", manages=True),
    ]


def test_what_is_wrong_with_management_keys(read: Any) -> None:
    found = problems(
        read,
        """
        [[keys]]
        id = "same"
        secret = "one"
        [[keys]]
        id = "other"
        secret = "two"
        [[management_keys]]
        id = "same"
        secret = "two"
        account = "nobody"
        [[management_keys]]
        id = "third"
        access = "admin"
        """,
    )
    assert found == {
        "management_keys[0].id": '"same" is declared before, as keys[0].',
        "management_keys[0].secret": "is the same as that of keys[1].",
        "management_keys[0].account": found["management_keys[0].account"],
        "management_keys[1].secret": found["management_keys[1].secret"],
        "management_keys[1].access": found["management_keys[1].access"],
    }


SECRET = "hunter2-do-not-show"


@pytest.mark.parametrize(
    "text",
    [
        f'[[keys]]\nid = "k"\nsecret = "{SECRET}"\naccess = "nothing"\n',
        f'[[keys]]\nid = "k"\nsecret = ["{SECRET}"]\n',
        f'[[keys]]\nid = "k"\nsecert = "{SECRET}"\n',
        f'[[keys]]\nid = "k"\nsecret = "{SECRET}"\nsecret_env = "X"\n',
        f'[catalog]\nurl = "postgres://me:{SECRET}@host/db"\n',
        f'[server]\nexternal_url = "https://me:{SECRET}@host"\n',
        f'[[keys]]\nid = "a"\nsecret = "{SECRET}"\n[[keys]]\nid = "b"\nsecret = "{SECRET}"\n',
        f'[[keys]]\nid = "k"\nsecret = "{SECRET}"\nsecret = "again"\n',
        f'[[keys]]\nid = "k"\nsecret = {SECRET}\n',
    ],
)
def test_no_message_shows_a_secret(read: Any, text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(text)
    assert SECRET not in str(caught.value) + repr(caught.value)


def test_no_repr_shows_a_secret(read: Any) -> None:
    environ = {
        "GATEWAY_ROOT_ACCESS_KEY": "root",
        "GATEWAY_ROOT_SECRET_KEY": SECRET,
        "PG": f"postgresql+psycopg://me:{SECRET}@host/db",
    }
    configuration = read(
        f'[catalog]\nurl_env = "PG"\n[[keys]]\nid = "k"\nsecret = "{SECRET}x"\n'
        f'[services.one]\ndriver = "upstream"\nbucket = "b"\npassword = "{SECRET}"\n',
        environ,
    )
    assert configuration.root is not None
    assert SECRET not in repr(configuration)


def test_the_root_key_needs_both_variables(read: Any) -> None:
    assert problems(read, "", environ={"GATEWAY_ROOT_ACCESS_KEY": "me"}).keys() == {
        "GATEWAY_ROOT_SECRET_KEY"
    }
    root = read("", {"GATEWAY_ROOT_ACCESS_KEY": "me", "GATEWAY_ROOT_SECRET_KEY": "s"}).root
    assert root.credential().identity.access == "admin"
    assert root.account == "root"


def test_ids_that_are_declared_twice_are_found(read: Any) -> None:
    found = problems(
        read,
        '[[accounts]]\nid = "a"\n[[accounts]]\nid = "a"\n'
        '[[keys]]\nid = "k"\nsecret = "1"\n[[keys]]\nid = "k"\nsecret = "2"\n'
        '[[bindings]]\nhost = "h"\nmode = "s3"\n[[bindings]]\nhost = "H"\nmode = "s3"\n',
    )
    assert found.keys() == {"accounts[1].id", "keys[1].id", "bindings[1]"}


def test_a_binding_names_a_service_for_modes_that_are_about_one(read: Any) -> None:
    door = '[[bindings]]\nport = 1\nservice = "thumbs"\nmode = {}\n'
    (binding,) = read(door.format('"pictures"')).bindings
    assert binding.service == "thumbs"
    found = problems(read, door.format('"s3"'))
    assert found.keys() == {"bindings[0].service"}
    assert 'the mode "s3" reaches all services' in found["bindings[0].service"]
    for mode in ('"s4"', '["s3"]'):
        assert problems(read, door.format(mode)).keys() == {"bindings[0].mode"}


GALLERY = '[[bindings]]\nport = 1\nmode = "galleries"\nservice = "thumbs"\n'


def test_a_binding_has_the_options_of_its_mode(read: Any) -> None:
    (binding,) = read(f'{GALLERY}columns = 2\nfresh = "2m"\n').bindings
    assert binding.options == GalleryOptions(columns=2, fresh=120.0)
    assert (binding.port, binding.service) == (1, "thumbs")
    (binding,) = read('[[bindings]]\nport = 1\nmode = "s3"\n').bindings
    assert binding.options is None


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        (f"{GALLERY}colums = 2", "bindings[0].colums", 'Did you mean "columns"?'),
        (f"{GALLERY}columns = 0", "bindings[0].columns", "at least 1"),
        (f'{GALLERY}title = "none"', "bindings[0].title", "another one"),
        ('[[bindings]]\nport = 1\nmode = "s3"\ncolumns = 2', "bindings[0].columns", "Known here"),
        ('[[bindings]]\nport = 1\nmode = "galleries"', "bindings[0].service", "give its id"),
        ('[server]\ndefault_mode = "galleries"', "server.default_mode", "at bindings only"),
        ('[server]\ndefault_mode = "galery"', "server.default_mode", "known modes"),
        ('[server]\nonly_bound = "galery"', "server.only_bound[0]", "known modes"),
        ('[server]\nonly_bound = ["public", "s3"]', "server.only_bound[1]", "the default mode"),
    ],
)
def test_what_is_wrong_with_options_of_a_mode_is_said_with_its_place(
    read: Any, text: str, place: str, said: str
) -> None:
    found = problems(read, text)
    assert found.keys() == {place}
    assert said in found[place]


SHOP = '[shop]\ncurrency = "EUR"\n'
TO_SHOP = '[[bindings]]\nport = 1\nmode = "shop"\n'


def test_a_table_switches_its_mode_on(read: Any) -> None:
    off = read("")
    assert off.mode_tables == {}
    assert "shop" not in off.modes and "shop" in off.plugins.modes
    assert "shop" not in [one.name for one in off.open_modes]
    on = read(SHOP + TO_SHOP)
    assert on.mode_tables == {"shop": ShopOptions(currency="EUR")}
    assert "shop" in on.modes and "shop" in [one.name for one in on.open_modes]
    assert read(f'[server]\ndefault_mode = "shop"\n{SHOP}').open_modes[-1].name == "shop"
    only_bound = read(f'[server]\nonly_bound = "shop"\n{SHOP}').open_modes
    assert "shop" not in [one.name for one in only_bound]


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("[shop]", "shop.currency", "missing"),
        (f"{SHOP}opn = true", "shop.opn", 'Did you mean "open"?'),
        (f"{SHOP}open = 1", "shop.open", "allowed: true or false"),
        ('[shop]\ncurrency = "none"', "shop.currency", "another one"),
        ("shop = true", "shop", "allowed: a table"),
        ("[shops]", "shops", 'Did you mean "shop"?'),
        ("[galleries]", "galleries", "unknown table"),
        (TO_SHOP, "bindings[0].mode", "a table [shop] switches it on"),
        (f"{TO_SHOP}[shop]", "shop.currency", "missing"),
        ('[server]\ndefault_mode = "shop"', "server.default_mode", "a table [shop]"),
    ],
)
def test_what_is_wrong_with_a_modes_table_is_said_with_its_place(
    read: Any, text: str, place: str, said: str
) -> None:
    found = problems(read, text)
    assert found.keys() == {place}
    assert said in found[place]


def test_another_process_has_the_tables_of_modes(read: Any, plugins: Plugins) -> None:
    origin = pickle.loads(pickle.dumps(read(SHOP).origin))
    again = load_again(origin, environ={}, plugins=plugins)
    assert again.mode_tables == {"shop": ShopOptions(currency="EUR")}


@pytest.mark.parametrize(
    "wrong",
    [
        'index = "a/b"',
        'error_document = "/a"',
        'client_cache_time = "-1s"',
        'client_cache_time = "40000d"',
        'cors = "example.com"',
        'cors = ["*", "https://example.com/"]',
    ],
)
def test_what_a_public_binding_does_not_take(read: Any, wrong: str) -> None:
    door = '[[bindings]]\nport = 1\nmode = "public"\nservice = "thumbs"\n'
    assert problems(read, door + wrong).keys() == {f"bindings[0].{wrong.partition(' ')[0]}"}


@pytest.mark.parametrize(
    ("option", "service", "wrong"),
    [
        ('methods = "all"', "web", False),
        ('methods = "all"', "edge", False),
        ('methods = "all"', "files", True),
        ('methods = "all"', "kept", True),
        ('methods = "all"', "a-bucket-perhaps", False),
        ("listing = true", "kept", False),
        ("listing = true", "edge", True),
        ("append_webp = true", "edge", False),
        ("append_webp = true", "kept", True),
    ],
)
def test_a_binding_asks_for_what_its_service_can_do(
    read: Any, option: str, service: str, wrong: bool
) -> None:
    services = "".join(
        f"[services.{sid}]\n{options}\n"
        for sid, options in {
            "web": 'driver = "http"\nurl = "https://example.com"',
            "edge": 'driver = "cache"\nsource = "web"',
            "files": 'driver = "memory"',
            "kept": 'driver = "cache"\nsource = "files"',
        }.items()
    )
    door = f'[[bindings]]\nport = 1\nmode = "public"\nservice = "{service}"\n{option}\n'
    if not wrong:
        assert read(services + door).bindings
        return
    place = f"bindings[0].{option.partition(' ')[0]}"
    found = problems(read, services + door)
    assert found.keys() == {place}
    assert f'the service "{service}"' in found[place]


@pytest.mark.parametrize("text", ["[server\n", "a = 1\na = 2\n", "\x00"])
def test_what_is_no_toml_is_said_with_its_line(read: Any, text: str, tmp_path: Path) -> None:
    ((place, message),) = problems(read, text).items()
    assert place == str(tmp_path / "gateway.toml")
    assert re.search(r"line \d", message)


def test_files_that_cannot_be_read_are_named(tmp_path: Path, plugins: Plugins) -> None:
    (tmp_path / "latin").write_bytes(b'[server]\nregion = "\xe9"\n')
    for name in ("missing", "latin", "."):
        with pytest.raises(ConfigurationError, match=re.escape(str(tmp_path / name))):
            load(tmp_path / name, environ={}, plugins=plugins)


def test_a_file_may_begin_with_a_byte_order_mark(read: Any) -> None:
    assert read('\ufeff[server]\nregion = "here"\n').server.region == "here"


@pytest.mark.parametrize(
    "address", ["", "9000", "host", "host:", "host:70000", "::1:80", "[::1]", "a b:80", "h:-1"]
)
def test_what_is_no_address_is_refused(read: Any, address: str) -> None:
    assert problems(read, f'[server]\nlisten = "{address}"\n').keys() == {"server.listen"}


def test_in_memory_nothing_is_kept(read: Any) -> None:
    text = '[services.one]\ndriver = "local"\ninline_limit = 5\nquota = "1KB"\n'
    configuration = read(text, overrides={"memory": True})
    assert configuration.data is None
    assert configuration.buckets.driver.driver == "memory"
    assert configuration.services["one"].driver.driver == "memory"
    assert configuration.services["one"].options == {"quota": 1000}


def test_buckets_need_a_driver_that_makes_them(read: Any) -> None:
    text = '[buckets]\ndriver = "upstream"\nbucket = "b"\npassword = "p"\n'
    assert "cannot make buckets" in problems(read, text)["buckets.driver"]
    assert problems(read, '[buckets]\ndriver = "front"\nsource = "abc"\n').keys() == {
        "buckets.source"
    }


# plugins


def test_a_plugin_that_is_wrong_is_named() -> None:
    @dataclass
    class Twin(Empty):
        driver: ClassVar[str] = "front"

    class NoDataclass(Empty):
        driver: ClassVar[str] = "odd"

    @dataclass
    class Nameless(Empty):
        pass

    for kind, said in [
        (Twin, 'brought by the plugin "first" too'),
        (NoDataclass, "not a dataclass"),
        (Nameless, 'driver = "…"'),
    ]:
        plugins = Plugins()
        plugins.register(module_of(Front), "first")
        with pytest.raises(PluginError, match=re.escape(said)):
            plugins.register(module_of(kind), "second")


def test_an_unknown_hook_is_an_error() -> None:
    @hookimpl
    def gateway_divers() -> list[object]:
        return []

    with pytest.raises(PluginError, match=r"misspelt.*gateway_divers"):
        Plugins().register(SimpleNamespace(gateway_divers=gateway_divers), "misspelt")


def test_a_plugin_that_cannot_be_imported_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import EntryPoint

    point = EntryPoint("broken", "no_such_module_anywhere", "gateway.plugins")
    monkeypatch.setattr(finding, "_points", lambda: [(point, "")])
    with pytest.raises(PluginError, match=r'"broken" \(no_such_module_anywhere\)'):
        Plugins.load()


@pytest.fixture
def pem(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.pem").touch()
        (tmp_path / f"{name}.key").touch()


A = '{ certificate = "a.pem", key = "a.key" }'
B = '{ certificate = "b.pem", key = "b.key" }'


@pytest.mark.usefixtures("pem")
def test_a_listener_has_certificates_of_its_own_or_those_of_the_server(read: Any) -> None:
    text = f"""
        [server]
        tls = {A}
        listen = [
            "127.0.0.1:1",
            {{ address = "127.0.0.1:2" }},
            {{ address = "127.0.0.1:3", tls = {B} }},
            {{ address = "127.0.0.1:4", tls = [{A}, {B}] }},
            {{ address = "127.0.0.1:5", tls = false }},
        ]
    """
    listeners = read(text).server.listeners
    assert [one.address.port for one in listeners] == [1, 2, 3, 4, 5]
    found = [[tls.certificate.name for tls in one.tls or ()] for one in listeners]
    assert found == [["a.pem"], ["a.pem"], ["b.pem"], ["a.pem", "b.pem"], []]
    assert [one.url.partition(":")[0] for one in listeners] == ["https"] * 4 + ["http"]


@pytest.mark.usefixtures("pem")
@pytest.mark.parametrize(
    ("listener", "place", "said"),
    [
        ('{ adress = "127.0.0.1:2" }', ".adress", 'Did you mean "address"?'),
        ("{ tls = false }", ".address", "missing"),
        ('{ address = "127.0.0.1:2", tls = true }', ".tls", "false"),
        ('{ address = "127.0.0.1:2", tls = { certificate = "a.pem" } }', ".tls.key", "missing"),
        ("9000", "", "an address such as"),
    ],
)
def test_what_is_wrong_with_a_listener_is_said_with_its_place(
    read: Any, listener: str, place: str, said: str
) -> None:
    found = problems(read, f'[server]\nlisten = ["127.0.0.1:1", {listener}]\n')
    assert said in found[f"server.listen[1]{place}"]


@pytest.mark.usefixtures("pem")
def test_an_address_is_given_once_with_or_without_a_table(read: Any) -> None:
    text = '[server]\nlisten = ["127.0.0.1:1", { address = "127.0.0.1:1" }]\n'
    assert "given twice" in problems(read, text)["server.listen"]


@dataclass
class Line(ProtocolListener):
    protocol = "line"
    greeting: str = "hello"
    patience: Annotated[float, Duration] = 1.0

    def __post_init__(self) -> None:
        if not self.greeting:
            raise ValueError("greeting: say something")

    def start(self, gateway: object, listening: object, tls: object) -> None: ...

    def stop(self) -> None: ...


LINES = """
[server]
tls = { certificate = "a.pem", key = "a.key" }
[[listeners]]
protocol = "line"
address = "127.0.0.1:1"
patience = "1m"
[[listeners]]
protocol = "line"
address = ":2"
tls = false
"""


@pytest.mark.usefixtures("pem")
def test_listeners_of_other_protocols_have_the_options_of_their_class(read: Any) -> None:
    first, second = read(LINES).listeners
    assert first.make() == Line(patience=60.0)
    assert (first.url, first.listener.address) == ("line://127.0.0.1:1", Address("127.0.0.1", 1))
    assert [one.certificate.name for one in first.listener.tls] == ["a.pem"]
    assert second.make() == Line() and not second.listener.tls


@pytest.mark.usefixtures("pem")
@pytest.mark.parametrize(
    ("before", "after", "place", "said"),
    [
        ('protocol = "line"', 'protocol = "lime"', ".protocol", 'Did you mean "line"?'),
        ('protocol = "line"', "", ".protocol", "missing; known: ftp, line."),
        ('address = "127.0.0.1:1"', "", ".address", "missing"),
        ('address = "127.0.0.1:1"', 'address = "127.0.0.1:9000"', ".address", "server.listen"),
        ('"1m"', '"1 parsec"', ".patience", "unknown unit"),
        ("patience", "patient", ".patient", 'Did you mean "patience"?'),
        ('patience = "1m"', 'greeting = ""', ".greeting", "say something"),
    ],
)
def test_what_is_wrong_with_one_is_said_with_its_place(
    read: Any, before: str, after: str, place: str, said: str
) -> None:
    found = problems(read, LINES.replace(before, after, 1))
    assert said in found[f"listeners[0]{place}"]


@pytest.mark.usefixtures("pem")
def test_a_protocol_that_nobody_brings_is_said(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(LINES)
    with pytest.raises(ConfigurationError, match=r"found \"line\"; known: ftp\."):
        load(tmp_path / "gateway.toml", environ={}, plugins=Plugins.load())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = " + "[" * 5000, "nested hundreds of times"),
        ("x = " + "{a=" * 5000, "nested hundreds of times"),
        ("[server]\ndrain = " + "9" * 5000, "a number of thousands of digits"),
        ("[server]\ndrain = " + "9" * 400, "server.drain: "),
        ("[server]\nmax_body = " + "9" * 400, "more bytes than there are"),
    ],
    ids=["lists", "tables", "digits", "duration", "size"],
)
def test_a_file_that_breaks_its_reader_is_a_problem(text: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load(file)
    assert words in str(caught.value)
