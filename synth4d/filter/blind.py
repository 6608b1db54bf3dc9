"""The blind probe: how often questions are guessed by one who sees no video. prune.py drops what is.

    measure(asked, by_words(seed))   a row a kind: guessed right, chance, letters and ranks of the right option

Questions with options, yes or no questions and short answers are probed apart: guessing an open answer is choosing
among those that occur in its kind, numbers in steps of a third. Boxes, points, poses and texts are not probed.
"""

from __future__ import annotations

import math
from bisect import bisect
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from synth4d import seeds
from synth4d.filter.guess import UNITS, Guess, Guesser, Item, numeric_rank
from synth4d.records import Answer, Question

Form = Literal["options", "yes or no", "open"]
FORMS: tuple[Form, ...] = ("options", "yes or no", "open")
COMMON = 8
"""Open answers that a guesser of a kind may choose among: the commonest."""
Z = 1.96
"""Of a 95 % interval."""
DEALS = 3
"""Dealings of the layouts to folds: what is dropped for one alone is guessed again in another."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One turn of a question, of a layout."""

    id: str
    """Of its question, within the dataset."""
    layout: str
    kind: str
    form: Form
    question: str
    options: tuple[str, ...]
    """As shown; none for yes or no and open questions."""
    right: int
    said: str
    """An open answer as the guesser may say it."""


@dataclass(frozen=True, slots=True)
class Row:
    """How the questions of a kind and form are guessed."""

    kind: str
    form: Form
    n: int
    chance: float
    guessed: float
    low: float
    high: float
    """95 % interval of `guessed` (Wilson)."""
    letters: tuple[int, ...] = ()
    """How often the right option stands first, second …; over questions with the usual number of options."""
    ranks: tuple[int, ...] = ()
    """How often it is the smallest, second smallest … of numbers."""

    @property
    def gap(self) -> float:
        return self.guessed - self.chance

    @property
    def leaks(self) -> bool:
        """Whether blind guessing beats chance beyond doubt."""
        return self.low > self.chance


# ---- From questions to what the guesser has ------------------------------------------------------


def asked(key: str, layout: str, question: Question) -> list[Asked]:
    """The turns of a question that can be guessed."""
    found = []
    for turn in question.turns:
        form: Form = "options" if turn.choices else "yes or no" if turn.answer.type == "bool" else "open"
        said = _said(turn.answer)
        if said is None and form == "open":
            continue
        options = tuple(c.en for c in turn.choices or ())
        right = turn.correct if turn.correct is not None else -1
        found.append(
            Asked(f"{key}/{question.id}", layout, question.kind, form, turn.question.en, options, right, said or "")
        )
    return found


STEPS = [10]
while STEPS[-1] < 10**9:
    STEPS.append(STEPS[-1] * 4 // 3)


def _said(answer: Answer) -> str | None:
    """An answer as one of few: numbers in steps of a third, times in whole seconds."""
    if answer.type == "number":
        step = bisect(STEPS, round(1000 * abs(answer.value)))
        return f"{'-' if answer.value < 0 else ''}{STEPS[step - 1] / 1000 if step else 0:.3g} {answer.unit}"
    if answer.type == "interval":
        return " to ".join(f"{math.floor(s + 0.5)} s" for s in answer.value)
    if answer.type in ("bool", "int", "choice", "object", "objects"):
        return answer.text.en
    return None


def guessable(group: Sequence[Asked]) -> list[Item]:
    """What is guessed at: the options shown; for the others, the answers that occur in each kind."""
    common: dict[str, tuple[str, ...]] = {}
    for kind in {a.kind for a in group}:
        counts = Counter(a.said for a in group if a.kind == kind and a.form == "open")
        common[kind] = tuple(s for s, _ in sorted(counts.items(), key=lambda c: (-c[1], c[0]))[:COMMON])
    found = []
    for a in group:
        shown = a.form == "options"
        options = a.options if shown else ("Yes", "No") if a.form == "yes or no" else common[a.kind]
        right = a.right if shown else options.index(a.said) if a.said in options else -1
        found.append(Item(a.id, a.layout, a.kind, a.question, options, right, shown))
    return found


def items(pool: Iterable[Asked]) -> list[Item]:
    """What of a pool is probed, kind by kind."""
    return [i for kind, _, group in groups(pool) if kind != "all" for i in guessable(group) if len(i.options) > 1]


def deals(layouts: Iterable[str], folds: int, seed: int) -> list[dict[str, int]]:
    """Layouts dealt out evenly to folds, DEALS times, in orders drawn from the seed."""
    names = sorted(set(layouts))
    found = []
    for n in range(DEALS):
        drawn = sorted(names, key=lambda name: seeds.seed(seed, "folds", n, name))
        found.append({name: i % folds for i, name in enumerate(drawn)})
    return found


# ---- Measuring -----------------------------------------------------------------------------------

Groups = list[tuple[str, Form, list[Asked]]]


def groups(pool: Iterable[Asked]) -> Groups:
    """By kind and form, then all kinds of a form together."""
    found: dict[tuple[str, Form], list[Asked]] = {}
    for a in pool:
        found.setdefault((a.kind, a.form), []).append(a)
    single: Groups = [(k, f, rows) for (k, f), rows in sorted(found.items())]
    whole: Groups = [("all", f, [a for _, g, rows in single if g == f for a in rows]) for f in FORMS]
    return single + [g for g in whole if g[2]]


Guessing = Callable[[Sequence[Item]], list[list[Guess]]]
"""What is guessed of each item, once or several times; of nothing where it can't be."""


def measure(pool: Iterable[Asked], guessing: Guessing) -> list[Row]:
    """A row for every kind and form, and one for each form over all kinds."""
    rows = []
    for kind, form, group in groups(pool):
        items = [i for i in guessable(group) if len(i.options) > 1]
        if items and (guesses := guessing(items)):
            rows.append(scored(kind, form, items, guesses))
    return rows


def by_words(seed: int, folds: int = 5) -> Guessing:
    """Guessing by a classifier that learns from the other folds; of items of one layout, nothing."""

    def guessing(items: Sequence[Item]) -> list[list[Guess]]:
        dealt = deals((i.layout for i in items), folds, seed)
        if len(dealt[0]) < 2:
            return []
        guesser = Guesser(items, dealt)
        return [guesser.guess(i) for i in range(len(items))]

    return guessing


def scored(kind: str, form: Form, items: list[Item], guesses: list[list[Guess]]) -> Row:
    """The mean over the guesses of each."""
    n = len(items)
    guessed = sum(g.credit for some in guesses for g in some) / (len(guesses[0]) * UNITS * n)
    low, high = interval(guessed, n)
    chance = sum(1 / len(i.options) for i in items) / n
    return Row(kind, form, n, chance, guessed, low, high, *_places(items if form == "options" else []))


def interval(share: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a share of n (Wilson 1927)."""
    middle = share + Z * Z / (2 * n)
    half = Z * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    return (middle - half) / (1 + Z * Z / n), (middle + half) / (1 + Z * Z / n)


def _places(items: list[Item]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Letters and numeric ranks of the right options, of the commonest number of options."""
    if not items:
        return (), ()
    sizes = Counter(len(i.options) for i in items)
    usual = max(sizes, key=lambda s: (sizes[s], s))
    same = [i for i in items if len(i.options) == usual]
    letters = Counter(i.right for i in same)
    ranks = Counter(r for i in same if (r := numeric_rank(i.options, i.right)) is not None)
    said = tuple(letters[k] for k in range(usual))
    return said, tuple(ranks[k] for k in range(usual)) if ranks else ()
