"""What is remembered of texts that come from outside stays small."""

from __future__ import annotations

from gateway.common.remembering import remembered


def test_short_texts_are_read_once_and_others_are_not_kept() -> None:
    read: list[str] = []

    @remembered(texts=2, longest=3)
    def size(text: str) -> int:
        read.append(text)
        return len(text)

    asked = ("one", "one", "four", "four", "two", "one", "six", "six", "two")
    assert [size(text) for text in asked] == [len(text) for text in asked]
    assert read == ["one", "four", "four", "two", "six", "two"]
