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
from synth4d.program.wording import number_text
from synth4d.records import Facts, Text

T = TypeVar("T")
OPTIONS = 4
STEP = (1.28, 1.6)
"""Neighbouring numbers differ by a factor drawn from here, and after rounding by at least APART."""
APART = 1.2


def options(value: Value, pool: Pool, facts: Facts, rng: np.random.Generator) -> tuple[list[Text], int] | None:
    """Four options (fewer or five where all are named) and the place of the right one; None where none fit."""
    right = word(value, facts)
    if value.type == "number":
        wrong = _numbers(value, pool, rng)
    elif value.type == "object":
        others = [id for id in pool.ids if id != value.value]
        wrong = [word(Value("object", id), facts) for id in _drawn(others, rng)]
    elif value.type == "choice":
        keys = [key for key in pool.keys if key != value.value]
        chosen = keys if len(pool.keys) <= OPTIONS + 1 else _drawn(keys, rng, pool.always)
        wrong = [word(Value("choice", key), facts) for key in chosen]
    elif value.type == "objects" and value.ordered:
        orders = [list(p) for p in permutations(value.value) if list(p) != value.value]
        wrong = [word(Value("objects", p, ordered=True), facts) for p in _drawn(orders, rng)]
    else:
        return None
    if wrong is None or not wrong or len({t.en for t in (right, *wrong)}) <= len(wrong):
        return None
    if len({t.zh for t in (right, *wrong)}) <= len(wrong):
        return None
    place = int(rng.integers(len(wrong) + 1))
    shuffled = [wrong[i] for i in rng.permutation(len(wrong))]
    return [*shuffled[:place], right, *shuffled[place:]], place


def _drawn(items: list[T], rng: np.random.Generator, always: tuple[T, ...] = ()) -> list[T]:
    drawn = [items[i] for i in rng.permutation(len(items))]
    return sorted(drawn, key=lambda item: item not in always)[: OPTIONS - 1]


def _numbers(value: Value, pool: Pool, rng: np.random.Generator) -> list[Text] | None:
    """Wrong numbers around the right one, whose rank among them is even over 0..3."""
    truth, unit = float(value.value), value.unit or "m"
    if pool.most is None or truth <= 0:
        return None
    factors = rng.uniform(*STEP, 2 * (OPTIONS - 1))
    below = truth / np.cumprod(factors[: OPTIONS - 1])
    above = truth * np.cumprod(factors[OPTIONS - 1 :])
    ladder = [*below[::-1], truth, *above]
    said = [float(number_text(x, unit).en.split()[0].rstrip("%")) for x in ladder]
    # Every rank must be possible and every number thinkable, or the ones that are would tell the answer.
    if (
        said[0] <= 0
        or said[0] < pool.least
        or above[-1] > pool.most
        or any(b < APART * a - 1e-9 for a, b in pairwise(said))
    ):
        return None
    rank = int(rng.integers(OPTIONS))
    chosen = [*below[:rank], *above[: OPTIONS - 1 - rank]]
    return [number_text(float(x), unit) for x in chosen]
