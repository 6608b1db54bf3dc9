"""A guesser that sees no video: naive Bayes over the words of questions and options, in whole numbers.

It only counts and compares integers (the logarithms are rounded to 1/4096 of an octave, far coarser than libraries
differ), so the same questions give the same guesses on every machine, whatever the processor and its BLAS.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

WORD = re.compile(r"[a-z]+|\d+|[\u4e00-\u9fff]")
NUMBER = re.compile(r"(-?\d+(?:\.\d+)?)[^\d]*")
PULL = 3
"""Counts of even chance that each feature starts with: one seen once or twice says little."""
UNITS = 840
"""A right guess; a tie of up to eight shares it evenly without a remainder."""


@dataclass(frozen=True, slots=True)
class Item:
    """A question as one who sees no video has it."""

    id: str
    layout: str
    """Questions of one layout stay in one fold: twins share their room."""
    kind: str
    question: str
    options: tuple[str, ...]
    right: int
    """Place of the right option; -1: none of them is right."""
    shown: bool = True
    """Whether the options are part of the question, in this order; else they are what could be answered."""


@dataclass(frozen=True, slots=True)
class Guess:
    """What was guessed of an item by one who learnt from the other folds."""

    credit: int
    """UNITS when it is right, less in a tie, 0 when it is wrong."""
    margin: int
    """By how much the best option led."""


@lru_cache(maxsize=1 << 16)
def _log(n: int) -> int:
    return round(4096 * math.log2(n))


# ---- Features ------------------------------------------------------------------------------------


def words(text: str) -> list[str]:
    """The words of a text without its numbers; Chinese by character."""
    return ["#" if w[0].isdigit() else w for w in WORD.findall(text.lower())]


def numeric_rank(options: Sequence[str], place: int) -> int | None:
    """Rank of an option among numbers; None where the options are not all numbers."""
    found = [NUMBER.fullmatch(o) for o in options]
    values = [float(m.group(1)) for m in found if m]
    return sorted(values).index(values[place]) if len(values) == len(options) else None


def features(item: Item) -> list[list[str]]:
    """What is noticed about each option: its words, where it stands, how it goes with the words asked."""
    asked = {item.kind, *words(item.question)}
    found = []
    numbers = bool(item.options) and numeric_rank(item.options, 0) is not None
    for place, option in enumerate(item.options):
        said = words(option)
        text = option if not (numbers and item.shown) else "#"
        seen = [f"={text}", *(f"{text}|{w}" for w in sorted(asked))]
        if item.shown:
            seen += [f"@{place}/{len(item.options)}", f"overlap {len(asked.intersection(said))}"]
            seen += [f"~{w}" for w in sorted(set(said))]
            if numbers:
                seen.append(f"rank {numeric_rank(item.options, place)}")
        found.append(seen)
    return found


# ---- Learning ------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Counts:
    """How often each feature was offered, and how often on the right option."""

    right: dict[str, int] = field(default_factory=dict)
    offered: dict[str, int] = field(default_factory=dict)

    def add(self, seen: list[list[str]], right: int, sign: int) -> None:
        for place, names in enumerate(seen):
            for name in names:
                self.offered[name] = self.offered.get(name, 0) + sign
                if place == right:
                    self.right[name] = self.right.get(name, 0) + sign


class Pool:
    """Items in folds, each guessed by what the other folds teach; items can be taken out."""

    def __init__(self, items: Sequence[Item], folds: dict[str, int]) -> None:
        """`folds`: layout to its fold."""
        self.items = list(items)
        self._fold = [folds[i.layout] for i in self.items]
        self._seen = [features(i) for i in self.items]
        self._all = _Counts()
        self._of: dict[int, _Counts] = {f: _Counts() for f in self._fold}
        for i in range(len(self.items)):
            self._count(i, 1)

    def _count(self, i: int, sign: int) -> None:
        for counts in (self._all, self._of[self._fold[i]]):
            counts.add(self._seen[i], self.items[i].right, sign)

    def take_out(self, i: int) -> None:
        self._count(i, -1)

    def guess(self, i: int) -> Guess:
        """The guess of an item that is in the pool, or was."""
        item, own = self.items[i], self._of[self._fold[i]]
        scores = [self._score(names, len(item.options), own) for names in self._seen[i]]
        best = max(scores)
        tied = [place for place, score in enumerate(scores) if score == best]
        lead = best - max((s for s in scores if s < best), default=best)
        credit = UNITS // len(tied) if item.right in tied else 0
        return Guess(credit, 0 if len(tied) > 1 else lead)

    def _score(self, names: list[str], n: int, own: _Counts) -> int:
        """Log-odds that an option is right, against one of n drawn blindly."""
        total = 0
        for name in names:
            offered = self._all.offered.get(name, 0) - own.offered.get(name, 0)
            if offered:
                right = self._all.right.get(name, 0) - own.right.get(name, 0)
                total += _log(right * n + PULL) - _log((offered - right) * n + PULL * (n - 1)) + _log(max(n - 1, 1))
        return total


class Guesser:
    """The same items dealt to folds several times; what one dealing's luck gives away is not to be taken for a leak,
    nor is a leak to be dropped for one dealing only."""

    def __init__(self, items: Sequence[Item], deals: Sequence[dict[str, int]]) -> None:
        self.items = list(items)
        self._pools = [Pool(items, folds) for folds in deals]

    def take_out(self, i: int) -> None:
        for pool in self._pools:
            pool.take_out(i)

    def guess(self, i: int) -> list[Guess]:
        """One for each dealing."""
        return [pool.guess(i) for pool in self._pools]
