"""The samples of certificates, sent as they stand, but for the certificate: theirs is over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.modes.cdn.cdn_gateway import Cdn, controlling, refused, said
from tests.modes.cdn.samples import SAMPLES, check, send
from tests.test_uploaded_certificates import a_key, issued, text

DOMAINS = ("cdn.section9.com", "cdn3.section9.co.jp")


@pytest.fixture(scope="module")
def cdn() -> Iterator[Cdn]:
    """With a zone that has the first of these domains."""
    with controlling() as found:
        upstream = {"endpoints": [{"host": "news.com"}], "type": "own", "proto": "http"}
        zone = {"upstream": upstream, "object_size": "small", "custom_domains": DOMAINS[:1]}
        said(found.ask("POST", "/zone/", zone))
        yield found


@pytest.fixture(scope="module")
def numbers(cdn: Cdn) -> list[int]:
    return [upload(cdn, one) for one in DOMAINS]


def body(*hosts: str) -> dict[str, str]:
    return {"certificate": issued(*hosts), "key": text(a_key())}


def upload(cdn: Cdn, *hosts: str, **more: Any) -> int:
    (asked,) = SAMPLES["Upload certificate"].asked
    if more:
        return int(said(cdn.ask("POST", "/certificate", body(*hosts), **more))["id"])
    return int(check("Upload certificate", send(cdn, asked, body=body(*hosts)))["id"])


def sent(cdn: Cdn, heading: str, number: int, **how: Any) -> Any:
    (asked,) = SAMPLES[heading].asked
    piece = "/".join(asked.target.partition("/v3/")[2].split("/")[:2])
    return check(heading, send(cdn, asked, ids={piece: f"certificate/{number}"}), **how)


def test_those_that_there_are(cdn: Cdn, numbers: list[int]) -> None:
    (asked,) = SAMPLES["List all certificates"].asked
    found = said(send(cdn, asked))
    assert [(one["id"], one["hostname"]) for one in found] == [*zip(numbers, DOMAINS, strict=True)]
    one = sent(cdn, "Single certificate information", numbers[0], same=("hostname",))
    assert [one, found[1]["used_in_zones"]] == [found[0], []]
    assert len(one["fingerprint"]) == 40
    (used,) = one["used_in_zones"]
    zone = cdn.get("/zone/1")
    assert used == {"zone_id": 1, "domain": DOMAINS[0], "cdn_domain": zone["cdn_domain"]}


def test_one_goes(cdn: Cdn) -> None:
    number = upload(cdn, "*.section9.test", form=True)
    (asked,) = SAMPLES["Delete certificate"].asked
    answer = said(send(cdn, asked, ids={"certificate/20": f"certificate/{number}"}))
    assert answer == {"message": f"Certificate {number} was deleted"}
    for method in ("GET", "DELETE"):
        refused(cdn.ask(method, f"/certificate/{number}"), 404, f"no certificate {number}")


def test_the_samples_own_is_over(cdn: Cdn) -> None:
    (asked,) = SAMPLES["Upload certificate"].asked
    refused(send(cdn, asked), 409, "The certificate")


def test_what_is_refused(cdn: Cdn, numbers: list[int]) -> None:
    again = body("again.section9.com")
    said(cdn.ask("POST", "/certificate", again))
    for given, status, words in (
        (again, 409, "already"),
        ({**again, "certificate": "no PEM"}, 409, "no certificate (PEM) can be read"),
        ({**again, "key": text(a_key(1))}, 409, "the key is not that of the certificate"),
        ({"key": again["key"]}, 400, '"certificate"'),
        ({"certificate": again["certificate"]}, 400, '"key"'),
    ):
        refused(cdn.ask("POST", "/certificate", given), status, words)
    stolen = body(DOMAINS[0])
    for who in ("batou", "root"):
        answer = cdn.ask("POST", "/certificate", stolen, as_=who)
        refused(answer, 409, f"The name {DOMAINS[0]!r} is somebody else's here.")


def test_whose_they_are(cdn: Cdn, numbers: list[int]) -> None:
    path = f"/certificate/{numbers[0]}"
    for method in ("GET", "DELETE"):
        refused(cdn.ask(method, path, as_="batou"), 404, "no certificate")
    assert cdn.get("/certificates", as_="batou") == cdn.get("/certificates", as_="root") == []
    assert cdn.get(path, as_="root") == cdn.get(path)
