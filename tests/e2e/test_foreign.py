"""A plugin of somebody else, really installed and really served; and ones that are broken."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.e2e.conftest import SERVERS, environment, serving
from tests.installing import install
from tests.starting import run

FOREIGN = Path(__file__).parents[1] / "foreign"
CONFIGURATION = """
[services.words]
driver = "written"
texts = { "a/one" = "Eins", "a/two" = "Zwei" }

[services.seen]
driver = "stamped"
source = "words"
word = "yes"

[services.own]
driver = "memory"
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the foreign package is installed."""
    site = tmp_path_factory.mktemp("foreign") / "site"
    install(FOREIGN, site)
    return site


def gateway(site: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = environment()
    environ["PYTHONPATH"] = os.pathsep.join((str(site), environ["PYTHONPATH"]))
    return run(
        [sys.executable, "-m", "gateway", *arguments],
        env=environ,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("server", SERVERS)
def test_a_foreign_driver_layer_and_mode_are_served(
    site: Path, tmp_path: Path, server: str
) -> None:
    with serving(tmp_path, "--server", server, config=CONFIGURATION, site=site) as running:
        s3 = running.client()
        answer = s3.get_object(Bucket="seen", Key="a/two", Range="bytes=1-2")
        assert answer["Body"].read() == b"we"
        assert answer["Metadata"] == {"stamp": "yes"}
        assert [one["Key"] for one in s3.list_objects_v2(Bucket="seen")["Contents"]] == [
            "a/one",
            "a/two",
        ]
        s3.copy_object(Bucket="own", Key="copy", CopySource="words/a/one")
        assert s3.get_object(Bucket="own", Key="copy")["Body"].read() == b"Eins"
        with pytest.raises(ClientError, match="NotImplemented"):
            s3.put_object(Bucket="words", Key="new", Body=b"")
        asked = urllib.request.Request(running.url, headers={"X-Hello": "1"})
        assert urllib.request.urlopen(asked).read() == b"hello"


def test_it_is_listed_with_where_it_came_from(site: Path, tmp_path: Path) -> None:
    done = gateway(site, tmp_path, "drivers")
    assert done.returncode == 0, done.stderr
    assert "written (store, of the plugin foreign: foreign_store)" in done.stdout
    assert "stamped (layer, of the plugin foreign: foreign_store)" in done.stdout
    assert "from foreign-store 2.1" in done.stdout


@pytest.fixture
def broken(site: Path, tmp_path: Path) -> Path:
    """The same, after something that it needs was uninstalled."""
    broken = tmp_path / "broken"
    shutil.copytree(site, broken)
    module = broken / "foreign_store" / "__init__.py"
    code = module.read_text("utf-8")
    module.write_text(code.replace("from collections", "import something_gone\nfrom collections"))
    return broken


def test_a_broken_plugin_stops_the_start_with_one_message(broken: Path, tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(CONFIGURATION)
    done = gateway(broken, tmp_path, "serve", "--listen", "127.0.0.1:0", "--data", "data")
    assert (done.returncode, done.stdout) == (1, "")
    assert 'The plugin "foreign" (foreign-store 2.1: foreign_store) cannot be imported' in (
        done.stderr
    )
    assert "No module named 'something_gone'" in done.stderr
    assert "uninstall foreign-store" in done.stderr
    assert "--lenient" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("server", SERVERS)
def test_lenient_goes_on_without_it_and_what_needs_it(
    broken: Path, tmp_path: Path, server: str
) -> None:
    folder = tmp_path / "gateway"
    options = ("--server", server, "--lenient")
    with serving(folder, *options, config=CONFIGURATION, site=broken) as running:
        s3 = running.client()
        s3.put_object(Bucket="own", Key="k", Body=b"v")
        assert [one["Name"] for one in s3.list_buckets()["Buckets"]] == ["own"]
        with pytest.raises(ClientError, match="NoSuchBucket"):
            s3.get_object(Bucket="words", Key="a/one")
    said = (folder / "log").read_text("utf-8")
    assert 'WARNING: The plugin "foreign"' in said
    assert 'the service "words" does not run: no plugin brings the driver "written"' in said
    assert 'the service "seen" does not run' in said


def test_check_and_drivers_report_it_and_keys_can_still_be_made(
    broken: Path, tmp_path: Path
) -> None:
    (tmp_path / "gateway.toml").write_text(CONFIGURATION)
    for command in ("check", "drivers"):
        done = gateway(broken, tmp_path, command)
        assert done.returncode == 1
        assert 'The plugin "foreign"' in done.stderr and "Traceback" not in done.stderr
    assert "local (store" in gateway(broken, tmp_path, "drivers").stdout
    done = gateway(broken, tmp_path, "keys", "add", "--data", str(tmp_path / "data"))
    assert done.returncode == 0, done.stderr


def test_lenient_does_not_excuse_a_name_that_is_wrong(site: Path, tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(CONFIGURATION.replace('"written"', '"writen"'))
    done = gateway(site, tmp_path, "serve", "--lenient", "--listen", "127.0.0.1:0")
    assert done.returncode == 1
    assert 'Did you mean "written"?' in done.stderr
