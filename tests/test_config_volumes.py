"""Volumes of the configuration: what a file may say of them, and of the services in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.config import Configuration, ConfigurationError, load
from gateway.plugins.finding import Plugins

Read = Callable[[str], Configuration]

ACCOUNTS = '[[accounts]]\nid = "photos"\n'
MEDIA = f'{ACCOUNTS}[volumes.media]\naccount = "photos"\n'


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return Plugins.load()


@pytest.fixture
def read(tmp_path: Path, plugins: Plugins) -> Read:
    def read(text: str) -> Configuration:
        file = tmp_path / "gateway.toml"
        file.write_text(f"[server]\nmemory = true\n{text}")
        return load(file, environ={}, plugins=plugins)

    return read


def problems(read: Read, text: str) -> dict[str, str]:
    with pytest.raises(ConfigurationError) as caught:
        read(text)
    return dict(caught.value.problems)


def service(sid: str, options: str = 'volume = "media"') -> str:
    return f'[services."{sid}"]\ndriver = "memory"\n{options}\n'


def test_what_is_declared(read: Read) -> None:
    services = service("media.pics") + service("thumbs") + service("out", "")
    configuration = read(f'{MEDIA}[volumes."a.b"]\n{services}')
    media, other = configuration.volumes["media"], configuration.volumes["a.b"]
    assert (media.account, media.quota, other.account) == ("photos", None, "root")
    declared = configuration.services.values()
    assert [(one.volume, one.bucket, one.account) for one in declared] == [
        ("media", "pics", "photos"),
        ("media", "thumbs", "photos"),
        ("", "", "root"),
    ]


WRONG: dict[str, tuple[str, str]] = {
    "no such volume": (MEDIA + service("media.pics", 'volume = "medai"'), "Did you mean"),
    "no volumes at all": (service("media.pics"), "Known volumes: none"),
    "no text": (MEDIA + service("media.pics", "volume = 5"), "allowed: text"),
    "another's": (MEDIA + service("media.pics", 'volume = "media"\naccount = "root"'), "owns"),
    "no name of a bucket": (MEDIA + service("media.b."), "a bucket's name has"),
    "too short a name": (MEDIA + service("media.pi"), "a bucket's name has"),
}


def test_what_is_wrong_with_a_service_in_a_volume(read: Read) -> None:
    for what, (text, said) in WRONG.items():
        found = problems(read, text)
        assert len(found) == 1, (what, found)
        ((place, message),) = found.items()
        assert place.endswith(".volume") and said in message, (what, place, message)


def test_two_services_with_one_place(read: Read) -> None:
    found = problems(read, MEDIA + service("media.pics") + service("pics"))
    assert found == {
        "services.pics.volume": 'services."media.pics" is called "pics" there already.'
    }


def test_what_is_wrong_with_a_volume(read: Read) -> None:
    for text, place, said in (
        ("[volumes.No]\n", "volumes.No", "a volume's name has"),
        ("[volumes.media]\naccount = 'photo'\n" + ACCOUNTS, "volumes.media.account", "photos"),
        ("[volumes.media]\nquota = 'much'\n", "volumes.media.quota", "a size"),
        ("[volumes.media]\nquotas = 1\n", "volumes.media.quotas", "Did you mean"),
        ("[volumes]\nmedia = 1\n", "volumes.media", "a table"),
        ("[[volumes]]\n", "volumes", "tables"),
        ("[buckets]\nvolume = 'media'\n" + MEDIA, "buckets.volume", "unknown option"),
    ):
        found = problems(read, text)
        assert [*found] == [place] and said in found[place], (text, found)
