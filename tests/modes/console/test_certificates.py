"""The console's page of certificates that accounts bring."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.modes.console.pages import certificates
from gateway.storage import Secret
from tests.modes.console.console_gateway import Browser, serving
from tests.modes.console.test_operating import MARKUP
from tests.modes.console.test_volumes import secret_of, signed_in
from tests.modes.console.test_zones import TEAM
from tests.modes.public_gateway import Site
from tests.test_uploaded_certificates import a_key, issued, text, upload


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(cdn={"suffix": "cdn.example"}) as site:
        for id, account in (("member", "team"), ("stranger", "strangers")):
            site.runtime.catalog.add_key(id=id, account=account, secret=Secret(secret_of(id)))
        yield site


def brought(browser: Browser) -> list[list[str]]:
    seen = browser.get("certificates")
    return seen.page.table("Certificates that were brought") if seen.page.all("table") else []


def test_one_is_brought_shown_and_removed(site: Site) -> None:
    member, key = signed_in(site, "member"), text(a_key())
    form = member.get("certificates")
    seen = member.submit(form, "certificates", certificate=MARKUP, key=key)
    assert (seen.status, "cannot be used" in seen.notices[0]) == (422, True)
    assert key.splitlines()[1] not in seen.text
    assert seen.page.form("certificates").fields()["certificate"].strip() == MARKUP
    pem = issued("www.team.test", "img.team.test")
    seen = member.submit(form, "certificates", certificate=pem, key=key)
    assert seen.notices == ["The certificate is shown to who asks for its names from now on."]
    assert key.splitlines()[1] not in seen.text
    (made,) = site.runtime.uploaded_certificates.list(TEAM)
    (row,) = brought(member)
    assert row[:2] == [str(made.number), "www.team.test, img.team.test"]
    assert (row[2].endswith("soon over"), row[3]) == (True, made.fingerprint)
    seen = member.submit(member.get("certificates"), f"{made.number}/remove")
    assert seen.notices == ["The certificate is removed."]
    assert (brought(member), site.runtime.uploaded_certificates.list(TEAM)) == ([], [])


def test_one_is_its_accounts_and_of_who_manages_everything(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = [str(upload(site.runtime, TEAM, f"{one}.team.test").number) for one in "abc"]
    root, stranger = Browser(site, tls=True).sign_in(), signed_in(site, "stranger")
    assert brought(stranger) == []
    for number in (*numbers, "none"):
        token = {"csrf": stranger.csrf}
        assert stranger.post(f"certificates/{number}/remove", token).status == 404
    monkeypatch.setattr(certificates, "_SHOWN", 2)
    seen = root.get("certificates")
    first = seen.page.table("Certificates that were brought")
    rest = root.follow(seen, "Next").page.table("Certificates that were brought")
    assert [(row[0], row[3]) for row in first + rest] == [(one, "team") for one in numbers]
    root.submit(seen, f"{numbers[0]}/remove")
    assert len(site.runtime.uploaded_certificates.list(TEAM)) == 2
