"""The console's pages for who runs the gateway: services, bindings, purges, settings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.access.identity import Identity
from gateway.access.settings import SettingKind
from gateway.modes.console.chain_map import HEIGHT, chain_map
from gateway.modes.console.pages import services
from gateway.modes.operating import ServiceInfo
from gateway.services.service import Service
from gateway.storage import BytesBody, Delete, Put, Secret, Versioning
from tests.modes.console.console_gateway import Browser, serving
from tests.modes.console.html import Element
from tests.modes.public_gateway import Site

ROOT = Identity(key="root", account="root", access="admin")
MARKUP = '<script>alert("1")</script>'


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    cached = {"driver": "cache", "source": "kept", "space": "memory"}
    with serving(services={"cached": cached}) as site:
        yield site


@pytest.fixture(scope="module")
def root(site: Site) -> Browser:
    return Browser(site, tls=True).sign_in()


@pytest.fixture(scope="module")
def reader(site: Site) -> Browser:
    return Browser(site, tls=True).sign_in("reader")


def facts(page: Element) -> dict[str, str]:
    """What a list of terms says."""
    terms, found = [one.text for one in page.all("dt")], [one.text for one in page.all("dd")]
    return dict(zip(terms, found, strict=True))


def added(root: Browser, driver: str, sid: str, **options: str) -> None:
    seen = root.get(f"add-service?driver={driver}")
    given: dict[str, Any] = {f"option.{name}": text for name, text in options.items()}
    seen = root.submit(seen, "add-service", sid=sid, **given)
    assert seen.notices == ["The service is added."], seen.text


def test_a_service_is_added_by_the_form_of_its_driver_changed_and_removed(root: Browser) -> None:
    seen = root.get("add-service")
    assert {"cache layer", "memory", "s3"} <= {one.text for one in seen.page.all("h2")}
    added(root, "memory", "fresh", quota="4KiB", compress="zstd")
    seen = root.get("services/fresh")
    said = facts(seen.page)
    assert (said["State"], said["Owner"], said["quota"]) == ("open", "root", '"4KiB"')

    form = root.get("services/fresh/change")
    help = form.page.one("p", id="option.quota-help").text
    assert help.startswith("Bytes of all that is kept, older versions and parts of uploads too. ")
    assert "where that makes it shorter" in form.page.one("p", id="option.compress-help").text
    assert '"4KiB"' in form.page.one("p", id="option.quota-help").text
    assert form.page.one("input", id="option.quota")["value"] == ""
    values: dict[str, Any] = {"option.quota": "8KiB", "default.compress": "1"}
    seen = root.submit(form, "change", **values)
    said = facts(seen.page)
    assert (said["quota"], "compress" in said) == ('"8KiB"', False)

    seen = root.submit(root.get("services/fresh/remove"), "remove", confirm="other")
    assert (seen.status, seen.notices) == (422, ["Type fresh to remove it."])
    seen = root.submit(seen, "remove", confirm="fresh")
    assert seen.notices == ["The service is removed. What it stored is where it was."]
    assert root.get("services/fresh").status == 404


def test_what_a_driver_refuses_stands_at_its_field(root: Browser) -> None:
    wrong: dict[str, Any] = {"sid": "wrong", "option.quota": "x"}
    seen = root.submit(root.get("add-service?driver=memory"), "add-service", **wrong)
    assert seen.status == 422
    assert "is not a size" in seen.page.one("p", id="option.quota-error").text
    assert seen.page.one("input", id="option.quota")["value"] == "x"
    seen = root.submit(root.get("add-service?driver=memory"), "add-service", sid="kept")
    assert "declared in" in seen.notices[-1]
    seen = root.submit(root.get("add-service?driver=memory"), "add-service", sid=MARKUP)
    assert seen.status == 422
    assert not seen.page.all("script", src="")
    assert MARKUP not in seen.text


def test_what_can_be_behind_a_layer_is_offered_and_no_bucket_is(root: Browser) -> None:
    root.submit(root.get("add-bucket"), "add-bucket", sid="made-here")
    form = root.get("add-service?driver=cache")
    offered = {one["value"] for one in form.page.one("select", id="option.source").all("option")}
    assert {"kept", "cached"} <= offered
    assert "made-here" not in offered
    wrong: dict[str, Any] = {"sid": "front", "option.source": "made-here"}
    seen = root.submit(form, "add-service", **wrong)
    assert 'found "made-here", a bucket: ' in seen.page.one("p", id="option.source-error").text
    added(root, "cache", "front", source="kept")
    seen = root.get("services/front/change")
    offered = {one["value"] for one in seen.page.one("select", id="option.source").all("option")}
    assert "front" not in offered
    assert seen.page.one("p", id="option.source-help").text == "The service behind it. Now: kept."
    assert not seen.page.all("input", name="default.source")
    root.submit(root.get("services/front/remove"), "remove", confirm="front")
    root.submit(root.get("services/made-here/drop"), "drop", confirm="made-here")


def test_no_secret_comes_back(root: Browser) -> None:
    options: dict[str, str] = {
        "bucket": "bucket",
        "access_key": "hunter2-id",
        "secret_key": "hunter2",
    }
    given: dict[str, Any] = {f"option.{name}": text for name, text in options.items()}
    seen = root.submit(
        root.get("add-service?driver=s3"), "add-service", sid="theirs", account="nobody", **given
    )
    assert seen.status == 422
    assert "hunter2" not in seen.text
    assert seen.page.one("input", id="option.secret_key")["type"] == "password"
    added(root, "s3", "theirs", endpoint_url="http://127.0.0.1:9", **options)
    for page in ("services/theirs", "services/theirs/change", "services", "settings"):
        assert "hunter2" not in root.get(page).text


def test_what_the_file_declares_is_shown_with_its_place_and_not_changed(root: Browser) -> None:
    seen = root.get("services/cached")
    said = facts(seen.page)
    assert "services.cached" in said["Declared"]
    assert said["In front of"] == "kept"
    texts = {one.text for one in seen.page.all("a")}
    assert not {"Change", "Remove", "Drop"} & texts
    assert root.get("services/cached/change").status == 409
    assert root.get("services/cached/remove").status == 409
    assert (
        root.post("services/cached/remove", {"csrf": root.csrf, "confirm": "cached"}).status == 409
    )


def test_chains_are_drawn_with_links(root: Browser) -> None:
    seen = root.get("services")
    drawing = seen.page.one("svg", role="group")
    assert "cached stands in front of kept" in drawing["aria-label"]
    links = {one["href"] for one in drawing.all("a")}
    assert links == {"./services/cached", "./services/kept"}
    assert len(drawing.all("polyline")) == 1
    assert root.get("services/kept").page.one("svg", role="group")


def test_no_line_of_a_chain_is_behind_a_box() -> None:
    links = {"edge": ("small",), "small": ("base",), "far": ("base",), "z": ("mid",), "mid": ()}
    infos = [
        ServiceInfo(sid=sid, driver="any", owner="root", origin="added", links=links.get(sid, ()))
        for sid in ("base", *links)
    ]
    drawn = chain_map(infos)
    assert drawn is not None
    for line in drawn.lines:
        assert not [
            one.label
            for one in drawn.boxes
            if line.x1 < one.x < line.x2 and one.y < line.y1 < one.y + HEIGHT
        ]


def test_a_bucket_is_made_its_versions_switched_and_it_is_dropped(
    root: Browser, site: Site
) -> None:
    seen = root.submit(root.get("add-bucket"), "add-bucket", sid="No")
    assert seen.status == 422
    seen = root.submit(root.get("add-bucket"), "add-bucket", sid="photos", versions="1")
    assert seen.notices == ["The bucket is made."]
    assert site.runtime.access(ROOT, "photos").versioning == "on"
    assert root.submit(root.get("add-bucket"), "add-bucket", sid="photos").status == 409
    form = root.get("services/photos").page.form("versions").fields()
    root.post("services/photos/versions", {**form, "versioning": "suspended"})
    assert site.runtime.access(ROOT, "photos").versioning == "suspended"

    put = site.runtime.access(ROOT, "photos").put("k", BytesBody(b"four"), Put(size=4))
    seen = root.get("services/photos/drop")
    assert "It holds 1 object " in seen.text
    seen = root.submit(seen, "drop", confirm="photos")
    assert (seen.status, seen.notices[0][:16]) == (409, "It is not empty:")
    site.runtime.access(ROOT, "photos").delete_many([("k", Delete(version=put.version))])
    assert root.submit(root.get("services/photos/drop"), "drop", confirm="phot").status == 422
    seen = root.submit(root.get("services/photos/drop"), "drop", confirm="photos")
    assert seen.notices == ["The bucket is dropped."]


def test_a_bucket_that_locks_its_objects_keeps_their_versions(
    root: Browser, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime, kind = site.runtime, site.runtime.kinds["object-lock"]
    access, set_versioning = runtime.create(ROOT, "locked"), Service.set_versioning
    access.set_versioning("on")
    form = root.get("services/locked").page.form("versions").fields()
    lock = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>"
    lock += "</ObjectLockConfiguration>"

    def locked_then(service: Service, state: Versioning) -> None:
        set_versioning(service, state)
        runtime.set_setting(access, kind, kind.parsed(lock))

    def suspend() -> int:
        return root.post("services/locked/versions", {**form, "versioning": "suspended"}).status

    with monkeypatch.context() as patch:
        patch.setattr(Service, "set_versioning", locked_then)
        assert (suspend(), access.versioning) == (409, "on")
    assert (suspend(), access.versioning) == (409, "on")
    assert "suspended" not in root.get("services/locked").text
    runtime.drop(ROOT, "locked")


def test_documents_of_settings_are_shown_as_text(root: Browser, site: Site) -> None:
    kinds = site.runtime.kinds
    cors: SettingKind[object] = kinds["cors"]
    rule = "<AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>"
    text = f"<CORSConfiguration><CORSRule>{rule}</CORSRule></CORSConfiguration>"
    site.runtime.set_setting(site.runtime.access(ROOT, "files"), cors, cors.parsed(text))
    seen = root.get("services/files")
    assert seen.page.one("pre").text == text
    assert "<AllowedOrigin>" not in seen.text


POLICY = """{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*",
"Action": "s3:GetObject", "Resource": "arn:aws:s3:::%s/*"}]}"""


def test_a_setting_is_written_by_hand_and_asked_as_its_own_api_asks(
    root: Browser, site: Site
) -> None:
    site.runtime.create(ROOT, "by-hand")
    page = "services/by-hand/settings/"
    assert "not set" in root.get("services/by-hand").text
    for kind in ("cors", "encryption", "lifecycle", "policy", "tagging", "website"):
        example = root.get(f"{page}{kind}")
        seen = root.submit(example, kind)
        assert seen.notices == ["The setting is set. It counts from now on."], (kind, seen.text)
    visitor = Identity()
    assert site.runtime.access(visitor, "by-hand").may("read", "public/k")
    seen = root.submit(root.get(f"{page}policy"), "policy", document=POLICY % "other")
    assert (seen.status, "MalformedPolicy" in seen.notices[0]) == (422, True)
    seen = root.submit(root.get(f"{page}lifecycle"), "lifecycle", document=f"<{MARKUP}")
    assert (seen.status, MARKUP in seen.text) == (422, False)
    seen = root.submit(root.get(f"{page}policy"), "policy", remove="1")
    assert seen.notices == ["The setting is removed."]
    assert not site.runtime.access(visitor, "by-hand").may("read", "public/k")

    root.submit(root.get(f"{page}public-access-block"), "public-access-block")
    seen = root.submit(root.get(f"{page}policy"), "policy", document=POLICY % "by-hand")
    assert (seen.status, "BlockPublicPolicy" in seen.notices[0]) == (422, True)
    assert root.get(f"{page}logging").status == 404
    assert root.get(f"{page}object-lock").status == 404


def test_who_may_by_a_policy_alone_does_it_by_that_api(root: Browser, site: Site) -> None:
    site.runtime.catalog.add_key(id="guest", account="alice", secret=Secret("secret-of-guest-000"))
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::alice:root"},
        "Action": "s3:*",
        "Resource": ["arn:aws:s3:::shared", "arn:aws:s3:::shared/*"],
    }
    access = site.runtime.create(ROOT, "shared")
    policy = site.runtime.kinds["policy"]
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    site.runtime.set_setting(access, policy, policy.parsed(document))
    guest = Browser(site, tls=True)
    form = guest.get("sign-in")
    assert guest.submit(form, "sign-in", key="guest", secret="secret-of-guest-000").status == 200
    assert site.runtime.access(Identity(key="guest", account="alice"), "shared").may("write-cors")
    seen = guest.get("services/shared")
    assert seen.status == 200
    assert "settings/cors" not in seen.text
    assert guest.get("services/shared/settings/cors").status == 403


def test_a_key_sees_its_own_services_and_nothing_of_the_gateway(reader: Browser) -> None:
    seen = reader.get("services")
    assert [row[0] for row in seen.page.table("Services")] == ["files"]
    titles = {one.text for one in seen.page.one("nav").all("a")}
    assert not {"Bindings", "Replication", "Settings"} & titles
    for page in ("bindings", "replication", "settings", "add-service", "services/files/change"):
        assert reader.get(page).status == 403, page
    assert reader.get("add-bucket").status == 403
    assert reader.get("services/files/drop").status in (403, 409)
    assert reader.get("services/other").status == 404
    seen = reader.get("services/files")
    assert not {"Drop", "Purge"} & {one.text for one in seen.page.all("a")}
    token = {"csrf": reader.csrf}
    for page in ("bindings/remove", "add-service", "services/files/remove"):
        assert reader.post(page, token).status == 403
    assert reader.get("services/files/settings/cors").status == 403
    assert reader.post("services/files/settings/policy", {**token, "remove": "1"}).status == 403
    assert reader.post("services/files/versions", {**token, "versioning": "on"}).status in (
        403,
        409,
    )
    assert (
        reader.post("purges", {**token, "sid": "files", "kind": "prefix", "value": "a"}).status
        == 403
    )


def test_services_are_searched_and_paged(
    root: Browser, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "SHOWN", 4)
    for number in range(6):
        site.runtime.create(ROOT, f"many-{number}")
    seen, found = root.get("services"), list[str]()
    while True:
        rows = [row[0] for row in seen.page.table("Services")]
        assert len(rows) <= 4
        found += rows
        if "Next" not in {one.text for one in seen.page.all("a")}:
            break
        seen = root.follow(seen, "Next")
    assert found == sorted(found)
    assert {"files", "kept", *(f"many-{number}" for number in range(6))} <= {*found}
    seen = root.get("services?text=any-5")
    assert [row[0] for row in seen.page.table("Services")] == ["many-5"]
    assert "No service fits" in root.get("services?text=nothing").text


def test_a_binding_is_added_counts_at_once_and_is_removed(root: Browser) -> None:
    form = root.get("add-binding?mode=public")
    offered = {one["value"] for one in form.page.one("datalist", id="service-list").all("option")}
    assert {"files", "kept"} <= offered
    seen = root.submit(form, "add-binding", prefix="no")
    assert (seen.status, "prefix" in seen.text) == (422, True)
    values: dict[str, Any] = {"prefix": "/pictures", "service": "files", "option.listing": "true"}
    seen = root.submit(root.get("add-binding?mode=public"), "add-binding", **values)
    assert seen.notices == ["The binding is added. It counts from now on."]
    (row,) = seen.page.table("Bindings")
    assert row[:3] == ["/pictures", "public", "files"]
    assert "listing = true" in row[3]
    seen = root.submit(seen, "bindings/remove")
    assert "The binding is removed." in seen.notices[0]
    assert "No bindings" in seen.text
    assert root.get("add-binding?mode=nothing").status == 404


def test_a_cache_forgets_and_it_is_told_who_said_so(root: Browser) -> None:
    seen = root.get("purges?sid=cached")
    assert seen.page.form("purges").fields()["sid"] == "cached"
    seen = root.submit(seen, "purges", kind="all")
    assert (seen.status, "type cached below" in seen.notices[0]) == (422, True)
    assert root.submit(root.get("purges"), "purges", kind="key").status == 422
    seen = root.submit(root.get("purges"), "purges", kind="key", value=MARKUP, soft="1")
    assert seen.notices == ["What you named is let go of."]
    row = seen.page.table("The last purges")[0]
    assert row[1] == "cached"
    assert MARKUP in row[2] and "soft" in row[2]
    assert row[4:] == ["root", "192.0.2.1", "console"]
    assert root.submit(root.get("purges"), "purges", kind="all", confirm="cached").status == 200


def test_what_is_configured_is_shown_without_secrets(root: Browser) -> None:
    seen = root.get("settings")
    assert seen.h1 == "Settings"
    said = facts(seen.page)
    assert said["memory"] == "true"
    assert "storage-gateway" in said
    assert "waitress reads a body" in " ".join(seen.notices)


def test_what_runs_is_shown(root: Browser) -> None:
    seen = root.get("replication")
    assert "No replicas" in seen.text
    assert root.get("replication", hx_target="running").status == 200
