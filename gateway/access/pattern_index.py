"""Which of many patterns fit a text: found by looking parts of the text up, not by trying each.

What is found are numbers, as a bitset: number n is in it when bit n is 1. A look-up takes
about as long for a thousand patterns as for ten. The exception are patterns of several parts
(`a*b*c`, `a?b`), of which those are tried whose parts are all in the text.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping

from gateway.access.patterns import ANY, Fits, fits, tokens_of

Bitset = int
Sets = dict[str, Bitset]

_HEAD = 4
"""Characters by which it is seen where in a text a longer word may begin."""


def put(sets: Sets, text: str, numbers: Bitset) -> None:
    sets[text] = sets.get(text, 0) | numbers


class PatternIndex:
    """Numbers by patterns (see `patterns`); a number may have several."""

    def __init__(self, entries: Iterable[tuple[str, int]]) -> None:
        patterns: Sets = {}
        for pattern, number in entries:
            put(patterns, pattern, 1 << number)
        self._exact: Sets = {}
        begins: Sets = {}
        ends: Sets = {}
        words: Sets = {}
        several: list[tuple[str, list[object], Bitset]] = []
        for pattern, numbers in patterns.items():
            match tokens_of(pattern):
                case []:
                    put(self._exact, "", numbers)
                case [str(text)]:
                    put(self._exact, text, numbers)
                case [one] if one is ANY:
                    put(begins, "", numbers)
                case [str(text), last] if last is ANY:
                    put(begins, text, numbers)
                case [first, str(text)] if first is ANY:
                    put(ends, text[::-1], numbers)
                case [first, str(text), last] if first is ANY and last is ANY:
                    put(words, text, numbers)
                case tokens:
                    several.append((pattern, tokens, numbers))
        self._begins = Beginnings(begins) if begins else None
        self._ends = Beginnings(ends) if ends else None
        self._words = _Words(words) if words else None
        self._several = _Several(several) if several else None

    def find(self, text: str) -> Bitset:
        found = self._exact.get(text, 0)
        if self._begins is not None:
            found |= self._begins.find(text)
        if self._ends is not None:
            found |= self._ends.find(text[::-1])
        if self._words is not None:
            found |= self._words.find(text)
        return found if self._several is None else found | self._several.find(text)


class Beginnings:
    """Sets by texts that a text may begin with; `find` joins those of all that it does.

    All beginnings of a text that are there are beginnings of the last one that does not come
    after it in order: a chain, each the longest that the one before begins with. Its own are
    the end of that chain, and found by jumps that double, as in a skew-binary list (E. Myers,
    "An applicative random-access stack", 1983).
    """

    def __init__(self, sets: Mapping[str, Bitset]) -> None:
        self._texts = sorted({"", *sets})
        self._sets: list[Bitset] = []
        """Of each text and of all in its chain."""
        self._parents: list[int] = []
        self._jumps: list[int] = []
        chain: list[int] = []
        depths: list[int] = []
        for place, text in enumerate(self._texts):
            while chain and not text.startswith(self._texts[chain[-1]]):
                chain.pop()
            parent = chain[-1] if chain else 0
            depths.append(len(chain))
            self._parents.append(parent)
            self._jumps.append(self._jump(parent, depths) if chain else 0)
            behind = self._sets[parent] if chain else 0
            self._sets.append(sets.get(text, 0) | behind)
            chain.append(place)

    def _jump(self, parent: int, depths: list[int]) -> int:
        first = self._jumps[parent]
        second = self._jumps[first]
        even = depths[parent] - depths[first] == depths[first] - depths[second]
        return second if even else parent

    def find(self, text: str) -> Bitset:
        texts = self._texts
        place = bisect_right(texts, text) - 1
        while not text.startswith(texts[place]):
            jump = self._jumps[place]
            place = self._parents[place] if text.startswith(texts[jump]) else jump
        return self._sets[place]


class _Words:
    """Sets by words that a text may have anywhere."""

    def __init__(self, sets: Mapping[str, Bitset]) -> None:
        short: dict[int, Sets] = {}
        long: Sets = {}
        for word, numbers in sets.items():
            put(long if len(word) >= _HEAD else short.setdefault(len(word), {}), word, numbers)
        self._short, self._long = sorted(short.items()), Beginnings(long)
        self._heads = frozenset(word[:_HEAD] for word in long)

    def find(self, text: str) -> Bitset:
        found = 0
        for size, words in self._short:
            there = {text[at : at + size] for at in range(len(text) - size + 1)}
            for word in words.keys() & there:
                found |= words[word]
        heads = self._heads
        if heads:
            for at in range(len(text) - _HEAD + 1):
                if text[at : at + _HEAD] in heads:
                    found |= self._long.find(text[at:])
        return found


class _Several:
    """Patterns of several parts. The text has to begin and to end as they do, and to have the
    longest word that is between; then they are tried."""

    def __init__(self, patterns: Iterable[tuple[str, list[object], Bitset]]) -> None:
        self._patterns: list[tuple[str, Bitset]] = []
        self._fits: dict[int, Fits] = {}
        """Those that were tried: to make an expression takes longer than all else."""
        begins: Sets = {}
        ends: Sets = {}
        words: Sets = {}
        for pattern, tokens, numbers in patterns:
            this = 1 << len(self._patterns)
            self._patterns.append((pattern, numbers))
            texts = [one if isinstance(one, str) else "" for one in tokens]
            put(begins, texts[0], this)
            put(ends, texts[-1][::-1], this)
            put(words, max(texts[1:-1], key=len, default=""), this)
        self._wordless = words.pop("", 0)
        self._begins, self._ends, self._words = Beginnings(begins), Beginnings(ends), _Words(words)

    def find(self, text: str) -> Bitset:
        found, left = 0, self._begins.find(text)
        if left:
            left &= self._ends.find(text[::-1])
        if left & ~self._wordless:
            left &= self._wordless | self._words.find(text)
        while left:
            last = left.bit_length() - 1
            pattern, numbers = self._patterns[last]
            fit = self._fits.get(last)
            if fit is None:
                fit = self._fits[last] = fits(pattern)
            if fit(text):
                found |= numbers
            left ^= 1 << last
        return found
