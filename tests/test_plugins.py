"""What is wrong with a plugin is named at start, with what to do; and nothing of it is used."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

import gateway
from gateway.config import BindingOptions
from gateway.plugins.checking import TABLES
from gateway.plugins.finding import OURS, PluginError, Plugins
from gateway.plugins.options import options_of
from gateway.storage import CONTRACT, Layer, Store
from gateway.storage.contract import misfit
from tests.code_blocks import ROOT

FINE = """
from dataclasses import dataclass
from gateway.hookspecs import hookimpl
from gateway.storage import *
from gateway.storage import CONTRACT

@dataclass
class Fine(Store):
    driver = "fine"
    def get(self, key, want=Get()): ...

@hookimpl
def gateway_drivers():
    return [Fine]
"""

MEANT = (
    '. Did you mean "gateway_drivers"?'
    " Known hooks: gateway_drivers(), gateway_listeners(), gateway_modes()."
)
NEWER = (CONTRACT[0], CONTRACT[1] + 1)
WRONG: dict[str, tuple[str, str, str]] = {
    # what: (text of FINE, its replacement, what is said)
    "it cannot be imported": ("@dataclass", "import no_such_thing\n@dataclass", "no_such_thing"),
    "it is no Python": ("@dataclass", "class class\n", "SyntaxError"),
    "it needs a newer gateway": ("import *", "import BetterStore", "BetterStore"),
    "an unknown hook": ("gateway_drivers", "gateway_divers", MEANT),
    "a hook like no other": ("gateway_drivers", "gateway_soup", ". Known hooks: gateway_drivers()"),
    "a hook with an argument": ("gateway_drivers()", "gateway_drivers(config)", "config"),
    "a hook that fails": ("[Fine]", "[Fine][1]", "IndexError"),
    "a hook without a list": ("[Fine]", "Fine", "It returns a list"),
    "no class": ("[Fine]", "[1]", "not a dataclass and a Store"),
    "no dataclass": ("@dataclass\n", "", "Put @dataclass above Fine"),
    "no name": ('driver = "fine"', "x = 1", 'driver = "…"'),
    "no get": ("def get", "def got", "Fine lacks get"),
    "a wrong signature": ("key, want=Get()", "key", "called as get(self, key, want=Get())."),
    "an argument too many": ("want=Get()", "want, more", "cannot be called as get(self, key, want"),
    "a capability half done": ("(Store)", "(Store, Listable)", "Fine lacks list"),
    "a layer without a source": ("(Store)", "(Layer)", "source: Store"),
    "an option that cannot be read": ("driver", 'size: "Gone" = 1\n    driver', "TYPE_CHECKING"),
    "a contract too new": ("driver", f"contract = {NEWER}\n    driver", "newer storage-gateway"),
    "a contract too old": ("driver", "contract = (0, 9)\n    driver", "release of the plugin"),
    "a contract that is none": ("driver", 'contract = "1"\n    driver', "a pair of numbers"),
    "a name that exists": ('driver = "fine"', 'driver = "local"', 'by the plugin "local" too'),
    "one name twice": ("[Fine]", "[Fine, Fine]", "two drivers"),
}  # fmt: skip


def dist(site: Path, name: str, source: str, *, point: str = "") -> None:
    """What pip leaves of an installed package with one module and one entry point."""
    info = site / f"{name}-1.5.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n")
    (info / "entry_points.txt").write_text(f"[gateway.plugins]\n{point or name} = {name}\n")
    (site / f"{name}.py").write_text(source)


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_named_and_left_out(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"p{list(WRONG).index(what)}"
    before, after, said = WRONG[what]
    assert before in FINE
    dist(tmp_path, name, FINE.replace(before, after, 1))
    monkeypatch.syspath_prepend(tmp_path)
    plugins = Plugins.load(lenient=True)
    (problem,) = plugins.problems
    assert f'The plugin "{name}" ({name} 1.5' in problem
    assert said in problem
    assert "fine" not in plugins.drivers and {"local", "memory"} <= plugins.drivers.keys()
    with pytest.raises(PluginError) as caught:
        Plugins.load()
    assert problem in str(caught.value) and "--lenient" in str(caught.value)


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dist(tmp_path, "first_wrong", "import nowhere_1")
    dist(tmp_path, "second_wrong", "import nowhere_2")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PluginError, match=r"(?s)nowhere_1.*nowhere_2"):
        Plugins.load()


def test_two_plugins_of_one_name_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dist(tmp_path, "good_one", FINE, point="twin")
    dist(tmp_path, "other_one", FINE, point="twin")
    monkeypatch.syspath_prepend(tmp_path)
    plugins = Plugins.load(lenient=True)
    (problem,) = plugins.problems
    assert 'Two plugins are named "twin"' in problem and "other_one 1.5" in problem
    assert plugins.drivers["fine"].origin == "good_one 1.5"


def test_a_fine_one_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dist(tmp_path, "fine_one", FINE)
    monkeypatch.syspath_prepend(tmp_path)
    assert Plugins.load().drivers["fine"].origin == "fine_one 1.5"


def test_one_that_is_installed_meanwhile_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    assert "fine" not in Plugins.load().drivers
    dist(tmp_path, "fine_later", FINE)
    assert Plugins.load().drivers["fine"].origin == "fine_later 1.5"


def test_what_is_built_in_comes_by_the_same_entry_points() -> None:
    """No list of drivers or modes is anywhere else: what a folder brings has an entry point."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        points = tomllib.load(file)["project"]["entry-points"]["gateway.plugins"]
    sources = Path(gateway.__file__).parents[1]
    bring = [
        ".".join(path.relative_to(sources).parts[:-1])
        for top in ("drivers", "gateway/modes")
        for path in (sources / top).glob("*/__init__.py")
        if "@hookimpl" in path.read_text("utf-8")
    ]
    assert sorted(points.values()) == sorted(bring)
    ours = [one for one in Plugins.load().drivers.values() if one.origin.startswith(OURS)]
    assert {one.kind.__module__.rpartition(".")[0] for one in ours} <= set(bring)


def test_built_in_drivers_come_first_whatever_a_foreign_one_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dist(tmp_path, "a_thief", FINE.replace('"fine"', '"memory"'))
    monkeypatch.syspath_prepend(tmp_path)
    plugins = Plugins.load(lenient=True)
    assert plugins.drivers["memory"].plugin == "memory"
    assert plugins.problems


@pytest.mark.parametrize(
    ("asked", "fits"),
    [
        (CONTRACT, True),
        ((CONTRACT[0], 0), True),
        ((CONTRACT[0], CONTRACT[1] + 1), False),
        ((CONTRACT[0] + 1, 0), False),
        ((CONTRACT[0] - 1, 99), False),
        ((1,), False),
        (None, False),
    ],
)
def test_which_contracts_fit(asked: object, fits: bool) -> None:
    assert (misfit(asked) == "") is fits


def test_the_contracts_own_classes_are_of_it() -> None:
    assert misfit(Store.contract) == misfit(Layer.contract) == ""


LINE = """
from dataclasses import dataclass
from gateway.hookspecs import hookimpl
from gateway.modes.protocols import ProtocolListener

@dataclass
class Line(ProtocolListener):
    protocol = "line"
    greeting: str = ""
    def start(self, gateway, listening, tls): pass
    def stop(self): pass

@hookimpl
def gateway_listeners():
    return [Line]
"""


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("[Line]", "[1]", "not a dataclass and a ProtocolListener"),
        ("@dataclass\n", "", "not a dataclass and a ProtocolListener"),
        ('"line"', '""', 'protocol = "…"'),
        ("def stop", "def end", "Line lacks stop"),
        ("greeting", "address", "every listener has an option of that name"),
        (
            "return [Line]",
            "return [Line]\n@hookimpl\ndef gateway_modes(): return [1]",
            "not a mode",
        ),
    ],
)
def test_a_listener_that_cannot_be_used_is_named_and_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, after: str, said: str
) -> None:
    name = f"line_{abs(hash((before, after)))}"
    dist(tmp_path, name, LINE.replace(before, after, 1))
    monkeypatch.syspath_prepend(tmp_path)
    plugins = Plugins.load(lenient=True)
    (problem,) = plugins.problems
    assert name in problem and said in problem
    assert [*plugins.listeners] == ["ftp"]


MODE = """
from dataclasses import dataclass
from gateway.hookspecs import hookimpl

@dataclass
class Options:
    columns: int = 1

class Gallery:
    name = "gallery"
    binding_options = Options
    def claims(self, environ): return False
    def app(self, gateway): pass

@hookimpl
def gateway_modes():
    return [Gallery()]
"""


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        *(("columns", one, f"Options.{one}: every binding") for one in options_of(BindingOptions)),
        ("int = 1", "int", "Options.columns has no default"),
        ("@dataclass\n", "", "are no dataclass"),
        ("int", "'Gone'", "TYPE_CHECKING"),
        ('name = "gallery"', "x = 1", "it has no `name`"),
        ("binding_options = Options", "table = 1", "its `table` is no dataclass"),
        *(
            ('"gallery"\n    binding_options', f'"{one}"\n    table', "table of that name")
            for one in TABLES
        ),
    ],
)
def test_a_mode_that_cannot_be_used_is_named_and_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, after: str, said: str
) -> None:
    name = f"mode_{abs(hash((before, after)))}"
    dist(tmp_path, name, MODE.replace(before, after, 1))
    monkeypatch.syspath_prepend(tmp_path)
    plugins = Plugins.load(lenient=True)
    (problem,) = plugins.problems
    assert name in problem and said in problem
    assert "gallery" not in plugins.modes


@dataclass
class Base:
    """What both have.

    `kept`: of the base.
    `other`: of the base, too.
    """

    kept: int = 0


@dataclass
class Documented(Base):
    """Prose with `kept`: no line begins so.
    `one`: what a colon: and `code`
        say; it goes on.
    `two`, `three`: both.
    A line that belongs to them.

    And prose again.
    `other`: here.
    """

    one: int = 0
    two: int = 0
    three: int = 0
    other: int = 0
    silent: int = 0


def test_what_an_option_is_for_is_in_the_docstring() -> None:
    assert {one.name: one.about for one in options_of(Documented).values()} == {
        "kept": "Of the base.",
        "one": "What a colon: and code say; it goes on.",
        "two": "Both. A line that belongs to them.",
        "three": "Both. A line that belongs to them.",
        "other": "Here.",
        "silent": "",
    }


def test_a_protocol_is_brought_by_one_plugin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dist(tmp_path, "line_here", LINE)
    dist(tmp_path, "line_there", LINE)
    monkeypatch.syspath_prepend(tmp_path)
    plugins = Plugins.load(lenient=True)
    (problem,) = plugins.problems
    assert "line_there" in problem and "exists already" in problem
    assert plugins.listeners["line"].__module__ == "line_here"
