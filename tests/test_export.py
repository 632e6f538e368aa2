"""`gateway export`: a gateway as a configuration file, which says the same."""

from __future__ import annotations

import json
import os
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.access.grants import Grant
from gateway.access.identity import Account, Identity
from gateway.commands.export import VARIABLES
from gateway.commands.main import main
from gateway.config import Configuration, load
from gateway.config.toml import dumped
from gateway.services.binding_editor import BindingEditor
from gateway.services.certificate_editor import CertificateEditor
from gateway.services.runtime import Runtime, open_runtime
from gateway.services.service_editor import ServiceEditor
from gateway.storage import BytesBody, Put, Secret, pieces
from gateway.testing.certificates import certificate

ROOT = Identity(key="root", account="root", access="admin")
FILE = """
[server]
data = "data"
listen = ["127.0.0.1:9000"]
{tls}

[[accounts]]
id = "declared"

[[keys]]
id = "of-file"
secret = "hunter2-of-file"
account = "declared"

[webhooks.hook]
url = "http://127.0.0.1:9/hunter2-of-hook"
accounts = ["*"]

[buckets]
events = ["hook"]

[services.base]
driver = "local"
folder = "elsewhere"
grants = [{{ to = "declared", permission = "read" }}]

[[bindings]]
host = "img.test"
mode = "public"
service = "base"
listing = true
"""
POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": "*",
                "Action": "s3:GetObject",
                "Resource": "arn:aws:s3:::photos/it's/*",
            }
        ],
    },
    indent=1,
)


class Site(NamedTuple):
    """A gateway's file, the one that was exported of it, and the variables of that."""

    file: Path
    exported: Path
    environ: Mapping[str, str]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """With a catalog that has one of everything; what is exported is in another folder."""
    folder = tmp_path_factory.mktemp("site")
    pem, key = certificate(folder, "photos.test")
    file = folder / "gateway.toml"
    tls = f"tls = {{ certificate = '{pem.name}', key = '{key.name}' }}"
    file.write_text(FILE.format(tls=tls), encoding="utf-8")
    configuration = load(file, environ={})
    runtime = open_runtime(configuration, environ={})
    try:
        _fill(runtime, configuration, folder)
    finally:
        runtime.close()
    elsewhere = folder / "exported"
    elsewhere.mkdir()
    out, secrets = elsewhere / "gateway.toml", elsewhere / "secrets"
    assert main(["export", "--config", str(file), "-o", str(out), "--secrets", str(secrets)]) == 0
    lines = shlex.split((secrets / VARIABLES).read_text("utf-8"))
    return Site(file, out, dict(line.split("=", 1) for line in lines))


def _fill(runtime: Runtime, configuration: Configuration, folder: Path) -> None:
    catalog = runtime.catalog
    catalog.add_account(Account(id="alice", name="Alice", email="alice@example.com"))
    catalog.add_key(id="of-alice", account="alice", secret=Secret("hunter2-of-alice"))
    catalog.add_key(id="reader", access={"photos": "read"}, secret=Secret("hunter2 'of' reader"))
    catalog.add_key(id="manager", account="alice", manages=True, secret=Secret("hunter2-manager"))
    catalog.add_key(id="gone", secret=Secret("hunter2-gone"))
    catalog.revoke_key("gone")
    editor = ServiceEditor(configuration, catalog, folder=folder)
    editor.add("thumbs", "cache", {"source": "base", "max_size": "1MiB"}, name="Small ones")
    upstream = {"bucket": "theirs", "access_key": "hunter2-id", "secret_key": "hunter2-secret"}
    editor.add("theirs", "s3", {**upstream, "endpoint_url": "http://127.0.0.1:9"}, account="alice")
    headers = {"x-token": "hunter2-token"}
    editor.add("origin", "http", {"url": "http://127.0.0.1:9/", "request_headers": headers})
    bindings = BindingEditor(configuration, catalog)
    bindings.add({"prefix": "/t", "mode": "public", "service": "thumbs", "index": "start.html"})
    links = {"secret": "hunter2-links", "ttl": "2h"}
    bindings.add({"prefix": "/l", "mode": "public", "service": "thumbs", "signed_links": links})
    alice = Identity(key="of-alice", account="alice")
    runtime.create(alice, "photos", grants=[Grant("declared", "read"), Grant("~", "read-acl")])
    access = runtime.access(alice, "photos")
    access.set_versioning("on")
    access.put("it's/1", BytesBody(b"one"), Put(size=3))
    runtime.create(ROOT, "plain")
    kinds = configuration.plugins.kinds
    runtime.set_setting(access, kinds["policy"], kinds["policy"].parsed(POLICY))
    base = runtime.access(ROOT, "base")
    cors = "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin>"
    cors += "<AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>"
    runtime.set_setting(base, kinds["cors"], kinds["cors"].parsed(cors))
    pem, key = certificate(folder, "other.test")
    CertificateEditor(catalog).set("other", pem.read_bytes(), key.read_bytes())
    pem, key = certificate(folder, "alices.test")
    runtime.uploaded_certificates.upload(alice, pem.read_text(), key.read_text())
    for name in ("files-1", "files-2"):
        runtime.storages.make(alice, name, "europe")
    runtime.storages.change_password(alice, "europe")


def said(runtime: Runtime) -> dict[str, Any]:
    """What services are, and what is said of them."""
    operator, found = runtime.operator(ROOT), dict[str, Any]()
    for one in operator.services().items:
        details = operator.service(one.sid)
        grants = runtime.access(ROOT, one.sid).service.grants
        found[one.sid] = (one.driver, one.owner, one.name, one.links, details.settings, grants)
    return found


def test_what_is_exported_says_the_same(site: Site, tmp_path: Path) -> None:
    before = load(site.file, environ={})
    first = open_runtime(before, environ={})
    try:
        was, doors = said(first), first.operator(ROOT).bindings()
    finally:
        first.close()
    elsewhere = {"data": str(tmp_path / "data")}  # what counts is of the file alone
    after = load(site.exported, environ=site.environ, overrides=elsewhere)
    second = open_runtime(after, environ={})
    try:
        assert said(second) == was
        storages = ["files-1", "files-2"]
        assert [*was] == ["base", *storages, "origin", "photos", "plain", "theirs", "thumbs"]
        assert {"policy"} == {*was["photos"][4]} and {"cors"} == {*was["base"][4]}
        found = second.operator(ROOT).bindings()
        assert [replace(one, declared="") for one in found] == [
            replace(one, declared="") for one in doors
        ]
        other = Identity(key="of-file", account="declared")
        assert second.access(other, "base").may("list")
        assert not second.access(other, "base").may("write", "k")
        assert second.access(ROOT, "photos").versioning == "on"
        assert second.access(ROOT, "plain").versioning == "off"
    finally:
        second.close()
    for key in ("of-file", "of-alice", "reader"):
        (declared,) = [one for one in after.keys if one.id == key]
        assert declared.secret.reveal().startswith("hunter2")
    assert "gone" not in {one.id for one in after.keys}
    assert [(one.id, one.account) for one in after.management_keys] == [("manager", "alice")]
    alice = next(one for one in after.accounts if one.id == "alice")
    assert (alice.name, alice.email) == ("Alice", "alice@example.com")
    options = {sid: after.services[sid].options for sid in ("theirs", "origin")}
    assert options["theirs"]["secret_key"].reveal() == "hunter2-secret"
    assert options["origin"]["request_headers"]["x-token"].reveal() == "hunter2-token"
    assert after.webhooks["hook"].url.reveal().endswith("hunter2-of-hook")
    assert [one.webhook for one in after.services["photos"].events] == ["hook"]
    assert len(after.server.tls) == 3
    assert sum(one.access == {sid: "write"} for one in after.keys for sid in storages) == 1


def test_a_bucket_of_the_same_folder_has_the_same_objects(site: Site) -> None:
    runtime = open_runtime(load(site.exported, environ=site.environ), environ={})
    try:
        with runtime.access(ROOT, "photos").get("it's/1") as opened:
            assert b"".join(pieces(opened.body)) == b"one"
        assert len(runtime.operator(ROOT).bindings()) == 5  # the catalog has its own, too
    finally:
        runtime.close()


def test_no_secret_is_in_the_file(site: Site) -> None:
    text = site.exported.read_text("utf-8")
    assert "hunter2" not in text
    assert "PRIVATE KEY" not in text
    for name in ("GATEWAY_KEY_OF_ALICE_SECRET", "GATEWAY_SERVICE_THEIRS_SECRET_KEY"):
        assert f"# {name}\n" in text


@pytest.mark.skipif(os.name == "nt", reason="rights of files: POSIX")
def test_what_is_secret_is_for_this_user_alone(site: Site) -> None:
    folder = site.exported.parent / "secrets"
    assert {one.name for one in folder.iterdir()} == {
        VARIABLES,
        *("other.pem", "other.key", "uploaded~1.pem", "uploaded~1.key"),
    }
    for path in (folder, site.exported, *folder.iterdir()):
        assert not path.stat().st_mode & 0o077


def test_it_is_checked_and_nothing_is_written_over(
    site: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in site.environ.items():
        monkeypatch.setenv(name, value)
    assert main(["check", "--config", str(site.exported)]) == 0
    assert main(["export", "--config", str(site.file), "-o", str(site.exported)]) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_without_a_folder_of_secrets_what_is_missing_is_said(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "--config", str(site.file)]) == 0
    done = capsys.readouterr()
    assert tomllib.loads(done.out)["services"]["photos"]["account"] == "alice"
    assert "To be set: GATEWAY_KEY_OF_ALICE_SECRET\n" in done.err
    assert (
        "NOTE: Certificates that were added are not in it (give --secrets): other, uploaded/1.\n"
        in done.err
    )
    assert "NOTE: The key 1000001.1000002 is not in it: 1000001.1000001 has the same" in done.err
    assert "The key gone" not in done.err  # it was revoked, and nobody misses it


_VALUES = st.recursive(
    st.text() | st.integers(-(2**62), 2**62) | st.booleans() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=50, deadline=None)
@given(
    st.fixed_dictionaries(
        {
            "one": st.dictionaries(st.text(min_size=1), _VALUES, max_size=4),
            "array": st.lists(st.dictionaries(st.text(), _VALUES, max_size=3), max_size=2),
            "services": st.dictionaries(
                st.text(), st.dictionaries(st.text(), _VALUES, max_size=3), max_size=3
            ),
        }
    )
)
def test_any_tables_are_read_as_they_were_written(tables: dict[str, Any]) -> None:
    found = tomllib.loads(dumped(tables))
    assert {name: found.get(name, type(one)()) for name, one in tables.items()} == tables
