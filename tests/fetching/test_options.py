"""The options of the `http` driver: what is wrong is named by its place; and what a probe tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import ConfigurationError, load
from gateway.storage import OriginDenied, OriginFailed
from gateway.testing.upstreams import Upstream, answer
from tests.fetching.origin import Fetching

URL = 'url = "https://x"\n'
WRONG = {
    "": "services.site.url",
    'url = "ftp://x"': "services.site.url",
    'url = "//x"': "services.site.url",
    'url = "http://"': "services.site.url",
    'url = "http://user:pw@x"': "services.site.url",
    'url = "http://x:0"': "services.site.url",
    'url = "http://x:99999"': "services.site.url",
    'url = "http://x/?q"': "services.site.url",
    'url = "http://x/#f"': "services.site.url",
    'url = "http://a b/"': "services.site.url",
    'url = "http://[fe80::1%eth0]/"': "services.site.url",
    "url = []": "services.site.url",
    'url = ["https://x", "https://x/"]': "services.site.url",
    'url = ["https://x", "ftp://x"]': "services.site.url",
    URL + 'balance = "least"': "services.site.balance",
    URL + 'host_header = "a b"': "services.site.host_header",
    URL + 'host_header = "x/y"': "services.site.host_header",
    URL + 'host_header = "pw@x"': "services.site.host_header",
    URL + 'host_header = "x\\r\\ny: z"': "services.site.host_header",
    URL + 'username = "me"': "services.site.password",
    URL + 'request_headers = { host = "y" }': "services.site.request_headers",
    URL + 'request_headers = { "a b" = "y" }': "services.site.request_headers",
    URL + 'request_headers = { range = "bytes=0-" }': "services.site.request_headers",
    URL + "request_headers = { a = 1 }": "services.site.request_headers",
    URL + 'allow = "here"': "services.site.allow",
    URL + 'deny = ["10.0.0.1/8"]': "services.site.deny",
    URL + 'timeout = "0s"': "services.site.timeout",
    URL + "max_redirects = -1": "services.site.max_redirects",
    'url = "http://x"\nca_file = "gateway.toml"': "services.site.ca_file",
    URL + "cache_error = true": "services.site.cache_error",
}


@pytest.mark.parametrize(("text", "place"), WRONG.items())
def test_what_is_wrong_is_named_by_its_place(tmp_path: Path, text: str, place: str) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(f'[services.site]\ndriver = "http"\n{text}\n', "utf-8")
    with pytest.raises(ConfigurationError) as raised:
        load(file, environ={})
    assert place in str(raised.value)
    assert "pw@" not in str(raised.value)


def test_a_name_in_another_script_is_that_of_the_network(fetching: Fetching) -> None:
    assert str(fetching.http("HTTPS://Bücher.Example/ä/").origins[0].base) == (
        "https://xn--bcher-kva.example/%C3%A4"
    )


def test_a_probe_tells_what_an_origin_can(origin: Upstream, fetching: Fetching) -> None:
    store = fetching.http(f"{origin.url}/below")
    origin.will(answer(404, b"", {"Accept-Ranges": "bytes"}), answer(403), answer(401), answer(302))
    found = store.probe()
    assert found.target == f"{origin.url}/below"
    assert (found.can["read"], found.can["ranges"]) == (True, True)
    assert found.notes == ("answers 404 there",)
    assert store.probe().can["read"] is None
    with pytest.raises(OriginDenied):
        store.probe()
    with pytest.raises(OriginFailed):
        fetching.http(origin.url, allow=()).probe()
