"""Options for a question whose place and rank give nothing away.

The rank of a right number among the options is drawn first, evenly, and the wrong ones are built to suit; a
number gets options only where every rank could be built. The letter is drawn evenly and apart from the rank.
"""

from __future__ import annotations

from itertools import pairwise, permutations
from typing import TypeVar

import numpy as np

from synth4d.ask.kinds import Pool
from synth4d.program import Value, word
from synth4d.program.wording import digits
from synth4d.records import Facts, Text

T = TypeVar("T")
OPTIONS = 4
STEP = (1.28, 1.6)
"""Neighbouring numbers differ by a factor drawn from here, and after rounding by at least APART."""
APART = 1.2


def options(value: Value, pool: Pool, facts: Facts, rng: np.random.Generator) -> tuple[list[Text], int] | None:
    """Four options (fewer or five where all are named) and the place of the right one; None where none fit."""
    found = offered(value, pool, facts, rng)
    return found and ([word(v, facts) for v in found[0]], found[1])


def offered(value: Value, pool: Pool, facts: Facts, rng: np.random.Generator) -> tuple[list[Value], int] | None:
    """The same before they are worded."""
    wrong = _wrong(value, pool, rng)
    texts = [word(v, facts) for v in (value, *wrong)]
    if not wrong or min(len({t.en for t in texts}), len({t.zh for t in texts})) <= len(wrong):
        return None
    place = int(rng.integers(len(wrong) + 1))
    shuffled = [wrong[i] for i in rng.permutation(len(wrong))]
    return [*shuffled[:place], value, *shuffled[place:]], place


def _wrong(value: Value, pool: Pool, rng: np.random.Generator) -> list[Value]:
    if value.type == "number":
        return _numbers(value, pool, rng)
    if value.type == "object":
        return [Value("object", id) for id in _drawn([id for id in pool.ids if id != value.value], rng)]
    if value.type == "choice":
        keys = [key for key in pool.keys if key != value.value]
        few = len(set(pool.keys)) <= OPTIONS + 1
        return [Value("choice", key) for key in (dict.fromkeys(keys) if few else _drawn(keys, rng, pool.always))]
    if pool.values:
        others = [v for v in pool.values if v != value]
        return [others[i] for i in rng.permutation(len(others))[: OPTIONS - 1]]
    if value.type == "objects" and value.ordered:
        orders = [p for p in permutations(value.value) if list(p) != value.value]
        return [Value("objects", list(p), ordered=True) for p in _drawn(orders, rng)]
    return []


def _drawn(items: list[T], rng: np.random.Generator, always: tuple[T, ...] = ()) -> list[T]:
    """Different ones, those of `always` first; what is there twice is twice as likely."""
    drawn = dict.fromkeys(items[i] for i in rng.permutation(len(items)))
    return sorted(drawn, key=lambda item: item not in always)[: OPTIONS - 1]


def _numbers(value: Value, pool: Pool, rng: np.random.Generator) -> list[Value]:
    """Wrong numbers around the right one, whose rank among them is even over 0..3."""
    truth, unit = float(value.value), value.unit or "m"
    if pool.most is None or truth <= 0:
        return []
    factors = rng.uniform(*STEP, 2 * (OPTIONS - 1))
    below = truth / np.cumprod(factors[: OPTIONS - 1])
    above = truth * np.cumprod(factors[OPTIONS - 1 :])
    ladder = [*below[::-1], truth, *above]
    said = [float(digits(x, unit)) for x in ladder]
    # Every rank must be possible and every number thinkable, or the ones that are would tell the answer.
    if (
        said[0] <= 0
        or said[0] < pool.least
        or above[-1] > pool.most
        or any(b < APART * a - 1e-9 for a, b in pairwise(said))
    ):
        return []
    rank = int(rng.integers(OPTIONS))
    return [Value("number", float(digits(x, unit)), unit) for x in (*below[:rank], *above[: OPTIONS - 1 - rank])]
