"""Keys: each is an object of its own and comes back byte for byte.

A store whose keys are paths (`path_keys`) may refuse one with `BadKey`; what
it accepts it must not alias. One that is not `case_sensitive` has one object for all
keys that it makes one of (`fold`): see `cases`.
"""

from __future__ import annotations

import pytest

from gateway.storage import BadKey, BytesBody, NoSuchKey, Put
from gateway.testing.conformance.bench import Bench
from gateway.testing.conformance.harness import Conformance

RELATIVES = ("a", "a/", "a/b", "a//b", "a/./b", "a/../b", "../x", ".", "..", "./a", "a/.", "a/..")
SLASHES = ("/", "//", "/a", "//a", "a//", "a///b")
SIGNS = (
    " ", " a", "a ", "a b", "+", "a+b", "%", "%2F", "%41", "%zz", "~", "@", "(x)", "a&b=c", "?x=1",
    "#x", "\\", "a\\b", "C:\\x", "a:b", "*", "<x>", '"', "'", "|", "`", "$x", "{}", "[x]", ";", ",",
)  # fmt: skip
FOREIGN = ("é", "e\u0301", "ß", "SS", "ı", "📁", "\uffff", "\U0010ffff", "\u200b", "\ufeff", "日本")
WINDOWS = ("CON", "con.txt", "NUL", "a.", "a..", "COM1", "LPT9.log")
CASES = ("Key", "key", "KEY")
CONTROLS = ("\x01", "\x1f", "\x7f", "a\tb", "a\nb", "a\r\nb", "\u0085", "\u2028")
LONG = ("k" * 1024, "é" * 512, "d/" * 512, "x" * 255 + "/" + "y" * 300)
ODD_KEYS = RELATIVES + SLASHES + SIGNS + FOREIGN + WINDOWS + CASES + CONTROLS + LONG


def fill(bench: Bench, keys: tuple[str, ...] = ODD_KEYS) -> dict[str, bytes]:
    """Put an object for each key, its own bytes in it; those that the store accepted, as it
    calls them."""
    kept: dict[str, bytes] = {}
    for key in keys:
        data = f"the object of {key!r}".encode()
        try:
            bench.writable.put(key, BytesBody(data), Put(size=len(data)))
        except BadKey:
            if not bench.store.path_keys:
                raise
        else:
            kept[bench.store.fold(key)] = data
    return kept


class KeysConformance(Conformance):
    def test_every_key_is_an_object_of_its_own(self, bench: Bench) -> None:
        for key, data in fill(bench).items():
            assert bench.read(key) == data, repr(key)

    def test_every_key_comes_back_byte_for_byte(self, bench: Bench) -> None:
        for key in fill(bench):
            assert bench.store.stat(key).key == key
            with bench.store.get(key) as opened:
                assert opened.info.key == key

    def test_every_key_is_listed_byte_for_byte_and_in_the_order_of_its_bytes(
        self, bench: Bench
    ) -> None:
        kept = fill(bench)
        assert bench.listed() == sorted(kept, key=str.encode)

    def test_removing_one_key_leaves_those_that_look_like_it(self, bench: Bench) -> None:
        kept = fill(bench)
        for key in list(kept):
            assert bench.delete(key).existed, repr(key)
            del kept[key]
            with pytest.raises(NoSuchKey):
                bench.store.stat(key)
            if len(kept) % 10 == 0:
                assert bench.listed() == sorted(kept, key=str.encode)
        assert bench.listed() == []

    def test_a_key_that_was_never_put_is_not_found_by_one_that_looks_like_it(
        self, bench: Bench
    ) -> None:
        assert bench.store.case_sensitive is self.case_sensitive
        for there, absent in (
            ("a", "A"),
            ("é", "e\u0301"),
            ("x/y", "x//y"),
            ("b", "b/"),
            ("c", "./c"),
        ):
            if bench.store.fold(there) == bench.store.fold(absent):
                continue
            fill(bench, (there,))
            with pytest.raises((NoSuchKey, BadKey)):
                bench.store.get(absent).close()

    def test_a_nul_is_a_byte_like_any_other_or_refused(self, bench: Bench) -> None:
        for key in ("n\x00a", "n\x00b", "n"):
            try:
                bench.seed(key, key.encode())
            except BadKey:
                continue
            assert bench.read(key) == key.encode()
