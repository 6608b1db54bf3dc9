"""Where the right answer stands, kind by kind: its letter, and its rank among numeric options. Even is the chance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from synth4d import seeds
from synth4d.ask import KINDS, catalogue
from synth4d.ask.choices import offered
from synth4d.ask.kinds import Pool
from synth4d.ask.make import answered
from synth4d.ask.stock import Stock
from synth4d.ask.template import load
from synth4d.filter.guess import numeric_rank
from synth4d.program import Value, View, word
from synth4d.records import Facts

QUESTIONS = 5000
"""Of each kind: a share of a quarter is then known to ±1.2 points (95 %); of 500 only to ±3.8."""
TRIES = 30
"""Draws for each that is wanted; of some numbers few have room for every rank."""
DRAFTS = 12
"""Answered drafts of a kind in a clip, each given options again and again."""


def run() -> dict[str, dict[str, object]]:
    """Of every kind that has options, over the clips that ship with the package."""
    letters: dict[str, Counter[tuple[int, int]]] = {}
    ranks: dict[str, Counter[int]] = {}
    clips = [(facts, View(facts, camera)) for facts, camera in catalogue.clips()]
    for name in sorted(KINDS):
        rng = seeds.rng("bench", "ranks", name)
        drafts = [(facts, *draft) for facts, view in clips for draft in _drafts(name, view, rng)]
        for facts, value, pool in drafts:
            for texts, place in _given(value, pool, facts, rng, -(-QUESTIONS // len(drafts))):
                letters.setdefault(name, Counter())[len(texts), place] += 1
                rank = numeric_rank(texts, place)
                if rank is not None:
                    ranks.setdefault(name, Counter())[rank] += 1
    out: dict[str, dict[str, object]] = {}
    for name, found in letters.items():
        sizes = {size for size, _ in found}
        usual = max(sizes, key=lambda size: sum(n for (s, _), n in found.items() if s == size))
        out[f"letter {name}"] = _off([found[usual, place] for place in range(usual)])
    for name, counted in ranks.items():
        out[f"rank {name}"] = _off([counted[rank] for rank in range(4)])
    return out


def _drafts(name: str, view: View, rng: np.random.Generator) -> list[tuple[Value, Pool]]:
    stock = Stock(view, rng, load(), catalogue.ABSENT)
    found = [(a.value, a.draft.pool) for a in answered(KINDS[name], stock) if a.draft.pool is not None]
    return [(value, pool) for value, pool in found[:DRAFTS] if pool is not None]


def _given(
    value: Value, pool: Pool, facts: Facts, rng: np.random.Generator, times: int
) -> Iterator[tuple[list[str], int]]:
    """So many times, where the value has options at all: some numbers can seldom have every rank."""
    for _ in range(TRIES * times):
        found = offered(value, pool, facts, rng)
        if found is not None:
            times -= 1
            yield [word(v, facts).en for v in found[0]], found[1]
        if not times:
            return


def _off(counts: list[int]) -> dict[str, object]:
    worst = max(abs(count / sum(counts) - 1 / len(counts)) for count in counts)
    return {
        "value": round(100 * worst, 2), "unit": "points", "against": f"1/{len(counts)} each, {sum(counts)} questions",
        "ratio": None,
    }  # fmt: skip
